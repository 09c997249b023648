// What a caller of `load` gives, read once: every fault of it at once, and none quotes what was given. What is sound is
// handed on as lists of texts.

// What a server can and `fetch` cannot. To ignore one of them would be to trust what its user does not.
const notHere = "ca caCert caFile extraCa pin pins proxy clientCert clientCertFile clientKey clientKeyFile cert key dangerPlainHttp profile rejectUnauthorized skipVerify tlsServerName tokenFile webIdentityTokenFile".split(" ");
const kinds = "v1 v2 1 2 kv-v1 kv-v2".split(" ");

/** One object of the options, as `at` names it. Each question about it tells what is wrong with the answer. */
function reader(given, at, faults) {
  const path = (key) => at ? `${at}.${key}` : key;
  const fault = (key, kind, what, hint) => void faults.push([path(key), kind, what, hint]);
  const wrong = (key, what, hint) => fault(key, "misconfigured", what, hint);
  const ofType = (key, expected) => fault(key, "wrong type", `wrong type, expected ${expected}`, "correct the option");
  const get = (key) => given[key] ?? undefined;
  const text = (key) => {
    const value = get(key);
    if (value === undefined) return undefined;
    if (typeof value !== "string") return ofType(key, "a string");
    return value || wrong(key, "empty", "set it, or leave it out");
  };
  return {
    fault, wrong, ofType, get, text,
    needed: (key, hint) => get(key) === undefined ? fault(key, "missing", "missing", hint) : text(key),
    flag: (key) => {
      const value = get(key);
      if (value !== undefined && typeof value !== "boolean") ofType(key, "a boolean");
      return value === true;
    },
    /** Seconds, as whole milliseconds. */
    time: (key, otherwise) => {
      const value = get(key);
      if (value === undefined) return otherwise;
      if (typeof value === "number" && value > 0 && value < Infinity) return `${BigInt(Math.ceil(Math.min(value * 1000, 1e15)))}`;
      return ofType(key, "seconds, a number above 0");
    },
    known: (names) => {
      for (const key in given) {
        if (!at && notHere.includes(key)) {
          if (get(key) !== undefined) wrong(key, `\`${key}\` cannot be honoured here`, "`fetch` has no such thing; leave it to the host, or run on a server");
        } else if (!names.includes(key)) wrong(key, "no such option", "correct its spelling, or remove it");
      }
    },
    /** The object at a key, or `undefined` where there is none. */
    inner: (key) => get(key) === undefined ? undefined : object(get(key), path(key), faults),
  };
}

const isObject = (given) => typeof given === "object" && given !== null && !Array.isArray(given);

function object(given, at, faults) {
  if (isObject(given)) return reader(given, at, faults);
  faults.push([at || "options", "wrong type", "wrong type, expected an object", "give an object"]);
}

/** Scheme, host and port of that option, taken apart by the host's own parser. */
function addressOf(key, text, options) {
  const wrong = (hint) => options.wrong(key, "misconfigured", hint);
  let url;
  try {
    url = new URL(text);
  } catch {
    return [wrong("no address: `https://host` or `https://host:port` is meant")];
  }
  if (url.username || url.password) wrong("an address takes no user and no password");
  else if (/[?#\\\s]/.test(text) || url.pathname !== "/") wrong("an address takes no path, no query and no fragment");
  else if (url.port === "0") wrong("no port: 1 to 65535 is meant");
  return [url.protocol.slice(0, -1), url.hostname, url.port];
}

/** A copy of a shape: names and types, and no value. */
function shapeOf(shape, at, faults, depth = 0) {
  let what = "no such type";
  if (typeof shape === "string") {
    if (/^(string|number|boolean|bytes|any)\??$/.test(shape)) return shape;
  } else if (Array.isArray(shape)) {
    if (shape.length === 1 && depth < 32) return [shapeOf(shape[0], `${at}.0`, faults, depth + 1)];
    what = "a list's shape has one element";
  } else if (isObject(shape) && depth < 32) {
    const table = Object.create(null);
    for (const key in shape) table[key] = shapeOf(shape[key], `${at}.${key}`, faults, depth + 1);
    return table;
  } else if (shape === null || shape === undefined) what = "no shape";
  faults.push([at, "misconfigured", what, "write `string`, `number`, `boolean`, `bytes` or `any`, a list of one shape, or an object of shapes"]);
}

const texts = (...cells) => cells.map((cell) => cell ?? "");
const common = " provider prefix secrets ttl maxStale timeout shape";

/** A server, who signs in there, where names lie, and other mounts. */
function vault(options) {
  options.known(`address token appRole namespace mount mounts${common}`.split(" "));
  const address = options.needed("address", "set it to the server's origin, such as `https://vault.example:8200`");
  const [scheme, host, port] = address ? addressOf("address", address, options) : [];
  const token = options.text("token"), mounts = [];
  let signIn = [token];
  const role = options.inner("appRole");
  if (options.get("appRole") === undefined) {
    if (options.get("token") === undefined) options.fault("token", "missing", "missing", "give `token` or `appRole`");
  } else if (options.get("token") !== undefined) {
    options.wrong("token", "given beside `appRole`", "keep one of the two");
  } else if (role) {
    role.known(["roleId", "secretId", "mount"]);
    signIn = ["", role.text("mount") ?? "approle", role.needed("roleId", "give the role's id"), role.needed("secretId", "give a secret id of the role")];
  }
  // of what kind each is; of a `null` one the server tells
  const others = options.inner("mounts");
  for (const mount in others && options.get("mounts")) {
    const kind = others.text(mount);
    if (kind && !kinds.includes(kind)) others.wrong(mount, "no such kind of mount", "kinds are `v1` and `v2`");
    mounts.push(texts(mount.replace(/^\/+|\/+$/g, ""), kind));
  }
  return { source: "vault", server: [scheme, host, port, ...signIn], place: ["namespace", "mount", "prefix"].map(options.text), more: mounts };
}

const name = "[\\w/+=.@-]{1,512}", secretName = new RegExp(`^(arn:aws[\\w-]*:secretsmanager:[a-z\\d-]+:\\d{12}:secret:)?${name}$`);

// of regions that begin so: https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
const domains = "cn- amazonaws.com.cn eusc- amazonaws.eu us-isof- csp.hci.ic.gov us-isob- sc2s.sgov.gov us-iso- c2s.ic.gov eu-isoe- cloud.adc-e.uk".match(/\S+ \S+/g).map((pair) => pair.split(" "));

/** A region, who signs in there, where names lie, and endpoints other than AWS' own. */
function aws(options) {
  options.known(`region accessKeyId secretAccessKey sessionToken roleArn webIdentityToken roleSessionName endpoint stsEndpoint${common}`.split(" "));
  const like = (key, pattern, hint, missing) => {
    const value = missing ? options.needed(key, missing) : options.text(key);
    if (value && !pattern.test(value)) options.wrong(key, "misconfigured", hint);
    return value;
  };
  const given = (...keys) => keys.some((key) => options.get(key) !== undefined);
  const byRole = given("roleArn", "webIdentityToken", "roleSessionName"), byKey = given("accessKeyId", "secretAccessKey", "sessionToken");
  const region = like("region", /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/, "`eu-central-1` is meant", "set it, such as `eu-central-1`");
  if (byRole && byKey) options.wrong("accessKeyId", "given beside a role and its token", "keep one of the two");
  const either = "give `accessKeyId` and `secretAccessKey`, or `roleArn` and `webIdentityToken`";
  const keys = byRole ? ["", "", ""] : [
    like("accessKeyId", /^[\w-]+$/, "letters and digits are meant", either),
    like("secretAccessKey", /\S/, "empty", either),
    like("sessionToken", /^[!-~]+$/, "a token has no blanks"),
  ];
  const role = !byRole ? [] : [
    like("roleArn", /^arn:[^:]*:iam::[^:]*:role\/\S+$/, "`arn:aws:iam::123456789012:role/name` is meant", either),
    like("webIdentityToken", /\S/, "empty", either),
    like("roleSessionName", /^[\w+=,.@-]{2,64}$/, "2 to 64 letters, digits and `+=,.@-` are meant"),
  ];
  const domain = domains.find(([begins]) => region?.startsWith(begins))?.[1] ?? "amazonaws.com";
  const more = [["endpoint", "secretsmanager"], ["stsEndpoint", "sts"]].map(([key, service]) => {
    const address = options.text(key);
    return texts(...(address ? addressOf(key, address, options) : ["https", `${service}.${region}.${domain}`]));
  });
  const prefix = like("prefix", new RegExp(`^${name}$`), "letters, digits and `/_+=.@-` are meant");
  const named = (text) => secretName.test(text) ? undefined : text.endsWith("*") ? "folders are not read here; ask for single secrets" : "the name or the ARN of a secret is meant";
  return { source: "aws-sm", server: [region, ...keys, ...role], place: [, , prefix], more, named };
}

/** `{ given, shape, timeout, source }`, or `{ faults }` of `[key, kind, what, hint]` each. */
export function read(given) {
  const faults = [], wanted = [];
  const options = object(given, "", faults);
  if (!options) return { faults };
  const provider = options.needed("provider", "set it to `vault` or `aws`");
  if (provider && !/^(vault|aws)$/.test(provider)) options.wrong("provider", "no such provider", "`vault` and `aws` are those there are");
  const { source, server, place, more, named } = provider === "aws" ? aws(options) : vault(options);
  const timeout = options.time("timeout", "3000");
  const times = [options.time("ttl", "300000"), options.time("maxStale", "86400000"), timeout, source];
  const hint = "name what to load, such as `{ database: \"myapp/database\" }`";
  const secrets = options.inner("secrets");
  if (options.get("secrets") === undefined) options.fault("secrets", "missing", "missing", hint);
  let any = false;
  for (const key in secrets && options.get("secrets")) {
    any = true;
    const given = secrets.get(key);
    let name = given, rest = [];
    if (typeof given !== "string" || !given) {
      const one = object(given, `secrets.${key}`, faults);
      if (!one) continue;
      one.known(["name", "field", "optional", "ttl"]);
      name = one.needed("name", "name the secret");
      rest = [one.text("field"), one.flag("optional") ? "1" : "", one.time("ttl")];
    }
    const why = name && named?.(name);
    if (why) secrets.wrong(key, "misconfigured", why);
    wanted.push(texts(key, name, ...rest));
  }
  if (secrets && !any) options.wrong("secrets", "nothing to load", hint);
  const shape = options.get("shape") === undefined ? null : shapeOf(options.get("shape"), "shape", faults);
  return faults.length ? { faults } : { given: [texts(...server), texts(...place, ...times), more, wanted, shape], shape, timeout: Number(timeout), source };
}
