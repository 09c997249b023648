//! What is in a store, and how it comes out.

use super::store::{Place, encrypted, locked};
use super::{ErrorKind, get, leaf, refusal, text};
use secretfig_local::Local;
use secretfig_source::{Ask, Format, Listing, Node, Probe, Reading, Source};
use std::fs;

const STORE: &str = r#"
# the application's own
api_key = "00123"
"mail/token" = "t"
dsn = '{"user": "app", "port": 5432}'

[database]
user = "app"
port = 5432
ratio = 1.50
tls = true
hosts = ["a", "b"]

[database.reports]
password = "r"
"#;

#[tokio::test(flavor = "current_thread")]
async fn a_table_is_one_secret_and_so_is_each_of_its_values() {
    let place = Place::holding(STORE);
    let local = place.local();
    for (name, want) in [
        ("api_key", "00123"),
        ("mail/token", "t"),
        ("database/user", "app"),
        ("database/port", "5432"),
        ("database/ratio", "1.50"),
        ("database/tls", "true"),
        ("database/reports/password", "r"),
    ] {
        assert_eq!(text(&local, name).await, want);
    }
    let database = get(&local, "database").await.unwrap().document;
    for format in [Format::Auto, Format::Toml, Format::Json] {
        let node = database.read(&Reading { format, ..Reading::default() }).unwrap();
        for (field, want) in [("user", "app"), ("port", "5432"), ("tls", "true"), ("reports.password", "r")] {
            assert_eq!(leaf(node.field(field).unwrap()), want);
        }
        assert!(matches!(node.field("hosts"), Some(Node::List(hosts)) if hosts.len() == 2));
    }
    let field = Reading { field: Some("port".into()), ..Reading::default() };
    assert_eq!(leaf(&database.read(&field).unwrap()), "5432");
}

#[tokio::test(flavor = "current_thread")]
async fn a_text_is_read_by_the_format_that_is_asked_for() {
    let place = Place::holding(STORE);
    let dsn = get(&place.local(), "dsn").await.unwrap().document;
    let node = dsn.read(&Reading::default()).unwrap();
    assert_eq!(leaf(node.field("port").unwrap()), "5432");
    let node = dsn.read(&Reading { format: Format::Text, ..Reading::default() }).unwrap();
    assert_eq!(leaf(&node), r#"{"user": "app", "port": 5432}"#);
}

#[tokio::test(flavor = "current_thread")]
async fn armor_json_and_several_keys() {
    let place = Place::new();
    let other = age::x25519::Identity::generate().to_public();
    let ours = place.key.to_public();
    for (name, bytes) in [
        ("armored TOML", age::encrypt_and_armor(&ours, b"a = 'x'").unwrap().into_bytes()),
        (
            "armor after blank lines",
            format!("\r\n\n{}", age::encrypt_and_armor(&ours, b"a = 'x'").unwrap()).into(),
        ),
        ("JSON", encrypted(std::slice::from_ref(&ours), "\n {\"a\": \"x\"}")),
        ("the second of two readers", encrypted(&[other, ours], "a = 'x'")),
    ] {
        place.write("secrets.age", &bytes);
        assert_eq!(text(&place.local(), "a").await, "x", "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn all_of_one_call_are_of_one_moment_and_a_probe_tells_the_next() {
    let place = Place::holding("a = '1'\nb = '2'\n");
    let local = place.local();
    let answers = local.fetch(&[Ask::new("a"), Ask::new("b"), Ask::new("no")]).await;
    let [Ok(a), Ok(b), Err(no)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(a.revision, b.revision);
    assert_eq!((a.revision.as_str().len(), no.kind()), (12, ErrorKind::Absent));
    assert!(no.what_to_do().contains("secretfig local set"), "{no}");
    let probes = local.probe(&[Ask::new("b"), Ask::new("no")]).await;
    assert_eq!(probes[0], Ok(Probe::Current(a.revision.clone())));
    assert_eq!(probes[1].as_ref().unwrap_err(), no);

    place.hold("a = '2'\n");
    let probes = local.probe(&[Ask::new("a"), Ask::new("b")]).await;
    assert!(matches!(&probes[0], Ok(Probe::Current(moved)) if *moved != a.revision), "a new encryption");
    assert_eq!(probes[1].as_ref().unwrap_err().kind(), ErrorKind::Absent);
}

#[tokio::test(flavor = "current_thread")]
async fn a_secret_keeps_its_revision_while_others_change() {
    let names = ["a", "b", "t", "t/x", "t/n"];
    let asks = names.map(Ask::new);
    let place = Place::holding("a = '1'\nb = '1'\n[t]\nx = 'ab'\nn = 1\n");
    let local = place.local();
    let revisions = async |what: &str| {
        let mut probed = Vec::new();
        for (probe, fetched) in local.probe(&asks).await.into_iter().zip(local.fetch(&asks).await) {
            let Ok(Probe::Current(revision)) = probe else { panic!("{what}: {probe:?}") };
            assert_eq!(revision, fetched.unwrap().revision, "{what}");
            probed.push(revision);
        }
        probed
    };
    let mut last = revisions("at first").await;
    assert!(last.iter().all(|revision| *revision == last[0]));
    let first = fs::read(place.path("secrets.age")).unwrap();
    for (text, moved) in [
        ("a = '2'\nb = '1'\n[t]\nx = 'ab'\nn = 1\n", &["a"][..]),
        ("# a remark\nb = '1'\na = '2'\n[t]\nn = 1\nx = 'ab'\n", &[]),
        ("a = '2'\nb = 1\n[t]\nx = 'ab'\nn = 1\n", &["b"]),
        ("a = '2'\nb = 1\n[t]\nx = 'a'\nn = 1\nb = 'b'\n", &["t", "t/x"]),
        ("a = '2'\nb = [1]\n[t]\nx = 'a'\nn = 1\nb = 'b'\n", &["b"]),
        ("a = '2'\nb = [[1]]\n[t]\nx = 'a'\nn = true\nb = 'b'\n", &["b", "t", "t/n"]),
    ] {
        place.hold(text);
        let now = revisions(text).await;
        let changed = names.iter().zip(now.iter().zip(&last)).filter(|(_, (now, last))| now != last);
        assert_eq!(changed.map(|(name, _)| *name).collect::<Vec<_>>(), moved, "{text}");
        last = now;
    }
    // the very file of before, as `git checkout` brings it: a step back that can be told
    place.write("secrets.age", &first);
    let back = revisions("back").await;
    assert_eq!(back, revisions("still").await);
    assert!(back.iter().all(|revision| *revision == back[0] && !last.contains(revision)));
    let again = place.local().fetch(&asks).await.remove(0).unwrap();
    assert_eq!(again.revision, back[0], "another process gives it the same name");
}

#[tokio::test(flavor = "current_thread")]
async fn names_are_listed_without_values() {
    let place = Place::holding(STORE);
    let local = place.local();
    let mut names = local.list("database/").await.unwrap();
    names.sort();
    let want = ["hosts", "port", "ratio", "reports/password", "tls", "user"];
    assert_eq!(names.iter().map(|n| &**n).collect::<Vec<_>>(), want.map(|name| format!("database/{name}")));
    assert_eq!(local.list("").await.unwrap().len(), 9);
}

#[tokio::test(flavor = "current_thread")]
async fn who_we_are() {
    let place = Place::holding("a = 'x'\n");
    let identity = place.local().sign_in().await.unwrap().unwrap();
    assert_eq!(identity.as_str(), place.key.to_public().to_string());

    place.write("secrets.age", &locked("hunter2", 8, "a = 'x'\n"));
    place.write("passphrase", b"hunter2\r\n");
    let settings = secretfig_local::Settings::new().file(place.path("secrets.age"));
    let local = Local::new(settings.passphrase_file(place.path("passphrase"))).unwrap();
    assert_eq!(local.sign_in().await.unwrap().unwrap().as_str(), "passphrase");
    assert_eq!(text(&local, "a").await, "x");
    assert!(!format!("{local:?}").contains("hunter"));
}

#[tokio::test(flavor = "current_thread")]
async fn an_identity_file_may_itself_be_locked() {
    use age::secrecy::ExposeSecret;
    let place = Place::holding("a = 'x'\n");
    let secret = place.key.to_string();
    place.write("identity.txt", &locked("hunter2", 8, secret.expose_secret()));
    let with = |passphrase: &str| Local::new(place.settings().passphrase(passphrase.into())).unwrap();
    assert_eq!(text(&with("hunter2"), "a").await, "x");
    let error = refusal(&with("hunter3"), "a").await;
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.what_to_do().contains("identity file"), "{error}");
    assert_eq!(with("hunter3").sign_in().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!(refusal(&place.local(), "a").await.kind(), ErrorKind::Unauthenticated);
}

#[cfg(unix)]
#[tokio::test(flavor = "current_thread")]
async fn an_identity_file_that_others_may_read_is_warned_of() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let place = Place::holding("a = 'x'\n");
    let mode =
        |name: &str, mode: u32| set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
    for (folder, file, count) in [(0o755, 0o600, 0), (0o755, 0o644, 1), (0o755, 0o606, 2), (0o700, 0o644, 0)]
    {
        mode("", folder);
        mode("identity.txt", file);
        let warnings = get(&place.local(), "a").await.unwrap().warnings;
        assert_eq!(warnings.len(), count, "{folder:o} {file:o}: {warnings:?}");
    }
}
