/** What to load, and from where. All times are in seconds. */
export type Options = VaultOptions | AwsOptions;

/** From Vault or OpenBao. */
export type VaultOptions = Common & Vault & VaultSignIn & NotHere;

/** From AWS Secrets Manager. */
export type AwsOptions = Common & Aws & AwsSignIn & NotHere;

interface Common {
  /** Key paths, and the secret that belongs at each: `secret/myapp/database` of Vault, `myapp/database` or an ARN of AWS. */
  secrets: { readonly [key: string]: string | Wanted };
  /** What is put in front of names: in Vault of those that begin with no known mount, in AWS of all but ARNs and those that begin with `/`. Default nothing. */
  prefix?: string | null | undefined;
  /** For how long a value counts as fresh; the time to the next look is drawn from [ttl/2, ttl]. At least 1. Default 300. */
  ttl?: number | null | undefined;
  /** For how long a value is served while its manager does not answer. Default 86400. */
  maxStale?: number | null | undefined;
  /** For one request to the manager, headers and body. Default 3. */
  timeout?: number | null | undefined;
}

interface Vault {
  provider: "vault";
  /** The server's origin, such as `https://vault.example:8200`. `http://` is taken for loopback addresses alone. */
  address: string;
  /** Vault Enterprise's and OpenBao's namespace, such as `team-a`. */
  namespace?: string | null | undefined;
  /** Where names lie that begin with no known mount: `mount: "kv"` makes `myapp/db` of `kv`. Default `secret`. */
  mount?: string | null | undefined;
  /** Other mounts that names may begin with, each with its kind; of a `null` one, and of `mount` itself, the server tells. */
  mounts?: { readonly [mount: string]: MountKind | null | undefined } | null | undefined;
}

/** What is mounted there: key/value without versions, or with versions. */
export type MountKind = "v1" | "v2";

type VaultSignIn =
  | { token: string; appRole?: null | undefined }
  | { appRole: AppRole; token?: null | undefined };

/** Vault's sign-in for machines. */
export interface AppRole {
  roleId: string;
  secretId: string;
  /** Where it is mounted. Default `approle`. */
  mount?: string | null | undefined;
}

interface Aws {
  provider: "aws";
  /** Such as `eu-central-1`. */
  region: string;
  /** Asked in place of AWS' own endpoint of the region, such as an interface endpoint. `http://` is taken for loopback addresses alone. */
  endpoint?: string | null | undefined;
  /** The same for STS, which is asked by who signs in with a role. */
  stsEndpoint?: string | null | undefined;
}

type AwsSignIn = AwsKeys & { [K in keyof AwsRole]?: null | undefined } | AwsRole & { [K in keyof AwsKeys]?: null | undefined };

/** An access key. Once it has expired, what is held is served on, and `refresh()` tells so: load anew with another. */
export interface AwsKeys {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of temporary keys. */
  sessionToken?: string | null | undefined;
}

/** A role, by the token of an issuer that the account trusts. Its keys are granted anew before they end, for as long as the token is accepted. */
export interface AwsRole {
  /** Such as `arn:aws:iam::123456789012:role/edge`. */
  roleArn: string;
  webIdentityToken: string;
  /** What the session is called in CloudTrail. Default `secretfig`. */
  roleSessionName?: string | null | undefined;
}

/** One secret, with more to say than its name. */
export interface Wanted {
  name: string;
  /** Only this field of it. */
  field?: string | null | undefined;
  /** Whether it may be absent. Denied, deleted and unreachable are faults all the same. Default false. */
  optional?: boolean | null | undefined;
  /** In place of the whole configuration's. */
  ttl?: number | null | undefined;
}

/** What `fetch` cannot do is refused, and not ignored. */
interface NotHere {
  ca?: never; caCert?: never; caFile?: never; extraCa?: never; cert?: never; clientCert?: never; clientCertFile?: never;
  clientKey?: never; clientKeyFile?: never; dangerPlainHttp?: never; key?: never; pin?: never; pins?: never; profile?: never; proxy?: never;
  rejectUnauthorized?: never; skipVerify?: never; tlsServerName?: never; tokenFile?: never; webIdentityTokenFile?: never;
}

/** `?` behind a type: it may be absent. */
type Leaf = "string" | "number" | "boolean" | "bytes" | "any";

/** What a document looks like: a type, a list of one shape, or an object of shapes. */
export type Shape = Leaf | `${Leaf}?` | readonly [Shape] | { readonly [key: string]: Shape };

/** One shape for each section. */
export interface Shapes { readonly [section: string]: Shape }

type Types = { string: string; number: number; boolean: boolean; bytes: Uint8Array; any: unknown };

type OptionalKeys<S> = { [K in keyof S]: S[K] extends `${string}?` ? K : never }[keyof S];

type Flat<T> = { [K in keyof T]: T[K] };

/** The type of a value of that shape. */
export type Shaped<S> =
  S extends keyof Types ? Types[S]
  : S extends `${infer L extends Leaf}?` ? Types[L] | null
  : S extends readonly [infer E] ? Shaped<E>[]
  : S extends object ? Flat<
      { -readonly [K in Exclude<keyof S, OptionalKeys<S>>]: Shaped<S[K]> }
      & { -readonly [K in keyof S as K extends OptionalKeys<S> ? K : never]?: Shaped<S[K]> }
    >
  : never;

type Plain = string | number | bigint | boolean | symbol | null | undefined | Uint8Array;

/** The key paths of a configuration of that type: `database`, `database.password`. */
export type Path<T> =
  T extends Plain ? never
  : T extends readonly (infer E)[] ? `${number}` | Under<`${number}`, E>
  : string extends keyof T ? string
  : { [K in keyof T & string]: K | Under<K, T[K]> }[keyof T & string];

type Under<K extends string, T> = unknown extends T ? `${K}.${string}` : `${K}.${Path<NonNullable<T>>}`;

/** The type at a key path. */
export type At<T, P extends string> =
  P extends keyof T ? T[P]
  : T extends readonly (infer E)[] ? P extends `${number}.${infer R}` ? At<NonNullable<E>, R> : E
  : P extends `${infer K}.${infer R}` ? K extends keyof T ? At<NonNullable<T[K]>, R> : unknown
  : unknown;

/** What keeps an invocation alive after its answer: the `ctx` of a Worker, an `ExtendableEvent`. */
export interface Context { waitUntil(promise: Promise<unknown>): void }

/**
 * Loads a configuration, or rejects with every fault of it at once: a {@link SecretfigError}.
 *
 * With a `shape`, the values are checked against it, at the load and before each change, and text that says a number
 * or a boolean becomes one where the shape asks for it; the type is the shape's. Without, the type is what you say it is.
 */
export function load<const S extends Shapes>(options: Options & { shape: S }): Promise<Config<Shaped<S>>>;
export function load<T extends object = Record<string, unknown>>(options: Options & { shape?: null | undefined }): Promise<Config<T>>;

/** A loaded configuration, for as many requests as there are. */
export class Config<T extends object = Record<string, unknown>> {
  private constructor();
  /** The value at a key path. Where it is due, it is looked at first: behind the answer where `context` is given. */
  get<P extends Path<T>>(path: P, context?: Context): Promise<Exclude<At<T, P>, undefined>>;
  /** All that is under the first part of a key path. A new object for each call; what is in it is no longer wiped. */
  section<K extends keyof T & string>(name: K, context?: Context): Promise<Exclude<T[K], undefined>>;
  /** Where each key came from, and what it beat. No value. */
  explain(): Explain;
  /** Looks at everything now. Makes nothing worse: what cannot be had, or makes no whole configuration, is kept as it is. */
  refresh(): Promise<Refreshed>;
  /**
   * Wipes what is held; a second time it does nothing. Calls under way come to their end; a later one throws a
   * {@link SecretfigError} of kind `misconfigured`.
   */
  free(): void;
  [Symbol.dispose](): void;
}

/** Where the configuration came from. */
export interface Explain {
  profile: string;
  strict: boolean;
  keys: Explained[];
  remarks: string[];
}

/** Where one key came from. */
export interface Explained {
  key: string;
  secret: boolean;
  layer: string | null;
  source: string | null;
  secret_name: string | null;
  revision: string | null;
  beaten: string[];
  value: null;
}

/** What a look gave. */
export interface Refreshed {
  /** Secrets of which another revision is now served. */
  changed: string[];
  /** Secrets whose new revision makes no whole configuration: the old one is served on. */
  refused: { secret: string; fault: string }[];
  /** What could not be had: the old revision is served on. */
  failed: Fault[];
}

/** What is wrong, by what one does about it. */
export type Kind =
  | "absent" | "denied" | "unauthenticated" | "throttled" | "sealed" | "standby" | "uninitialised" | "behind"
  | "unavailable" | "deleted" | "destroyed" | "disabled" | "expired" | "not yet valid" | "malformed" | "too large"
  | "timed out" | "unreachable" | "TLS refused" | "misconfigured"
  | "missing" | "wrong type" | "invalid" | "document" | "setting" | "stale" | "withdrawn" | "broken"
  | (string & {});

/** One thing that is wrong. It names keys and secrets, and holds no value. */
export interface Fault {
  /** The key path it is about; empty for the whole, which is what a failed sign-in is about. */
  key: string;
  /** Of a failed sign-in its cause; that it was the sign-in, and what lies behind it, stands in `message`. */
  kind: Kind;
  source: string | undefined;
  secret: string | undefined;
  /** What to do about it. */
  hint: string;
  /** All of it, in one line. */
  message: string;
}

/** What every promise of this package rejects with. Its own properties are those of its first fault. */
export interface SecretfigError extends Error, Fault {
  name: "SecretfigError";
  faults: Fault[];
}

export function isSecretfigError(error: unknown): error is SecretfigError;
