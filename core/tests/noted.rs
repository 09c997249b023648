//! What a source has learnt of its secrets: told in the health answer, and no fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use secretfig::testing::FakeSource;
use secretfig::{Config, Live, SecretLayer, Verdict};
use secretfig_source::{Ask, Note};
use serde::Deserialize;

#[derive(Deserialize)]
struct App {
    password: Live<String>,
}

async fn load(source: &FakeSource) -> Config<App> {
    let layer = SecretLayer::from(source.clone()).put("password", "db/password");
    Config::builder().merge(layer).load().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn notes_stand_in_the_health_answer_and_degrade_nothing() {
    let source = FakeSource::new().with("db/password", "x");
    let config = load(&source).await;
    assert!(config.health().secret("db/password").unwrap().notes.is_empty());
    assert!(!serde_json::to_string(&config.health()).unwrap().contains("\"what\""));

    source.note("db/password", [Note::new("rotation-stuck", "a rotation has begun and not ended")]);
    let health = config.health();
    assert!(health.ready && !health.degraded && health.secret("db/password").unwrap().is_ok());
    let told = serde_json::to_value(&health).unwrap();
    let note =
        serde_json::json!([{ "what": "rotation-stuck", "text": "a rotation has begun and not ended" }]);
    assert_eq!(told["secrets"][0]["notes"], note);
    assert!(health.to_string().contains("rotation-stuck: a rotation has begun"), "{health}");

    source.note("db/password", []);
    assert!(config.health().secret("db/password").unwrap().notes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_failed_is_distrusted_before_it_is_read_anew() {
    let source = FakeSource::new().with("db/password", "x");
    let config = load(&source).await;
    let section = config.section(|app| &app.password);
    let held = section.get().unwrap();
    source.rotate("db/password", "y");
    assert!(source.distrusted().is_empty());
    assert_eq!(section.report_failure(&held).await, Verdict::Newer);
    assert_eq!(source.distrusted(), [Ask::new("db/password")]);
}
