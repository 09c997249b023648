//! Runs the program as a newcomer would, and looks for every value it made in all that it prints.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a stage that cannot be set fails its test")]

mod program;

use program::{Running, plant_all, quickstart, run};
use secretfig_tests::Hunt;
use serde_json::Value;
use std::fs;

/// As the stores name them.
const NAMES: [&str; 4] = ["database", "reports", "jwt", "mail/api_key"];

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
    let said = run(&mut quickstart(&[], Some(folder.path())));
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
    assert_eq!(plant_all(&hunt, folder.path(), &NAMES, values), 12);
    hunt.check("standard output", &said.out);
    hunt.check("standard error", &said.err);
    hunt.finish();
}

#[test]
fn eight_faults_are_one_report() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(&mut quickstart(&["--break"], Some(folder.path())));
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
    assert_eq!(plant_all(&hunt, folder.path(), &NAMES, values), 5);
    hunt.check("standard error", &said.err);
    hunt.finish();
}

#[test]
fn it_serves_until_ctrl_c_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let running = Running::start(quickstart(&["--serve"], None).env("TMPDIR", temporary.path()));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
    let reply = running.get("/ready");
    assert!(
        reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with(r#"{"ready":true,"degraded":false}"#),
        "{reply}"
    );
    running.interrupt();
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn anything_else_is_refused_with_the_usage() {
    for args in [&["--sreve"][..], &["--serve", "--break"]] {
        let said = run(&mut quickstart(args, None));
        let usage = "usage: quickstart [--with-openbao | --with-moto] [--serve | --break]\n";
        assert_eq!((said.code, &*said.err), (Some(2), usage));
    }
}
