//! What a passphrase costs is paid once. A store is decrypted when the file of its passphrase is read, so where that
//! file is gone, an answer shows that nothing was decrypted for it.

use super::store::{Place, locked};
use super::{ErrorKind, MARKER, get, text};
use secretfig_local::{Local, Settings};
use secretfig_source::{Ask, Probe, Source, SourceError};
use std::fs;
use std::time::Duration;

const STORE: &str = "a = 'x'\n";

/// A store behind a passphrase, whose file is there.
fn place() -> (Place, Local) {
    let place = Place::new();
    place.write("secrets.age", &locked(MARKER, 8, STORE));
    place.write("passphrase", MARKER.as_bytes());
    let local = Local::new(settings(&place)).unwrap();
    (place, local)
}

fn settings(place: &Place) -> Settings {
    Settings::new().file(place.path("secrets.age")).passphrase_file(place.path("passphrase"))
}

async fn probed(local: &Local) -> Result<Probe, SourceError> {
    local.probe(&[Ask::new("a")]).await.remove(0)
}

async fn is_decrypted_anew(local: &Local) {
    let Err(error) = get(local, "a").await else { panic!("it was left") };
    assert!(error.what_to_do().contains("`passphrase_file`: it is not there"), "{error}");
    assert!(!format!("{error} {error:?}").contains(MARKER), "{error}");
}

fn lock_away(place: &Place) {
    fs::remove_file(place.path("passphrase")).unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_probe_and_the_fetch_after_it_are_one_decryption() {
    let (place, local) = place();
    let revision = probed(&local).await.unwrap();
    lock_away(&place);
    let fetched = get(&local, "a").await.unwrap();
    assert_eq!(Probe::Current(fetched.revision), revision);
    assert_eq!(probed(&local).await.unwrap(), revision);
    // it was taken out
    is_decrypted_anew(&local).await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_no_fetch_takes_is_dropped_after_a_minute() {
    for (seconds, there) in [(59, true), (61, false)] {
        let (place, local) = place();
        probed(&local).await.unwrap();
        lock_away(&place);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        match there {
            true => assert_eq!(text(&local, "a").await, "x"),
            false => is_decrypted_anew(&local).await,
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_of_another_ciphertext_is_dropped() {
    let (place, local) = place();
    let old = fs::read(place.path("secrets.age")).unwrap();
    probed(&local).await.unwrap();
    place.write("secrets.age", &locked(MARKER, 8, "a = 'y'\n"));
    assert_eq!(text(&local, "a").await, "y");
    lock_away(&place);
    place.write("secrets.age", &old);
    is_decrypted_anew(&local).await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_costs_nothing_is_not_left() {
    let place = Place::holding(STORE);
    let local = place.local();
    probed(&local).await.unwrap();
    fs::remove_file(place.path("identity.txt")).unwrap();
    assert_eq!(get(&local, "a").await.err().unwrap().kind(), ErrorKind::Misconfigured);
}

/// A runtime with one thread that may block, so that work is done in the order in which it was asked for.
fn in_order(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(1).build().unwrap().block_on(test);
}

/// Begins a fetch.
fn begun(local: &Local) -> impl Future + use<> {
    let local = local.clone();
    let mut fetching = Box::pin(async move { get(&local, "a").await.is_ok() });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(fetching.as_mut().poll(&mut context).is_pending());
    fetching
}

#[test]
fn a_call_that_is_given_up_before_its_turn_does_no_work() {
    in_order(async {
        let (place, local) = place();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let before = tokio::task::spawn_blocking(move || wait.recv());
        drop(begun(&local));
        go.send(()).unwrap();
        before.await.unwrap().unwrap();
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        lock_away(&place);
        // a store that was decrypted would be known
        assert!(probed(&local).await.is_err());
    });
}

#[tokio::test(flavor = "current_thread")]
async fn signing_in_to_a_store_behind_a_passphrase_needs_no_key() {
    let (place, local) = place();
    let who = |local: Local| async move { local.sign_in().await.map(|who| who.map(|who| who.to_string())) };
    assert_eq!(who(local.clone()).await.unwrap().as_deref(), Some("passphrase"));
    // a key that is set besides, and is none
    place.write("broken.txt", MARKER.as_bytes());
    for name in ["broken.txt", "no.txt", "identity.txt"] {
        let both = Local::new(settings(&place).identity_file(place.path(name))).unwrap();
        assert_eq!(who(both.clone()).await.unwrap().as_deref(), Some("passphrase"), "{name}");
        assert_eq!(text(&both, "a").await, "x");
    }
    let keys = Local::new(place.settings()).unwrap();
    let error = keys.sign_in().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.what_to_do().contains("SECRETFIG_AGE_PASSPHRASE_FILE"), "{error}");
    lock_away(&place);
    assert!(local.sign_in().await.is_err());
}

#[test]
fn a_passphrase_is_given_more_time_and_is_not_told_of_a_server() {
    let (place, local) = place();
    let info = local.info();
    assert!(info.attempt.is_some_and(|limit| limit > Duration::from_secs(3)));
    assert!(info.late.is_some_and(|hint| hint.contains("work factor") && hint.contains("CPU limit")));
    let info = place.local().info();
    assert_eq!(info.attempt, None);
    assert!(info.late.is_some_and(|hint| hint.contains("mount")));
}
