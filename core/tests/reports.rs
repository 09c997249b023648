//! `report_failure`: what was given did not work. All in paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "testing")]

use secretfig::source::ErrorKind;
use secretfig::testing::FakeSource;
use secretfig::{Builder, Config, ExposeSecret, Live, SecretLayer, SecretString, Verdict};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, advance, sleep, timeout};

#[derive(Deserialize)]
struct App {
    database: Live<Database>,
    mail: Live<Mail>,
}

#[derive(Deserialize)]
struct Database {
    #[allow(dead_code, reason = "decoded, not read")]
    user: SecretString,
    password: SecretString,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoded, not read")]
struct Mail {
    token: SecretString,
    port: Option<u16>,
}

const HOUR: Duration = Duration::from_secs(3_600);
const FIVE: Duration = Duration::from_secs(5);

fn source() -> FakeSource {
    FakeSource::new().with("user", "u1").with("password", "p1").with("mail", r#"{"token": "t1"}"#)
}

fn builder(source: &FakeSource) -> Builder<App> {
    let layer = SecretLayer::from(source.clone())
        .put("database.user", "user")
        .put("database.password", "password")
        .put("mail", "mail");
    Config::<App>::builder().merge(layer)
}

async fn load(source: &FakeSource) -> Config<App> {
    builder(source).load().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_newer_one_is_fetched_and_its_neighbour_with_it() {
    let source = source();
    let config = load(&source).await;
    let database = config.section(|app| &app.database);
    let held = database.get().unwrap();
    source.rotate("password", "p2");
    assert_eq!(database.report_failure(&held).await, Verdict::Newer);
    assert_eq!(database.get().unwrap().password.expose_secret(), "p2");
    assert_eq!(source.fetches("mail"), 1, "no other set is asked for");
    // who holds the old one still gets the answer at once, and the source no question
    let calls = source.calls();
    assert_eq!(database.report_failure(&held).await, Verdict::Newer);
    assert_eq!(source.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn it_is_read_even_where_a_probe_would_see_nothing() {
    let source = source();
    let config = load(&source).await;
    let database = config.section(|app| &app.database);
    let probes = source.probes("password");
    assert_eq!(database.report_failure(&database.get().unwrap()).await, Verdict::Same);
    assert_eq!(source.fetches("password"), 2);
    assert!(source.probes("password") <= probes + 1, "a look afterwards, whether the set rests");
}

#[tokio::test(start_paused = true)]
async fn many_reports_are_one_look_per_set_and_five_seconds() {
    let source = source();
    let config = load(&source).await;
    let database = config.section(|app| &app.database);
    for round in 1..=3 {
        source.stall();
        let reports: Vec<_> = (0..64)
            .map(|_| {
                let database = database.clone();
                tokio::spawn(async move { database.report_failure(&database.get().unwrap()).await })
            })
            .collect();
        sleep(Duration::from_secs(1)).await;
        source.resume();
        for report in reports {
            assert_eq!(report.await.unwrap(), Verdict::Same);
        }
        assert_eq!(source.fetches("password"), 1 + round);
        // and so are those that come a little later
        advance(Duration::from_secs(4)).await;
        source.rotate("mail", &format!(r#"{{"token": "t{round}"}}"#));
        assert_eq!(database.report_failure(&database.get().unwrap()).await, Verdict::Same);
        assert_eq!(source.fetches("password"), 1 + round);
        // another set has its own
        let mail = config.section(|app| &app.mail);
        assert_eq!(mail.report_failure(&mail.get().unwrap()).await, Verdict::Newer);
        advance(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_leads_and_goes_away_leaves_nobody_waiting() {
    let source = source();
    let config = load(&source).await;
    let database = config.section(|app| &app.database);
    source.stall();
    let first = database.clone();
    let first = tokio::spawn(async move { first.report_failure(&first.latest()).await });
    sleep(Duration::from_millis(10)).await;
    let second = database.clone();
    let second = tokio::spawn(async move { second.report_failure(&second.latest()).await });
    sleep(Duration::from_millis(10)).await;
    first.abort();
    source.rotate("password", "p2");
    source.resume();
    assert_eq!(second.await.unwrap(), Verdict::Newer);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_known_of_what_does_not_answer_is_refused_or_is_gone() {
    let source = source();
    let config = load(&source).await;
    let mail = config.section(|app| &app.mail);
    source.stop();
    let held = mail.get().unwrap();
    let began = Instant::now();
    assert_eq!(mail.report_failure(&held).await, Verdict::Unknown);
    assert!(began.elapsed() <= Duration::from_secs(15), "{:?}", began.elapsed());
    source.start();
    assert_eq!(mail.report_failure(&held).await, Verdict::Unknown, "that was just looked at");
    advance(FIVE).await;
    source.rotate("mail", r#"{"token": "t2", "port": "none"}"#);
    assert_eq!(mail.report_failure(&held).await, Verdict::Unknown);
    assert!(mail.get().is_ok(), "the last good one");
    advance(FIVE).await;
    source.stall();
    let began = Instant::now();
    assert_eq!(mail.report_failure(&held).await, Verdict::Unknown);
    assert!(began.elapsed() <= Duration::from_secs(15), "{:?}", began.elapsed());
    drop(config);
    assert_eq!(mail.report_failure(&held).await, Verdict::Unknown);
    let fixed = Config::fixed(Live::from(1_u8));
    let fixed = fixed.section(|live| live);
    assert_eq!(fixed.report_failure(&fixed.latest()).await, Verdict::Unknown);
}

fn leased() -> FakeSource {
    let source = source();
    source.lease("mail", HOUR);
    source
}

#[tokio::test(start_paused = true)]
async fn without_a_keeper_nothing_is_made() {
    let source = leased();
    let config = load(&source).await;
    let mail = config.section(|app| &app.mail);
    assert_eq!(mail.report_failure(&mail.latest()).await, Verdict::Unknown);
    drop(config.keep_fresh());
    tokio::task::yield_now().await;
    advance(FIVE).await;
    assert_eq!(mail.report_failure(&mail.latest()).await, Verdict::Unknown);
    assert_eq!((source.minted(), source.fetches("mail")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_keeper_makes_another_at_once_and_then_less_and_less_often() {
    let source = leased();
    let config = load(&source).await;
    let mail = config.section(|app| &app.mail);
    let keeper = config.keep_fresh();
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let reports: Vec<_> = (0..64)
        .map(|_| {
            let mail = mail.clone();
            tokio::spawn(async move { mail.report_failure(&mail.latest()).await })
        })
        .collect();
    for report in reports {
        assert_eq!(report.await.unwrap(), Verdict::Newer);
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    sleep(Duration::from_millis(10)).await;
    assert_eq!(source.lease_story(), ["mint mail/1", "mint mail/2", "revoke mail/1"]);
    // a database that refuses everyone does not cost one credential per refusal
    let began = Instant::now();
    while began.elapsed() < HOUR {
        let verdict = mail.report_failure(&mail.latest()).await;
        assert!(matches!(verdict, Verdict::Newer | Verdict::Same), "{verdict:?}");
        sleep(Duration::from_secs(1)).await;
    }
    assert!((10..=20).contains(&source.minted()), "{}", source.minted());
    keeper.shutdown(Duration::from_secs(1)).await;
    assert_eq!(source.leases(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_no_other_can_be_made_nothing_is_known_and_the_old_one_stays() {
    let source = leased();
    let config = load(&source).await;
    let mail = config.section(|app| &app.mail);
    let _keeper = config.keep_fresh();
    sleep(Duration::from_secs(1)).await;
    source.fail("mail", ErrorKind::Denied);
    let verdict = timeout(Duration::from_secs(16), mail.report_failure(&mail.latest())).await.unwrap();
    assert_eq!(verdict, Verdict::Unknown);
    assert!(mail.get().is_ok());
    assert_eq!((source.minted(), source.leases()), (1, 1));
    source.heal("mail");
    sleep(HOUR / 10).await;
    assert_eq!((source.minted(), source.leases()), (2, 1), "it is made when it can be");
}
