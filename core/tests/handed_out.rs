//! What left by `expose` and has another value in force since: the health note, and when there is none. (The WARN line
//! is in `telling.rs`.)
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
    rotate(&config, &source, "app/main", r#"{"url": "pg://s3cret-2", "pool": 6}"#).await;
    let health = config.health();
    let [needed] = health.restart_needed() else { panic!("{health}") };
    assert_eq!(needed.keys, ["databases.main.pool", "databases.main.url"]);
    assert_eq!((&*needed.source, &*needed.secret), ("vault", "app/main"));
    assert_eq!((needed.handed_out.as_deref(), needed.current.as_deref()), (Some("1"), Some("2")));
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
    assert_eq!(config.health().restart_needed()[0].handed_out.as_deref(), Some("2"));
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

#[tokio::test(start_paused = true)]
async fn a_leaf_that_is_as_it_was_needs_no_restart() {
    let source = source();
    let config = load(&source).await;
    drop(config.expose(["databases.main.url"]));
    rotate(&config, &source, "app/main", r#"{"url": "pg://s3cret-1", "pool": 6}"#).await;
    assert_eq!(config.health().secret("app/main").unwrap().revision.as_deref(), Some("2"));
    assert!(config.health().restart_needed().is_empty(), "only its neighbour has moved: {}", config.health());
    // two leave, and one of the two moves
    drop(config.expose(["databases.*"]));
    rotate(&config, &source, "app/main", r#"{"url": "pg://s3cret-3", "pool": 6}"#).await;
    let health = config.health();
    let [needed] = health.restart_needed() else { panic!("{health}") };
    assert_eq!(needed.keys, ["databases.main.url"]);
    assert_eq!((needed.handed_out.as_deref(), needed.current.as_deref()), (Some("2"), Some("3")));
    // a new revision with the old values
    rotate(&config, &source, "app/main", r#"{"url": "pg://s3cret-1", "pool": 6}"#).await;
    assert!(config.health().restart_needed().is_empty(), "{}", config.health());
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_and_came_later_is_told() {
    let source = source();
    source.remove("app/greeting");
    source.rotate("app/main", r#"{"url": "pg://s3cret-1"}"#);
    let config = load(&source).await;
    drop(config.expose(["greeting", "databases.*"]));
    config.refresh().await;
    assert!(config.health().restart_needed().is_empty(), "{}", config.health());
    source.put("app/greeting", "s3cret hello");
    rotate(&config, &source, "app/main", r#"{"url": "pg://s3cret-1", "pool": 5}"#).await;
    let health = config.health();
    let [pool, greeting] = health.restart_needed() else { panic!("{health}") };
    assert_eq!((&pool.keys[..], pool.handed_out.as_deref()), (&["databases.main.pool".to_owned()][..], None));
    assert_eq!(pool.current, health.secret("app/main").unwrap().revision);
    assert_eq!((&*greeting.secret, greeting.handed_out.as_deref()), ("app/greeting", None));
    let current = greeting.current.as_deref().unwrap();
    let said = format!(
        "restart needed: `greeting` of vault `app/greeting` was not in force when asked for, and is now at {current}"
    );
    assert_eq!(greeting.to_string(), said);
    let json = serde_json::to_value(&health).unwrap();
    assert_eq!(json["restart_needed"][1]["handed_out"], serde_json::Value::Null);
    assert!(!format!("{health} {health:?} {json}").contains("s3cret"));
    drop(config.expose(["greeting", "databases.main.pool"]));
    assert!(config.health().restart_needed().is_empty(), "{}", config.health());
}

/// Two secrets of one key: what is told is the one that has moved.
#[tokio::test(start_paused = true)]
async fn a_secret_that_comes_in_above_another_is_the_one_that_is_told() {
    let source = source().with("app/all", r#"{"greeting": "moin"}"#);
    source.remove("app/greeting");
    let layers = SecretLayer::from(source.clone()).put("", "app/all");
    let config = Config::<App>::builder().merge(layers).merge(layer(&source)).load().await.unwrap();
    drop(config.expose(["greeting"]));
    source.put("app/greeting", "moin");
    config.refresh().await;
    assert!(config.health().restart_needed().is_empty(), "from elsewhere, and the same: {}", config.health());
    rotate(&config, &source, "app/greeting", "hello").await;
    let health = config.health();
    let [needed] = health.restart_needed() else { panic!("{health}") };
    assert_eq!((&*needed.secret, needed.handed_out.as_deref()), ("app/greeting", None));
    assert_eq!(needed.current, health.secret("app/greeting").unwrap().revision);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_one_key_and_its_elements_are_compared() {
    let source = source().with("app/peers", r#"["p1-s3cret", "p2-s3cret"]"#);
    let peers = Wanted::new("app/peers").format(secretfig::source::Format::Json);
    let loading = Config::<App>::builder().merge(layer(&source).put("peers", peers));
    let config = loading.load().await.unwrap();
    drop(config.expose(["peers"]));
    for (list, moved) in [
        (r#"[ "p1-s3cret", "p2-s3cret" ]"#, false),
        (r#"["p1-s3cret"]"#, true),
        (r#"["p1-s3cret", "p2-s3cret", "p3-s3cret"]"#, true),
        (r#"["p2-s3cret", "p1-s3cret"]"#, true),
        (r#"["p1-s3cret", "p2-s3cret"]"#, false),
    ] {
        rotate(&config, &source, "app/peers", list).await;
        let health = config.health();
        let keys: Vec<_> = health.restart_needed().iter().flat_map(|needed| needed.keys.clone()).collect();
        assert_eq!(keys, vec!["peers"; usize::from(moved)], "{list}: {health}");
    }
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
