# The Worker on its own, without wrangler: workerd serve config.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private", "local"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "dist/worker.js"),
    (name = "secretfig_bg.wasm", wasm = embed "dist/secretfig_bg.wasm"),
  ],
  bindings = [
    (name = "VAULT_ADDR", fromEnvironment = "VAULT_ADDR"),
    (name = "VAULT_TOKEN", fromEnvironment = "VAULT_TOKEN"),
    (name = "SECRET_PROVIDER", fromEnvironment = "SECRET_PROVIDER"),
    (name = "AWS_REGION", fromEnvironment = "AWS_REGION"),
    (name = "AWS_ENDPOINT_URL", fromEnvironment = "AWS_ENDPOINT_URL"),
    (name = "AWS_ACCESS_KEY_ID", fromEnvironment = "AWS_ACCESS_KEY_ID"),
    (name = "AWS_SECRET_ACCESS_KEY", fromEnvironment = "AWS_SECRET_ACCESS_KEY"),
    (name = "AWS_SESSION_TOKEN", fromEnvironment = "AWS_SESSION_TOKEN"),
  ],
  compatibilityDate = "2025-06-01",
);
