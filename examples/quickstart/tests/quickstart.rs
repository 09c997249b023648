//! Runs the program as a newcomer would, and looks for every value it made in all that it prints.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a stage that cannot be set fails its test")]

use secretfig_local::{Local, Settings};
use secretfig_source::{Ask, Exposed, Format, Node, Reading, Source};
use secretfig_tests::{Hunt, Marker};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn quickstart(args: &[&str], keep: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    // nothing of whoever runs the tests
    command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(keep.map(|folder| ("QUICKSTART_KEEP", folder)));
    command
}

fn run(args: &[&str], keep: Option<&Path>) -> Said {
    let output = quickstart(args, keep).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Every value that was made: of the store, and of the store as it was before the rotation.
fn plant_all(hunt: &Hunt, folder: &Path) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut planted = 0;
    for store in ["secrets.age", "before.age"].map(|name| folder.join(name)) {
        if !store.exists() {
            continue;
        }
        let settings = Settings::new().file(&store).identity_file(folder.join("identity.txt"));
        let asks = ["database", "reports", "jwt", "mail/api_key"].map(Ask::new);
        let answers = runtime.block_on(Local::new(settings).unwrap().fetch(&asks));
        for (ask, answer) in asks.iter().zip(answers) {
            // the broken store has no mail key
            let Ok(fetched) = answer else { continue };
            let Node::Leaf(leaf) = fetched.document.read(&text()).unwrap() else {
                panic!("{ask} is no text")
            };
            let Exposed::Text(text) = leaf.expose_secret() else { panic!("{ask} is no text") };
            for value in values(text) {
                planted += 1;
                hunt.plant(format!("a value of {ask}"), Marker::new(value));
            }
        }
    }
    // the secret key itself
    let identity = fs::read_to_string(folder.join("identity.txt")).unwrap();
    let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    hunt.plant("the identity", Marker::new(key));
    planted
}

fn text() -> Reading {
    Reading { format: Format::Text, ..Reading::default() }
}

fn values(text: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => {
            let keys = ["username", "password", "signing_key"];
            keys.iter().filter_map(|key| Some(fields.get(*key)?.as_str()?.to_owned())).collect()
        }
        // cut off, or one text
        _ => text.split('"').filter(|part| part.len() > 15).map(str::to_owned).collect(),
    }
}

#[test]
fn a_rotation_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(&[], Some(folder.path()));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
    for line in [
        "server.host = 127.0.0.1",
        "log.level = info",
        "variable `APP_LOG__LEVEL`; beats",
        "age `jwt` ",
        r#"GET /health -> 200 {"alive":true}"#,
        r#"GET /ready -> 200 {"degraded":false,"ready":true}"#,
        "GET /me, without a token -> 401",
        r#"GET /me with it -> 200 {"signed_with":"current","subject":"demo"}"#,
        r#"GET /me, with the old token -> 200 {"signed_with":"previous","subject":"demo"}"#,
        r#"GET /me, with a new token -> 200 {"signed_with":"current","subject":"demo"}"#,
    ] {
        assert!(lines.iter().any(|said| said.contains(line)), "no line has `{line}`:\n{}", said.out);
    }
    let key = |line: &&str| line.starts_with("GET /config -> the key is age `jwt` ");
    let revisions: Vec<_> = lines.iter().copied().filter(key).collect();
    assert!(revisions.len() == 2 && revisions[0] != revisions[1], "{revisions:?}");
    let end = [
        "rotated: served without restart",
        "",
        "a first secret of your own, in a store of your own:",
        "cargo install --locked --path core --features cli",
        "secretfig local init",
        "secretfig local set database/password",
    ];
    assert!(lines.ends_with(&end), "{}", said.out);
    assert!(!said.out.contains("eyJ") && !said.err.contains("eyJ"), "a token is printed");

    let hunt = Hunt::new();
    // two databases of two values, the mail key and the signing key; before the rotation and after it
    assert_eq!(plant_all(&hunt, folder.path()), 12);
    hunt.check("standard output", &said.out);
    hunt.check("standard error", &said.err);
    hunt.finish();
}

#[test]
fn eight_faults_are_one_report() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(&["--break"], Some(folder.path()));
    assert_eq!((said.code, &*said.out), (Some(1), ""), "{}", said.err);
    assert_eq!(said.err.lines().last(), Some("8 faults"), "{}", said.err);
    for line in [
        "server.host: missing",
        "server.port \u{2190} variable `APP_SERVER__PORT`: wrong type",
        "server.shutdown_grace \u{2190} ",
        "log.level \u{2190} ",
        "mail.api_key \u{2190} age `mail/api_key`",
        "reports.dbname \u{2190} age `reports`",
        "database \u{2190} age `database` ",
        "jwt.signing_key \u{2190} age `jwt` ",
    ] {
        let found = said.err.lines().filter(|said| said.trim_start().starts_with(line));
        assert_eq!(found.count(), 1, "`{line}`:\n{}", said.err);
    }
    // plain values are nobody's business either
    for value in ["eighty", "soon", "loud"] {
        assert!(!said.err.contains(value), "{}", said.err);
    }
    let hunt = Hunt::new();
    assert_eq!(plant_all(&hunt, folder.path()), 5);
    hunt.check("standard error", &said.err);
    hunt.finish();
}

/// Ends the program also where a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_serves_until_ctrl_c_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = quickstart(&["--serve"], None);
    let mut running = Running(command.env("TMPDIR", temporary.path()).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let serving = lines.by_ref().find_map(|line| line.strip_prefix("serving: http://").map(str::to_owned));
    let at = serving.unwrap();
    assert!(lines.by_ref().any(|line| line == "until Ctrl-C"));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);

    let mut stream = TcpStream::connect(&at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET /ready HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(
        reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with(r#"{"ready":true,"degraded":false}"#),
        "{reply}"
    );

    let interrupted = Command::new("kill").args(["-INT", &running.0.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert!(running.0.wait().unwrap().success());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn anything_else_is_refused_with_the_usage() {
    let said = run(&["--sreve"], None);
    assert_eq!((said.code, &*said.err), (Some(2), "usage: quickstart [--serve | --break]\n"));
}
