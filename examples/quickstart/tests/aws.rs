//! The program against AWS Secrets Manager, as moto plays it, and everything that it prints, at the finest level, looked through
//! for every value.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a stage that cannot be set fails its test")]

mod program;

use program::{Running, plant_all, quickstart, run};
use secretfig_test_servers::Moto;
use secretfig_tests::{Hunt, Marker};
use serde_json::{Value, json};
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// As the store names them that is left behind: the documents, and what the application proves itself by.
const NAMES: [&str; 5] = ["database", "reports", "jwt", "mail", "role"];

/// What is no secret, in documents that are.
const PLAIN: [&str; 6] = ["algorithm", "dbname", "engine", "host", "issuer", "access_key_id"];

/// All texts of a document that are secret.
fn values(text: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(text).unwrap();
    let fields = document.as_object().unwrap().iter().filter(|(key, _)| !PLAIN.contains(&key.as_str()));
    fields.filter_map(|(_, value)| Some(value.as_str()?.to_owned())).collect()
}

/// With a log that tells everything, and what an installed moto is found by.
fn aws(args: &[&str], keep: Option<&Path>) -> Command {
    let mut command = quickstart(args, keep);
    command.env("RUST_LOG", "trace");
    for name in ["HOME", "PATH", "XDG_CACHE_HOME"] {
        command.envs(env::var_os(name).map(|value| (name, value)));
    }
    command
}

#[test]
fn a_rotation_in_aws_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(&mut aws(&["--with-moto"], Some(folder.path())));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
    for line in [
        "made: moto at http://127.0.0.1:",
        r#""arn:aws:secretsmanager:us-east-1:123456789012:secret:quickstart/jwt-??????""#,
        "aws-sm `quickstart/database` ",
        r#"GET /ready -> 200 {"degraded":false,"ready":true}"#,
        r#"GET /me with it -> 200 {"signed_with":"current","subject":"demo"}"#,
        "GET /config -> the key is aws-sm `quickstart/jwt` ",
        r#"GET /me, with the old token -> 200 {"signed_with":"previous","subject":"demo"}"#,
        r#"GET /me, with a new token -> 200 {"signed_with":"current","subject":"demo"}"#,
    ] {
        assert!(lines.iter().any(|said| said.contains(line)), "no line has `{line}`:\n{}", said.out);
    }
    assert!(lines.contains(&"rotated: served without restart"), "{}", said.out);

    let hunt = Hunt::new();
    // two databases of two values, the mail key, the signing key before the rotation and after it, and what is signed with
    assert!(plant_all(&hunt, folder.path(), &NAMES, values) >= 7);
    for (what, said) in [("standard output", &said.out), ("standard error", &said.err)] {
        assert!(!said.contains("eyJ"), "a token is printed to {what}");
        hunt.check(what, said);
    }
    assert!(
        said.err.contains("TRACE aws_smithy") || said.out.contains("TRACE aws_smithy"),
        "the SDK was not heard"
    );
    hunt.finish();
}

/// Somebody else's account: what the README says must be there, is.
#[tokio::test]
async fn an_account_of_the_users_own_is_used_and_not_written_to() {
    let hunt = Hunt::new();
    let moto = Moto::start().await;
    let marker = |what: &str| hunt.plant(what, Marker::random()).text().to_owned();
    let database = |name: &str| {
        json!({
            "engine": "postgres", "host": "db.internal", "port": 5432, "dbname": name,
            "username": marker("a user"), "password": marker("a password"),
        })
    };
    let jwt =
        || json!({ "algorithm": "HS256", "issuer": "quickstart", "signing_key": marker("a key").repeat(3) });
    for (name, document) in [
        ("database", database("orders")),
        ("reports", database("reports")),
        ("jwt", jwt()),
        ("mail", json!({ "api_key": marker("the mail key") })),
    ] {
        moto.put(&format!("quickstart/{name}"), &document.to_string()).await;
    }
    hunt.plant("what is signed with", Marker::new(moto.secret_access_key()));

    let mut command = aws(&[], None);
    // what it says is read at its end only, and a pipe holds 64 KiB: the SDK's TRACE is more
    command.envs([
        ("RUST_LOG", "secretfig=trace"),
        ("SECRET_PROVIDER", "aws"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", moto.address()),
        ("AWS_ENDPOINT_URL_STS", moto.address()),
        ("AWS_ACCESS_KEY_ID", moto.access_key_id()),
        ("AWS_SECRET_ACCESS_KEY", moto.secret_access_key()),
    ]);
    let running = Running::start(&mut command);
    let ready = running.get("/ready");
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n"), "{ready}");
    let first = running.get("/config");
    moto.put("quickstart/jwt", &jwt().to_string()).await;
    let rotated = async {
        while running.get("/config") == first {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), rotated).await.is_ok(), "{first}");
    let err = running.interrupt();
    let wrote = |call: &String| !["Get", "Describe", "Batch"].iter().any(|reads| call.starts_with(reads));
    assert!(!moto.calls().iter().any(wrote), "{:?}", moto.calls());
    for (what, said) in [("/config", &first), ("standard error", &err)] {
        hunt.check(what, said);
    }
    hunt.finish();

    let said = run(aws(&["--break"], None).env("SECRET_PROVIDER", "aws"));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("`--with-openbao`"), "{}", said.err);
}
