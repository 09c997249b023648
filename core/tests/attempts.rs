//! How long one call to a source may take: what the application says or, where that is longer, what the source says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "testing")]

use secretfig::testing::FakeSource;
use secretfig::{Builder, Config, Policy, SecretLayer, SecretString};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Deserialize)]
struct App {
    #[allow(dead_code, reason = "decoded, not read")]
    token: SecretString,
}

const HINT: &str = "lower the work of its passphrase";

fn slow(seconds: u64) -> FakeSource {
    FakeSource::new().with("token", "t1").attempt(Duration::from_secs(seconds), HINT)
}

/// With one try, so that what is measured is one.
fn builder(source: &FakeSource) -> Builder<App> {
    Config::<App>::builder()
        .merge(SecretLayer::from(source.clone()).put("token", "token"))
        .policy(Policy::default().tries(1))
}

/// Answers after that long.
fn answers_after(source: &FakeSource, seconds: u64) {
    source.stall();
    let source = source.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        source.resume();
    });
}

async fn refused(builder: Builder<App>) -> (u64, String) {
    let began = Instant::now();
    let Err(error) = builder.load().await else { panic!("it was loaded") };
    (began.elapsed().as_secs(), error.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_source_that_needs_longer_is_given_longer() {
    let (slow, quick) = (slow(10), FakeSource::new().with("token", "t1"));
    answers_after(&slow, 9);
    builder(&slow).load().await.unwrap();
    answers_after(&quick, 9);
    let (waited, said) = refused(builder(&quick)).await;
    assert_eq!(waited, 3);
    assert!(said.contains("check that the server can be reached") && !said.contains(HINT), "{said}");
}

#[tokio::test(start_paused = true)]
async fn it_says_what_to_do_and_how_long_it_was_given() {
    let slow = slow(10);
    slow.stall();
    let (waited, said) = refused(builder(&slow)).await;
    assert_eq!(waited, 10);
    assert!(said.contains("timed out") && said.contains("it took longer than 10.0 s: "), "{said}");
    assert!(said.contains(HINT) && !said.contains("server"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn the_longer_of_the_two_holds_and_the_deadline_above_both() {
    for (own, attempt, deadline, waits) in [(10, 1, 15, 10), (1, 4, 15, 4), (60, 3, 15, 15), (60, 3, 5, 5)] {
        let slow = slow(own);
        slow.stall();
        let builder = builder(&slow)
            .attempt_timeout(Duration::from_secs(attempt))
            .deadline(Duration::from_secs(deadline));
        assert_eq!(refused(builder).await.0, waits, "{own} {attempt} {deadline}");
    }
}

#[tokio::test(start_paused = true)]
async fn looking_again_is_given_as_long() {
    let slow = slow(10);
    let config = builder(&slow).load().await.unwrap();
    answers_after(&slow, 9);
    slow.rotate("token", "t2");
    let refreshed = config.refresh().await;
    assert_eq!((refreshed.changed.len(), refreshed.failed.len()), (1, 0), "{refreshed:?}");
    slow.stall();
    let began = Instant::now();
    let failed = config.refresh().await.failed;
    assert_eq!(began.elapsed().as_secs(), 10);
    assert!(failed[0].what_to_do().contains(HINT), "{failed:?}");
}
