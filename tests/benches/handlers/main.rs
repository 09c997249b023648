//! What `Secrets<S>` costs a request, beside the framework's own shared state holding an `Arc`: instructions per
//! request, counted by callgrind.
//!
//! ```sh
//! cargo bench -p secretfig-tests --bench handlers [-- ROUNDS]      # needs valgrind
//! ```
//!
//! For each framework the same service is served twice by a real server over a loopback socket: once its handler takes
//! the framework's own state, once it takes `Secrets<S>` with a Keeper running. The server runs under callgrind, the
//! client outside of it. A run with many requests less a run with few, over the difference of their numbers, leaves
//! the instructions of one request: start-up and shutdown are the same in both. Instructions do not depend on what
//! else the machine does. `core/docs/performance.md` keeps a table.
#![allow(clippy::disallowed_methods, reason = "the client leaves the server time to go idle")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program of its own, for people"
)]
#![allow(missing_docs, reason = "it has no API")]

mod actix;
mod axum;
mod rocket;

use secretfig::testing::FakeSource;
use secretfig::{Config, Keeper, Live, SecretLayer, SecretString};
use serde::Deserialize;
use std::ffi::OsStr;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Requests of the short and of the long run.
const FEW: u64 = 200;
const MANY: u64 = 1200;

/// Between two requests, so that the server has gone back to waiting: it then takes the same way each time.
const IDLE: Duration = Duration::from_millis(2);

#[derive(Deserialize)]
struct App {
    database: Live<Database>,
}

#[derive(Clone, Deserialize)]
struct Database {
    username: String,
    #[expect(dead_code, reason = "a section has a secret in it")]
    password: SecretString,
}

/// What each handler does with what it was given.
fn touch(database: &Database) -> &'static str {
    black_box(database.username.as_bytes().first());
    "ok"
}

/// A configuration over a source, kept fresh; looked at again long after the last request.
async fn configuration() -> (Config<App>, Keeper) {
    let source = FakeSource::new().with("myapp/database", r#"{"username": "app", "password": "s3cret"}"#);
    let layer = SecretLayer::from(source).put("database", "myapp/database");
    let ttl = Duration::from_secs(24 * 3600);
    let config = Config::<App>::builder().merge(layer).ttl(ttl).max_stale(2 * ttl).load().await.unwrap();
    let keeper = config.keep_fresh();
    (config, keeper)
}

/// The framework's own state holds this.
fn shared() -> Arc<Database> {
    Arc::new(Database { username: "app".to_owned(), password: SecretString::from("s3cret".to_owned()) })
}

/// The socket of a service, whose address the client reads from standard output.
fn listener() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    println!("{}", listener.local_addr().unwrap());
    listener
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", framework, with] => serve(framework, with == "secrets"),
        [] => compare(3),
        [rounds] => compare(rounds.parse().unwrap()),
        _ => panic!("usage: handlers [ROUNDS]"),
    }
}

/// Serves until standard input ends, and leaves at once: callgrind then writes its counts.
fn serve(framework: &str, secrets: bool) {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    match framework {
        "axum" => axum::serve(secrets),
        "actix" => actix::serve(secrets),
        "rocket" => rocket::serve(secrets),
        _ => panic!("no such framework"),
    }
}

fn compare(rounds: usize) {
    println!("least of {rounds} rounds, {} requests each\n", MANY - FEW);
    println!("| framework | its own state, an `Arc` | `Secrets<S>` | × |");
    println!("| --- | ---: | ---: | ---: |");
    for framework in ["axum", "actix", "rocket"] {
        let mut least = [[u64::MAX; 2]; 2];
        for _ in 0..rounds {
            for (with, least) in ["own", "secrets"].into_iter().zip(&mut least) {
                for (requests, least) in [FEW, MANY].into_iter().zip(least) {
                    *least = instructions(framework, with, requests).min(*least);
                }
            }
        }
        let [own, secrets] = least.map(|[few, many]| (many - few) as f64 / (MANY - FEW) as f64);
        println!("| {framework} | {own:.0} | {secrets:.0} | **{:.4}** |", secrets / own);
    }
}

/// All instructions of a server that answers this many requests.
fn instructions(framework: &str, with: &str, requests: u64) -> u64 {
    let counts = tempfile::NamedTempFile::new().unwrap();
    let mut out = std::ffi::OsString::from("--callgrind-out-file=");
    out.push(counts.path());
    let me = std::env::current_exe().unwrap();
    let args = [OsStr::new("--tool=callgrind"), &out, me.as_os_str()];
    let mut command = Command::new("valgrind");
    command.args(args).args(["serve", framework, with]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap_or_else(|e| panic!("valgrind: {}", e.kind()));
    ask(&mut server, requests);
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success(), "the server did not end well");
    let text = std::fs::read_to_string(counts.path()).unwrap();
    let total =
        text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    total.and_then(|total| total.trim().parse().ok()).unwrap_or_else(|| panic!("callgrind wrote no total"))
}

/// One request after the other over one connection.
fn ask(server: &mut Child, requests: u64) {
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let at: SocketAddr = line.trim().parse().unwrap();
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reply = [0; 4096];
    for _ in 0..requests {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut read = 0;
        while !reply[..read].ends_with(b"\r\n\r\nok") {
            match stream.read(&mut reply[read..]).unwrap() {
                0 => panic!("the server hung up: {}", String::from_utf8_lossy(&reply[..read])),
                n => read += n,
            }
        }
        assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n"));
        std::thread::sleep(IDLE);
    }
}
