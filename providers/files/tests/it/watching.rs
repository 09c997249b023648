//! `changed()` ends when something moved, and not otherwise.

use super::{get, refused, text};
use crate::mount::Mount;
use secretfig_files::{Files, Settings};
use secretfig_source::{ErrorKind, Source};
use std::fs;
use std::os::unix::fs::symlink;
use std::pin::pin;
use std::time::Duration;
use tempfile::tempdir;

/// Far above what an event takes.
const SOON: Duration = Duration::from_secs(20);

/// Well above the longest burst.
const STILL: Duration = Duration::from_millis(700);

async fn ends(files: &Files) {
    assert!(tokio::time::timeout(SOON, files.changed()).await.is_ok(), "nothing was noticed");
}

async fn stays(files: &Files) {
    assert!(tokio::time::timeout(STILL, files.changed()).await.is_err(), "something was noticed");
}

/// Past the end for nothing, when the places come under watch.
async fn watched(files: &Files) {
    ends(files).await;
    stays(files).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_swap_is_one_change_and_reading_is_none() {
    let dir = tempdir().unwrap();
    let mut mount = Mount::new(dir.path().join("db"));
    mount.write([("pw", b"old".as_slice())]);
    let files = Files::in_folder(dir.path()).unwrap();
    watched(&files).await;
    assert_eq!(text(&files, "db/pw").await, "old");
    assert!(get(&files, "db").await.is_ok());
    stays(&files).await;

    // somebody waits
    let mut waiting = pin!(files.changed());
    assert!(tokio::time::timeout(Duration::from_millis(10), &mut waiting).await.is_err());
    mount.write([("pw", b"new".as_slice())]);
    assert!(tokio::time::timeout(SOON, waiting).await.is_ok());
    assert_eq!(text(&files, "db/pw").await, "new");
    stays(&files).await;

    // nobody waits: the next wait ends at once, also after a fetch that has seen it
    mount.write([("pw", b"newer".as_slice())]);
    assert_eq!(text(&files, "db/pw").await, "newer");
    ends(&files).await;
    stays(&files).await;
}

#[tokio::test(flavor = "current_thread")]
async fn edits_in_place_new_files_and_removals_are_changes() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("a/pw");
    fs::create_dir(dir.path().join("a")).unwrap();
    fs::write(&file, "one").unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    watched(&files).await;
    fs::write(&file, "two").unwrap();
    ends(&files).await;
    assert_eq!(text(&files, "a/pw").await, "two");
    fs::remove_file(&file).unwrap();
    ends(&files).await;
    refused(&files, "a/pw", ErrorKind::Absent).await;
    fs::create_dir(dir.path().join("b")).unwrap();
    ends(&files).await;
    // the new folder is watched by now
    fs::write(dir.path().join("b/pw"), "three").unwrap();
    ends(&files).await;
    assert_eq!(text(&files, "b/pw").await, "three");
}

#[tokio::test(flavor = "current_thread")]
async fn a_folder_that_is_made_anew_is_watched_anew() {
    let dir = tempdir().unwrap();
    let folder = dir.path().join("in");
    let make = || {
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("pw"), "x").unwrap();
    };
    make();
    let files = Files::in_folder(&folder).unwrap();
    watched(&files).await;
    fs::remove_dir_all(&folder).unwrap();
    ends(&files).await;
    stays(&files).await;
    make();
    ends(&files).await;
    stays(&files).await;
    fs::write(folder.join("pw"), "y").unwrap();
    ends(&files).await;
    stays(&files).await;

    // a folder that is a link, swapped as a whole
    fs::rename(&folder, dir.path().join("one")).unwrap();
    fs::create_dir(dir.path().join("two")).unwrap();
    symlink("one", &folder).unwrap();
    ends(&files).await;
    stays(&files).await;
    symlink("two", dir.path().join("next")).unwrap();
    fs::rename(dir.path().join("next"), &folder).unwrap();
    ends(&files).await;
    stays(&files).await;
    fs::write(dir.path().join("two/pw"), "z").unwrap();
    ends(&files).await;
    assert_eq!(text(&files, "pw").await, "z");
}

#[tokio::test(flavor = "current_thread")]
async fn named_files_are_watched_and_their_neighbours_are_not() {
    let dir = tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("pw"), "one").unwrap();
    let mut mount = Mount::new(path("db"));
    mount.write([("pw", b"old".as_slice())]);
    let files = Files::new(Settings::new().file("pw", path("pw"))).unwrap();
    watched(&files).await;
    fs::write(path("neighbour"), "x").unwrap();
    stays(&files).await;
    fs::write(path("next"), "two").unwrap();
    fs::rename(path("next"), path("pw")).unwrap();
    ends(&files).await;

    // allowed while somebody waits
    let allowed = path("db/pw").display().to_string();
    let mut waiting = pin!(files.changed());
    assert!(tokio::time::timeout(STILL, &mut waiting).await.is_err());
    files.allow_file(&allowed).unwrap();
    assert!(tokio::time::timeout(SOON, waiting).await.is_ok());
    stays(&files).await;
    mount.write([("pw", b"new".as_slice())]);
    ends(&files).await;
    assert_eq!(text(&files, &allowed).await, "new");
    stays(&files).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_wait_that_is_given_up_loses_nothing() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("pw"), "one").unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    watched(&files).await;
    fs::write(dir.path().join("pw"), "two").unwrap();
    for _ in 0..5 {
        // shorter than the quiet that ends a burst
        let given_up = tokio::time::timeout(Duration::from_millis(5), files.changed()).await;
        assert!(given_up.is_err());
    }
    ends(&files).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_burst_that_does_not_end_is_told() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("pw");
    fs::write(&file, "x").unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    watched(&files).await;
    let writing = async {
        loop {
            fs::write(&file, "y").unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = ends(&files) => {}
        () = writing => {}
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_closed_source_still_reads_and_tells_nothing() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("pw"), "x").unwrap();
    let files = Files::in_folder(dir.path()).unwrap();
    watched(&files).await;
    files.close(Duration::from_secs(1)).await;
    fs::write(dir.path().join("pw"), "y").unwrap();
    stays(&files).await;
    assert_eq!(text(&files, "pw").await, "y");
}
