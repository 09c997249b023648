//! A Keeper with credentials that live for seconds.

use crate::scene::{LIMIT, Login, Scene, database, lives, until, users};
use secretfig::{Config, ExposeSecret, Live, SecretLayer};
use serde::Deserialize;

#[derive(Deserialize)]
struct App {
    database: Live<Login>,
}

const POLICY: &str = r#"
    path "database/creds/app" { capabilities = ["read"] }
    path "sys/leases/renew" { capabilities = ["update"] }
    path "sys/leases/revoke" { capabilities = ["update"] }
"#;

#[tokio::test]
async fn a_short_lived_user_is_renewed_then_replaced_and_given_back_after_its_last_reader() {
    let scene = Scene::start().await;
    let postgres = database(&scene).await;
    // renewed at about 5 s, to 12 s at most; so replaced at about 10 s, while the old one still works
    lives(&scene, "8s", "12s").await;
    let ids = scene.approle(POLICY).await;
    let layer = SecretLayer::from(scene.vault(scene.settings(&ids))).put("database", "database/creds/app");
    let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    let section = config.section(|app| &app.database);
    let signs_in = async |login: &Login| {
        let (user, password) = (login.username.expose_secret(), login.password.expose_secret());
        postgres.query_as(user, password, "select current_user").await.is_ok_and(|rows| rows == [[user]])
    };
    let mut changes = section.changes();
    let keeper = config.keep_fresh();

    let old = section.get().unwrap();
    assert!(signs_in(&old).await);
    let new = tokio::time::timeout(LIMIT, changes.next()).await.unwrap().unwrap();
    let renewals = scene.tap.replies("/sys/leases/renew");
    assert!(!renewals.is_empty() && renewals.iter().all(|status| *status == 200), "{renewals:?}");
    assert_eq!(scene.tap.replies("/creds/"), [200, 200]);
    assert_ne!(new.username.expose_secret(), old.username.expose_secret());
    assert!(signs_in(&new).await, "the new user works");
    assert!(signs_in(&old).await, "the old one works on, for whoever still holds it");
    assert_eq!(users(&postgres).await.len(), 2);
    assert!(scene.tap.replies("/sys/leases/revoke").is_empty(), "nothing is given back while it is held");

    let gone = old.username.expose_secret().to_owned();
    drop(old);
    until("the old one is given back", LIMIT, async || !scene.tap.replies("/sys/leases/revoke").is_empty())
        .await;
    assert_eq!(scene.tap.replies("/sys/leases/revoke"), [204]);
    assert!(!users(&postgres).await.contains(&gone));
    assert!(section.get().is_ok());
    scene.hunt.check_debug("a kept configuration, its health", &config.health());
    drop((new, section, changes));
    keeper.shutdown(LIMIT).await;
    assert!(users(&postgres).await.is_empty(), "nothing is left at the end");
    scene.finish();
}
