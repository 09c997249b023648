//! Credentials that are made by being read: one for a configuration, and none for one that came to nothing.

use crate::scene::{LIMIT, Login, Scene, database, until, users};
use secretfig::testing::FakeSource;
use secretfig::{Config, ExposeSecret, FaultKind, Live, SecretLayer, SecretString};
use secretfig_source::ErrorKind;
use secretfig_test_servers::Postgres;
use secretfig_vault::Vault;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Two sections of one name, and one of another.
#[derive(Deserialize)]
struct App {
    database: Live<Login>,
    reports: Live<Login>,
    port: u16,
}

const POLICY: &str = r#"
    path "secret/data/*" { capabilities = ["read"] }
    path "database/creds/app" { capabilities = ["read"] }
    path "sys/leases/renew" { capabilities = ["update"] }
    path "sys/leases/revoke" { capabilities = ["update"] }
"#;

async fn scene() -> (Scene, Postgres, Vault) {
    let scene = Scene::start().await;
    let postgres = database(&scene).await;
    scene.put("port", json!({ "good": 5432, "bad": scene.secret("no number") })).await;
    let ids = scene.approle(POLICY).await;
    let vault = scene.vault(scene.settings(&ids));
    (scene, postgres, vault)
}

fn layer(vault: Vault) -> SecretLayer {
    SecretLayer::from(vault).put("database", "database/creds/app").put("reports", "database/creds/app")
}

fn port(field: &str) -> secretfig::Wanted {
    secretfig::Wanted::new("secret/port").field(field)
}

#[tokio::test]
async fn two_uses_and_two_refreshes_at_once_make_one_user() {
    let (scene, postgres, vault) = scene().await;
    let layer = layer(vault).put("port", port("good"));
    let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    assert_eq!((users(&postgres).await.len(), config.snapshot().port), (1, 5432));
    let (one, other) = tokio::join!(config.refresh(), config.refresh());
    let keeper = config.keep_fresh();
    let (third, fourth) = tokio::join!(config.refresh(), config.refresh());
    for refreshed in [one, other, third, fourth] {
        assert!(refreshed.failed.is_empty() && refreshed.changed.is_empty(), "{refreshed:?}");
    }
    assert_eq!((users(&postgres).await.len(), scene.tap.replies("/creds/")), (1, vec![200]));
    let (database, reports) = (config.section(|app| &app.database), config.section(|app| &app.reports));
    let (database, reports) = (database.get().unwrap(), reports.get().unwrap());
    assert_eq!(database.username.expose_secret(), reports.username.expose_secret());
    let (user, password) = (database.username.expose_secret(), database.password.expose_secret());
    let rows = postgres.query_as(user, password, "select current_user").await.unwrap();
    assert!(rows == [[user]], "the user that was made can sign in");
    scene.hunt.check_debug("a kept configuration, its health", &config.health());
    scene.hunt.check("a kept configuration, of its keys", config.explain().to_json());
    keeper.shutdown(LIMIT).await;
    assert!(users(&postgres).await.is_empty(), "what was made is given back at the end");
    scene.finish();
}

#[tokio::test]
async fn a_load_that_fails_after_it_has_made_a_user_leaves_none() {
    let (scene, postgres, vault) = scene().await;
    let layer = layer(vault).put("port", port("bad"));
    let failed = Config::<App>::builder().merge(layer).load().await.unwrap_err();
    assert_eq!(scene.tap.replies("/creds/"), [200], "it made one");
    assert!(users(&postgres).await.is_empty());
    let faults: Vec<String> = failed.report().faults().iter().map(|fault| fault.key().to_string()).collect();
    assert_eq!(faults, ["port"], "{failed}");
    scene.hunt.check_error("a load that made a user and failed", &failed);
    scene.finish();
}

#[tokio::test]
async fn a_load_that_is_dropped_after_it_has_made_a_user_leaves_none() {
    let (scene, postgres, vault) = scene().await;
    let slow = FakeSource::named("slow").with("port", "1");
    slow.stall();
    let layers =
        Config::<App>::builder().merge(layer(vault)).merge(SecretLayer::from(slow).put("port", "port"));
    let loading = tokio::spawn(async move { layers.load().await.is_ok() });
    until("a user is made", LIMIT, async || !scene.tap.replies("/creds/").is_empty()).await;
    assert_eq!(users(&postgres).await.len(), 1);
    loading.abort();
    assert!(loading.await.unwrap_err().is_cancelled());
    until("it is gone", Duration::from_secs(2), async || users(&postgres).await.is_empty()).await;
    scene.finish();
}

#[derive(Deserialize)]
struct Other {
    #[expect(dead_code, reason = "a database that may not be asked is a fault of its own")]
    database: Live<Login>,
    #[expect(dead_code, reason = "as above")]
    token: SecretString,
}

#[tokio::test]
async fn a_role_that_is_denied_makes_nothing_and_is_told_beside_what_is_absent() {
    let (scene, postgres, vault) = scene().await;
    let layer =
        SecretLayer::from(vault).put("database", "database/creds/other").put("token", "secret/nothing");
    let failed = Config::<Other>::builder().merge(layer).load().await.unwrap_err();
    let kinds: Vec<&FaultKind> = failed.report().faults().iter().map(|fault| fault.kind()).collect();
    let wanted = [FaultKind::Source(ErrorKind::Denied), FaultKind::Source(ErrorKind::Absent)];
    assert_eq!(kinds, wanted.iter().collect::<Vec<_>>(), "{failed}");
    assert!(users(&postgres).await.is_empty());
    scene.hunt.check_error("a role that is denied", &failed);
    scene.finish();
}
