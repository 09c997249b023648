// A Worker that loads a typed section from Vault or OpenBao, or from AWS Secrets Manager where `SECRET_PROVIDER` says so.
import { type Context, isSecretfigError, load } from "secretfig";

type Env = { [name: string]: string | null };

// what the secret looks like: checked at the load, and TypeScript's types come of it
const shape = { database: { host: "string", port: "number", password: "string" } } as const;

const needed = (env: Env, name: string) => env[name] ?? "";

const start = (env: Env) =>
  env.SECRET_PROVIDER === "aws"
    ? load({
        provider: "aws",
        region: needed(env, "AWS_REGION"),
        accessKeyId: needed(env, "AWS_ACCESS_KEY_ID"),
        secretAccessKey: needed(env, "AWS_SECRET_ACCESS_KEY"),
        sessionToken: env.AWS_SESSION_TOKEN,
        endpoint: env.AWS_ENDPOINT_URL,
        secrets: { database: "myapp/database" },
        shape,
      })
    : load({
        provider: "vault",
        address: needed(env, "VAULT_ADDR"),
        token: needed(env, "VAULT_TOKEN"),
        secrets: { database: "secret/myapp/database" },
        shape,
      });

// A value for all requests of this instance. Not a promise: a Worker may not wait for another request's I/O, so the
// first few requests of a new instance each load for themselves.
let config: Awaited<ReturnType<typeof start>> | undefined;

export default {
  async fetch(_request: Request, env: Env, context: Context): Promise<Response> {
    try {
      config ??= await start(env);
      // `context`: once the value is due, it is looked at behind this answer
      const database = await config.section("database", context);
      return Response.json({ connectsTo: `${database.host}:${database.port + 0}`, withPassword: database.password !== "" });
    } catch (error) {
      if (!isSecretfigError(error)) throw error;
      // it names keys and secrets, and holds no value: fit for a log
      console.error(error.message);
      return new Response("the configuration is not to be had", { status: 503 });
    }
  },
};
