//! One login for all, and none where a login is not what is missing.

use crate::scene::Scene;
use figment::providers::{Format, Toml};
use secretfig::{Config, ExposeSecret, FaultKind, Live, SecretLayer, SecretString};
use secretfig_source::ErrorKind;
use serde::Deserialize;
use serde_json::json;

const ALL_BUT_ONE: &str = r#"
    path "secret/data/*" { capabilities = ["read"] }
    path "secret/metadata/*" { capabilities = ["read", "list"] }
    path "secret/data/app/denied" { capabilities = ["deny"] }
    path "secret/metadata/app/denied" { capabilities = ["deny"] }
"#;

#[derive(Deserialize)]
struct App {
    database: Live<Database>,
    mail: Mail,
}

#[derive(Deserialize)]
struct Database {
    password: SecretString,
}

#[derive(Deserialize)]
struct Mail {
    api_key: SecretString,
}

#[tokio::test]
async fn a_token_that_is_revoked_while_64_tasks_refresh_costs_one_login() {
    let scene = Scene::start().await;
    scene.put("app/database", json!({ "password": scene.secret("the old password") })).await;
    let api_key = scene.secret("the api_key");
    scene.put("app/mail", json!({ "api_key": api_key })).await;
    let ids = scene.approle(ALL_BUT_ONE).await;
    let vault = scene.vault(scene.settings(&ids));
    let layer =
        SecretLayer::from(vault).put("database", "secret/app/database").put("mail", "secret/app/mail");
    let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    assert_eq!(scene.logins(), 1);

    let new = scene.secret("the new password");
    scene.put("app/database", json!({ "password": new })).await;
    scene.revoke_logins().await;
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let config = config.clone();
            tokio::spawn(async move {
                // so that they come at every stage of it
                for _ in 0..n {
                    tokio::task::yield_now().await;
                }
                config.refresh().await
            })
        })
        .collect();
    for task in tasks {
        let refreshed = task.await.unwrap();
        assert!(refreshed.failed.is_empty() && refreshed.refused.is_empty(), "{refreshed:?}");
        scene.hunt.check_debug("a refresh", &refreshed);
    }
    assert_eq!(scene.logins(), 2, "one login for all 64");
    let database = config.section(|app| &app.database);
    assert_eq!(database.get().unwrap().password.expose_secret(), new);
    assert_eq!(config.snapshot().mail.api_key.expose_secret(), api_key);
    assert!(config.health().is_ready() && !config.health().is_degraded());
    scene.hunt.check_debug("its health", &config.health());
    scene.hunt.check("what it tells of keys", config.explain().to_json());
    scene.finish();
}

#[tokio::test]
async fn a_path_that_is_denied_at_start_up_is_told_and_costs_no_login() {
    let scene = Scene::start().await;
    scene.put("app/database", json!({ "password": scene.secret("the password") })).await;
    scene.put("app/denied", json!({ "api_key": scene.secret("what nobody may read") })).await;
    let ids = scene.approle(ALL_BUT_ONE).await;
    let failed = Config::<App>::standard()
        .env(scene.env(&ids))
        .select("production")
        .merge(Toml::string("[secrets]\ndatabase = 'secret/app/database'\nmail = 'secret/app/denied'"))
        .load()
        .await
        .unwrap_err();
    scene.hunt.check_error("a denied path", &failed);
    let faults = failed.report().faults();
    assert_eq!(faults.len(), 1, "{failed}");
    assert_eq!(*faults[0].kind(), FaultKind::Source(ErrorKind::Denied), "{failed}");
    assert_eq!((faults[0].key().to_string().as_str(), faults[0].source_name()), ("mail", Some("vault")));
    assert!(faults[0].what_to_do().contains("path \"secret/data/app/denied\""), "{failed}");
    assert_eq!(scene.logins(), 1);
    scene.finish();
}
