// Loads a typed section in Node, from the server and the package that the test names.
import assert from "node:assert/strict";
import { run } from "./corpus.mjs";
import { host } from "./host.mjs";

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
  config.free();
  assert.equal((await last).host, "db.internal");
  await under_way;
  assert.throws(() => config.get("database"), (error) => isSecretfigError(error) && error.kind === "misconfigured");
  // freed by its scope
  (await load({ provider: "vault", address, ...signIn, secrets }))[Symbol.dispose]?.();
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

// another mount, by what is set about it; a name that begins with no mount lies in `mount`
for (const mounts of [{ mount: "team/kv", prefix: "app" }, { mounts: { "team/kv": "v1" } }, { mounts: { "team/kv/": null } }]) {
  const name = mounts.mount ? "db" : "team/kv/app/db";
  const config = await load({ provider: "vault", address, token: process.env.ROOT, ...mounts, secrets: { database: name } });
  assert.equal(await config.get("database.password"), marker);
  config.free();
}
{
  const wrong = await rejected(load({
    provider: "vault", address, token, secrets, mount: "../sys", namespace: "a/../b", mounts: { kv: "v3", pg: 7 },
  }));
  assert.deepEqual(wrong.faults.map((fault) => [fault.key, fault.kind]), [["mounts.kv", "misconfigured"], ["mounts.pg", "wrong type"]]);
  const steering = await rejected(load({
    provider: "vault", address, token, secrets, mount: "../sys", namespace: "a/../b", mounts: { "x/../y": "v2" },
  }));
  assert.deepEqual(
    steering.faults.map((fault) => [fault.key, fault.kind]).sort(),
    [["mount", "misconfigured"], ["mounts.x/../y", "misconfigured"], ["namespace", "misconfigured"]],
  );
}

// a login that the server forgets: one more, and what was asked for is had; a token that was given cannot be made anew
{
  const root = async (method, path, body) => (await fetch(`${address}/v1/${path}`, {
    method, headers: { "x-vault-token": process.env.ROOT }, body: body && JSON.stringify(body),
  })).json().catch(() => ({}));
  const made = (await root("POST", "auth/token/create", { policies: ["edge"] })).auth.client_token;
  const [by_role, by_token] = await Promise.all([{ appRole: { roleId, secretId } }, { token: made }].map((signIn) =>
    load({ provider: "vault", address, ...signIn, secrets })));
  await root("POST", "auth/token/revoke", { token: made });
  for (const accessor of (await root("GET", "auth/token/accessors?list=true")).data.keys) {
    const { data } = await root("POST", "auth/token/lookup-accessor", { accessor });
    if (data?.path === "auth/approle/login") await root("POST", "auth/token/revoke-accessor", { accessor });
  }
  assert.deepEqual(await by_role.refresh(), { changed: [], refused: [], failed: [] });
  const { failed } = await by_token.refresh();
  assert.deepEqual(failed.map(({ kind, secret }) => [kind, secret]), [["unauthenticated", "secret/myapp/database"]]);
  for (const config of [by_role, by_token]) assert.equal(await config.get("database.password"), marker);
}

// contents without versions: what is new is told by what there was
{
  const name = "team/kv/app/db", headers = { "x-vault-token": process.env.ROOT };
  const put = async (password) => assert.ok((await fetch(`${address}/v1/${name}`, { method: "POST", headers, body: JSON.stringify({ password }) })).ok);
  const config = await load({ provider: "vault", address, token: process.env.ROOT, mounts: { "team/kv": "v1" }, secrets: { database: name } });
  const looks = async (changed, revision, password) => {
    assert.deepEqual((await config.refresh()).changed, changed);
    assert.deepEqual(config.explain().keys.map((key) => key.revision), [revision]);
    assert.equal(await config.get("database.password"), password);
  };
  await looks([], "#1", marker);
  await put("second");
  await looks([name], "#2", "second");
  await looks([], "#2", "second");
  await put(marker);
  await looks([name], "#3", marker);
}

// where a token could go: each address that is none, and none of it is quoted
for (const bad of [
  "vault.example", `https://user:${marker}@vault.example`, `https://vault.example/${marker}`, "https://vault.example/?", "https://vault.example/#",
  "http://vault.example", "ftp://vault.example", "https://vault.example:0", "https:\\\\vault.example", " https://vault.example", "http://127.evil.example",
  "http://localhost.evil.example", "http://0.0.0.0", "https://", "file:///etc/passwd", "javascript:0",
]) {
  const error = await rejected(load({ provider: "vault", address: bad, token, secrets }));
  assert.deepEqual(error.faults.map((fault) => [fault.key, fault.kind]), [["address", "misconfigured"]], `${bad}: ${error}`);
}
// what this package does not read is refused before anything is asked
for (const name of ["secret/myapp/*", "database/creds/app"]) {
  const error = await rejected(load({ provider: "vault", address, token: process.env.ROOT, secrets: { database: name } }));
  assert.deepEqual(error.faults.map((fault) => [fault.key, fault.kind, fault.secret]), [["database", "misconfigured", name]], String(error));
}
assert.equal((await rejected(load({ provider: "vault", address, token, secrets, mounts: { pg: "database" } }))).key, "mounts.pg");

// what `fetch` cannot do: each is told by its name, also where a prototype brings it
for (const option of [
  "ca", "caCert", "caFile", "cert", "clientCert", "clientCertFile", "clientKey", "clientKeyFile", "dangerPlainHttp",
  "extraCa", "key", "pin", "pins", "proxy", "rejectUnauthorized", "skipVerify", "tlsServerName", "tokenFile",
]) {
  const options = { provider: "vault", address, token, secrets };
  for (const given of [{ ...options, [option]: marker }, Object.assign(Object.create({ [option]: false }), options)]) {
    const error = await rejected(load(given));
    assert.deepEqual(error.faults.map((fault) => [fault.key, fault.kind]), [[option, "misconfigured"]], option);
    assert.ok(error.message.includes(`\`${option}\``), error.message);
  }
  (await load({ ...options, [option]: undefined })).free();
}

// nothing listens there at all
assert.equal((await rejected(load({ provider: "vault", address: "http://127.0.0.1:1", token, secrets }))).kind, "unreachable");

console.log(JSON.stringify(await run(host({ load, isSecretfigError }), marker)));
