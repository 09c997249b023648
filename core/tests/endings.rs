//! Sets that cannot be read whole, sections that end, and whose fault it is: cases that a reviewer found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "testing")]

use secretfig::source::{ErrorKind, Withdrawn};
use secretfig::testing::FakeSource;
use secretfig::{Cause, Config, ExposeSecret, Live, SecretLayer, SecretString, TextEnv, Wanted};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct App {
    database: Live<Database>,
    mail: Live<Mail>,
}

#[derive(Deserialize)]
struct Database {
    user: SecretString,
    password: SecretString,
}

#[derive(Deserialize)]
struct Mail {
    token: SecretString,
    #[serde(default)]
    #[allow(dead_code, reason = "decoded, not read")]
    port: Option<u16>,
}

fn source() -> FakeSource {
    FakeSource::new().with("user", "u1").with("password", "p1").with("mail", r#"{"token": "t1"}"#)
}

fn layer(source: &FakeSource) -> SecretLayer {
    SecretLayer::from(source.clone())
        .put("database.user", "user")
        .put("database.password", "password")
        .put("mail", "mail")
}

fn pair(database: &Database) -> (&str, &str) {
    (database.user.expose_secret(), database.password.expose_secret())
}

#[tokio::test(start_paused = true)]
async fn half_out_of_reach_is_not_torn_and_the_cause_is_told() {
    let source = source();
    let config = Config::<App>::builder().merge(layer(&source)).load().await.unwrap();
    let database = config.section(|app| &app.database);
    source.rotate("user", "u2");
    source.rotate("password", "p2");
    source.fail("password", ErrorKind::Timeout);
    config.refresh().await;
    assert_eq!(pair(&database.latest()), ("u1", "p1"));
    assert_eq!(config.health().secret("password").unwrap().state, "timed out");
    source.heal("password");
    config.refresh().await;
    assert_eq!(pair(&database.latest()), ("u2", "p2"));
    assert!(!config.health().is_degraded());
}

#[tokio::test(start_paused = true)]
async fn a_pair_without_probes_and_with_two_ttls_is_not_torn() {
    let source = source();
    source.blind();
    let ttl = |name: &str, seconds| Wanted::new(name).ttl(Duration::from_secs(seconds));
    let layer = SecretLayer::from(source.clone())
        .put("database.user", ttl("user", 10))
        .put("database.password", ttl("password", 1_000))
        .put("mail", "mail");
    let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    let database = config.section(|app| &app.database);
    let _keeper = config.keep_fresh();
    source.rotate("user", "u2");
    source.rotate("password", "p2");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(pair(&database.latest()), ("u2", "p2"));
}

#[tokio::test(start_paused = true)]
async fn an_accessor_that_panics_loses_no_other_section() {
    #[derive(Deserialize)]
    struct Listed {
        list: Vec<Live<Mail>>,
        mail: Live<Mail>,
    }
    let source = FakeSource::new()
        .with("list", r#"[{"token": "a"}, {"token": "b"}]"#)
        .with("mail", r#"{"token": "t1"}"#);
    let layer = SecretLayer::from(source.clone())
        .put("list", Wanted::new("list").format(secretfig::Format::Json))
        .put("mail", "mail");
    let config = Config::<Listed>::builder().merge(layer).load().await.unwrap();
    let second = config.section(|app| &app.list[1]);
    let mail = config.section(|app| &app.mail);
    source.rotate("list", r#"[{"token": "a"}]"#);
    config.refresh().await;
    source.rotate("mail", r#"{"token": "t2"}"#);
    config.refresh().await;
    assert_eq!(mail.latest().token.expose_secret(), "t2");
    assert_eq!(second.latest().token.expose_secret(), "b");
}

#[tokio::test(start_paused = true)]
async fn an_optional_section_that_went_is_withheld() {
    #[derive(Deserialize)]
    struct Maybe {
        mail: Option<Live<Mail>>,
    }
    let source = FakeSource::new().with("mail", r#"{"token": "t1"}"#);
    let layer = SecretLayer::from(source.clone()).put("mail", Wanted::new("mail").optional(true));
    let config = Config::<Maybe>::builder().merge(layer).load().await.unwrap();
    let mail = config.section_opt(|app| app.mail.as_ref()).unwrap();
    let mut changes = mail.changes();
    let _keeper = config.keep_fresh();
    source.remove("mail");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(config.snapshot().mail.is_none());
    assert_eq!(mail.get().unwrap_err().cause(), Cause::Withdrawn);
    assert!(changes.next().await.is_some(), "its followers learn of it");
    assert!(!config.health().is_ready());
    source.put("mail", r#"{"token": "t2"}"#);
    config.refresh().await;
    assert_eq!(mail.get().unwrap().token.expose_secret(), "t2");
}

#[tokio::test(start_paused = true)]
async fn a_bad_root_document_freezes_nothing_else_and_is_to_blame() {
    let source = FakeSource::new()
        .with("user", "u1")
        .with("password", "p1")
        .with("root", r#"{"mail": {"token": "t1"}}"#);
    let layer = SecretLayer::from(source.clone())
        .put("", "root")
        .put("database.user", "user")
        .put("database.password", "password");
    let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    source.rotate("root", r#"{"mail": {"token": "t1", "port": "x"}}"#);
    source.rotate("user", "u2");
    source.rotate("password", "p2");
    config.refresh().await;
    assert_eq!(pair(&config.section(|app| &app.database).latest()), ("u2", "p2"));
    let health = config.health();
    assert!(health.secret("user").unwrap().is_ok(), "{health}");
    assert!(health.secret("root").unwrap().state.starts_with("refused (mail.port"), "{health}");
}

#[tokio::test(start_paused = true)]
async fn a_root_document_tells_its_revision_and_its_changes() {
    let text = |token| {
        format!(r#"{{"mail": {{"token": "{token}"}}, "database": {{"user": "u", "password": "p"}}}}"#)
    };
    let source = FakeSource::new().with("root", &text("t1"));
    let layer = SecretLayer::from(source.clone()).put("", "root");
    let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    let mail = config.section(|app| &app.mail);
    let mut changes = mail.changes();
    source.rotate("root", &text("t2"));
    config.refresh().await;
    let held = tokio::time::timeout(Duration::from_secs(5), changes.next()).await.unwrap().unwrap();
    assert_eq!(held.token.expose_secret(), "t2");
    assert_eq!(held.revisions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_grace_that_a_refresh_began_ends_while_the_keeper_sleeps() {
    let source = source();
    let builder = Config::<App>::builder().ttl(Duration::from_secs(4 * 3_600)).merge(layer(&source));
    let config = builder.load().await.unwrap();
    let mail = config.section(|app| &app.mail);
    let _keeper = config.keep_fresh();
    tokio::time::sleep(Duration::from_secs(1)).await;
    source.withdraw("mail", Withdrawn::Deleted);
    config.refresh().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    config.refresh().await;
    assert!(mail.get().is_ok());
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(mail.get().unwrap_err().cause(), Cause::Withdrawn);
}

#[tokio::test(start_paused = true)]
async fn two_sightings_within_a_moment_are_one() {
    let source = source();
    let config =
        Config::<App>::builder().revoked_grace(Duration::ZERO).merge(layer(&source)).load().await.unwrap();
    let mail = config.section(|app| &app.mail);
    source.remove("mail");
    for _ in 0..5 {
        config.refresh().await;
        assert!(mail.get().is_ok());
    }
    tokio::time::advance(Duration::from_secs(3)).await;
    config.refresh().await;
    assert!(mail.get().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_outage_between_does_not_keep_a_deleted_secret_alive() {
    let source = source();
    let config = Config::<App>::builder().merge(layer(&source)).load().await.unwrap();
    let mail = config.section(|app| &app.mail);
    for _ in 0..4 {
        source.withdraw("mail", Withdrawn::Deleted);
        config.refresh().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        source.fail_next("mail", ErrorKind::Timeout, 1);
        config.refresh().await;
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    config.refresh().await;
    assert!(mail.get().is_err());
}

#[tokio::test(start_paused = true)]
async fn explain_shows_no_value_that_stands_in_for_a_secret() {
    #[derive(Deserialize)]
    struct Plain {
        #[allow(dead_code, reason = "decoded, not read")]
        colour: SecretString,
    }
    let layer = SecretLayer::from(FakeSource::new().with("colour", "1111")).put("colour", "colour");
    let builder = Config::<Plain>::builder().env([("APP_COLOUR", "hunter22")]).merge(layer);
    let config = builder.merge(TextEnv::prefixed("APP_")).load().await.unwrap();
    let said = config.explain().show("*").to_string();
    assert!(said.contains("overridden") && !said.contains("hunter22"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn ready_and_sections_agree_about_a_part_without_a_path() {
    #[derive(Deserialize)]
    struct Flat {
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        token: Live<SecretString>,
    }
    let source = FakeSource::new().with("token", "x");
    let layer = SecretLayer::from(source.clone()).put("token", "token");
    let config = Config::<Flat>::builder().merge(layer).load().await.unwrap();
    let token = config.section(|app| &app.inner.token);
    assert_eq!(config.snapshot().inner.token.path(), None);
    source.stop();
    tokio::time::advance(Duration::from_secs(25 * 3_600)).await;
    config.refresh().await;
    assert!(token.get().is_err());
    let health = config.health();
    assert!(!health.is_ready());
    assert!(health.sections[0].type_name.contains("SecretBox"), "{health}");
}

#[tokio::test(start_paused = true)]
async fn what_is_made_by_being_read_is_not_read_to_see_whether_it_changed() {
    let source = source();
    source.lease("mail", Duration::from_secs(3_600));
    let config = Config::<App>::builder().merge(layer(&source)).load().await.unwrap();
    for _ in 0..3 {
        config.refresh().await;
    }
    assert_eq!(source.minted(), 1);
    tokio::time::advance(Duration::from_secs(3_601)).await;
    assert_eq!(config.section(|app| &app.mail).get().unwrap_err().cause(), Cause::LeaseEnded);
}

#[tokio::test]
async fn broken_json_is_called_so() {
    let source = source();
    source.put("mail", r#"{"token": "t1",}"#);
    let e = Config::<App>::builder().merge(layer(&source)).load().await.unwrap_err();
    assert!(e.to_string().contains("it begins as JSON does"), "{e}");
}

/// An application waits for these on a thread pool, where `#[rocket::main]` has it. rustc sees it or does not by how the
/// futures inside are made.
#[test]
fn what_is_waited_for_may_move_between_threads() {
    fn may_move<F: Future + Send>(future: impl FnOnce() -> F) {
        drop(future);
    }
    may_move(|| async { Config::<App>::load().await.is_ok() });
    may_move(|| async { Config::<App>::builder().load().await.is_ok() });
    let config = Config::fixed(0_u8);
    may_move(|| async { config.refresh().await });
    may_move(|| async { config.keep_fresh().shutdown(Duration::ZERO).await });
}
