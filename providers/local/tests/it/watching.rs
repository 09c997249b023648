//! `changed()` ends when the store was replaced, and not otherwise.

use super::store::{Place, encrypted};
use super::text;
use secretfig_local::Local;
use secretfig_source::Source;
use std::fs;
use std::time::Duration;

/// Far above what an event takes.
const SOON: Duration = Duration::from_secs(20);

/// Well above the longest burst.
const STILL: Duration = Duration::from_millis(700);

async fn ends(local: &Local) {
    assert!(tokio::time::timeout(SOON, local.changed()).await.is_ok(), "nothing was noticed");
}

async fn stays(local: &Local) {
    assert!(tokio::time::timeout(STILL, local.changed()).await.is_err(), "something was noticed");
}

#[tokio::test(flavor = "current_thread")]
async fn a_rename_over_it_is_a_change_and_its_neighbours_are_none() {
    let place = Place::holding("a = 'one'\n");
    let local = place.local();
    ends(&local).await;
    stays(&local).await;
    assert_eq!(text(&local, "a").await, "one");
    place.write("app.log", b"noise");
    stays(&local).await;
    for value in ["two", "three"] {
        place.hold(&format!("a = '{value}'\n"));
        ends(&local).await;
        assert_eq!(text(&local, "a").await, value);
    }
    stays(&local).await;
    // written in place, as `age -o` does
    fs::write(place.path("secrets.age"), encrypted(&[place.key.to_public()], "a = 'four'\n")).unwrap();
    ends(&local).await;
    assert_eq!(text(&local, "a").await, "four");
    fs::remove_file(place.path("secrets.age")).unwrap();
    ends(&local).await;
    place.hold("a = 'five'\n");
    ends(&local).await;
    local.close(Duration::ZERO).await;
    place.hold("a = 'six'\n");
    stays(&local).await;
}

#[cfg(unix)]
#[tokio::test(flavor = "current_thread")]
async fn behind_a_link_and_in_a_volume_of_kubernetes_it_is_seen_too() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    let bytes = |value: &str| encrypted(&[place.key.to_public()], &format!("a = '{value}'\n"));
    let version = |n: &str, value: &str| {
        fs::create_dir_all(place.path(&format!("mount/..{n}"))).unwrap();
        fs::write(place.path(&format!("mount/..{n}/secrets.age")), bytes(value)).unwrap();
        symlink(format!("..{n}"), place.path("mount/..data_tmp")).unwrap();
        fs::rename(place.path("mount/..data_tmp"), place.path("mount/..data")).unwrap();
    };
    version("1", "one");
    symlink("..data/secrets.age", place.path("mount/secrets.age")).unwrap();
    let local = Local::new(place.settings().file(place.path("mount/secrets.age"))).unwrap();
    ends(&local).await;
    stays(&local).await;
    assert_eq!(text(&local, "a").await, "one");
    for (n, value) in [("2", "two"), ("3", "three")] {
        version(n, value);
        ends(&local).await;
        assert_eq!(text(&local, "a").await, value);
    }
    stays(&local).await;
}
