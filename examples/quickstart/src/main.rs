//! A service whose secrets rotate while it runs: no server, no account, nothing to install.
//!
//! ```console
//! $ cargo run -p quickstart             # loads, serves, rotates a key, and tells what happened
//! $ cargo run -p quickstart -- --serve  # goes on serving until Ctrl-C
//! $ cargo run -p quickstart -- --break  # eight different faults in one report
//! ```
//!
//! * `app.rs`: the configuration and the routes: what an application of your own would have.
//! * [`example_tokens`]: tokens that outlive the rotation of the key that signed them.
//! * `store.rs`: the encrypted store, as a person keeps one. `client.rs`: requests over a socket.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "telling is what it is for")]

mod app;
mod client;
mod store;

use app::{AppConfig, Level};
use client::{Reply, send};
use secretfig::{Builder, Config};
use std::error::Error;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use store::Place;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

/// From a checkout of this project; the README goes on from here.
const FIRST: &str = "  cargo install --locked --path core --features cli
  secretfig local init
  secretfig local set database/password";

type Outcome = Result<ExitCode, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let outcome = match args.iter().map(|arg| arg.to_str()).collect::<Vec<_>>()[..] {
        [] => run(false).await,
        [Some("--serve")] => run(true).await,
        [Some("--break")] => refused().await,
        _ => {
            eprintln!("usage: quickstart [--serve | --break]");
            Ok(ExitCode::from(2))
        }
    };
    outcome.unwrap_or_else(|e| {
        eprintln!("{e}");
        ExitCode::FAILURE
    })
}

/// For whoever wants to look into the folder afterwards.
fn keep() -> Option<PathBuf> {
    std::env::var_os("QUICKSTART_KEEP").map(PathBuf::from)
}

/// The standard layers, lowest first: `config.toml`, the secrets, the environment. A real service leaves `env` out and
/// is given the same variables by its deployment.
fn layers(place: &Place, app: [(&str, &str); 1]) -> Builder<AppConfig> {
    let app = app.map(|(name, value)| (name, OsString::from(value)));
    Config::standard().env(place.variables().into_iter().chain(app))
}

/// Every fault at once.
async fn refused() -> Outcome {
    let place = Place::new(keep(), include_str!("../broken.toml"), true)?;
    match layers(&place, [("APP_SERVER__PORT", "eighty")]).load().await {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(report) => {
            eprintln!("{report}");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn run(serve: bool) -> Outcome {
    let place = Place::new(keep(), include_str!("../config.toml"), false)?;
    println!("made: {}, encrypted to a key that was made beside it", place.store().display());

    let config = layers(&place, [("APP_LOG__LEVEL", "info")]).load().await?;
    let now = config.snapshot();
    log(now.log.level);
    println!("\nloaded, from these layers:\n{}", config.explain().show("server.*").show("log.*"));

    let keeper = config.keep_fresh();
    let listener = TcpListener::bind((now.server.host, now.server.port)).await?;
    let at = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, app::router(&config)).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());
    println!("\nserving: http://{at}");

    if serve {
        println!("  curl http://{at}/ready");
        println!("  curl http://{at}/config");
        println!("  curl -X POST http://{at}/token");
        println!("  curl -H 'Authorization: Bearer <the token>' http://{at}/me");
        println!("until Ctrl-C");
        tokio::signal::ctrl_c().await?;
    } else {
        story(at, &config, &place).await?;
    }
    let _ = stop.send(());
    match tokio::time::timeout(now.server.shutdown_grace, server).await {
        Ok(ended) => ended??,
        Err(_) => eprintln!("some requests did not end within `server.shutdown_grace`"),
    }
    keeper.shutdown(now.server.shutdown_grace).await;
    if !serve {
        println!("rotated: served without restart");
        println!("\na first secret of your own, in a store of your own:\n{FIRST}");
    }
    Ok(ExitCode::SUCCESS)
}

fn log(level: Level) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_max_level(level).with_ansi(ansi).with_writer(std::io::stderr).init();
}

/// Uses the service, rotates the key that signs its tokens, and uses it again.
async fn story(at: SocketAddr, config: &Config<AppConfig>, place: &Place) -> Result<(), Box<dyn Error>> {
    for path in ["/health", "/ready", "/connections"] {
        let reply = ok(send(at, "GET", path, None).await?, path)?;
        println!("  GET {path} -> {} {}", reply.status, reply.body);
    }
    let refused = send(at, "GET", "/me", None).await?;
    println!("  GET /me, without a token -> {}", refused.status);
    let old = token(at).await?;
    println!("  POST /token -> a token; GET /me with it -> {}", me(at, &old).await?);
    println!("  GET /config -> the key is {}", revision_of_key(at).await?);

    println!(
        "\nrotating the key, as `secretfig local set jwt` does: a new file, and one rename over the old one"
    );
    let mut changes = config.section(|app| &app.jwt).changes();
    place.rotate_jwt()?;
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
