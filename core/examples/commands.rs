//! A binary of an application's own that has the commands of `secretfig`, and knows the application's type:
//!
//! ```console
//! $ cargo run -p secretfig --features cli --example commands -- template
//! ```
//!
//! In an application it is `src/bin/myapp-secrets.rs`, beside its server.

use secretfig::{Live, SecretString, models::DatabaseCredentials};
use serde::Deserialize;
use std::process::ExitCode;

#[derive(Deserialize)]
#[allow(dead_code, reason = "an application would look at them")]
struct AppConfig {
    server: Server,
    database: Live<DatabaseCredentials>,
    api: Option<Live<Api>>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "an application would look at them")]
struct Server {
    host: String,
    port: u16,
    #[serde(default)]
    mode: Mode,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Plain,
    Strict,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "an application would look at them")]
struct Api {
    token: SecretString,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    secretfig::cli::run::<AppConfig>().await
}
