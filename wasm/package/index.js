import { begin } from "./secretfig.js";
import { carry } from "./fetch.js";

const faultOf = ([key, kind, source, secret, hint, message]) => ({ key, kind, source: source ?? undefined, secret: secret ?? undefined, hint, message });
const errorOf = (faults, message = faults[0].message) => {
  const { message: _, ...first } = faults[0];
  return Object.assign(new Error(message), first, { name: "SecretfigError", faults });
};
const wrong = (kind, message, hint) => errorOf([faultOf(["", kind, undefined, undefined, hint, `${message} \u2192 ${hint}`])]);
export const isSecretfigError = (error) => error instanceof Error && error.name === "SecretfigError";

// What is left of an instance that has ended over a fault of its own is of no use, and its message may say anything.
const typed = (error) => isSecretfigError(error) ? error : wrong("broken", "this instance of secretfig has ended", "report it, and start the program anew");

/** Options as JSON can say them, also where prototypes bring them; times in milliseconds. */
function plain(given, depth = 0) {
  if (typeof given === "string" || typeof given === "boolean") return given;
  if (typeof given === "number" && Number.isFinite(given)) return Math.ceil(Math.min(given * 1000, 1e15));
  if (given === null || given === undefined) return null;
  // of no type that anything here is of
  if (typeof given !== "object" || depth > 32) return [];
  if (Array.isArray(given)) return given.map((one) => plain(one, depth + 1));
  const table = Object.create(null);
  for (const key in given) table[key] = plain(given[key], depth + 1);
  return table;
}

/** 32 random bytes, which some hosts do not give outside of a request. */
function key() {
  try {
    return crypto.getRandomValues(new Uint8Array(32));
  } catch {
    return new Uint8Array();
  }
}

/** Carries a talk to its end. */
async function converse(talk) {
  for (;;) {
    const requests = JSON.parse(talk.step(performance.now(), Date.now(), Math.random()));
    if (!requests.length) return talk;
    await Promise.all(requests.map((request) => carry(talk, request)));
  }
}

async function open(options) {
  try {
    // now and not later: the caller may change them meanwhile
    const talk = await converse(begin(JSON.stringify(plain(options)), key()));
    const inner = talk.config(), flaws = JSON.parse(talk.told());
    talk.free();
    if (inner) return new Config(inner);
    const faults = flaws.map(faultOf);
    throw errorOf(faults, ["configuration refused", ...faults.map((fault) => fault.message)].join("\n  "));
  } catch (error) {
    throw typed(error);
  }
}

/** Strings come with a tag: `s` of text, `i` of an integer that a number would round, `n` of a number that was a text. */
const revive = (_, value) => {
  if (typeof value !== "string") return value;
  const text = value.slice(1);
  return value[0] === "s" ? text : value[0] === "i" ? BigInt(text) : Number(text);
};

/** What is held: whether it is due, and the value, or the error that there is in its place. */
function held(inner, path, whole) {
  const told = inner.get(path, whole, performance.now()), text = told.slice(2), due = told[0] === "1";
  if (told[1] === "v") return { due, value: JSON.parse(text, revive) };
  return { due, error: errorOf([faultOf(JSON.parse(text))]), withheld: told[1] === "w" };
}

async function read(inner, path, whole, context) {
  try {
    if (typeof path !== "string") throw wrong("wrong type", "a key is a string", "give the key path as a string");
    let { due, value, error, withheld } = held(inner, path, whole);
    if (due || withheld) {
      // someone else may be looking already, and nobody waits for another's I/O: what is withheld is asked for by oneself
      const looking = converse(inner.look(!!withheld));
      // served as it is, while the host keeps this request's I/O alive for the look
      if (!error && behind(context, looking)) return value;
      const talk = await looking, looked = talk.config();
      talk.free();
      ({ value, error } = held(looked, path, whole));
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

async function refresh(inner) {
  try {
    const talk = await converse(inner.look(true));
    const [changed, refused, failed] = JSON.parse(talk.told());
    talk.free();
    return { changed, refused: refused.map(([secret, fault]) => ({ secret, fault })), failed: failed.map(faultOf) };
  } catch (error) {
    throw typed(error);
  }
}

const explained = ([key, secret_name, revision, beaten]) => ({ key, secret: true, layer: "`secrets`", source: "vault", secret_name, revision, beaten, value: null });

// Around the object that lives in linear memory: what was freed there must not be asked again, not even by mistake.
export class Config {
  #inner;
  constructor(inner) { this.#inner = inner; }
  #held() {
    if (!this.#inner) throw wrong("misconfigured", "this configuration was freed", "load anew, or free it later");
    return this.#inner;
  }
  get(path, context) { return read(this.#held(), path, false, context); }
  section(name, context) { return read(this.#held(), name, true, context); }
  explain() { return { profile: "edge", strict: true, keys: JSON.parse(this.#held().explain()).map(explained), remarks: [] }; }
  refresh() { return refresh(this.#held()); }
  free() {
    const inner = this.#inner;
    this.#inner = undefined;
    inner?.free();
  }
}
if (Symbol.dispose) Config.prototype[Symbol.dispose] = Config.prototype.free;

export const load = (options) => open(options);
