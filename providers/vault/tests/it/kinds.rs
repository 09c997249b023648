//! Mounts that become another kind while somebody reads from them.

use crate::hop::{clock, root, vault};
use crate::made::{ALIVE, Made, VALUE};
use secretfig_source::{Ask, ErrorKind, Listing, Source};
use secretfig_test_servers::OpenBao;
use secretfig_vault::{Auth, Settings, Vault};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::time::Duration;

/// A new mount at `old`, without versions or with them, and `db` in it.
async fn mount(server: &OpenBao, version: u8) {
    server.call("DELETE", "sys/mounts/old", Value::Null).await;
    let kind = json!({ "type": "kv", "options": { "version": version.to_string() } });
    root(server, "POST", "sys/mounts/old", kind).await;
    put(server, version).await;
}

async fn put(server: &OpenBao, version: u8) {
    let (path, data) = match version {
        1 => ("old/db", json!({ "v": "1" })),
        _ => ("old/data/db", json!({ "data": { "v": "2" } })),
    };
    let written = async {
        // with versions, it answers 400 while it is being upgraded
        while server.call("POST", path, data.clone()).await.0 >= 300 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
}

#[tokio::test]
async fn one_that_is_upgraded_is_read_as_what_it_is_at_once() {
    let server = OpenBao::start().await;
    let asks = [Ask::new("old/db"), Ask::new("old/*")];
    for anew in [false, true] {
        for first in ["fetch", "probe", "list"] {
            mount(&server, 1).await;
            let (source, hop) = vault(&server, Auth::Token(server.root_token().into()));
            let works = async |what: &str| match what {
                "fetch" => source.fetch(&asks).await.into_iter().all(|answer| answer.is_ok()),
                "probe" => source.probe(&asks).await.into_iter().all(|answer| answer.is_ok()),
                _ => source.list("old/").await.is_ok_and(|names| names.len() == 1),
            };
            assert!(works("fetch").await && works("list").await);
            if anew {
                mount(&server, 2).await;
            } else {
                root(&server, "POST", "sys/mounts/old/tune", json!({ "options": { "version": "2" } })).await;
                put(&server, 2).await;
            }
            hop.forget();
            for what in [first, "fetch", "probe", "list"] {
                assert!(works(what).await, "{what}, after {first}, anew: {anew}");
            }
            assert_eq!(hop.count("sys/internal/ui/mounts"), 1, "asked once, and known from then on");
        }
    }
}

#[tokio::test]
async fn one_that_is_gone_is_told_and_found_again() {
    let server = OpenBao::start().await;
    mount(&server, 1).await;
    let (source, _) = vault(&server, Auth::Token(server.root_token().into()));
    let read = async || source.fetch(&[Ask::new("old/db")]).await.remove(0).map_err(|e| e.kind());
    assert!(read().await.is_ok());
    root(&server, "DELETE", "sys/mounts/old", Value::Null).await;
    for _ in 0..2 {
        assert!(matches!(read().await, Err(ErrorKind::Misconfigured | ErrorKind::Denied)));
    }
    mount(&server, 2).await;
    assert!(read().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_that_has_lost_its_versions_is_found_out_where_a_secret_seems_to_be_gone() {
    let kind = Arc::new(AtomicU8::new(2));
    let now = kind.clone();
    let http = Made::of(move |line: &str| match line {
        _ if line.ends_with("/lookup-self") => Ok((200, ALIVE)),
        _ if line.contains("/ui/mounts/") => Ok((
            200,
            match now.load(SeqCst) {
                2 => r#"{"data":{"path":"kv/","type":"kv","options":{"version":"2"}}}"#,
                _ => r#"{"data":{"path":"kv/","type":"kv","options":null}}"#,
            },
        )),
        _ if line.ends_with("/none") => Ok((404, r#"{"errors":[]}"#)),
        _ if line.contains("/kv/data/") && now.load(SeqCst) == 2 => Ok((200, VALUE)),
        _ if line.contains("/kv/app") && now.load(SeqCst) == 1 => Ok((200, r#"{"data":{"v":"1"}}"#)),
        _ => Ok((404, r#"{"errors":[]}"#)),
    });
    let settings = Settings::new("https://vault.example", Auth::Token("s.x".into())).unwrap();
    let settings = settings.known_mount("kv", None).unwrap();
    let vault = Vault::over(settings, http.clone(), clock()).unwrap();
    let read = async |name: &str| vault.fetch(&[Ask::new(name)]).await.remove(0).map_err(|e| e.kind());
    assert!(read("kv/app").await.is_ok());
    // what is not there is no reason to ask each time
    for _ in 0..10 {
        assert_eq!(read("kv/none").await.unwrap_err(), ErrorKind::Absent);
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert!(http.count("/ui/mounts/") <= 7, "{}", http.count("/ui/mounts/"));
    kind.store(1, SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(read("kv/app").await.is_ok());
}
