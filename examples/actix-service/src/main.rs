//! A small service on Actix: `app.rs` is what it does, and this is how it starts and ends.
//!
//! Its sisters on axum and Rocket have the same configuration, the same routes and the same answers.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "whoever starts it reads what it says")]

mod app;

use actix_web::{App, HttpServer};
use app::AppConfig;
use secretfig::Config;
use secretfig::redact::Redact;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[actix_web::main]
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
            eprintln!("actix-service: {e}");
            ExitCode::FAILURE
        }
    }
}

/// To standard error, by `RUST_LOG`; what bears the name of a secret is hidden, whoever logs it.
fn log() {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).from_env_lossy();
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    tracing_subscriber::registry().with(filter).with(Redact::around(lines)).init();
}

async fn serve(config: &Config<AppConfig>) -> Result<(), Box<dyn Error>> {
    let now = config.snapshot();
    let routes = app::routes(config)?;
    let address = SocketAddr::new(now.server.host, now.server.port);
    let server = HttpServer::new(move || App::new().configure(routes.clone()))
        .shutdown_timeout(whole_seconds(now.server.shutdown_grace))
        .bind(address)
        .map_err(|e| {
            format!("no listening on {address}: {}; set APP_SERVER__HOST, APP_SERVER__PORT", e.kind())
        })?;
    for address in server.addrs() {
        println!("actix-service: http://{address}");
    }
    tracing::info!(database = now.database.endpoint(), "serving");

    // until SIGTERM or Ctrl-C, which Actix waits for itself; the Keeper ends after the last request
    secretfig_actix::run(server.run(), config.keep_fresh(), now.server.shutdown_grace).await?;
    tracing::info!("ended");
    Ok(())
}

/// Actix counts in whole seconds, of which 0 is none.
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
