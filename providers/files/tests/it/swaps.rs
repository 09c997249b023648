//! Kubernetes' swap is one step.

use super::bytes;
use super::{get, refused, text};
use crate::mount::Mount;
use secretfig_files::{Files, Settings};
use secretfig_source::{Ask, ErrorKind, Format, Source};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::tempdir;

const SWAPS: u32 = 1000;

/// The number of the version is the value of every key.
fn write(mount: &mut Mount, keys: &[&str], version: u32) {
    let value = version.to_string();
    mount.write(keys.iter().map(|key| (*key, value.as_bytes())));
}

#[tokio::test]
async fn a_volume_is_read_key_by_key_and_whole() {
    let dir = tempdir().unwrap();
    let mut mount = Mount::new(dir.path().join("db"));
    mount.write([("user", b"app".as_slice()), ("password", b"pw\n")]);
    let above = Files::in_folder(dir.path()).unwrap();
    let at = Files::in_folder(dir.path().join("db")).unwrap();
    assert_eq!(text(&above, "db/password").await, "pw");
    assert_eq!(text(&at, "password").await, "pw");
    let answer = get(&above, "db").await;
    assert_eq!(bytes(&answer, Some("user"), Format::Auto), b"app");
    // Kubernetes chose mode 0644
    assert!(answer.unwrap().warnings.is_empty());
    refused(&above, "db/..data/password", ErrorKind::Misconfigured).await;

    mount.write([("user", b"app2".as_slice())]);
    assert_eq!(text(&at, "user").await, "app2");
    refused(&at, "password", ErrorKind::Absent).await;
}

/// Reads again and again while another thread swaps; all that is read together is of one version.
fn race(files: &Files, mut mount: Mount, keys: &[&str], asks: &[Ask], fields: &[Option<&str>]) {
    let done = AtomicBool::new(false);
    write(&mut mount, keys, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..=SWAPS).for_each(|version| write(&mut mount, keys, version));
            done.store(true, Ordering::Release);
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut whole = 0;
        loop {
            let last = done.load(Ordering::Acquire);
            let answers = runtime.block_on(files.fetch(asks));
            for error in answers.iter().filter_map(|a| a.as_ref().err()) {
                assert!(error.kind().is_outage(), "a swap is no answer about a secret: {error}");
            }
            if answers.iter().all(Result::is_ok) {
                let values = answers.iter().flat_map(|a| fields.iter().map(|f| bytes(a, *f, Format::Auto)));
                let versions: BTreeSet<_> = values.map(|value| String::from_utf8(value).unwrap()).collect();
                assert_eq!(versions.len(), 1, "torn: {versions:?}");
                whole += 1;
                assert!(!last || versions.contains(&SWAPS.to_string()));
            }
            if last {
                break;
            }
        }
        println!("{whole} whole reads during {SWAPS} swaps");
        assert!(whole > 1);
    });
}

#[test]
fn a_folder_is_never_torn() {
    let dir = tempdir().unwrap();
    let mount = Mount::new(dir.path().join("db"));
    let files = Files::in_folder(dir.path()).unwrap();
    race(&files, mount, &["user", "password"], &[Ask::new("db")], &[Some("user"), Some("password")]);
}

#[test]
fn the_asks_of_one_fetch_are_never_torn() {
    let dir = tempdir().unwrap();
    let mount = Mount::new(dir.path().join("db"));
    let files = Files::in_folder(dir.path()).unwrap();
    let asks = ["db/user", "db/password", "db/nested/key", "db/user"].map(Ask::new);
    race(&files, mount, &["user", "password", "nested/key"], &asks, &[None]);
}

#[test]
fn named_files_of_one_mount_are_never_torn() {
    let dir = tempdir().unwrap();
    let mount = Mount::new(dir.path().join("db"));
    let user = dir.path().join("db/user").display().to_string();
    let settings = Settings::new().file("pw", dir.path().join("db/password")).allow(&user);
    let files = Files::new(settings).unwrap();
    race(&files, mount, &["user", "password"], &[Ask::new(user), Ask::new("pw")], &[None]);
}
