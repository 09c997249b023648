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
use std::process::ExitCode;
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
    let address = (now.server.host, now.server.port);
    let server = HttpServer::new(move || App::new().configure(routes.clone()))
        .shutdown_timeout(now.server.shutdown_grace.as_secs())
        .bind(address)
        .map_err(|e| {
            let (host, port) = address;
            format!("no listening on {host}:{port}: {}; set APP_SERVER__HOST, APP_SERVER__PORT", e.kind())
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
