// Bad replies, wherever the package runs: each is a typed error, none hangs, and what is held is served on.
import assert from "node:assert/strict";
import { start } from "./hostile.mjs";

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
  const vault = await start(marker);
  const { address, bad, cases } = vault;
  const base = { provider: "vault", address, token: `s:${marker}`, timeout: 2 };
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
    const { kind, key, secret, source, hint, typed } = error;
    check(what, { kind, key, secret, source: source?.split(" ")[0], hint: hint !== "", typed }, { source: "vault", hint: true, typed: true, ...expected });
    check(`${what}: no value`, JSON.stringify(error).includes(marker), false);
  };
  const ask = (what, promise) => within(what, promise);

  const reads = async (name, kind) => {
    const secret = (way) => `secret/${name}/${way}`;
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
      check(`${name}: refresh, ${how}`, failed, [{ kind, secret: secret(how), source: "vault", hint: true }]);
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
    const secrets = { database: `secret/app/${name}` };
    const by_token = { ...base, token: `s:${name}:${marker}`, secrets };
    const by_role = { ...base, token: undefined, appRole: { roleId: name, secretId: marker }, secrets };
    // a token is looked up, which calls for nothing that could be wrong about it
    for (const [way, options, kind] of [["token", by_token, name === "400" ? "misconfigured" : login], ["appRole", by_role, login]]) {
      const what = `${name}: sign-in by ${way}`;
      const answer = await ask(what, host.load(options));
      refused(what, answer, { kind, key: "", secret: undefined });
      check(`${what}: it says so`, answer.error?.message.includes(`no sign-in (${kind}`), true);
    }
  };
  // some at a time: each is to meet its own end, and not that of a machine with too much to do
  const all = [...cases].flatMap(([name, { read, signIn }]) => [() => reads(name, read), () => signIns(name, signIn)]);
  await Promise.all(Array.from({ length: 8 }, async () => { while (all.length) await all.shift()(); }));

  // freed while calls are under way, twice, and asked afterwards
  const { value: id } = await ask("slow: load", host.load({ ...base, secrets: { database: "secret/slow/database" }, ttl: 1 }));
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
  const again = await ask("load", host.load({ ...base, secrets: { database: "secret/app/database" } }));
  check("the instance lives on", (await ask("get", host.get(again.value, "database.password"))).value, marker);

  check("what followed a redirect to another host", vault.stray, { requests: 0, tokens: 0 });
  vault.stop();
  assert.deepEqual(faults, []);
  return { replies: cases.size };
}
