//! The policy that is written for a configuration is enough for its whole life, and none of its rules is too much.

use crate::scene::{Ids, LIMIT, Login, Scene, database, lives, until, users};
use secretfig::{Config, ExposeSecret, Live, SecretLayer, SecretString, Wanted};
use secretfig_source::{Ask, At};
use secretfig_test_servers::Postgres;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// A secret of each kind.
#[derive(Deserialize)]
struct App {
    latest: SecretString,
    previous: SecretString,
    unversioned: SecretString,
    folder: Folder,
    old_folder: BTreeMap<String, BTreeMap<String, SecretString>>,
    database: Live<Login>,
    fixed: Login,
}

/// Two secrets of a folder, one of them in a folder below.
#[derive(Deserialize)]
struct Folder {
    a: BTreeMap<String, SecretString>,
    b: BTreeMap<String, BTreeMap<String, SecretString>>,
}

/// What it asks for, and where that goes.
fn asks() -> [(&'static str, Ask, Option<&'static str>); 7] {
    [
        ("latest", Ask::new("secret/app/one"), Some("value")),
        ("previous", Ask::new("secret/app/turned").at(At::Previous), Some("value")),
        ("unversioned", Ask::new("old/app/one"), Some("value")),
        ("folder", Ask::new("secret/tree/*"), None),
        ("old_folder", Ask::new("old/tree/*"), None),
        ("database", Ask::new("database/creds/app"), None),
        ("fixed", Ask::new("database/static-creds/app-static"), None),
    ]
}

#[tokio::test]
async fn exactly_what_is_granted_is_needed() {
    let scene = Scene::start().await;
    let postgres = database(&scene).await;
    lives(&scene, "8s", "1h").await;
    let kv = json!({ "type": "kv", "options": { "version": "1" } });
    scene.root("POST", "sys/mounts/old", kv).await;
    let value = scene.secret("a value");
    let old = scene.secret("the value before");
    scene.put("app/turned", json!({ "value": old })).await;
    for path in ["app/one", "app/turned", "tree/a", "tree/b/c"] {
        scene.put(path, json!({ "value": value })).await;
    }
    for path in ["old/app/one", "old/tree/a"] {
        scene.root("POST", path, json!({ "value": value })).await;
    }
    // the policy is written below; an empty one is refused
    let ids = scene.approle("path \"nothing\" { capabilities = [\"read\"] }").await;
    let asked: Vec<Ask> = asks().into_iter().map(|(_, ask, _)| ask).collect();
    let policy = scene.settings(&ids).grants(&asked);
    scene.hunt.check("the policy", &policy);

    scene.policy(&policy).await;
    live(&scene, &ids, &postgres).await.unwrap_or_else(|e| panic!("{e}\nunder\n{policy}"));
    let rules = rules(&policy);
    assert_eq!(rules.len(), 10, "{policy}");
    for rule in &rules {
        scene.policy(&policy.replace(rule, "")).await;
        let outcome = live(&scene, &ids, &postgres).await;
        assert!(outcome.is_err(), "not needed:\n{rule}\nof\n{policy}");
        scene.hunt.check("a load without a rule", outcome.unwrap_err());
    }
    scene.finish();
}

/// A whole life: load, renewal, an orderly end. What is refused on the way is its error.
async fn live(scene: &Scene, ids: &Ids, postgres: &Postgres) -> Result<(), String> {
    let mut layer = SecretLayer::from(scene.vault(scene.settings(ids)));
    for (key, ask, field) in asks() {
        let wanted = Wanted::new(ask.name()).at(ask.point().clone());
        layer = layer.put(key, field.into_iter().fold(wanted, Wanted::field));
    }
    let config = Config::<App>::builder().merge(layer).load().await.map_err(|e| {
        scene.hunt.check_error("a load under a policy", &e);
        e.to_string()
    })?;
    let app = config.snapshot();
    assert_ne!(app.latest.expose_secret(), app.previous.expose_secret());
    assert_eq!(app.latest.expose_secret(), app.unversioned.expose_secret());
    assert!(app.folder.a.contains_key("value") && app.folder.b["c"].contains_key("value"));
    assert_eq!(app.old_folder.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(app.fixed.username.expose_secret(), "app_static");
    assert!(!app.database.username.expose_secret().is_empty());
    drop(app);

    scene.tap.forget();
    let keeper = config.keep_fresh();
    until("a lease is renewed", LIMIT, async || !scene.tap.replies("/sys/leases/renew").is_empty()).await;
    keeper.shutdown(LIMIT).await;
    until("no user is left", LIMIT, async || users(postgres).await.is_empty()).await;
    let (renewed, revoked) =
        (scene.tap.replies("/sys/leases/renew"), scene.tap.replies("/sys/leases/revoke"));
    let well =
        |replies: &[u16]| !replies.is_empty() && replies.iter().all(|status| (200..300).contains(status));
    if well(&renewed) && well(&revoked) {
        return Ok(());
    }
    Err(format!("the replies to renewals were {renewed:?}, to what was given back {revoked:?}"))
}

/// The rules of a policy, each as it stands there.
fn rules(policy: &str) -> Vec<&str> {
    let begins = policy.match_indices("\npath \"").map(|(at, _)| at);
    begins.map(|at| &policy[at..at + policy[at..].find("\n}\n").unwrap() + 3]).collect()
}
