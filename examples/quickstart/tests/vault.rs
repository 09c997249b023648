//! The program against OpenBao, and everything that it prints, at the finest level, looked through for every value.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a stage that cannot be set fails its test")]

mod program;

use program::{Running, plant_all, quickstart, run};
use secretfig_test_servers::OpenBao;
use secretfig_tests::{Hunt, Marker};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// As the store names them that is left behind: the documents, and what the application proves itself by.
const NAMES: [&str; 7] = ["database", "reports", "jwt", "mail", "admin", "role", "archive"];

/// What is no secret, in documents that are.
const PLAIN: [&str; 5] = ["algorithm", "dbname", "engine", "host", "issuer"];

/// All texts of a document.
fn values(text: &str) -> Vec<String> {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(text.clone()),
            Value::Object(fields) => {
                let secret = fields.iter().filter(|(key, _)| !PLAIN.contains(&key.as_str()));
                secret.for_each(|(_, value)| collect(value, into));
            }
            _ => {}
        }
    }
    let mut values = Vec::new();
    collect(&serde_json::from_str(text).unwrap(), &mut values);
    values
}

/// With a log that tells everything, and what an installed OpenBao is found by.
fn openbao(args: &[&str], keep: Option<&Path>) -> Command {
    let mut command = quickstart(args, keep);
    command.env("RUST_LOG", "trace");
    for name in ["HOME", "PATH", "XDG_CACHE_HOME"] {
        command.envs(env::var_os(name).map(|value| (name, value)));
    }
    command
}

/// How many tokens are in there. They are made by the server and known to the program alone, so that they are looked for
/// by what all of them look like.
fn tokens(said: &str) -> usize {
    let after = said.split("s.").skip(1);
    let run = after.map(|after| after.chars().take_while(char::is_ascii_alphanumeric).count());
    run.filter(|length| *length >= 20).count()
}

#[test]
fn a_rotation_in_openbao_is_served_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(&mut openbao(&["--with-openbao"], Some(folder.path())));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<&str> = said.out.lines().map(str::trim).collect();
    for line in [
        "made: OpenBao at http://127.0.0.1:",
        r#"path "secret/metadata/quickstart/jwt" {"#,
        "vault `quickstart/database` 1 of ",
        r#"GET /ready -> 200 {"degraded":false,"ready":true}"#,
        r#"GET /me with it -> 200 {"signed_with":"current","subject":"demo"}"#,
        "GET /config -> the key is vault `quickstart/jwt` 1 of ",
        "GET /config -> the key is vault `quickstart/jwt` 2 of ",
        r#"GET /me, with the old token -> 200 {"signed_with":"previous","subject":"demo"}"#,
        r#"GET /me, with a new token -> 200 {"signed_with":"current","subject":"demo"}"#,
    ] {
        assert!(lines.iter().any(|said| said.contains(line)), "no line has `{line}`:\n{}", said.out);
    }
    assert!(lines.contains(&"rotated: served without restart"), "{}", said.out);
    // as the one with the store
    assert_eq!(lines.last(), Some(&"secretfig local set database/password"));

    let hunt = Hunt::new();
    // two databases of two values, the mail key and the signing key, role_id, secret_id and the root token; before the
    // rotation and after it
    assert_eq!(plant_all(&hunt, folder.path(), &NAMES, values), 18);
    nothing_leaked(hunt, &[("standard output", &said.out), ("standard error", &said.err)]);
}

#[test]
fn six_faults_of_two_servers_are_one_report() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(&mut openbao(&["--with-openbao", "--break"], Some(folder.path())));
    assert_eq!((said.code, &*said.out), (Some(1), ""), "{}", said.err);
    let (_, report) = said.err.split_once("configuration refused (profile `default`)\n").unwrap();
    // connections that end later may still say so at TRACE
    let (report, _) = report.split_once("6 faults\n").unwrap_or_else(|| panic!("not six:\n{report}"));
    println!("{report}");
    let mut hints = BTreeSet::new();
    for (line, what, hint) in [
        (
            "(root) \u{2190} vault at http",
            "(sealed), so not to be had: quickstart/mail",
            "`vault operator unseal`",
        ),
        ("reports.password \u{2190} vault", ": denied", "path \"secret/data/quickstart/admin\" {"),
        ("reports.username \u{2190} vault", ": absent", "there is nothing at `secret/quickstart/reports`"),
        ("mail.sender \u{2190} vault", ": deleted", "vault kv undelete -versions=N secret/quickstart/mail`"),
        ("database.password \u{2190} vault", ": wrong type", "store a value of that type"),
        ("jwt.signing_key \u{2190} vault", ": an HS256 key needs at least 32 bytes", "correct the value"),
    ] {
        let found: Vec<_> = report.lines().filter(|said| said.trim_start().starts_with(line)).collect();
        assert_eq!(found.len(), 1, "`{line}`:\n{report}");
        let (happened, next) = found[0].split_once(" \u{2192} ").unwrap();
        assert!(happened.contains(what) && next.contains(hint), "{}", found[0]);
        hints.insert(next);
    }
    assert_eq!(hints.len(), 6, "each has a next step of its own");

    let hunt = Hunt::new();
    // one database of two values, the short key, a sender, a password; role_id, secret_id and root token of two servers
    assert_eq!(plant_all(&hunt, folder.path(), &NAMES, values), 11);
    nothing_leaked(hunt, &[("standard error", &said.err)]);
}

fn nothing_leaked(hunt: Hunt, said: &[(&str, &str)]) {
    for (what, said) in said {
        assert!(!said.contains("eyJ") && tokens(said) == 0, "a token is printed to {what}");
        hunt.check(*what, said);
    }
    assert!(
        said.iter().any(|(_, said)| said.contains("TRACE hyper_util")),
        "the log tells less than it could"
    );
    hunt.finish();
}

/// Somebody else's server: what the README says must be there, is.
#[tokio::test]
async fn a_server_of_the_users_own_is_used_and_not_written_to() {
    let hunt = Hunt::new();
    let bao = OpenBao::start().await;
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
        put(&bao, name, document).await;
    }
    hunt.plant("the token", Marker::new(bao.root_token()));

    let mut command = openbao(&[], None);
    command.envs([
        ("SECRET_PROVIDER", "vault"),
        ("VAULT_ADDR", bao.address()),
        ("VAULT_TOKEN", bao.root_token()),
    ]);
    let running = Running::start(&mut command);
    let ready = running.get("/ready");
    assert!(ready.starts_with("HTTP/1.1 200 OK\r\n"), "{ready}");
    let first = running.get("/config");
    put(&bao, "jwt", jwt()).await;
    let rotated = async {
        while running.get("/config") == first {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), rotated).await.is_ok(), "{first}");
    let err = running.interrupt();
    let (status, versions) = bao.call("GET", "secret/metadata/quickstart/jwt", Value::Null).await;
    assert_eq!((status, &versions["data"]["current_version"]), (200, &json!(2)), "ours, and nobody else's");
    assert_eq!(tokens(bao.root_token()), 1, "they look otherwise");
    nothing_leaked(hunt, &[("/config", &first), ("standard error", &err)]);

    let mut refused = openbao(&["--break"], None);
    let said = run(refused.env("SECRET_PROVIDER", "vault"));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("`--with-openbao`"), "{}", said.err);
}

async fn put(bao: &OpenBao, name: &str, document: Value) {
    let path = format!("secret/data/quickstart/{name}");
    let (status, said) = bao.call("POST", &path, json!({ "data": document })).await;
    assert_eq!(status, 200, "{said}");
}
