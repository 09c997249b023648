//! A real server: several workers, what the connection makes of a HEAD, and the end in order.

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use secretfig::testing::FakeSource;
use secretfig::{Config, ExposeSecret, Live, SecretLayer, SecretString};
use secretfig_actix::{Secrets, health_routes, run, sections};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

#[derive(Deserialize)]
struct Settings {
    token: Live<Token>,
}

#[derive(Deserialize)]
struct Token {
    id: String,
    value: SecretString,
}

const LIMIT: Duration = Duration::from_secs(20);

/// The whole answer to one request on a connection of its own.
async fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let asking = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    tokio::time::timeout(LIMIT, asking).await.expect("an answer")
}

/// Which worker serves, and which revision it has.
async fn token(Secrets(token): Secrets<Token>) -> String {
    assert!(!token.value.expose_secret().is_empty());
    format!("{} on {:?}", token.id, std::thread::current().id())
}

/// Waits with the answer, holding a revision.
async fn slow(Secrets(token): Secrets<Token>, gate: web::Data<Gate>) -> String {
    gate.arrived.notify_one();
    gate.open.notified().await;
    token.id.clone()
}

#[derive(Default)]
struct Gate {
    arrived: Notify,
    open: Notify,
}

struct Server {
    source: FakeSource,
    config: Config<Settings>,
    address: SocketAddr,
    handle: ServerHandle,
    gate: Arc<Gate>,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
}

fn document(id: &str) -> String {
    format!(r#"{{"id": "{id}", "value": "s3cret-{id}"}}"#)
}

async fn start() -> Server {
    let source = FakeSource::new().with("token", &document("one")).watching();
    let layer = SecretLayer::from(source.clone()).put("token", "token");
    let config = Config::<Settings>::builder().merge(layer).load().await.unwrap();
    let configure = sections(&config).add(|app| &app.token).require::<(Token,)>().unwrap();
    let (health, gate) = (health_routes(&config), Arc::<Gate>::default());
    let shared = web::Data::from(gate.clone());
    let server = HttpServer::new(move || {
        App::new()
            .configure(configure.clone())
            .configure(health.clone())
            .app_data(shared.clone())
            .route("/token", web::get().to(token))
            .route("/slow", web::get().to(slow))
    });
    let server = server.workers(2).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let keeper = config.keep_fresh();
    let ended = tokio::task::spawn_local(run(server, keeper, Duration::from_secs(5)));
    Server { source, config, address, handle, gate, ended }
}

#[actix_web::test]
async fn a_rotation_reaches_every_worker() {
    let server = start().await;
    let mut workers = std::collections::BTreeSet::new();
    // connections go round the workers, if not strictly
    let first = async {
        while workers.len() < 2 {
            let answer = ask(server.address, "GET", "/token").await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            let (_, worker) = answer.split_once("one on ").expect("the first revision");
            workers.insert(worker.to_owned());
        }
    };
    tokio::time::timeout(LIMIT, first).await.expect("two workers serve");
    server.source.rotate("token", &document("two"));
    let rotated = async {
        while server.config.snapshot().token.id != "two" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, rotated).await.expect("the Keeper sees a rotation");
    // from the moment of publication on, and on every worker
    while let Some(worker) = workers.pop_first() {
        let served = async {
            loop {
                let answer = ask(server.address, "GET", "/token").await;
                assert!(answer.contains("\r\n\r\ntwo on "), "an old revision: {answer}");
                if answer.ends_with(&worker) {
                    break;
                }
            }
        };
        tokio::time::timeout(LIMIT, served).await.expect("both workers serve");
    }
    server.handle.stop(true).await;
    server.ended.await.unwrap().unwrap();
}

#[actix_web::test]
async fn head_is_get_without_a_body() {
    let server = start().await;
    for (path, length) in [("/ready", r#"{"ready":true,"degraded":false}"#.len()), ("/health", 14)] {
        let answer = ask(server.address, "HEAD", path).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 200 "), "{answer}");
        assert!(answer.contains(&format!("content-length: {length}\r\n")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "a HEAD with a body: {answer}");
    }
    server.handle.stop(true).await;
    server.ended.await.unwrap().unwrap();
}

#[actix_web::test]
async fn the_keeper_ends_after_the_last_request() {
    let server = start().await;
    assert_eq!(server.config.health().refresher, "running");
    let address = server.address;
    let last = tokio::task::spawn_local(async move { ask(address, "GET", "/slow").await });
    tokio::time::timeout(LIMIT, server.gate.arrived.notified()).await.expect("a request under way");
    let stopping = tokio::task::spawn_local(server.handle.stop(true));
    // no new connection is taken any more, the last request waits, and secrets are still kept fresh
    let closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, closed).await.expect("the server stops listening");
    assert_eq!(server.config.health().refresher, "running");
    assert!(!server.ended.is_finished());
    server.gate.open.notify_one();
    assert!(last.await.unwrap().ends_with("\r\n\r\none"), "the last request is answered");
    tokio::time::timeout(LIMIT, stopping).await.expect("the server ends").unwrap();
    server.ended.await.unwrap().unwrap();
    assert_eq!(server.config.health().refresher, "absent");
}
