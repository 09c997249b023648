//! What happens after the load: rotation, outages, withheld sections, sets, the Keeper. All in paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "testing")]

use secretfig::source::{Clock, ErrorKind, Tick, Withdrawn};
use secretfig::testing::FakeSource;
use secretfig::{
    Cause, Config, ExposeSecret, FaultKind, Invalid, Live, SecretLayer, SecretString, SystemClock, Wanted,
};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

async fn load(source: &FakeSource) -> Config<App> {
    Config::<App>::builder().merge(layer(source)).load().await.unwrap()
}

fn pair(database: &Database) -> (&str, &str) {
    (database.user.expose_secret(), database.password.expose_secret())
}

/// Lets spawned tasks run until the condition holds; in paused time this costs none.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(100_000), waiting)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_serves_what_has_changed_and_reads_nothing_else() {
    let source = source();
    let config = load(&source).await;
    let (database, mail) = (config.section(|app| &app.database), config.section(|app| &app.mail));
    source.rotate("mail", r#"{"token": "t2", "port": "25"}"#);
    let refreshed = config.refresh().await;
    assert_eq!(refreshed.changed.iter().map(|name| &**name).collect::<Vec<_>>(), ["mail"]);
    assert_eq!((mail.latest().token.expose_secret(), mail.latest().port), ("t2", Some(25)));
    assert_eq!(pair(&database.latest()), ("u1", "p1"));
    assert_eq!(source.fetches("user"), 1, "a probe said that it has not moved");
    assert_eq!(config.snapshot().mail.token.expose_secret(), "t2");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_one_moment_and_a_held_value_stays_as_it_was() {
    let source = source();
    let config = load(&source).await;
    let (snapshot, held) = (config.snapshot(), config.section(|app| &app.mail).latest());
    source.rotate("mail", r#"{"token": "t2"}"#);
    config.refresh().await;
    assert_eq!(snapshot.mail.token.expose_secret(), "t1");
    assert_eq!(held.token.expose_secret(), "t1");
    assert_eq!(held.revisions()[0].1.as_str(), "1");
}

#[tokio::test(start_paused = true)]
async fn the_keeper_sees_a_rotation_within_one_ttl() {
    let source = source();
    let config = load(&source).await;
    let mut changes = config.section(|app| &app.mail).changes();
    let keeper = config.keep_fresh();
    assert_eq!(config.health().refresher, "running");
    source.rotate("mail", r#"{"token": "t2"}"#);
    let began = tokio::time::Instant::now();
    let held = changes.next().await.unwrap();
    assert_eq!(held.token.expose_secret(), "t2");
    assert!(began.elapsed() <= Duration::from_secs(300), "{:?}", began.elapsed());
    keeper.shutdown(Duration::from_secs(1)).await;
    assert_eq!(config.health().refresher, "absent");
}

#[tokio::test(start_paused = true)]
async fn news_of_the_source_itself_needs_no_ttl() {
    let source = source().watching();
    let config = load(&source).await;
    let mut changes = config.section(|app| &app.mail).changes();
    let _keeper = config.keep_fresh();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = tokio::time::Instant::now();
    source.rotate("mail", r#"{"token": "t2"}"#);
    assert_eq!(changes.next().await.unwrap().token.expose_secret(), "t2");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

/// One half of a pair turned to garbage: neither half moves, other sections go on rotating, health names it.
#[tokio::test(start_paused = true)]
async fn one_bad_half_moves_neither_and_freezes_nothing_else() {
    let source = source();
    let config = load(&source).await;
    let (database, mail) = (config.section(|app| &app.database), config.section(|app| &app.mail));
    source.put_bytes("password", &[0xff, 0xfe]);
    source.rotate("user", "u2");
    source.rotate("mail", r#"{"token": "t2"}"#);
    let refreshed = config.refresh().await;
    assert_eq!(pair(&database.get().unwrap()), ("u1", "p1"));
    assert_eq!(mail.get().unwrap().token.expose_secret(), "t2");
    assert_eq!(refreshed.changed.len(), 1);
    assert_eq!(refreshed.refused.len(), 2, "{refreshed:?}");
    let health = config.health();
    assert!(health.is_ready() && health.is_degraded());
    assert!(health.secret("password").unwrap().state.starts_with("refused (database.password"), "{health}");
    assert!(health.secret("mail").unwrap().is_ok());
    source.rotate("password", "p2");
    config.refresh().await;
    assert_eq!(pair(&database.get().unwrap()), ("u2", "p2"));
    assert!(!config.health().is_degraded());
}

#[tokio::test(start_paused = true)]
async fn a_pair_is_never_read_across_a_rotation() {
    let source = source();
    let config = load(&source).await;
    let database = config.section(|app| &app.database);
    source.rotate("user", "u2");
    // both move right after the user was read
    let moving = source.clone();
    source.after_fetch("user", move || {
        moving.rotate("password", "p2");
        moving.rotate("user", "u3");
    });
    config.refresh().await;
    assert_eq!(pair(&database.latest()), ("u3", "p2"));
}

#[tokio::test(start_paused = true)]
async fn a_set_that_never_rests_is_not_published() {
    fn restless(source: &FakeSource, n: u32) {
        let moving = source.clone();
        source.after_fetch("user", move || {
            moving.rotate("user", &format!("u{n}"));
            restless(&moving, n + 1);
        });
    }
    let source = source();
    let config = load(&source).await;
    source.rotate("user", "u2");
    restless(&source, 3);
    config.refresh().await;
    assert_eq!(pair(&config.section(|app| &app.database).latest()), ("u1", "p1"));
    assert_eq!(config.health().secret("user").unwrap().state, "torn");
}

#[tokio::test(start_paused = true)]
async fn a_step_back_is_followed_and_confirmed_first() {
    let source = source();
    let config = load(&source).await;
    let mail = config.section(|app| &app.mail);
    source.rotate("mail", r#"{"token": "t2"}"#);
    config.refresh().await;
    source.step_back("mail");
    let probes = source.probes("mail");
    config.refresh().await;
    assert_eq!(mail.latest().token.expose_secret(), "t1");
    assert_eq!(source.probes("mail") - probes, 2, "one to find out, one to confirm");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_served_through_until_max_stale_and_then_withheld() {
    let source = source();
    let config = load(&source).await;
    let mail = config.section(|app| &app.mail);
    let keeper = config.keep_fresh();
    source.stop();
    tokio::time::sleep(Duration::from_secs(23 * 3600)).await;
    assert_eq!(mail.get().unwrap().token.expose_secret(), "t1");
    let health = config.health();
    assert!(health.is_ready() && health.is_degraded());
    assert_eq!(health.secret("mail").unwrap().state, "unreachable");
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    assert_eq!(mail.get().unwrap_err().cause(), Cause::Stale);
    assert_eq!(mail.latest().token.expose_secret(), "t1");
    assert!(!config.health().is_ready());
    source.start();
    until("the source is back", || mail.get().is_ok() && config.health().is_ready()).await;
    drop(keeper);
}

#[tokio::test(start_paused = true)]
async fn without_a_keeper_readers_look_at_the_clock_themselves() {
    let source = source();
    let builder = Config::<App>::builder().merge(layer(&source)).max_stale(Duration::from_secs(60));
    let config = builder.load().await.unwrap();
    let mail = config.section(|app| &app.mail);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(mail.get().is_ok());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(mail.get().unwrap_err().cause(), Cause::Stale);
    config.refresh().await;
    assert!(mail.get().is_ok(), "a probe that says unchanged is fresh");
}

#[tokio::test(start_paused = true)]
async fn a_keeper_that_is_gone_leaves_readers_to_the_clock() {
    let source = source();
    let config = load(&source).await;
    let mail = config.section(|app| &app.mail);
    drop(config.keep_fresh());
    tokio::task::yield_now().await;
    assert_eq!(config.health().refresher, "absent");
    tokio::time::advance(Duration::from_secs(25 * 3600)).await;
    assert!(mail.get().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_away_is_served_for_the_grace_and_then_withheld() {
    let source = source();
    let config = load(&source).await;
    let mail = config.section(|app| &app.mail);
    source.withdraw("mail", Withdrawn::Deleted);
    config.refresh().await;
    tokio::time::advance(Duration::from_secs(6 * 60)).await;
    assert!(mail.get().is_ok(), "seen once is not enough");
    config.refresh().await;
    assert_eq!(mail.get().unwrap_err().cause(), Cause::Withdrawn);
    assert_eq!(mail.get().unwrap_err().secret_name(), Some("mail"));
    assert!(config.section(|app| &app.database).get().is_ok());
    source.restore("mail");
    config.refresh().await;
    assert!(mail.get().is_ok());
}

#[tokio::test(start_paused = true)]
async fn denied_is_an_outage_and_never_absent() {
    let source = source();
    let config = load(&source).await;
    source.deny("mail");
    for _ in 0..3 {
        config.refresh().await;
        tokio::time::advance(Duration::from_secs(600)).await;
    }
    assert!(config.section(|app| &app.mail).get().is_ok());
    let health = config.health();
    assert!(health.is_ready() && health.secret("mail").unwrap().state == "denied");
}

#[tokio::test(start_paused = true)]
async fn changes_give_the_latest_and_end_with_the_configuration() {
    let source = source();
    let config = load(&source).await;
    let mut changes = config.section(|app| &app.mail).changes();
    for n in 2..5 {
        source.rotate("mail", &format!(r#"{{"token": "t{n}"}}"#));
        config.refresh().await;
    }
    assert_eq!(changes.next().await.unwrap().token.expose_secret(), "t4");
    let none = tokio::time::timeout(Duration::from_secs(1), changes.next()).await;
    assert!(none.is_err(), "a slow reader gets the latest once");
    drop(config);
    assert!(changes.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_previous_revision_is_there_from_the_start_and_after_each_rotation() {
    #[derive(Deserialize)]
    struct App {
        mail: Live<Mail>,
    }
    let source = FakeSource::new().with("mail", r#"{"token": "t1"}"#);
    source.rotate("mail", r#"{"token": "t2"}"#);
    let layer = SecretLayer::from(source.clone()).put("mail", Wanted::new("mail").keep_previous(true));
    let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    let mail = config.section(|app| &app.mail);
    assert_eq!(mail.previous().unwrap().token.expose_secret(), "t1");
    source.rotate("mail", r#"{"token": "t3"}"#);
    config.refresh().await;
    assert_eq!(mail.latest().token.expose_secret(), "t3");
    assert_eq!(mail.previous().unwrap().token.expose_secret(), "t2");
    // who holds a revision asks it for the one before: a rotation in between changes nothing
    let held = mail.get().unwrap();
    source.rotate("mail", r#"{"token": "t4"}"#);
    config.refresh().await;
    assert_eq!(held.previous().unwrap().token.expose_secret(), "t2");
    assert_eq!(mail.previous().unwrap().token.expose_secret(), "t3");
    let other = load(&self::source()).await;
    assert!(other.section(|app| &app.mail).previous().is_none());
}

#[tokio::test(start_paused = true)]
async fn keep_previous_on_a_section_of_two_secrets_is_a_fault() {
    let layer = SecretLayer::from(source())
        .put("database.user", Wanted::new("user").keep_previous(true))
        .put("database.password", "password")
        .put("mail", "mail");
    let e = Config::<App>::builder().merge(layer).load().await.unwrap_err();
    assert_eq!(e.report().faults().len(), 1, "{e}");
    assert_eq!(e.report().faults()[0].key().to_string(), "database.user");
}

/// The slow look began first, and what it brings is older than what was published meanwhile.
#[tokio::test(start_paused = true)]
async fn an_older_look_never_replaces_a_newer_one() {
    let source = source();
    let config = load(&source).await;
    source.rotate("mail", r#"{"token": "t2"}"#);
    // the slow one has read t2, and is held up on its way back while t3 is published
    let (inner, newer) = (source.clone(), config.clone());
    let published = Arc::new(tokio::sync::Notify::new());
    let (seen, go) = (published.clone(), published.clone());
    source.after_fetch("mail", move || {
        inner.rotate("mail", r#"{"token": "t3"}"#);
        tokio::spawn(async move {
            newer.refresh().await;
            seen.notify_one();
        });
    });
    let slow = config.clone();
    let slow = tokio::spawn(async move { slow.refresh().await });
    go.notified().await;
    slow.await.unwrap();
    config.refresh().await;
    assert_eq!(config.section(|app| &app.mail).latest().token.expose_secret(), "t3");
}

#[tokio::test(start_paused = true)]
async fn a_silent_source_ends_the_load_within_its_deadline() {
    let source = source();
    source.stall();
    let began = tokio::time::Instant::now();
    let builder = Config::<App>::builder().merge(layer(&source));
    let builder = builder.attempt_timeout(Duration::from_secs(60)).deadline(Duration::from_secs(2));
    let e = builder.load().await.unwrap_err();
    assert!(began.elapsed() <= Duration::from_millis(2100), "{:?}", began.elapsed());
    let kinds: Vec<_> = e.report().faults().iter().map(|fault| fault.kind().clone()).collect();
    assert_eq!(kinds, vec![FaultKind::Source(ErrorKind::Timeout); 3], "{e}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_source_holds_up_no_other() {
    #[derive(Deserialize)]
    struct Two {
        a: Live<SecretString>,
        b: Live<SecretString>,
    }
    let (quiet, lively) = (FakeSource::named("vault").with("a", "1"), FakeSource::new().with("b", "1"));
    let builder = Config::<Two>::builder()
        .merge(SecretLayer::from(quiet.clone()).put("a", "a"))
        .merge(SecretLayer::from(lively.clone()).put("b", "b"));
    let config = builder.load().await.unwrap();
    let b = config.section(|two| &two.b);
    quiet.stall();
    lively.rotate("b", "2");
    let began = tokio::time::Instant::now();
    config.refresh().await;
    assert!(began.elapsed() <= Duration::from_secs(15), "the tries of one call: {:?}", began.elapsed());
    assert_eq!(b.latest().expose_secret(), "2");
    assert_eq!(config.section(|two| &two.a).latest().expose_secret(), "1");
}

#[tokio::test(start_paused = true)]
async fn an_optional_secret_may_come_later_and_go_again() {
    #[derive(Deserialize)]
    struct Maybe {
        #[serde(default)]
        extra: Live<Option<Mail>>,
    }
    let source = FakeSource::new();
    let layer = SecretLayer::from(source.clone()).put("extra", Wanted::new("extra").optional(true));
    let config = Config::<Maybe>::builder().merge(layer).load().await.unwrap();
    let extra = config.section(|app| &app.extra);
    assert!(extra.get().unwrap().is_none());
    let still = config.refresh().await;
    assert!(still.failed.is_empty(), "not there, as before: {still:?}");
    source.deny("extra");
    let denied = config.refresh().await;
    assert_eq!(denied.failed.len(), 1, "denied is never absent");
    source.allow("extra");
    source.put("extra", r#"{"token": "t1"}"#);
    config.refresh().await;
    assert_eq!(extra.get().unwrap().as_ref().unwrap().token.expose_secret(), "t1");
    source.remove("extra");
    config.refresh().await;
    assert!(extra.get().unwrap().is_some(), "seen once is not enough");
    tokio::time::advance(Duration::from_secs(60)).await;
    config.refresh().await;
    assert!(extra.get().unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_refuses_or_panics_refuses_that_publication_only() {
    let source = source();
    let builder = Config::<App>::builder().merge(layer(&source)).validate(|app| match app.mail.port {
        Some(1) => Err(Invalid { path: "mail.port", reason: "must not be 1" }),
        Some(2) => panic!("a bug"),
        _ => Ok(()),
    });
    let config = builder.load().await.unwrap();
    let mail = config.section(|app| &app.mail);
    for (port, why) in [(1, "mail.port: must not be 1"), (2, "(root): panicked")] {
        source.rotate("mail", &format!(r#"{{"token": "t2", "port": {port}}}"#));
        let refreshed = config.refresh().await;
        assert_eq!(refreshed.refused[0].1, why);
        assert_eq!(mail.latest().token.expose_secret(), "t1");
    }
    source.rotate("mail", r#"{"token": "t3", "port": 3}"#);
    config.refresh().await;
    assert_eq!(mail.latest().token.expose_secret(), "t3");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_sign_in_is_one_fault_with_its_names() {
    let source = source();
    source.refuse_sign_in();
    let e = Config::<App>::builder().merge(layer(&source)).load().await.unwrap_err();
    let [fault] = e.report().faults() else { panic!("{e}") };
    let FaultKind::SignIn(ErrorKind::Unauthenticated, names) = fault.kind() else { panic!("{e}") };
    assert_eq!(names, &["user", "password", "mail"]);
    assert_eq!(source.calls(), 0, "nothing was asked");
}

#[tokio::test(start_paused = true)]
async fn a_second_keeper_is_the_same_task_and_the_last_one_ends_it() {
    let source = source();
    let config = load(&source).await;
    let (first, second) = (config.keep_fresh(), config.keep_fresh());
    drop(first);
    tokio::task::yield_now().await;
    assert_eq!(config.health().refresher, "running");
    drop(second);
    tokio::task::yield_now().await;
    assert_eq!(config.health().refresher, "absent");
    let third = config.keep_fresh();
    assert_eq!(config.health().refresher, "running");
    third.shutdown(Duration::from_secs(1)).await;
}

/// Answers once, and panics when it is looked at again.
struct Bad;

#[secretfig::source::async_trait]
impl secretfig::Source for Bad {
    fn info(&self) -> secretfig::source::SourceInfo {
        let probes = |mut can: secretfig::source::Abilities| {
            can.probe = true;
            can
        };
        secretfig::source::SourceInfo::new("bad", "memory")
            .abilities(probes(secretfig::source::Abilities::NONE))
    }
    async fn fetch(
        &self,
        asks: &[secretfig::source::Ask],
    ) -> Vec<Result<secretfig::source::Fetched, secretfig::SourceError>> {
        use secretfig::source::{Document, Fetched};
        let fetched = || Fetched::new(Document::from_text("x"), secretfig::Revision::new("1"));
        asks.iter().map(|_| Ok(fetched())).collect()
    }
    async fn probe(
        &self,
        _: &[secretfig::source::Ask],
    ) -> Vec<Result<secretfig::source::Probe, secretfig::SourceError>> {
        panic!("a bug of the source")
    }
}

#[derive(Deserialize)]
struct OneOf {
    a: Live<SecretString>,
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_fails_that_call_and_is_named() {
    let layer = SecretLayer::from(Bad).put("a", "a");
    let config = Config::<OneOf>::builder().merge(layer).load().await.unwrap();
    let keeper = config.keep_fresh();
    let failed = config.refresh().await.failed;
    assert_eq!(failed[0].kind(), ErrorKind::Malformed);
    assert!(failed[0].what_to_do().contains("a fault of the source"), "{failed:?}");
    until("the keeper has looked too", || keeper.rounds() > 0).await;
    assert_eq!(config.health().refresher, "running");
    assert!(config.section(|one| &one.a).get().is_ok());
}

/// A clock that panics in every task but the test's own, once it is told to.
struct Faulty {
    clock: SystemClock,
    panics: Arc<AtomicBool>,
}

impl Clock for Faulty {
    fn tick(&self) -> Tick {
        assert!(
            !self.panics.load(Ordering::Relaxed) || tokio::task::try_id().is_none(),
            "a bug of the clock"
        );
        self.clock.tick()
    }
    fn wall(&self) -> std::time::SystemTime {
        self.clock.wall()
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_outside_of_sources_kills_the_refresher_and_health_says_so() {
    let panics = Arc::new(AtomicBool::new(false));
    let clock = Faulty { clock: SystemClock::default(), panics: panics.clone() };
    let source = source();
    let builder = Config::<App>::builder().merge(layer(&source)).clock(Arc::new(clock));
    let config = builder.load().await.unwrap();
    let mail = config.section(|app| &app.mail);
    let _keeper = config.keep_fresh();
    tokio::task::yield_now().await;
    assert_eq!(config.health().refresher, "running");
    panics.store(true, Ordering::Relaxed);
    until("the task is dead", || config.health().refresher == "dead").await;
    assert!(mail.get().is_ok() && config.health().is_degraded());
    tokio::time::advance(Duration::from_secs(25 * 3600)).await;
    assert!(mail.get().is_err(), "no one flips the view, so readers look at the clock");
}

#[test]
fn everything_works_on_a_current_thread_runtime_with_time_only() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let source = source();
        let config = load(&source).await;
        let keeper = config.keep_fresh();
        source.rotate("mail", r#"{"token": "t2"}"#);
        config.refresh().await;
        assert_eq!(config.section(|app| &app.mail).get().unwrap().token.expose_secret(), "t2");
        keeper.shutdown(Duration::from_secs(1)).await;
    });
}

/// At the end of time, with leases without end.
struct Far;

impl Clock for Far {
    fn tick(&self) -> Tick {
        Tick::FAR
    }
    fn wall(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH
    }
}

#[tokio::test(start_paused = true)]
async fn hostile_times_do_not_panic() {
    let source = source();
    source.lease("mail", Duration::MAX);
    let builder = Config::<App>::builder().merge(layer(&source)).clock(Arc::new(Far));
    let builder = builder.max_stale(Duration::MAX).deadline(Duration::MAX).ttl(Duration::MAX);
    drop(builder.load().await);
}
