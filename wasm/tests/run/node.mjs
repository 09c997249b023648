// Loads a typed section in Node, from the server and the package that the test names.
import assert from "node:assert/strict";
import { createServer } from "node:http";

const { load, isSecretfigError } = await import("secretfig");
const { ADDRESS: address, TOKEN: token, ROLE_ID: roleId, SECRET_ID: secretId, MARKER: marker } = process.env;
const secrets = { database: "secret/myapp/database" };
const shape = { database: { host: "string", port: "number", password: "string", "comment": "string?" } };
const rejected = async (promise) => {
  const error = await promise.then(() => assert.fail("it was to be refused"), (error) => error);
  assert.ok(isSecretfigError(error) && error instanceof Error, String(error));
  assert.ok(error.kind && error.hint && Array.isArray(error.faults) && error.faults.length > 0, String(error));
  assert.ok(!JSON.stringify([error, error.message, error.stack, String(error)]).includes(marker), "a value in an error");
  return error;
};

// a typed section, by token and by role
for (const signIn of [{ token }, { appRole: { roleId, secretId } }]) {
  const config = await load({ provider: "vault", address, ...signIn, secrets, shape });
  const database = await config.section("database");
  assert.deepEqual(database, { host: "db.internal", port: 5432, password: marker });
  assert.equal(await config.get("database.port"), 5432);
  assert.equal(await config.get("database.password"), marker);
  assert.equal((await rejected(config.get("database.none"))).kind, "missing");
  assert.equal((await rejected(config.get(7))).kind, "wrong type");
  const explain = config.explain();
  assert.ok(explain.keys.some((key) => key.key === "database.password" && key.secret_name === "secret/myapp/database"));
  assert.ok(!JSON.stringify(explain).includes(marker));
  assert.deepEqual((await config.refresh()).failed, []);
  const last = config.section("database");
  const under_way = config.refresh();
  config.free();
  assert.equal((await last).host, "db.internal");
  await under_way;
  assert.throws(() => config.get("database"));
}

// a ttl that is over: who reads looks; with a context, behind the answer
{
  const config = await load({ provider: "vault", address, token, secrets, ttl: 1.5 });
  const set = async (host) => assert.ok((await fetch(`${address}/v1/secret/data/myapp/database`, {
    method: "POST",
    headers: { "x-vault-token": process.env.ROOT },
    body: JSON.stringify({ data: { host, port: "5432", password: marker } }),
  })).ok);
  const past = () => new Promise((done) => setTimeout(done, 1600));
  await set("second");
  await past();
  const first = await config.get("database.host");
  assert.equal(first, "second", `${first}: ${JSON.stringify(await config.refresh())} ${await config.get("database.host")}`);
  await set("third");
  await past();
  const waited = [];
  const context = { waitUntil: (promise) => void waited.push(promise) };
  assert.equal(await config.get("database.host", context), "second");
  assert.equal(waited.length, 1);
  await Promise.all(waited);
  assert.equal(await config.get("database.host", context), "third");
  await set("db.internal");
}

// every fault of the options at once, and of the load
{
  const error = await rejected(load({ provider: "gcp", token: 7, pins: ["x"], secretz: {}, timeout: -1 }));
  const found = new Map(error.faults.map((fault) => [fault.key, fault.kind]));
  for (const [key, kind] of Object.entries({
    provider: "misconfigured", address: "missing", token: "wrong type", pins: "misconfigured",
    secretz: "misconfigured", timeout: "wrong type", secrets: "missing",
  })) assert.equal(found.get(key), kind, `${key}: ${error}`);
  const many = await rejected(load({
    provider: "vault", address, token, secrets: { a: "secret/none", b: "secret/myapp/denied", c: "secret/myapp/database" },
  }));
  assert.deepEqual(many.faults.map((fault) => fault.key).sort(), ["a", "b"]);
  assert.ok(many.faults.every((fault) => fault.source === "vault" && fault.hint && fault.secret));
  assert.equal((await rejected(load())).kind, "wrong type");
  assert.equal((await rejected(load(null))).kind, "wrong type");
  const wrong = await rejected(load({
    provider: "vault", address, token, secrets,
    shape: { database: { host: "number", port: "string", password: "boolean", user: "string" } },
  }));
  assert.deepEqual(
    wrong.faults.map((fault) => [fault.key, fault.kind]).sort(),
    [["database.host", "wrong type"], ["database.password", "wrong type"], ["database.user", "missing"]],
  );
}

// a corpus of bad servers: each rejects, none hangs, no token follows a redirect
let elsewhere = 0;
const other = createServer((request, reply) => { elsewhere += 1; reply.end("{}"); });
await new Promise((listening) => other.listen(0, "127.0.0.1", listening));
const to = `http://127.0.0.1:${other.address().port}/`;
const json = { "content-type": "application/json" };
const corpus = {
  400: (reply) => reply.writeHead(400, json).end('{"errors":["x"]}'),
  403: (reply) => reply.writeHead(403, json).end('{"errors":["permission denied"]}'),
  404: (reply) => reply.writeHead(404, json).end('{"errors":[]}'),
  429: (reply) => reply.writeHead(429, { "retry-after": "1" }).end(),
  500: (reply) => reply.writeHead(500, json).end('{"errors":["internal error"]}'),
  503: (reply) => reply.writeHead(503, json).end('{"errors":["Vault is sealed"]}'),
  html: (reply) => reply.writeHead(200, { "content-type": "text/html" }).end(`<html>${marker}</html>`),
  truncated: (reply) => reply.writeHead(200, json).end(`{"data": {"data": {"password": "${marker}`),
  empty: (reply) => reply.writeHead(200).end(),
  no_text: (reply) => reply.writeHead(200, json).end(Buffer.from([0xff, 0xfe, 0x22, 0x80])),
  deep: (reply) => reply.writeHead(200, json).end("[".repeat(10_000) + "]".repeat(10_000)),
  huge: (reply) => {
    reply.writeHead(200, json);
    const more = () => { while (reply.write(Buffer.alloc(1 << 16, 0x20))); };
    reply.on("drain", more);
    more();
  },
  silent: () => {},
  stalled: (reply) => reply.writeHead(200, json).write('{"data":'),
  reset: (reply) => reply.socket.destroy(),
  broken_off: (reply) => { reply.writeHead(200, { ...json, "content-length": "999" }).write('{"data":'); setTimeout(() => reply.socket.destroy(), 20); },
  ...Object.fromEntries([301, 302, 303, 307, 308].map((n) => [n, (reply) => reply.writeHead(n, { location: to }).end()])),
};
let answer;
const bad = createServer((_, reply) => { reply.on("error", () => {}); answer(reply); });
await new Promise((listening) => bad.listen(0, "127.0.0.1", listening));
const kinds = {};
for (const [name, how] of Object.entries(corpus)) {
  answer = how;
  const asked = load({ provider: "vault", address: `http://127.0.0.1:${bad.address().port}`, token, secrets, timeout: 0.7 });
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`${name}: it hangs`)), 15_000).unref());
  const error = await rejected(Promise.race([asked, late]));
  assert.ok(!String(error).includes(token), "the token in an error");
  kinds[name] = error.kind;
}
assert.equal(elsewhere, 0, "a request followed a redirect");
assert.equal((await rejected(load({ provider: "vault", address: "http://127.0.0.1:1", token, secrets }))).faults.length > 0, true);
bad.closeAllConnections();
bad.close();
other.close();
console.log(JSON.stringify(kinds));
