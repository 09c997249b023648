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
//! * `mount.rs`: the folder of secrets, as Kubernetes would mount it. `client.rs`: requests over a socket.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "telling is what it is for")]

mod app;
mod client;
mod mount;

use app::{AppConfig, Level};
use client::{Reply, send};
use mount::Mount;
use secretfig::{Builder, Config};
use std::error::Error;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tracing_subscriber::filter::LevelFilter;

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
fn layers(mount: &Mount, app: [(&str, &str); 1]) -> Builder<AppConfig> {
    let place = [
        ("APP_CONFIG_DIR", mount.config_dir().as_os_str().to_owned()),
        ("SECRET_PROVIDER", "files".into()),
        ("SECRETFIG_FILES_DIR", mount.secrets().into_os_string()),
    ];
    let app = app.map(|(name, value)| (name, OsString::from(value)));
    Config::standard().env(place.into_iter().chain(app))
}

/// Every fault at once.
async fn refused() -> Outcome {
    let mount = Mount::new(keep(), include_str!("../broken.toml"), true)?;
    match layers(&mount, [("APP_SERVER__PORT", "eighty")]).load().await {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(report) => {
            eprintln!("{report}");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn run(serve: bool) -> Outcome {
    let mut mount = Mount::new(keep(), include_str!("../config.toml"), false)?;
    println!("mounted: {}, as Kubernetes mounts a Secret", mount.secrets().display());

    let config = layers(&mount, [("APP_LOG__LEVEL", "info")]).load().await?;
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
        story(at, &config, &mut mount).await?;
    }
    let _ = stop.send(());
    match tokio::time::timeout(now.server.shutdown_grace, server).await {
        Ok(ended) => ended??,
        Err(_) => eprintln!("some requests did not end within `server.shutdown_grace`"),
    }
    keeper.shutdown(now.server.shutdown_grace).await;
    if !serve {
        println!("rotated: served without restart");
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
async fn story(at: SocketAddr, config: &Config<AppConfig>, mount: &mut Mount) -> Result<(), Box<dyn Error>> {
    for path in ["/health", "/ready", "/connections"] {
        let reply = ok(send(at, "GET", path, None).await?, path)?;
        println!("  GET {path} -> {} {}", reply.status, reply.body);
    }
    let refused = send(at, "GET", "/me", None).await?;
    println!("  GET /me, without a token -> {}", refused.status);
    let old = token(at).await?;
    println!("  POST /token -> a token; GET /me with it -> {}", me(at, &old).await?);
    println!("  GET /config -> the key is {}", revision_of_key(at).await?);

    println!("\nrotating the key, as Kubernetes does: a new folder, and one rename of `..data`");
    let mut changes = config.section(|app| &app.jwt).changes();
    mount.rotate_jwt()?;
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
