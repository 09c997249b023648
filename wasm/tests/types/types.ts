// What `tsc` accepts, and by `@ts-expect-error` what it must not.
import { isSecretfigError, load } from "secretfig";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const same = <A, B>(_: Same<A, B>) => {};
const base = { provider: "vault", address: "https://vault.example", token: "t", secrets: { database: "secret/db" } } as const;

export async function typed() {
  const config = await load<{ database: { host: string; ports: number[] }; key: string }>(base);
  const database = await config.section("database");
  same<typeof database, { host: string; ports: number[] }>(true);
  const host = await config.get("database.host");
  same<typeof host, string>(true);
  const port = await config.get("database.ports.0");
  same<typeof port, number>(true);
  // @ts-expect-error: no such section
  await config.section("databse");
  // @ts-expect-error: no such key
  await config.get("database.hots");
  // @ts-expect-error: under a string there is nothing
  await config.get("key.part");
  // @ts-expect-error: no context
  await config.get("key", {});
}

export async function shaped() {
  const config = await load({ ...base, shape: { database: { host: "string", port: "number", tls: "boolean?", tags: ["string"], more: "any" } } });
  const database = await config.section("database");
  same<typeof database, { host: string; port: number; tags: string[]; more: unknown; tls?: boolean | null }>(true);
  const port = await config.get("database.port", { waitUntil() {} });
  same<typeof port, number>(true);
  // @ts-expect-error: not of the shape
  await config.get("database.user");
}

export async function untyped() {
  const config = await load(base);
  const any = await config.get("database.whatever");
  same<typeof any, unknown>(true);
  config.free();
}

export async function options() {
  await load({ provider: "vault", address: "https://v", appRole: { roleId: "r", secretId: "s" }, secrets: { a: { name: "x", optional: true } } });
  // @ts-expect-error: both ways to sign in
  await load({ ...base, appRole: { roleId: "r", secretId: "s" } });
  // @ts-expect-error: none
  await load({ provider: "vault", address: "https://v", secrets: {} });
  // @ts-expect-error: no such provider
  await load({ ...base, provider: "gcp" });
  // @ts-expect-error: what fetch cannot do
  await load({ ...base, pins: ["x"] });
  // @ts-expect-error: seconds are a number
  await load({ ...base, ttl: "5m" });
  // @ts-expect-error: no such type
  await load({ ...base, shape: { database: "text" } });
}

export async function aws() {
  const where = { provider: "aws", region: "eu-central-1", secrets: { database: "myapp/database" } } as const;
  const keys = { accessKeyId: "AKIA", secretAccessKey: "k" };
  const role = { roleArn: "arn:aws:iam::123456789012:role/edge", webIdentityToken: "t" };
  const config = await load({ ...where, ...keys, sessionToken: "s", endpoint: "https://vpce.example", shape: { key: "bytes", more: { der: "bytes?" } } });
  const key = await config.get("key");
  same<typeof key, Uint8Array>(true);
  await load({ ...where, ...role, roleSessionName: "edge", stsEndpoint: "https://sts.example", prefix: "prod" });
  // @ts-expect-error: both ways to sign in
  await load({ ...where, ...keys, ...role });
  // @ts-expect-error: none
  await load(where);
  // @ts-expect-error: half a key
  await load({ ...where, accessKeyId: "AKIA" });
  // @ts-expect-error: Vault's
  await load({ ...where, ...keys, namespace: "a" });
  // @ts-expect-error: Vault's way to sign in
  await load({ ...where, token: "t" });
  // @ts-expect-error: no region
  await load({ ...keys, provider: "aws", secrets: {} });
  // @ts-expect-error: what fetch cannot do
  await load({ ...where, ...role, webIdentityTokenFile: "/token" });
  // @ts-expect-error: AWS'
  await load({ ...base, region: "eu-central-1" });
}

export function errors(error: unknown) {
  if (isSecretfigError(error)) {
    const kind: string = error.kind;
    const keys: string[] = error.faults.map((fault) => fault.key);
    return [kind, error.hint, error.source, ...keys];
  }
  return [];
}
