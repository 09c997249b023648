import { begin, initSync } from "./secretfig.js";
import { carry } from "./fetch.js";
import { read as readOptions } from "./options.js";

// a name must not write lines of its own into a log
const clean = (text) => text.replace(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, "\ufffd");

const faultOf = (of) => ([key, kind, what, hint, asked, secret]) => {
  const named = secret === undefined ? "" : `\`${secret}\` `, source = asked ? of : undefined;
  const where = source ? `${key && `${key} \u2190 `}${source}${secret === undefined ? "" : ` \`${secret}\``}: ` : `${key || "(root)"}: ${named}`;
  return { key, kind, source, secret, hint, message: clean(`${where}${what} \u2192 ${hint}`) };
};
const errorOf = (flaws, source, lines) => {
  const faults = flaws.map(faultOf(source)), { message, ...first } = faults[0];
  const all = lines ? [lines, ...faults.map((fault) => fault.message)].join("\n  ") : message;
  return Object.assign(new Error(all), first, { name: "SecretfigError", faults });
};
const wrong = (kind, what, hint) => errorOf([["", kind, what, hint]]);
const refused = (flaws, source) => errorOf(flaws, source, "configuration refused");
export const isSecretfigError = (error) => error instanceof Error && error.name === "SecretfigError";

// What is left of an instance that has ended over a fault of its own is of no use, and its message may say anything.
const typed = (error) => isSecretfigError(error) ? error : wrong("broken", "this instance of secretfig has ended", "report it, and start the program anew");

/** 32 random bytes, which some hosts do not give outside of a request. */
function key() {
  try {
    return crypto.getRandomValues(new Uint8Array(32));
  } catch {
    return new Uint8Array();
  }
}

/** Carries a talk to its end, some requests at a time: hosts allow few connections. */
async function converse(talk, deadline) {
  for (;;) {
    const requests = JSON.parse(talk.step(performance.now(), Date.now(), Math.random()));
    if (!requests.length) return talk;
    const each = requests.entries();
    const carrier = async () => {
      for (const [at, request] of each) await carry(talk, at, request, deadline);
    };
    await Promise.all(Array.from({ length: 6 }, carrier));
  }
}

const told = (talk) => JSON.parse(talk.told());

async function open(options) {
  try {
    // now and not later: the caller may change them meanwhile
    const { given, shape, timeout, source, faults } = readOptions(options);
    if (faults) throw refused(faults);
    const talk = await converse(begin(JSON.stringify(given), key()), timeout);
    const [, , flaws] = told(talk), inner = talk.config();
    talk.free();
    if (!flaws.length) return new Config(inner, shape, timeout, source);
    inner?.free();
    throw refused(flaws, source);
  } catch (error) {
    throw typed(error);
  }
}

/** Strings come with a tag: `s` of text, `i` of an integer that a number would round, `b` of bytes, two digits each. */
const revive = (_, value) => {
  if (typeof value !== "string") return value;
  const rest = value.slice(1);
  return value[0] === "s" ? rest : value[0] === "i" ? BigInt(rest) : Uint8Array.from(rest.match(/../g) ?? [], (byte) => parseInt(byte, 16));
};

/** The shape of a part, found as the part is. */
function shapeAt(shape, path) {
  if (shape === null || typeof shape !== "object") return null;
  const own = (key) => Array.isArray(shape) ? (/^\d+$/.test(key) ? shape[0] : undefined) : shape[key];
  const dot = path.indexOf("."), first = dot < 0 ? undefined : own(path.slice(0, dot));
  return own(path) ?? (first === undefined ? null : shapeAt(first, path.slice(dot + 1)));
}

/** Text as the number or boolean that it says, where the shape asks for one: what is held was found to be of the shape. */
function shaped(value, shape) {
  if (typeof shape === "string") {
    if (typeof value !== "string") return value;
    return shape.startsWith("number") ? Number(value) : shape.startsWith("boolean") ? value === "true" : value;
  }
  if (shape === null || typeof value !== "object" || value === null) return value;
  for (const key of Object.keys(value)) value[key] = shaped(value[key], shapeAt(shape, key));
  return value;
}

/** What is held: whether it is due, and the value, or the error that there is in its place. */
function held(inner, shape, path, whole) {
  const text = inner.get(path, whole, performance.now()), rest = text.slice(2), due = text[0] === "1";
  if (text[1] === "v") return { due, value: shaped(JSON.parse(rest, revive), shapeAt(shape, path)) };
  return { due, error: errorOf([JSON.parse(rest)]), withheld: text[1] === "w" };
}

async function read([inner, shape, timeout], path, whole, context) {
  try {
    if (typeof path !== "string") throw wrong("wrong type", "a key is a string", "give the key path as a string");
    let { due, value, error, withheld } = held(inner, shape, path, whole);
    if (due || withheld) {
      // someone else may be looking already, and nobody waits for another's I/O: what is withheld is asked for by oneself
      const looking = converse(inner.look(!!withheld), timeout);
      // served as it is, while the host keeps this request's I/O alive for the look
      if (!error && behind(context, looking)) return value;
      const talk = await looking, looked = talk.config();
      talk.free();
      ({ value, error } = held(looked, shape, path, whole));
      looked.free();
    }
    if (error) throw error;
    return value;
  } catch (error) {
    throw typed(error);
  }
}

/** By way of the context's `waitUntil`; false where it has none. */
function behind(context, looking) {
  if (typeof context?.waitUntil !== "function") return false;
  try {
    // a look that ends badly is told by who asks: `refresh`, and `stale` in the end
    context.waitUntil(looking.then((talk) => talk.free(), () => {}));
    return true;
  } catch {
    return false;
  }
}

async function refresh([inner, , timeout, source]) {
  try {
    const talk = await converse(inner.look(true), timeout);
    const [changed, refused, failed] = told(talk);
    talk.free();
    const lines = (flaws) => flaws.map((flaw) => faultOf(source)(flaw).message).join("; ");
    return { changed, refused: refused.map(([secret, flaws]) => ({ secret, fault: lines(flaws) })), failed: failed.map(faultOf(source)) };
  } catch (error) {
    throw typed(error);
  }
}

const explained = (source) => ([key, secret_name, revision, beaten]) => ({ key, secret: true, layer: "`secrets`", source, secret_name, revision, beaten, value: null });

// Around the object that lives in linear memory: what was freed there must not be asked again, not even by mistake.
export class Config {
  #inner;
  constructor(...inner) { this.#inner = inner; }
  #held() {
    if (!this.#inner) throw wrong("misconfigured", "this configuration was freed", "load anew, or free it later");
    return this.#inner;
  }
  get(path, context) { return read(this.#held(), path, false, context); }
  section(name, context) { return read(this.#held(), name, true, context); }
  explain() {
    const [inner, , , source] = this.#held();
    return { profile: "edge", strict: true, keys: JSON.parse(inner.explain()).map(explained(source)), remarks: [] };
  }
  refresh() { return refresh(this.#held()); }
  free() {
    const inner = this.#inner;
    this.#inner = undefined;
    inner?.[0].free();
  }
}
if (Symbol.dispose) Config.prototype[Symbol.dispose] = Config.prototype.free;

export const load = (options) => open(options);

/** For the entries beside: each has its own way to come by the module. */
export const start = (module) => void initSync({ module });
