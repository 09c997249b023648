// Bad replies, wherever the package runs: each is a typed error, none hangs, and what is held is served on.
import assert from "node:assert/strict";
import { start, startAws } from "./hostile.mjs";

/** As all of a promise must be, also where the instance has died over it: then it is never settled. */
export const within = (what, promise, seconds = 30) => {
  let late;
  const hangs = new Promise((_, reject) => { late = setTimeout(() => reject(new Error(`${what}: it hangs`)), seconds * 1000); });
  return Promise.race([promise, hangs]).finally(() => clearTimeout(late));
};

/**
 * `host` has `load(options)`, which gives an id, `refresh(id)`, `get(id, path)` and `free(id)`; each gives `{ value }` or
 * `{ error }`, the latter with all that an error has, and whether it is one of ours: `typed`.
 */
export async function run(host, marker) {
  const vault = await start(marker), aws = await startAws(marker);
  const replies = await replied(host, marker, vault, {
    source: "vault",
    base: { provider: "vault", address: vault.address, token: `s:${marker}`, timeout: 2 },
    named: (name) => `secret/${name}`,
    // a token is looked up, which calls for nothing that could be wrong about it
    ways: (name, login) => ({
      token: [{ token: `s:${name}:${marker}` }, name === "400" ? "misconfigured" : login],
      appRole: [{ token: undefined, appRole: { roleId: name, secretId: marker } }, login],
    }),
  });
  const where = { endpoint: aws.address, stsEndpoint: aws.address };
  const of_aws = await replied(host, marker, aws, {
    source: "aws-sm",
    base: { provider: "aws", region: "eu-central-1", ...where, accessKeyId: "AKIA", secretAccessKey: marker, sessionToken: marker, timeout: 2 },
    named: (name) => name,
    ways: (name, login) => ({
      role: [{ accessKeyId: undefined, secretAccessKey: undefined, sessionToken: undefined, roleArn: "arn:aws:iam::123456789012:role/edge", webIdentityToken: `${name}:${marker}` }, login],
    }),
  });
  return { vault: replies, aws: of_aws };
}

async function replied(host, marker, server, { source, base, named, ways }) {
  const { bad, cases } = server;
  const faults = [];
  const check = (what, found, expected) => {
    try {
      assert.deepEqual(found, expected);
    } catch {
      faults.push(`${what}: ${JSON.stringify(found)} in place of ${JSON.stringify(expected)}`);
    }
  };
  // every error has what its user acts on, and nothing of what came from outside
  const refused = (what, answer, expected) => {
    const { error } = answer;
    if (!error) return faults.push(`${what}: it was to be refused, and gave ${Object.keys(answer)}`);
    const { kind, key, secret, source: from, hint, typed } = error;
    check(what, { kind, key, secret, source: from?.split(" ")[0], hint: hint !== "", typed }, { source, hint: true, typed: true, ...expected });
    check(`${what}: no value`, JSON.stringify(error).includes(marker), false);
  };
  const ask = (what, promise) => within(what, promise);

  const reads = async (name, kind) => {
    const secret = (way) => named(`${name}/${way}`);
    const options = (way) => ({ ...base, secrets: { database: secret(way) } });
    const loaded = [];
    for (const how of ["value", "all"]) {
      const { value, error } = await ask(`${name}: load`, host.load(options(how)));
      if (error) return faults.push(`${name}: it loads no more: ${error.message}`);
      loaded.push([how, value]);
    }
    for (const [how, id] of loaded) {
      bad.set(name, how);
      const looking = ask(`${name}: refresh`, host.refresh(id));
      const meanwhile = await ask(`${name}: get`, host.get(id, "database.password"));
      check(`${name}: while it is looked at`, meanwhile.value, marker);
      const { value: looked, error } = await looking;
      if (error) {
        refused(`${name}: refresh`, { error }, {});
        continue;
      }
      const failed = looked.failed.map(({ kind, secret, source, hint }) => ({ kind, secret, source, hint: hint !== "" }));
      check(`${name}: refresh, ${how}`, failed, [{ kind, secret: secret(how), source, hint: true }]);
      check(`${name}: refresh, no value`, JSON.stringify(looked).includes(marker), false);
      const after = await ask(`${name}: get`, host.get(id, "database.password"));
      check(`${name}: served on, ${how}`, after.value, marker);
    }
    refused(`${name}: load`, await ask(`${name}: load`, host.load(options("value"))), { kind, key: "database", secret: secret("value") });
    // the server is mended: so is what is held
    bad.delete(name);
    for (const [, id] of loaded) {
      const { value } = await ask(`${name}: get`, host.get(id, "database.password"));
      check(`${name}: mended`, value, marker);
      await ask(`${name}: free`, host.free(id));
    }
  };
  const signIns = async (name, login) => {
    const secrets = { database: named(`app/${name}`) };
    for (const [way, [options, kind]] of Object.entries(ways(name, login))) {
      const what = `${name}: sign-in by ${way}`;
      const answer = await ask(what, host.load({ ...base, ...options, secrets }));
      refused(what, answer, { kind, key: "", secret: undefined });
      check(`${what}: it says so`, answer.error?.message.includes(`no sign-in (${kind}`), true);
    }
  };
  // some at a time: each is to meet its own end, and not that of a machine with too much to do
  const all = [...cases].flatMap(([name, { read, signIn }]) => [() => reads(name, read), () => signIns(name, signIn)]);
  await Promise.all(Array.from({ length: 8 }, async () => { while (all.length) await all.shift()(); }));

  // freed while calls are under way, twice, and asked afterwards
  const { value: id } = await ask("slow: load", host.load({ ...base, secrets: { database: named("slow/database") }, ttl: 1 }));
  await new Promise((done) => setTimeout(done, 1100));
  const under_way = Array.from({ length: 10 }, (_, n) => (n % 2 ? host.get(id, "database.password") : host.refresh(id)));
  const freed = ask("free", host.free(id));
  for (const [n, answer] of (await ask("calls under way", Promise.all(under_way))).entries()) {
    // a host that takes calls one by one may have freed it before the last of them came
    if (answer.error) refused("call under way", answer, { kind: "misconfigured", key: "", secret: undefined, source: undefined });
    else if (n % 2) check("call under way", answer.value, marker);
  }
  await freed;
  check("freed twice", (await ask("free", host.free(id))).error, undefined);
  for (const call of ["get", "section", "explain", "refresh"]) {
    const answer = await ask(`${call} after free`, host[call](id, "database"));
    refused(`${call} after free`, answer, { kind: "misconfigured", key: "", secret: undefined, source: undefined });
  }
  const again = await ask("load", host.load({ ...base, secrets: { database: named("app/database") } }));
  check("the instance lives on", (await ask("get", host.get(again.value, "database.password"))).value, marker);

  check("what followed a redirect to another host", server.stray, { requests: 0, tokens: 0 });
  server.stop();
  assert.deepEqual(faults, []);
  return cases.size;
}
