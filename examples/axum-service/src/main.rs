//! A small service on axum: `app.rs` is what it does, and this is how it starts and ends.
//!
//! Its sisters on Actix and Rocket have the same configuration, the same routes and the same answers.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "whoever starts it reads what it says")]

mod app;

use app::AppConfig;
use secretfig::Config;
use secretfig::redact::Redact;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main(flavor = "current_thread")]
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
            eprintln!("axum-service: {e}");
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
    let address = SocketAddr::new(now.server.host, now.server.port);
    let asked_to_end = asked_to_end()?;
    let listener = TcpListener::bind(address).await.map_err(|e| {
        format!("no listening on {address}: {}; set APP_SERVER__HOST, APP_SERVER__PORT", e.kind())
    })?;
    // not before it listens: a Keeper that is dropped unused says so
    let keeper = config.keep_fresh();
    println!("axum-service: http://{}", listener.local_addr()?);
    tracing::info!(database = now.database.endpoint(), "serving");

    let (end, ending) = oneshot::channel::<()>();
    let server = axum::serve(listener, app::router(config)).with_graceful_shutdown(async {
        let _ = ending.await;
    });
    let server = tokio::spawn(server.into_future());
    asked_to_end.await;
    let _ = end.send(());
    match tokio::time::timeout(now.server.shutdown_grace, server).await {
        Ok(ended) => ended??,
        Err(_) => tracing::warn!("some requests did not end within `server.shutdown_grace`"),
    }
    keeper.shutdown(now.server.shutdown_grace).await;
    tracing::info!("ended");
    Ok(())
}

/// SIGTERM, by which orchestrators ask, or Ctrl-C, by which people do; noticed from this call on.
#[cfg(unix)]
fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ctrl-C.
#[cfg(not(unix))]
fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
