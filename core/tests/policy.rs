//! What stands around every call to a source, in paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "testing")]

use secretfig::source::{ErrorKind, Unavailable};
use secretfig::testing::FakeSource;
use secretfig::{Breaker, Builder, Config, ExposeSecret, Live, Policy, SecretLayer, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

type App = BTreeMap<String, Live<SecretString>>;

fn names(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("s{n}")).collect()
}

/// A manager of so many secrets, all `old`.
fn manager(n: usize) -> FakeSource {
    names(n).iter().fold(FakeSource::new(), |fake, name| fake.with(name, "old"))
}

fn builder(sources: &[(&FakeSource, usize)]) -> Builder<App> {
    sources.iter().enumerate().fold(Config::builder(), |builder, (source, (fake, n))| {
        let all = names(*n);
        let layer = all.iter().fold(SecretLayer::from((*fake).clone()), |layer, name| {
            layer.put(&format!("{name}of{source}"), name.as_str())
        });
        builder.merge(layer)
    })
}

fn value(config: &Config<App>, key: &str) -> String {
    config
        .section_by({
            let key = key.to_owned();
            move |app| app.get(&key)
        })
        .unwrap()
        .latest()
        .expose_secret()
        .to_owned()
}

fn open(config: &Config<App>, source: usize) -> bool {
    config.health().sources[source].breaker != Breaker::Closed
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn an_outage_of_an_hour_is_gentle_and_over_within_a_minute() {
    for (secrets, ttl, blind) in
        [(1, 1, false), (1, 300, false), (2, 300, true), (20, 60, false), (20, 300, true)]
    {
        let fake = manager(secrets).ttl(Duration::from_secs(ttl));
        if blind {
            fake.blind();
        }
        let config = builder(&[(&fake, secrets)]).load().await.unwrap();
        let _keeper = config.keep_fresh();
        tokio::time::sleep(Duration::from_secs(400)).await;
        fake.stop();
        names(secrets).iter().for_each(|name| fake.rotate(name, "new"));
        let before = fake.upstream();
        tokio::time::sleep(HOUR).await;
        let tries = fake.upstream() - before;
        assert!((30..=90).contains(&tries), "{secrets} secrets, ttl {ttl}: {tries} tries");
        assert!(config.health().is_ready() && config.health().is_degraded());
        assert_eq!(value(&config, "s0of0"), "old");
        fake.start();
        tokio::time::sleep(Duration::from_secs(60)).await;
        for name in names(secrets) {
            assert_eq!(value(&config, &format!("{name}of0")), "new", "{secrets} secrets, ttl {ttl}");
        }
        assert!(!config.health().is_degraded() && !open(&config, 0), "{}", config.health());
    }
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_tenth_of_the_calls_once_the_budget_is_spent() {
    let fake = manager(1);
    let policy = Policy::default().without_breaker();
    let config = builder(&[(&fake, 1)]).policy(policy).load().await.unwrap();
    fake.shake(ErrorKind::Transport, 3);
    // spends what the bucket holds at first
    for _ in 0..100 {
        config.refresh().await;
    }
    let (before, calls) = (fake.upstream(), 1000);
    for _ in 0..calls {
        config.refresh().await;
    }
    let tries = fake.upstream() - before;
    assert!(tries > calls && tries <= calls * 11 / 10 + 1, "{tries} tries for {calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_ridden_out_at_start_up_and_later() {
    let fake = manager(1);
    fake.fail_next("s0", ErrorKind::Unavailable(Unavailable::Failing), 2);
    let config = builder(&[(&fake, 1)]).load().await.unwrap();
    assert_eq!(fake.fetches("s0"), 3);
    fake.rotate("s0", "new");
    fake.fail_next("s0", ErrorKind::Transport, 2);
    let refreshed = config.refresh().await;
    assert_eq!((refreshed.changed.len(), refreshed.failed.len(), fake.probes("s0")), (1, 0, 3));
    // a definite answer is not asked for twice
    fake.deny("s0");
    assert_eq!(config.refresh().await.failed[0].kind(), ErrorKind::Denied);
    assert_eq!(fake.probes("s0"), 4);
}

#[tokio::test(start_paused = true)]
async fn what_a_manager_asks_for_is_waited_for_within_the_deadline() {
    let throttled = |seconds| ErrorKind::Throttled { retry_after: Some(Duration::from_secs(seconds)) };
    let fake = manager(1);
    fake.fail_next("s0", throttled(5), 1);
    let began = Instant::now();
    let config = builder(&[(&fake, 1)]).load().await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(6) && began.elapsed() <= Duration::from_secs(8));
    for seconds in [0, 60, 999_999_999, u64::MAX] {
        fake.fail("s0", throttled(seconds));
        let began = Instant::now();
        let failed = config.refresh().await.failed;
        assert_eq!(failed[0].kind(), throttled(seconds));
        assert!(began.elapsed() <= Duration::from_secs(15), "{seconds}: {:?}", began.elapsed());
        assert!(seconds == 0 || began.elapsed().is_zero(), "it would end after the deadline: {seconds}");
    }
    assert!(!open(&config, 0), "throttling is pacing");
}

#[tokio::test(start_paused = true)]
async fn what_may_have_minted_is_asked_for_once() {
    for (kind, tries) in [
        (ErrorKind::Timeout, 1),
        (ErrorKind::Transport, 1),
        (ErrorKind::Unavailable(Unavailable::Failing), 1),
        (ErrorKind::Unavailable(Unavailable::Sealed), 3),
        (ErrorKind::Throttled { retry_after: None }, 3),
    ] {
        let fake = manager(2);
        fake.lease("s0", HOUR);
        fake.fail("s0", kind);
        assert!(builder(&[(&fake, 2)]).load().await.is_err());
        assert_eq!((fake.fetches("s0"), fake.fetches("s1"), fake.minted()), (tries, 1, 0), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_tries_a_source_that_was_left_alone_and_closes_it_for_all() {
    let fake = manager(64);
    let config = builder(&[(&fake, 64)]).load().await.unwrap();
    fake.stop();
    config.refresh().await;
    assert!(open(&config, 0));
    let (before, began) = (fake.upstream(), Instant::now());
    let failed = config.refresh().await.failed;
    assert_eq!((failed.len(), fake.upstream() - before, began.elapsed()), (64, 0, Duration::ZERO));
    assert_eq!(failed[0].kind(), ErrorKind::Transport);
    let said = failed[0].what_to_do();
    assert!(said.starts_with("not asked now: it has failed for "), "{said}");
    assert!(said.contains(" s (the last time: unreachable); it is tried again in "), "{said}");
    let said = config.health().to_string();
    assert!(
        said.contains("fake: left alone for ") && said.contains(" s (unreachable); tried again in "),
        "{said}"
    );

    tokio::time::advance(Duration::from_secs(60)).await;
    let together = |config: Config<App>| {
        let all: Vec<_> = (0..64)
            .map(|_| {
                tokio::spawn({
                    let c = config.clone();
                    async move { c.refresh().await }
                })
            })
            .collect();
        async move {
            for one in all {
                one.await.unwrap();
            }
        }
    };
    together(config.clone()).await;
    assert_eq!(fake.upstream() - before, 1, "64 callers, 64 secrets, one probe");
    fake.start();
    tokio::time::advance(Duration::from_secs(60)).await;
    let before = fake.upstream();
    assert!(config.refresh().await.failed.is_empty());
    assert_eq!((fake.upstream() - before, open(&config, 0)), (64, false), "{}", config.health());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_who_ask_at_once_read_once_also_when_the_first_gives_up() {
    for blind in [false, true] {
        let fake = manager(3);
        if blind {
            fake.blind();
        }
        let config = builder(&[(&fake, 3)]).load().await.unwrap();
        names(3).iter().for_each(|name| fake.rotate(name, "new"));
        fake.stall();
        let ask = || {
            tokio::spawn({
                let config = config.clone();
                async move { config.refresh().await }
            })
        };
        let first = ask();
        let others: Vec<_> = (0..1000).map(|_| ask()).collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        first.abort();
        fake.resume();
        for other in others {
            assert!(other.await.unwrap().failed.is_empty());
        }
        for name in names(3) {
            assert_eq!(fake.fetches(&name), 2, "one at start-up, one for all: blind {blind}");
            assert_eq!(value(&config, &format!("{name}of0")), "new");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_refused_is_asked_for_one_by_one() {
    for (kind, calls) in [(ErrorKind::Denied, 13), (ErrorKind::Throttled { retry_after: None }, 13)] {
        let fake = manager(12).batch(20, 11);
        fake.fail_batches(kind);
        let began = Instant::now();
        builder(&[(&fake, 12)]).load().await.unwrap();
        assert_eq!(fake.calls(), calls, "one batch and twelve gets");
        assert_eq!(began.elapsed().is_zero(), kind == ErrorKind::Denied, "{:?}", began.elapsed());
    }
    // of a batch, only what failed is asked for again
    let fake = manager(12).batch(20, 11);
    fake.fail_next("s7", ErrorKind::Timeout, 1);
    builder(&[(&fake, 12)]).load().await.unwrap();
    assert_eq!((fake.calls(), fake.fetches("s7"), fake.fetches("s6")), (2, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn every_endpoint_has_its_own_budget_and_breaker() {
    let (bad, good) = (manager(20), manager(1));
    let config = builder(&[(&bad, 20), (&good, 1)]).load().await.unwrap();
    bad.stop();
    config.refresh().await;
    assert!(open(&config, 0) && !open(&config, 1));
    good.rotate("s0", "new");
    good.fail_next("s0", ErrorKind::Transport, 2);
    config.refresh().await;
    assert_eq!((value(&config, "s0of1"), value(&config, "s0of0")), ("new".to_owned(), "old".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_start_up_ends_within_its_deadline_and_a_breaker_does_not_act_in_it() {
    #[derive(Debug, Deserialize)]
    struct Nothing {}
    let fake = manager(100);
    fake.stall();
    let began = Instant::now();
    let error = builder(&[(&fake, 100)]).load().await.unwrap_err();
    assert!(began.elapsed() <= Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(error.report().faults().len(), 100);
    assert!(!error.to_string().contains("not asked now"), "{error}");
    let fake = manager(1);
    fake.stop();
    let layer = SecretLayer::from(fake.clone()).put("a", "s0");
    Config::<Nothing>::builder().merge(layer).load().await.unwrap_err();
    assert_eq!(fake.sign_ins(), 3, "a sign-in is tried again");
}
