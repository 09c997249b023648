//! One check for the example services: it starts a service as a user would, and uses it from outside.
//!
//! The services are written on different frameworks and must not differ in what they say. So no answer is compared with
//! another service's, but each with the one text that all of them owe: `answers.rs`.
//!
//! ```no_run
//! use secretfig_tests::services::{Provider, Service};
//!
//! # async fn check() {
//! let service = Service { name: "axum-service", binary: "target/debug/axum-service", folder: "examples/axum-service" };
//! service.serves(Provider::Files).await;
//! service.serves(Provider::Local).await;
//! service.serves(Provider::Vault).await;
//! service.does_without_what_is_optional(Provider::Files).await;
//! service.refuses(Provider::Files).await;
//! service.serves_ipv6().await;
//! service.says_what_is_in_its_way().await;
//! # }
//! ```
//!
//! * `place.rs`: the secrets, as files, in an age store or in OpenBao, with values that nobody has chosen.
//! * `process.rs`: the running service and all that it prints. `client.rs`: requests over a socket of their own.
//! * `story.rs`: what is asked, and what happens meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "it is a test, and its figures are what a run is kept for"
)]

mod answers;
mod client;
mod place;
mod process;
mod story;

use std::ffi::OsString;
use std::time::Duration;

/// Where a service has its secrets from: `SECRET_PROVIDER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// A folder of mounted files.
    Files,
    /// An age-encrypted store.
    Local,
    /// OpenBao, a server of its own.
    Vault,
    /// AWS Secrets Manager, as moto plays it.
    Aws,
}

impl Provider {
    /// What `explain` calls it.
    fn scheme(self) -> &'static str {
        match self {
            Provider::Files => "file-secret",
            Provider::Local => "age",
            Provider::Vault => "vault",
            Provider::Aws => "aws-sm",
        }
    }
}

/// A service to check.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// What it calls itself when it prints its address: `axum-service: http://127.0.0.1:…`.
    pub name: &'static str,
    /// The program: `env!("CARGO_BIN_EXE_…")`.
    pub binary: &'static str,
    /// The folder of its `config.toml`: `env!("CARGO_MANIFEST_DIR")`.
    pub folder: &'static str,
}

/// How long anything may take that must happen at all. Generous: a loaded machine is slow, and nothing waits for the
/// whole of it unless it is going to fail.
const LIMIT: Duration = Duration::from_secs(20);

impl Service {
    /// The variables of a deployment: the shipped `config.toml`, a port that the system chooses, a short end (Rocket
    /// sometimes waits all of its grace for connections that are closed), and a log that tells everything, for whoever
    /// looks for values in it.
    fn variables(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("APP_CONFIG_DIR", self.folder.into()),
            ("APP_SERVER__PORT", "0".into()),
            ("APP_SERVER__SHUTDOWN_GRACE", "2s".into()),
            ("RUST_LOG", "trace".into()),
        ]
    }
}

/// Asks again until there is an answer.
///
/// # Panics
/// When there is none within the limit.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(LIMIT, asking).await;
    answer.unwrap_or_else(|_| panic!("not within {LIMIT:?}: {what}"))
}
