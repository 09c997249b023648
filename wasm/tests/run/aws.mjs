// Loads from AWS Secrets Manager in Node: signed for a server that checks signatures and policies, with a role from one that
// takes any token, and from one of our own whose keys end.
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:http";

const { load, isSecretfigError } = await import("secretfig");
const { MOTO: endpoint, OPEN: open, KEYS, LEAST, ROLE: role, ARN: arn, MARKER: marker } = process.env;
const [keys, least] = [KEYS, LEAST].map((pair) => ({ accessKeyId: pair.split(" ")[0], secretAccessKey: pair.split(" ")[1] }));
const base = { provider: "aws", region: "us-east-1", endpoint };
const secrets = { database: "myapp/database" };
const shape = { database: { host: "string", port: "number", password: "string", comment: "string?" } };
const typed = { host: "db.internal", port: 5432, password: marker };
const rejected = async (promise) => {
  const error = await promise.then(() => assert.fail("it was to be refused"), (error) => error);
  assert.ok(isSecretfigError(error), String(error));
  const told = JSON.stringify([error, error.message, error.stack, String(error)]);
  for (const secret of [marker, keys.secretAccessKey, least.secretAccessKey]) assert.ok(!told.includes(secret), "a value in an error");
  return error;
};
const faultsOf = (error) => error.faults.map(({ key, kind, source, secret }) => [key, kind, source, secret]);

/** A call signed by hand, to set things up: no part of what is tried here. */
async function call(service, { accessKeyId, secretAccessKey }, headers, body) {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, ""), scope = `${stamp.slice(0, 8)}/us-east-1/${service}/aws4_request`;
  const hash = (text) => createHash("sha256").update(text).digest("hex");
  const mac = (key, text) => createHmac("sha256", key).update(text).digest();
  const all = Object.entries({ ...headers, host: new URL(endpoint).host, "x-amz-date": stamp }).sort();
  const names = all.map(([name]) => name).join(";");
  const canonical = ["POST", "/", "", ...all.map(([name, value]) => `${name}:${value}`), "", names, hash(body)].join("\n");
  const key = scope.split("/").reduce(mac, `AWS4${secretAccessKey}`);
  const signature = mac(key, ["AWS4-HMAC-SHA256", stamp, scope, hash(canonical)].join("\n")).toString("hex");
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  const answer = await fetch(endpoint, { method: "POST", headers: { ...headers, "x-amz-date": stamp, authorization }, body });
  const text = await answer.text();
  assert.ok(answer.ok, `${answer.status}: ${text}`);
  return text;
}
const put = (name, text) => call("secretsmanager", keys, { "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.PutSecretValue" },
  JSON.stringify({ SecretId: name, SecretString: text, ClientRequestToken: crypto.randomUUID() }));

// keys, with a session and without: what they sign is checked
const granted = await call("sts", keys, { "content-type": "application/x-www-form-urlencoded" },
  new URLSearchParams({ Action: "AssumeRole", Version: "2011-06-15", RoleArn: role, RoleSessionName: "edge" }).toString());
const part = (name) => granted.split(`<${name}>`)[1].split("<")[0];
const session = { accessKeyId: part("AccessKeyId"), secretAccessKey: part("SecretAccessKey"), sessionToken: part("SessionToken") };
for (const signIn of [keys, session]) {
  const config = await load({ ...base, ...signIn, secrets, shape });
  assert.deepEqual(await config.section("database"), typed);
  const { keys: explained } = config.explain();
  assert.ok(explained.some((one) => one.key === "database.password" && one.source === "aws-sm" && one.secret_name === "myapp/database" && one.revision.length >= 32));
  assert.ok(!JSON.stringify(explained).includes(marker));
  assert.deepEqual(await config.refresh(), { changed: [], refused: [], failed: [] });
  config.free();
}
const spoilt = await rejected(load({ ...base, ...session, sessionToken: undefined, secrets }));
assert.deepEqual(faultsOf(spoilt), [["database", "unauthenticated", "aws-sm", "myapp/database"]]);

// texts, fields, bytes, by name, by ARN and behind a prefix; more than ten at once
{
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`many.n${n}`, `many/${n}`]));
  const config = await load({
    ...base, ...keys,
    secrets: { ...many, key: "myapp/key", der: "myapp/der", text: "myapp/text-as-bytes", byArn: arn, password: { name: "myapp/database", field: "password" } },
    shape: { many: Object.fromEntries(Object.keys(many).map((key) => [key.slice(5), "number"])), key: "string", der: "bytes", text: "string" },
  });
  assert.deepEqual(await config.get("der"), Uint8Array.of(0, 1, 0x80, 0xfe, 0xff));
  assert.equal(await config.get("key"), "  a bare key\n");
  assert.equal(await config.get("text"), "only text");
  assert.equal(await config.get("many.n11"), 11);
  assert.equal(await config.get("byArn.password"), marker);
  assert.equal(await config.get("password"), marker);
  config.free();
  const prefixed = await load({ ...base, ...keys, prefix: "myapp", secrets: { a: "database", b: arn } });
  assert.equal(await prefixed.get("a.password"), await prefixed.get("b.password"));
  const wrong = await rejected(load({ ...base, ...keys, secrets: { der: "myapp/der" }, shape: { der: "string" } }));
  assert.deepEqual(faultsOf(wrong), [["der", "wrong type", undefined, undefined]]);
}

// a value that changes, and one that is wrong
{
  const config = await load({ ...base, ...keys, secrets: { turning: "myapp/turning" }, shape: { turning: { n: "number" } } });
  assert.equal(await config.get("turning.n"), 1);
  await put("myapp/turning", '{"n": "2"}');
  assert.deepEqual((await config.refresh()).changed, ["myapp/turning"]);
  await put("myapp/turning", `{"n": "${marker}"}`);
  const looked = await config.refresh();
  assert.deepEqual(looked.refused.map(({ secret }) => secret), ["myapp/turning"]);
  assert.ok(!JSON.stringify(looked).includes(marker));
  assert.equal(await config.get("turning.n"), 2);
}

// every refusal at once, each with what to do; what is optional may be absent, and nothing else
{
  const error = await rejected(load({
    ...base, ...least, secrets: { a: "myapp/none", b: "myapp/gone", c: "myapp/turning", d: "myapp/database", e: { name: "myapp/none-either", optional: true } },
  }));
  const found = Object.fromEntries(error.faults.map((fault) => [fault.key, fault]));
  assert.deepEqual(Object.keys(found).sort(), ["a", "b", "c"], String(error));
  assert.deepEqual(["a", "b", "c"].map((key) => found[key].kind), ["absent", "deleted", "denied"]);
  assert.match(found.c.hint, /`secretsmanager:GetSecretValue` on `myapp\/turning`/);
  assert.ok(error.faults.every((fault) => fault.source === "aws-sm" && fault.hint && fault.secret));
  const nobody = await rejected(load({ ...base, accessKeyId: "AKIANOBODY", secretAccessKey: marker, secrets }));
  assert.deepEqual(faultsOf(nobody), [["database", "unauthenticated", "aws-sm", "myapp/database"]]);
  const forged = await rejected(load({ ...base, ...keys, secretAccessKey: marker, secrets }));
  assert.deepEqual(faultsOf(forged), [["database", "unauthenticated", "aws-sm", "myapp/database"]]);
}

// a role, by a token
const byRole = { roleArn: "arn:aws:iam::123456789012:role/edge", webIdentityToken: "header.claims.signature" };
{
  const config = await load({ ...base, endpoint: open, stsEndpoint: open, ...byRole, roleSessionName: "edge", secrets, shape });
  assert.deepEqual(await config.section("database"), typed);
}

// keys that end: those of a role are granted anew, once for each look; those that were given cannot be
{
  let ended = 0, signIns = 0;
  const server = createServer((request, reply) => {
    let body = "";
    request.on("data", (chunk) => { body += chunk; });
    request.on("end", () => {
      if (body.startsWith("Action=AssumeRoleWithWebIdentity&")) {
        signIns += 1;
        return reply.end(`<R><Credentials><AccessKeyId>ASIA${signIns}</AccessKeyId><SecretAccessKey>k</SecretAccessKey><SessionToken>t</SessionToken></Credentials></R>`);
      }
      const [, login] = /Credential=[A-Z]+(\d+)\//.exec(request.headers.authorization);
      if (Number(login) <= ended) return reply.writeHead(400).end('{"__type": "ExpiredTokenException", "message": "over"}');
      return reply.end(JSON.stringify({ Name: "a", VersionId: "00000000-0000-4000-8000-000000000001", SecretString: marker }));
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const here = `http://127.0.0.1:${server.address().port}`, where = { ...base, endpoint: here, stsEndpoint: here, secrets: { a: "a" } };
  const [config, given] = await Promise.all([load({ ...where, ...byRole }), load({ ...where, accessKeyId: "AKIA1", secretAccessKey: marker })]);
  assert.equal(signIns, 1);
  ended = 1;
  assert.deepEqual(await config.refresh(), { changed: [], refused: [], failed: [] });
  assert.equal(signIns, 2);
  ended = Infinity;
  for (const [held, again] of [[config, 1], [given, 0]]) {
    const before = signIns, { failed } = await held.refresh();
    assert.deepEqual(failed.map(({ kind, secret }) => [kind, secret]), [["unauthenticated", "a"]]);
    assert.equal(signIns - before, again, "signed in anew");
    assert.equal(await held.get("a"), marker);
  }
  server.close();
}

// every fault of the options at once
{
  const faults = async (options) => Object.fromEntries((await rejected(load(options))).faults.map(({ key, kind }) => [key, kind]));
  assert.deepEqual(await faults({ provider: "aws", secretAccessKey: 7, address: "https://x", token: "t", profile: "p", secrets: { a: "myapp/*", b: "a b" }, shape: { a: "text" } }), {
    region: "missing", accessKeyId: "missing", secretAccessKey: "wrong type", address: "misconfigured", token: "misconfigured", profile: "misconfigured",
    "secrets.a": "misconfigured", "secrets.b": "misconfigured", "shape.a": "misconfigured",
  });
  assert.deepEqual(await faults({ provider: "aws", region: "eu-central-1.evil.example", ...keys, ...byRole, roleArn: "edge", roleSessionName: "?", prefix: "a b", endpoint: "http://aws.example", stsEndpoint: "https://x/y", secrets }), {
    region: "misconfigured", accessKeyId: "misconfigured", roleArn: "misconfigured", roleSessionName: "misconfigured", prefix: "misconfigured", stsEndpoint: "misconfigured",
  });
  for (const region of ["EU", "eu-central-1/", "-a", "a@b", "a:1", "x".repeat(64), "a\n"]) assert.deepEqual(await faults({ ...base, ...keys, region, secrets }), { region: "misconfigured" }, region);
  for (const address of ["http://aws.example", "ftp://x", "https://u:p@x", "aws"]) assert.deepEqual(await faults({ ...base, ...keys, endpoint: address, secrets }), { endpoint: "misconfigured" }, address);
  assert.deepEqual(await faults({ ...base, ...keys, sessionToken: "a\nb", secrets }), { sessionToken: "misconfigured" });
  assert.deepEqual(await faults({ ...base, roleArn: byRole.roleArn, secrets }), { webIdentityToken: "missing" });
}
assert.equal((await rejected(load({ ...base, ...keys, endpoint: "http://127.0.0.1:1", secrets }))).kind, "unreachable");
console.log("all of it");
