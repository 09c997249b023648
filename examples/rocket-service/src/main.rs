//! A small service on Rocket: `app.rs` is what it does, and this is how it starts and ends.
//!
//! Its sisters on axum and Actix have the same configuration, the same routes and the same answers.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "whoever starts it reads what it says")]

mod app;

use app::AppConfig;
use rocket::error::ErrorKind;
use rocket::fairing::AdHoc;
use rocket::figment::Figment;
use secretfig::Config;
use secretfig::redact::Redact;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[rocket::main]
async fn main() -> ExitCode {
    log();
    let config = match Config::<AppConfig>::load().await {
        Ok(config) => config,
        Err(report) => {
            eprintln!("{report}"); // every fault of every layer
            return ExitCode::FAILURE;
        }
    };
    match serve(&config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("rocket-service: {e}");
            ExitCode::FAILURE
        }
    }
}

/// To standard error, by `RUST_LOG`; what bears the name of a secret is hidden, whoever logs it. That is needed: at
/// TRACE Rocket logs the headers of each request, with the token.
fn log() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    tracing_subscriber::registry().with(filter).with(Redact::around(lines)).init();
}

async fn serve(config: &Config<AppConfig>) -> Result<(), String> {
    let now = config.snapshot();
    let keeper = config.keep_fresh();
    let launched = app::mount(rocket::custom(settings(&now)), config)
        .attach(AdHoc::on_liftoff("address", |rocket| {
            Box::pin(async move {
                let config = rocket.config();
                println!("rocket-service: http://{}", SocketAddr::new(config.address, config.port));
            })
        }))
        .launch() // until SIGTERM or Ctrl-C, which Rocket waits for itself
        .await;
    keeper.shutdown(now.server.shutdown_grace).await;
    match launched {
        Ok(_) => {
            tracing::info!("ended");
            Ok(())
        }
        Err(e) => Err(match e.kind() {
            ErrorKind::Bind(e) => {
                let address = SocketAddr::new(now.server.host, now.server.port);
                format!("no listening on {address}: {}; set APP_SERVER__HOST, APP_SERVER__PORT", e.kind())
            }
            // Rocket's errors may show its configuration, value by value
            _ => "Rocket did not launch; what is above says why".to_owned(),
        }),
    }
}

/// Rocket's own configuration (`Rocket.toml`, `ROCKET_*`), but where to listen and how to end as ours says.
fn settings(now: &AppConfig) -> Figment {
    rocket::Config::figment()
        .merge(("address", now.server.host))
        .merge(("port", now.server.port))
        .merge(("shutdown.grace", whole_seconds(now.server.shutdown_grace)))
}

/// Rocket counts in whole seconds, of which 0 is none.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_is_a_second() {
        let grace = |millis| whole_seconds(Duration::from_millis(millis));
        assert_eq!([0, 1, 500, 1000, 1001, 2000].map(grace), [0, 1, 1, 1, 2, 2]);
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }
}
