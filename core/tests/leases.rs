//! The life of a lease, from the read that makes it to the call that gives it back. All in paused time; where a trap is
//! one that others fell into, the test names it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "testing")]

use secretfig::source::{Document, ErrorKind, Fetched, Lease};
use secretfig::testing::FakeSource;
use secretfig::{Builder, Cause, Config, Invalid, Live, SecretLayer, SecretString, SystemClock, Wanted};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, advance, sleep, timeout};

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, not read")]
struct App {
    database: Live<Database>,
    mail: Live<Mail>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, not read")]
struct Database {
    username: SecretString,
    password: SecretString,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, not read")]
struct Mail {
    token: SecretString,
}

const DATABASE: &str = r#"{"username": "v-app", "password": "s3cret-pw"}"#;
const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// A manager whose leases end by the clock, as a real one's do.
fn source(length: Duration) -> FakeSource {
    let source = FakeSource::named("vault").with_clock(Arc::new(SystemClock::default()));
    source.put_document("db", Document::from_text(DATABASE));
    source.put("mail", r#"{"token": "t1"}"#);
    source.lease("db", length);
    source
}

fn builder(source: &FakeSource) -> Builder<App> {
    Config::<App>::builder()
        .merge(SecretLayer::from(source.clone()).put("database", "db").put("mail", "mail"))
}

async fn load(source: &FakeSource) -> Config<App> {
    builder(source).load().await.unwrap()
}

/// Lets tasks run for as long as it takes, at most that long.
async fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    let waiting = async {
        while !holds() {
            sleep((limit / 500).min(Duration::from_millis(500))).await;
        }
    };
    timeout(limit, waiting).await.unwrap_or_else(|_| panic!("not within {limit:?}: {what}"));
    began.elapsed()
}

/// For that long, looks at every step that it may be used.
async fn usable_for(config: &Config<App>, how_long: Duration, step: Duration) {
    let database = config.section(|app| &app.database);
    let began = Instant::now();
    while began.elapsed() < how_long {
        assert!(database.get().is_ok(), "after {:?}: {}", began.elapsed(), config.health());
        sleep(step).await;
    }
}

/// Each lease is given back only after the next one was made.
fn new_before_old(source: &FakeSource) {
    let story = source.lease_story();
    let at = |what: String| story.iter().position(|line| *line == what);
    for n in 1..=source.minted() {
        if let Some(revoked) = at(format!("revoke db/{n}")) {
            let next = at(format!("mint db/{}", n + 1));
            assert!(next.is_some_and(|next| next < revoked), "{n}: {story:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_for_days_and_minted_once() {
    let source = source(HOUR);
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    usable_for(&config, 72 * HOUR, MINUTE).await;
    assert_eq!((source.minted(), source.leases(), source.revocations()), (1, 1, 0));
    // one per two thirds of an hour, or a little more often
    assert!((108..=121).contains(&source.renewals()), "{}", source.renewals());
    let health = config.health();
    let lease = health.secret("db").unwrap().lease.clone().unwrap();
    assert!(lease.renewable && lease.renewals >= 108 && lease.failed.is_none(), "{health}");
    assert!(lease.next == "renew" && lease.next_seconds < lease.left_seconds, "{health}");
    assert!(health.is_ready() && !health.is_degraded());
    let json = serde_json::to_value(&health).unwrap();
    let of_db = json["secrets"].as_array().unwrap().iter().find(|secret| secret["secret"] == "db").unwrap();
    assert_eq!(of_db["lease"]["renewals"], lease.renewals);
    assert!(health.to_string().contains("lease: "), "{health}");
}

/// spring-cloud-vault #743: credentials die at their max TTL.
#[tokio::test(start_paused = true)]
async fn near_its_longest_life_a_lease_is_replaced_before_it_ends() {
    let source = source(HOUR);
    source.leases_end_after("db", 24 * HOUR);
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    usable_for(&config, 72 * HOUR, MINUTE).await;
    assert!((3..=4).contains(&source.minted()), "{:?}", source.minted());
    assert_eq!((source.leases(), source.revoked()), (1, source.minted() - 1), "the old ones were given back");
    new_before_old(&source);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_renewed_is_replaced_at_two_thirds() {
    let source = source(HOUR);
    source.unrenewable("db");
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    usable_for(&config, 24 * HOUR, MINUTE).await;
    assert!((36..=41).contains(&source.minted()), "{}", source.minted());
    assert_eq!((source.renewals(), source.leases()), (0, 1));
    new_before_old(&source);
}

/// spring-cloud-vault #708: one error ends renewal for good.
#[tokio::test(start_paused = true)]
async fn one_failed_renewal_is_tried_again() {
    let source = source(HOUR);
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    source.renewals_fail("db", ErrorKind::Transport);
    within(HOUR, "a renewal", || source.renewals() == 1).await;
    sleep(Duration::from_millis(100)).await;
    let health = config.health();
    let lease = health.secret("db").unwrap().lease.clone().unwrap();
    assert_eq!((lease.failed, lease.renewals), (Some("unreachable"), 0), "{health}");
    assert!(health.is_degraded() && health.is_ready());
    source.renewals_fail("db", None);
    usable_for(&config, 24 * HOUR, MINUTE).await;
    assert_eq!(source.minted(), 1);
    assert!(source.renewed() >= 36 && !config.health().is_degraded());
}

/// hashicorp/vault #26382: the back-off was computed and never slept.
#[tokio::test(start_paused = true)]
async fn renewals_that_fail_for_three_hours_make_no_loop_and_one_credential() {
    let source = source(12 * HOUR);
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    usable_for(&config, 7 * HOUR, 5 * MINUTE).await;
    source.renewals_fail("db", ErrorKind::Timeout);
    usable_for(&config, 5 * HOUR, MINUTE).await;
    assert!(source.renewals() <= 10, "{}", source.renewals());
    assert_eq!(source.minted(), 2, "another in its place, and no more");
    source.renewals_fail("db", None);
    usable_for(&config, 48 * HOUR, 5 * MINUTE).await;
    assert_eq!((source.minted(), source.leases()), (2, 1), "and that one is renewed");
    new_before_old(&source);
}

#[tokio::test(start_paused = true)]
async fn renewals_that_always_fail_cost_one_credential_per_life() {
    let source = source(HOUR);
    source.renewals_fail("db", ErrorKind::Unavailable(secretfig::source::Unavailable::Failing));
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    usable_for(&config, 24 * HOUR, MINUTE).await;
    // each lives for eight ninths of its hour
    assert!((26..=29).contains(&source.minted()), "{}", source.minted());
    assert!(source.renewals() <= 10 * source.minted(), "{}", source.renewals());
    assert_eq!(source.leases(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_renew_replaces() {
    let source = source(HOUR);
    source.renewals_fail("db", ErrorKind::Denied);
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    usable_for(&config, 12 * HOUR, MINUTE).await;
    let lives = source.minted();
    assert!((lives - 1..=lives).contains(&source.renewals()), "one try in each life: {}", source.renewals());
    assert!((13..=15).contains(&source.minted()), "{}", source.minted());
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_in_a_withheld_section_and_heals_within_a_minute() {
    let source = source(HOUR);
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    let database = config.section(|app| &app.database);
    sleep(Duration::from_secs(1)).await;
    let before = source.fetches("db");
    source.stop();
    sleep(6 * HOUR).await;
    assert_eq!(database.get().unwrap_err().cause(), Cause::LeaseEnded);
    assert!(!config.health().is_ready() && config.section(|app| &app.mail).get().is_ok());
    assert!(source.renewals() <= 10, "{}", source.renewals());
    let tries = source.fetches("db") - before;
    assert!(tries <= 12 * 60, "at most twice a minute: {tries}");
    source.start();
    within(MINUTE + Duration::from_secs(1), "it is back", || database.get().is_ok()).await;
    assert_eq!((source.minted(), source.leases()), (2, 1));
}

/// spring-vault #633: the late revocation of the old one wipes the new one.
#[tokio::test(start_paused = true)]
async fn the_old_one_is_given_back_when_its_last_reader_is_gone() {
    let source = source(HOUR);
    source.unrenewable("db");
    let config = builder(&source).overlap_max(HOUR / 4).load().await.unwrap();
    let database = config.section(|app| &app.database);
    let (held, snapshot) = (database.get().unwrap(), config.snapshot());
    let mut changes = database.changes();
    let _keeper = config.keep_fresh();
    let new = changes.next().await.unwrap();
    assert_ne!(new.revisions(), held.revisions());
    sleep(MINUTE).await;
    assert_eq!((source.minted(), source.revocations(), source.leases()), (2, 0, 2), "both are read");
    assert_eq!(config.health().secret("db").unwrap().lease.as_ref().unwrap().retiring, 1);
    drop(held);
    sleep(MINUTE).await;
    assert_eq!(source.revocations(), 0, "a snapshot is a reader too");
    drop(snapshot);
    within(Duration::from_secs(1), "it is given back", || source.revoked() == 1).await;
    assert_eq!(source.lease_story(), ["mint db/1", "mint db/2", "revoke db/1"]);
    sleep(5 * MINUTE).await;
    assert!(database.get().is_ok() && source.leases() == 1 && source.revocations() == 1);
    assert_eq!(config.health().secret("db").unwrap().lease.as_ref().unwrap().retiring, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_keeps_the_old_one_for_the_overlap_and_no_longer() {
    let source = source(HOUR);
    source.unrenewable("db");
    let config = load(&source).await;
    let mut changes = config.section(|app| &app.database).changes();
    let held = config.section(|app| &app.database).get().unwrap();
    let _keeper = config.keep_fresh();
    changes.next().await.unwrap();
    let waited = within(HOUR, "it is given back", || source.revoked() == 1).await;
    assert!(waited >= 5 * MINUTE - Duration::from_secs(1) && waited <= 5 * MINUTE + Duration::from_secs(1));
    drop(held);
    sleep(MINUTE).await;
    assert_eq!(source.revocations(), 1, "once");
}

#[tokio::test(start_paused = true)]
async fn giving_back_is_tried_again_until_it_would_end_by_itself() {
    let source = source(HOUR);
    source.unrenewable("db");
    source.revocations_fail("db", ErrorKind::Transport);
    let config = load(&source).await;
    let mut changes = config.section(|app| &app.database).changes();
    let _keeper = config.keep_fresh();
    changes.next().await.unwrap();
    within(MINUTE, "tries", || source.revocations() >= 3).await;
    source.revocations_fail("db", None);
    within(5 * MINUTE, "it is given back", || source.revoked() == 1).await;
    source.revocations_fail("db", ErrorKind::Denied);
    let tried = source.revocations();
    changes.next().await.unwrap();
    sleep(5 * MINUTE).await;
    assert_eq!(source.revocations(), tried + 1, "a refusal is not tried again");
    source.revocations_fail("db", ErrorKind::Timeout);
    let tried = source.revocations();
    changes.next().await.unwrap();
    sleep(HOUR / 2).await;
    assert!((5..=10).contains(&(source.revocations() - tried)), "{}", source.revocations() - tried);
}

/// external-secrets #2129: duplicate reads mint duplicate credentials.
#[tokio::test(start_paused = true)]
async fn however_many_look_one_credential_is_made() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "decoded, not read")]
    struct Twice {
        reader: Live<Database>,
        writer: Live<Database>,
        again: Option<Live<Database>>,
    }
    let source = source(HOUR);
    let previous = Wanted::new("db").keep_previous(true);
    let layer =
        SecretLayer::from(source.clone()).put("reader", previous).put("writer", "db").put("again", "db");
    let config = Config::<Twice>::builder().merge(layer).load().await.unwrap();
    assert_eq!((source.minted(), source.fetches("db")), (1, 1), "three uses and the previous are one read");
    let _keeper = config.keep_fresh();
    let looks: Vec<_> = (0..64).map(|_| config.clone()).collect();
    let looks: Vec<_> = looks.into_iter().map(|c| tokio::spawn(async move { c.refresh().await })).collect();
    for look in looks {
        assert!(look.await.unwrap().failed.is_empty());
    }
    config.refresh_due().await;
    source.notify();
    sleep(HOUR / 2).await;
    assert_eq!((source.minted(), source.fetches("db")), (1, 1));
}

/// In a set with others: those are read twice, to see whether they rest; what is made by being read is not.
#[tokio::test(start_paused = true)]
async fn in_a_set_with_others_one_credential_is_made_at_a_time() {
    let source = source(HOUR);
    source.unrenewable("db");
    source.put("host", "a");
    let layer = SecretLayer::from(source.clone()).put("database", "db").put("database.host", "host");
    let config = Config::<App>::builder().merge(layer.put("mail", "mail")).load().await.unwrap();
    assert_eq!(source.minted(), 1);
    let _keeper = config.keep_fresh();
    usable_for(&config, 4 * HOUR, MINUTE).await;
    assert!((6..=8).contains(&source.minted()) && source.leases() == 1, "{:?}", source.lease_story());
    // a neighbour that cannot be had: nothing is made that would not be served
    source.deny("host");
    let minted = source.minted();
    sleep(12 * HOUR).await;
    assert_eq!(source.minted(), minted);
    assert_eq!(config.section(|app| &app.database).get().unwrap_err().cause(), Cause::LeaseEnded);
    source.allow("host");
    within(5 * MINUTE, "it is back", || config.section(|app| &app.database).get().is_ok()).await;
    new_before_old(&source);
}

#[tokio::test(start_paused = true)]
async fn shutdown_gives_everything_back_and_a_new_keeper_begins_anew() {
    let source = source(HOUR);
    source.unrenewable("db");
    let config = load(&source).await;
    let database = config.section(|app| &app.database);
    let old = database.get().unwrap();
    let keeper = config.keep_fresh();
    within(HOUR, "another", || source.minted() == 2).await;
    assert_eq!(source.leases(), 2, "the old one is still read");
    keeper.shutdown(Duration::from_secs(5)).await;
    assert_eq!((source.leases(), source.revoked()), (0, 2));
    assert_eq!(database.get().unwrap_err().cause(), Cause::LeaseEnded);
    config.refresh().await;
    assert_eq!(source.minted(), 2, "a refresh makes none");
    let keeper = config.keep_fresh();
    within(Duration::from_secs(1), "it is back", || database.get().is_ok()).await;
    assert_eq!((source.minted(), source.leases(), source.revocations()), (3, 1, 2), "nothing twice");
    drop(old);
    keeper.shutdown(Duration::from_secs(5)).await;
    assert_eq!(source.leases(), 0);
}

#[tokio::test(start_paused = true)]
async fn shutdown_keeps_to_its_limit_and_finds_what_a_round_has_made() {
    let source = source(HOUR);
    let config = load(&source).await;
    let keeper = config.keep_fresh();
    source.stall();
    let began = Instant::now();
    keeper.shutdown(Duration::from_secs(2)).await;
    assert!(began.elapsed() <= Duration::from_millis(2_100), "{:?}", began.elapsed());
    source.resume();
    // a credential was made, and the round that made it is ended before it is served
    let source = self::source(HOUR);
    source.unrenewable("db");
    let layer = SecretLayer::from(source.clone()).put("database.username", "name").put("database", "db");
    source.put("name", "v-app");
    source.put("mail", r#"{"token": "t1"}"#);
    let layer = layer.put("mail", "mail");
    let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    let keeper = config.keep_fresh();
    // the other one of its set does not answer when it is looked at again
    let turn = source.clone();
    source.after_fetch("db", move || turn.stall_only("name"));
    within(HOUR, "another", || source.minted() == 2).await;
    keeper.shutdown(Duration::from_millis(100)).await;
    within(Duration::from_secs(3), "both are given back", || source.leases() == 0).await;
}

/// hashicorp/vault #25712, and P6: what is refused is given back, and what is served goes on.
#[tokio::test(start_paused = true)]
async fn what_makes_no_whole_configuration_is_given_back_and_the_served_one_is_renewed() {
    let source = source(HOUR);
    source.renewals_grant("db", HOUR / 2);
    let refusing = Arc::new(AtomicBool::new(false));
    let refuse = refusing.clone();
    let builder = builder(&source).validate(move |_| match refuse.load(Ordering::Relaxed) {
        true => Err(Invalid { path: "database", reason: "not now" }),
        false => Ok(()),
    });
    let config = builder.load().await.unwrap();
    let revision = config.health().secret("db").unwrap().revision.clone();
    let _keeper = config.keep_fresh();
    refusing.store(true, Ordering::Relaxed);
    usable_for(&config, 2 * HOUR, MINUTE).await;
    let health = config.health();
    assert_eq!(health.secret("db").unwrap().revision, revision, "{health}");
    assert_eq!(health.secret("db").unwrap().lease.as_ref().unwrap().failed, None, "it was renewed since");
    assert!(source.minted() >= 2 && source.minted() <= 12, "{}", source.minted());
    assert_eq!((source.leases(), source.revoked()), (1, source.minted() - 1));
    assert!(source.renewed() >= 2, "{}", source.renewed());
    refusing.store(false, Ordering::Relaxed);
    within(HOUR, "a new one", || config.health().secret("db").unwrap().revision != revision).await;
    within(Duration::from_secs(1), "the old one", || source.leases() == 1).await;
    assert!(config.section(|app| &app.database).get().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_leaves_no_credential() {
    let source = source(HOUR);
    source.remove("mail");
    let error = builder(&source).load().await.unwrap_err();
    assert!(!error.to_string().contains("given back"), "{error}");
    assert_eq!((source.minted(), source.leases()), (1, 0));
    // what could not be given back is told, and takes no longer than two seconds
    source.revocations_fail("db", ErrorKind::Denied);
    let error = builder(&source).load().await.unwrap_err();
    assert!(error.to_string().contains("the lease of `db` could not be given back (denied)"), "{error}");
    source.revocations_fail("db", None);
    let stalling = source.clone();
    source.after_fetch("db", move || stalling.stall());
    let began = Instant::now();
    let error = builder(&source).deadline(Duration::from_secs(4)).load().await.unwrap_err();
    assert!(error.to_string().contains("the lease of `db` could not be given back (timed out)"), "{error}");
    assert!(began.elapsed() <= Duration::from_millis(6_100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_load_that_is_dropped_leaves_no_credential() {
    let source = source(HOUR);
    source.stall_only("mail");
    let loading = timeout(Duration::from_secs(1), builder(&source).load()).await;
    assert!(loading.is_err() && source.minted() == 1);
    within(Duration::from_secs(2), "it is given back", || source.leases() == 0).await;
    // also while it gives back already
    let source = self::source(HOUR);
    source.remove("mail");
    let stalling = source.clone();
    source.after_fetch("db", move || stalling.stall());
    let loading = timeout(Duration::from_millis(3_500), builder(&source).load()).await;
    assert!(loading.is_err());
    source.resume();
    within(Duration::from_secs(2), "it is given back", || source.leases() == 0).await;
}

/// external-secrets #2198: the lease dies with the login token.
#[tokio::test(start_paused = true)]
async fn a_lease_lives_no_longer_than_its_login() {
    let source = source(HOUR);
    source.amend("db", |mut fetched: Fetched| {
        fetched.lease = fetched.lease.map(|lease| lease.login(HOUR / 6));
        fetched
    });
    let config = load(&source).await;
    let lease = config.health().secret("db").unwrap().lease.clone().unwrap();
    assert_eq!((lease.left_seconds, lease.next), (600, "mint"));
    let _keeper = config.keep_fresh();
    usable_for(&config, HOUR, MINUTE).await;
    assert!((9..=11).contains(&source.minted()), "{}", source.minted());
}

#[tokio::test(start_paused = true)]
async fn leases_of_a_dead_login_are_replaced_at_once_and_in_no_loop() {
    let source = source(HOUR);
    let config = load(&source).await;
    let database = config.section(|app| &app.database);
    let _keeper = config.keep_fresh();
    sleep(MINUTE).await;
    source.lose_login();
    within(Duration::from_secs(1), "another", || source.minted() == 2 && database.get().is_ok()).await;
    for _ in 0..1_200 {
        source.lose_login();
        sleep(Duration::from_millis(500)).await;
    }
    assert!(source.minted() <= 10, "{}", source.minted());
    within(5 * MINUTE, "another", || database.get().is_ok()).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_an_operator_ended_is_replaced_when_that_is_found_out() {
    let source = source(HOUR);
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    source.end_leases("db");
    within(HOUR, "another", || source.minted() == 2).await;
    sleep(Duration::from_secs(1)).await;
    assert!(config.section(|app| &app.database).get().is_ok());
    assert_eq!((source.renewals(), source.leases()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn lengths_from_none_to_eternity() {
    for (seconds, renewable, most) in [
        (0, true, 20),
        (1, true, 3_700),
        (5, true, 1),
        (1, false, 3_700),
        (5, false, 1_300),
        (u64::MAX, true, 1),
        (u64::MAX, false, 1),
    ] {
        let source = FakeSource::named("vault").with("db", DATABASE).with("mail", r#"{"token": "t"}"#);
        source.lease("db", Duration::from_secs(seconds));
        if !renewable {
            source.unrenewable("db");
        }
        let config = load(&source).await;
        let keeper = config.keep_fresh();
        sleep(HOUR).await;
        let renewals = 3_600 / seconds.max(1) * 3 + 1;
        assert!(source.minted() <= most, "{seconds} {renewable}: {} minted", source.minted());
        assert!(source.renewals() as u64 <= renewals, "{seconds}: {} renewals", source.renewals());
        keeper.shutdown(Duration::from_secs(1)).await;
        assert_eq!(source.leases(), 0, "{seconds} {renewable}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_keeper_a_lease_ends() {
    let source = source(HOUR);
    let config = load(&source).await;
    let database = config.section(|app| &app.database);
    advance(HOUR - Duration::from_secs(1)).await;
    assert!(database.get().is_ok());
    advance(Duration::from_secs(1)).await;
    config.refresh().await;
    assert_eq!(database.get().unwrap_err().cause(), Cause::LeaseEnded);
    assert_eq!((source.minted(), source.renewals()), (1, 0));
    let _keeper = config.keep_fresh();
    within(Duration::from_secs(1), "it is back", || database.get().is_ok()).await;
}

/// The Keeper waits for a renewal that does not come: the lease ends all the same.
#[tokio::test(start_paused = true)]
async fn a_lease_ends_also_while_its_manager_is_silent() {
    let source = source(5 * MINUTE);
    let builder = builder(&source).attempt_timeout(HOUR).deadline(2 * HOUR);
    let config = builder.load().await.unwrap();
    let database = config.section(|app| &app.database);
    let _keeper = config.keep_fresh();
    sleep(Duration::from_secs(1)).await;
    source.stall();
    sleep(5 * MINUTE - Duration::from_secs(2)).await;
    assert!(database.get().is_ok());
    sleep(Duration::from_millis(1_200)).await;
    assert_eq!(database.get().unwrap_err().cause(), Cause::LeaseEnded);
}

/// A lease may be longer than `max_stale`: it says itself how long its value may be used.
#[tokio::test(start_paused = true)]
async fn a_long_lease_is_not_stale() {
    let source = source(30 * 24 * HOUR);
    source.unrenewable("db");
    let config = load(&source).await;
    let _keeper = config.keep_fresh();
    usable_for(&config, 25 * 24 * HOUR, HOUR).await;
    assert_eq!(source.minted(), 2);
}

/// A lease of what reads the same again, such as a static role's, is read again and never given back.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_shared_is_read_again_and_never_given_back() {
    let source = FakeSource::named("vault").with("db", DATABASE).with("mail", r#"{"token": "t"}"#);
    source.amend("db", |fetched| fetched.lease(Lease::new("shared", HOUR, false)).repeatable(true));
    let config = load(&source).await;
    let keeper = config.keep_fresh();
    usable_for(&config, 5 * HOUR, MINUTE).await;
    assert!((7..=9).contains(&(source.fetches("db"))), "{}", source.fetches("db"));
    keeper.shutdown(Duration::from_secs(1)).await;
    assert_eq!(source.revocations(), 0);
}

/// The last chance: what is not given back now is out until it ends.
#[tokio::test(start_paused = true)]
async fn at_the_end_a_source_that_was_left_alone_is_asked_all_the_same() {
    let source = source(HOUR);
    let config = load(&source).await;
    let keeper = config.keep_fresh();
    source.stop();
    for _ in 0..5 {
        config.refresh().await;
    }
    assert!(config.health().to_string().contains("vault: left alone for "), "{}", config.health());
    source.start();
    keeper.shutdown(Duration::from_secs(1)).await;
    assert_eq!((source.revoked(), source.leases()), (1, 0));
}
