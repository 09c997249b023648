//! A service whose secrets rotate while it runs: no server, no account, nothing to install.
//!
//! ```console
//! $ cargo run -p quickstart             # loads, serves, rotates a key, and tells what happened
//! $ cargo run -p quickstart -- --serve  # goes on serving until Ctrl-C
//! $ cargo run -p quickstart -- --break  # eight different faults in one report
//! ```
//!
//! With the feature `vault` also against OpenBao, which is installed once into your cache folder; and, where
//! `SECRET_PROVIDER=vault` is set, against the server of your `VAULT_ADDR` (the README tells what must be there):
//!
//! ```console
//! $ cargo run -p quickstart --features vault -- --with-openbao
//! $ cargo run -p quickstart --features vault -- --with-openbao --serve
//! $ cargo run -p quickstart --features vault -- --with-openbao --break  # six faults of two servers
//! $ cargo run -p quickstart --features aws -- --with-moto               # the same on AWS Secrets Manager, as moto plays it
//! ```
//!
//! * `app.rs`, the library: the configuration and the routes: what an application of your own would have.
//! * [`example_tokens`]: tokens that outlive the rotation of the key that signed them.
//! * `secrets.rs`: where the secrets are. `store.rs`: the encrypted store, as a person keeps one. `aws.rs`: moto, a user with a policy. `bao.rs`: OpenBao, a
//!   role, and its policy. `values.rs`: values for both.
//! * `client.rs`: requests over a socket.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "telling is what it is for")]

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "vault")]
mod bao;
mod client;
mod secrets;
mod store;
mod values;

use client::{Reply, send};
use quickstart::{AppConfig, Level, router};
use secretfig::Config;
use secrets::{Secrets, Which};
use std::error::Error;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// From a checkout of this project; the README goes on from here.
const FIRST: &str = "  cargo install --locked --path core --features cli
  secretfig local init
  secretfig local set database/password";

type Outcome = Result<ExitCode, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (mut openbao, mut moto, mut serve, mut broken) = (false, false, false, false);
    let mut understood = true;
    for arg in std::env::args_os().skip(1) {
        match arg.to_str() {
            Some("--with-openbao") => openbao = true,
            Some("--with-moto") => moto = true,
            Some("--serve") => serve = true,
            Some("--break") => broken = true,
            _ => understood = false,
        }
    }
    if !understood || (serve && broken) || (openbao && moto) {
        eprintln!("usage: quickstart [--with-openbao | --with-moto] [--serve | --break]");
        return ExitCode::from(2);
    }
    let which = match std::env::var_os("SECRET_PROVIDER") {
        _ if openbao => Which::OpenBao,
        _ if moto => Which::Moto,
        Some(provider) if provider == "vault" => Which::YourVault,
        Some(provider) if provider == "aws" => Which::YourAws,
        _ => Which::Store,
    };
    if std::env::var_os("RUST_LOG").is_some() {
        log(Level::Info);
    }
    let outcome = if broken { refused(which).await } else { run(which, serve).await };
    outcome.unwrap_or_else(|e| {
        eprintln!("{e}");
        ExitCode::FAILURE
    })
}

/// Every fault at once.
async fn refused(which: Which) -> Outcome {
    let secrets = Secrets::new(which, true).await?;
    // the broken store comes with a variable that is wrong, too
    let app = match which {
        Which::Store => ("APP_SERVER__PORT", "eighty"),
        _ => ("APP_SERVER__PORT", "0"),
    };
    match secrets.layers(app).load().await {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(report) => {
            eprintln!("{report}");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn run(which: Which, serve: bool) -> Outcome {
    let secrets = Secrets::new(which, false).await?;
    println!("{}", secrets.told());

    let config = secrets.layers(("APP_LOG__LEVEL", "info")).load().await?;
    let now = config.snapshot();
    log(now.log.level);
    println!("\nloaded, from these layers:\n{}", config.explain().show("server.*").show("log.*"));

    let keeper = config.keep_fresh();
    let listener = TcpListener::bind((now.server.host, now.server.port)).await?;
    let at = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, router(&config)).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());
    println!("\nserving: http://{at}");

    let how = secrets.how_to_rotate().filter(|_| !serve);
    if let Some(how) = how {
        story(at, &config, &secrets, how).await?;
    } else {
        println!("  curl http://{at}/ready");
        println!("  curl http://{at}/config");
        println!("  curl -X POST http://{at}/token");
        println!("  curl -H 'Authorization: Bearer <the token>' http://{at}/me");
        println!("until Ctrl-C");
        tokio::signal::ctrl_c().await?;
    }
    let _ = stop.send(());
    match tokio::time::timeout(now.server.shutdown_grace, server).await {
        Ok(ended) => ended??,
        Err(_) => eprintln!("some requests did not end within `server.shutdown_grace`"),
    }
    keeper.shutdown(now.server.shutdown_grace).await;
    if how.is_some() {
        println!("rotated: served without restart");
        println!("\na first secret of your own, in a store of your own:\n{FIRST}");
    }
    Ok(ExitCode::SUCCESS)
}

/// `RUST_LOG` beats the configuration, and counts before that is loaded: then this has been called already.
fn log(level: Level) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let ansi = std::io::stderr().is_terminal();
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(ansi)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Uses the service, rotates the key that signs its tokens, and uses it again.
async fn story(
    at: SocketAddr,
    config: &Config<AppConfig>,
    secrets: &Secrets,
    how: &str,
) -> Result<(), Box<dyn Error>> {
    for path in ["/health", "/ready", "/connections"] {
        let reply = ok(send(at, "GET", path, None).await?, path)?;
        println!("  GET {path} -> {} {}", reply.status, reply.body);
    }
    let refused = send(at, "GET", "/me", None).await?;
    println!("  GET /me, without a token -> {}", refused.status);
    let old = token(at).await?;
    println!("  POST /token -> a token; GET /me with it -> {}", me(at, &old).await?);
    println!("  GET /config -> the key is {}", revision_of_key(at).await?);

    println!("\nrotating the key, {how}");
    let mut changes = config.section(|app| &app.jwt).changes();
    secrets.rotate_jwt().await?;
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, changes.next())
        .await
        .map_err(|_| "the new key did not arrive within 10 s")?;

    println!("  GET /config -> the key is {}", revision_of_key(at).await?);
    println!("  GET /me, with the old token -> {}", me(at, &old).await?);
    println!("  GET /me, with a new token -> {}", me(at, &token(at).await?).await?);
    println!();
    Ok(())
}

fn ok(reply: Reply, path: &str) -> Result<Reply, String> {
    if reply.status == 200 { Ok(reply) } else { Err(format!("{path} answers {}", reply.status)) }
}

/// A new token. It is a secret of whoever asked for it, so it is not printed.
async fn token(at: SocketAddr) -> Result<String, Box<dyn Error>> {
    let reply = ok(send(at, "POST", "/token", None).await?, "/token")?;
    Ok(reply.body["token"].as_str().ok_or("/token gives no token")?.to_owned())
}

async fn me(at: SocketAddr, token: &str) -> Result<String, Box<dyn Error>> {
    let reply = ok(send(at, "GET", "/me", Some(token)).await?, "/me")?;
    Ok(format!("{} {}", reply.status, reply.body))
}

/// What `/config` says of the key that signs: secret and revision.
async fn revision_of_key(at: SocketAddr) -> Result<String, Box<dyn Error>> {
    let reply = ok(send(at, "GET", "/config", None).await?, "/config")?;
    let keys = reply.body["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let key = keys.iter().find(|key| key["key"] == "jwt.signing_key").ok_or("/config knows no such key")?;
    let text = |name: &str| key[name].as_str().unwrap_or("?").to_owned();
    Ok(format!("{} `{}` {}", text("source"), text("secret_name"), text("revision")))
}
