//! Links: followed inside of a folder, refused out of it.

use super::{MARKER, refusal, refused, text};
use crate::mount::Mount;
use secretfig_files::{Files, Settings};
use secretfig_source::ErrorKind;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::{TempDir, tempdir};

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        fs::create_dir_all(dir.path().join("in/sub")).unwrap();
        fs::create_dir(dir.path().join("out")).unwrap();
        fs::write(dir.path().join("in/sub/pw"), "inside").unwrap();
        fs::write(dir.path().join("out/pw"), MARKER).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn link(&self, target: &str, at: &str) {
        symlink(target, self.path(at)).unwrap();
    }

    fn files(&self) -> Files {
        Files::in_folder(self.path("in")).unwrap()
    }
}

#[tokio::test]
async fn links_inside_are_followed() {
    let place = Place::new();
    place.link("sub/pw", "in/file");
    place.link("sub", "in/folder");
    place.link("../folder/pw", "in/sub/twice");
    symlink(place.path("in/sub/pw"), place.path("in/absolute")).unwrap();
    let files = place.files();
    for name in ["file", "folder/pw", "sub/twice", "absolute"] {
        assert_eq!(text(&files, name).await, "inside", "{name}");
    }
}

#[tokio::test]
async fn links_out_are_refused_wherever_they_stand() {
    let place = Place::new();
    place.link("../out/pw", "in/file");
    place.link("../out", "in/folder");
    symlink(place.path("out/pw"), place.path("in/absolute")).unwrap();
    place.link("file", "in/twice");
    place.link("../..", "in/sub/up");
    fs::create_dir(place.path("in/parts")).unwrap();
    place.link("../../out/pw", "in/parts/pw");
    let files = place.files();
    for name in ["file", "folder", "folder/pw", "absolute", "twice", "sub/up/out/pw", "parts"] {
        let error = refusal(&files, name).await;
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
        assert!(error.what_to_do().contains("link out of the folder"), "{error}");
    }
}

#[tokio::test]
async fn a_folder_of_another_beginning_is_outside() {
    let place = Place::new();
    fs::create_dir(place.path("in-too")).unwrap();
    fs::write(place.path("in-too/pw"), MARKER).unwrap();
    place.link("../in-too/pw", "in/pw");
    refused(&place.files(), "pw", ErrorKind::Misconfigured).await;
}

#[tokio::test]
async fn a_mount_whose_data_leads_out_is_refused() {
    let place = Place::new();
    place.link("../out", "in/..data");
    refused(&place.files(), "pw", ErrorKind::Misconfigured).await;
}

#[tokio::test]
async fn dangling_links_are_absent_and_circles_are_told() {
    let place = Place::new();
    place.link("nowhere", "in/dangling");
    place.link("circle", "in/circle");
    let files = place.files();
    refused(&files, "dangling", ErrorKind::Absent).await;
    refused(&files, "circle", ErrorKind::Misconfigured).await;
}

#[tokio::test]
async fn what_an_operator_named_may_lie_anywhere() {
    let place = Place::new();
    place.link("../out/pw", "in/file");
    let allowed = place.path("in/file").display().to_string();
    let settings = Settings::new().folder(place.path("in")).file("mapped", &allowed).allow(&allowed);
    let files = Files::new(settings).unwrap();
    assert_eq!(text(&files, "mapped").await, MARKER);
    assert_eq!(text(&files, &allowed).await, MARKER);
    refused(&files, "file", ErrorKind::Misconfigured).await;
}

#[tokio::test]
async fn the_folder_itself_may_be_a_link() {
    let place = Place::new();
    place.link("in", "current");
    let files = Files::in_folder(place.path("current")).unwrap();
    assert_eq!(text(&files, "sub/pw").await, "inside");
    // swapped as a whole, as sops-nix does it
    place.link("out", "next");
    fs::rename(place.path("next"), place.path("current")).unwrap();
    assert_eq!(text(&files, "pw").await, MARKER);
    refused(&files, "sub/pw", ErrorKind::Absent).await;
}

#[tokio::test]
async fn mounts_beside_the_data_of_a_mount_are_found() {
    let place = Place::new();
    let mut outer = Mount::new(place.path("in/k8s"));
    outer.write([("pw", b"outer".as_slice())]);
    let mut inner = Mount::new(place.path("in/k8s/tls"));
    inner.write([("key", b"inner".as_slice())]);
    let files = Files::in_folder(place.path("in/k8s")).unwrap();
    assert_eq!(text(&files, "pw").await, "outer");
    assert_eq!(text(&files, "tls/key").await, "inner");
}

/// Somebody who may write into the folder swaps a part of the path for a link out of it, again and
/// again, while it is read.
#[test]
fn a_racing_link_never_leads_out() {
    let place = Place::new();
    let files = place.files();
    let done = AtomicBool::new(false);
    fs::rename(place.path("in/sub"), place.path("in/kept")).unwrap();
    place.link("kept", "in/sub");
    let (inside, outside) = (place.path("in/to-kept"), place.path("in/to-out"));
    let sub = place.path("in/sub");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                symlink("../out", &outside).unwrap();
                fs::rename(&outside, &sub).unwrap();
                symlink("kept", &inside).unwrap();
                fs::rename(&inside, &sub).unwrap();
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut read, mut refused) = (0, 0);
        runtime.block_on(async {
            for n in 0..50_000 {
                if n >= 2000 && read > 0 && refused > 0 {
                    break;
                }
                match super::get(&files, "sub/pw").await {
                    Ok(fetched) => {
                        let value = super::bytes(&Ok(fetched), None, secretfig_source::Format::Auto);
                        assert!(value == b"inside", "a value from outside");
                        read += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        });
        done.store(true, Ordering::Relaxed);
        assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
    });
}
