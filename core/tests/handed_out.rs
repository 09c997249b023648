//! What left by `expose` and has rotated since: the health note, and when there is none. (The WARN line is in
//! `telling.rs`.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(all(feature = "testing", feature = "figment"))]

use secretfig::testing::FakeSource;
use secretfig::{Config, Live, SecretLayer, SecretString, TextEnv, Wanted};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, not read")]
struct App {
    secret_key: SecretString,
    databases: Live<Databases>,
    #[serde(default)]
    greeting: Option<SecretString>,
    #[serde(default)]
    peers: Vec<SecretString>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, not read")]
struct Databases {
    main: Url,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, not read")]
struct Url {
    url: SecretString,
    pool: Option<u32>,
}

fn source() -> FakeSource {
    FakeSource::named("vault")
        .with("app/key", "k3y-1")
        .with("app/main", r#"{"url": "pg://s3cret-1", "pool": 5}"#)
        .with("app/greeting", "hello")
}

fn layer(source: &FakeSource) -> SecretLayer {
    SecretLayer::from(source.clone())
        .put("secret_key", "app/key")
        .put("databases.main", "app/main")
        .put("greeting", Wanted::new("app/greeting").optional(true))
}

async fn load(source: &FakeSource) -> Config<App> {
    Config::<App>::builder().merge(layer(source)).load().await.unwrap()
}

async fn rotate(config: &Config<App>, source: &FakeSource, name: &str, text: &str) {
    source.rotate(name, text);
    config.refresh().await;
}

#[tokio::test(start_paused = true)]
async fn a_note_with_key_secret_and_both_revisions() {
    let source = source();
    let config = load(&source).await;
    drop(config.expose(["secret_key", "databases.*"]));
    assert!(config.health().restart_needed().is_empty(), "nothing has rotated");
    rotate(&config, &source, "app/main", r#"{"url": "pg://s3cret-2", "pool": 5}"#).await;
    let health = config.health();
    let [needed] = health.restart_needed() else { panic!("{health}") };
    assert_eq!(needed.keys, ["databases.main.pool", "databases.main.url"]);
    assert_eq!((&*needed.source, &*needed.secret), ("vault", "app/main"));
    assert_eq!((&*needed.handed_out, needed.current.as_deref()), ("1", Some("2")));
    let said = "restart needed: `databases.main.pool`, `databases.main.url` of vault `app/main` was handed out at \
                revision 1, and is now at 2";
    assert_eq!(needed.to_string(), said);
    assert!(health.to_string().contains(&format!("\nnote: {said}")), "{health}");
    let json = serde_json::to_value(&health).unwrap();
    assert_eq!(json["restart_needed"][0]["keys"][1], "databases.main.url");
    assert_eq!(json["restart_needed"][0]["current"], "2");
    assert!(json["notes"].as_array().unwrap().iter().any(|note| note == said), "{json}");
    // a note, and nothing else: the configuration itself is as well as can be
    assert!(health.is_ready() && !health.is_degraded());
    assert!(!format!("{health} {health:?} {json}").contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn only_what_left_and_has_moved() {
    let source = source();
    let config = load(&source).await;
    drop(config.expose(["secret_key"]));
    rotate(&config, &source, "app/main", r#"{"url": "pg://s3cret-2"}"#).await;
    assert!(config.health().restart_needed().is_empty(), "it never left");
    rotate(&config, &source, "app/key", "k3y-1-again").await;
    assert_eq!(config.health().restart_needed()[0].keys, ["secret_key"]);
    // the operator moves it back: what left is what is served
    source.step_back("app/key");
    config.refresh().await;
    assert!(config.health().restart_needed().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_has_not_rotated() {
    let source = source();
    let config = load(&source).await;
    drop(config.expose(["databases.main.url"]));
    rotate(&config, &source, "app/main", r#"{"pool": 6}"#).await;
    let health = config.health();
    assert!(health.is_degraded() && health.restart_needed().is_empty(), "{health}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_exposed_anew_is_current_again() {
    let source = source();
    let config = load(&source).await;
    drop(config.expose(["secret_key", "databases"]));
    rotate(&config, &source, "app/main", r#"{"url": "pg://s3cret-2", "pool": 7}"#).await;
    rotate(&config, &source, "app/key", "k3y-2").await;
    // one of two is taken again, and of that only a part
    drop(config.expose(["databases.main.url"]));
    let health = config.health();
    let left: Vec<_> = health.restart_needed().iter().map(|needed| &needed.keys[..]).collect();
    assert_eq!(left, [["databases.main.pool"], ["secret_key"]], "{health}");
    drop(config.expose(["secret_key", "databases.*"]));
    assert!(config.health().restart_needed().is_empty());
    rotate(&config, &source, "app/key", "k3y-3").await;
    assert_eq!(config.health().restart_needed()[0].handed_out, "2");
}

#[tokio::test(start_paused = true)]
async fn an_optional_secret_that_went_is_gone() {
    let source = source();
    let config = load(&source).await;
    drop(config.expose(["greeting"]));
    source.remove("app/greeting");
    for _ in 0..2 {
        config.refresh().await;
        tokio::time::advance(Duration::from_secs(5)).await;
    }
    let health = config.health();
    assert_eq!(health.restart_needed()[0].current, None, "{health}");
    assert!(health.restart_needed()[0].to_string().ends_with("was handed out at revision 1, and is gone"));
}

/// The keys are those of the values that left, wherever their secret is put, and whatever beats it.
#[tokio::test(start_paused = true)]
async fn keys_are_those_of_the_values() {
    let source =
        source().with("app/all", r#"{"greeting": "moin", "secret_key": "k3y-1"}"#).with("app/peer", "p1");
    let layers = SecretLayer::from(source.clone())
        .put("", "app/all")
        .put("databases.main", "app/main")
        .put("greeting", "app/greeting");
    let loading = Config::<App>::builder()
        .merge(layers)
        .merge(figment::providers::Serialized::default("peers", ["vault://app/peer", "plain"]))
        .env([("APP_GREETING", "from the environment")])
        .merge(TextEnv::prefixed("APP_"));
    let config = loading.load().await.unwrap();
    let exposed = config.expose(["greeting", "secret_key", "peers"]);
    assert_eq!(exposed.extract_inner::<Vec<String>>("peers").unwrap(), ["p1", "plain"]);
    assert_eq!(exposed.extract_inner::<String>("greeting").unwrap(), "from the environment");
    for (name, text) in
        [("app/all", r#"{"secret_key": "k3y-2"}"#), ("app/peer", "p2"), ("app/greeting", "hi")]
    {
        rotate(&config, &source, name, text).await;
    }
    let health = config.health();
    let told: Vec<_> =
        health.restart_needed().iter().map(|needed| (&*needed.secret, &needed.keys[..])).collect();
    // the greeting is the environment's: a rotation of its secret changes nothing for anyone
    let expected = [("app/peer", ["peers".to_owned()]), ("app/all", ["secret_key".to_owned()])];
    assert_eq!(told, expected.each_ref().map(|(secret, keys)| (*secret, &keys[..])), "{health}");
}
