//! The suite of every source, over a plain folder and over a volume as Kubernetes writes it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a stage that cannot be set fails its test")]

mod mount;

use mount::Mount;
use secretfig_files::Files;
use secretfig_source::testing::{Stage, Wait, conformance};
use secretfig_source::{Source, async_trait};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::{TempDir, tempdir};

/// A folder whose files are replaced by rename.
struct Plain {
    dir: TempDir,
    /// What was put under each name, oldest first.
    history: Mutex<HashMap<String, Vec<Vec<u8>>>>,
}

impl Plain {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("secrets").join(name)
    }
}

#[async_trait]
impl Stage for Plain {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(Files::in_folder(self.path("")).unwrap())
    }

    fn name(&self, plain: &str) -> String {
        format!("myapp/{plain}")
    }

    async fn put(&self, name: &str, value: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        let next = self.dir.path().join("next");
        fs::write(&next, value).unwrap();
        fs::rename(next, self.path(name)).unwrap();
        self.history.lock().unwrap().entry(name.to_owned()).or_default().push(value.to_vec());
    }

    async fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    async fn deny(&self, name: &str) -> bool {
        fs::set_permissions(self.path(name), Permissions::from_mode(0o000)).unwrap();
        // root reads it all the same
        File::open(self.path(name)).is_err()
    }

    async fn step_back(&self, name: &str) -> bool {
        let before = self.history.lock().unwrap()[name].iter().rev().nth(1).cloned();
        self.put(name, &before.unwrap()).await;
        true
    }

    async fn outage(&self, on: bool) -> bool {
        let (here, away) = (self.dir.path().join("secrets"), self.dir.path().join("away"));
        if on {
            fs::rename(here, away).unwrap();
        } else {
            fs::rename(away, here).unwrap();
        }
        true
    }

    async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool {
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}

/// A volume: every change is a whole new version of it.
struct Volume {
    dir: TempDir,
    state: Mutex<(Mount, BTreeMap<String, Vec<u8>>)>,
}

impl Volume {
    fn new() -> Self {
        let dir = tempdir().unwrap();
        let mount = Mount::new(dir.path().join("mount"));
        Self { dir, state: Mutex::new((mount, BTreeMap::new())) }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) {
        let (mount, keys) = &mut *self.state.lock().unwrap();
        change(keys);
        mount.write(keys.iter().map(|(key, value)| (key.as_str(), value.as_slice())));
    }
}

#[async_trait]
impl Stage for Volume {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(Files::in_folder(self.dir.path().join("mount")).unwrap())
    }

    async fn put(&self, name: &str, value: &[u8]) {
        self.change(|keys| drop(keys.insert(name.to_owned(), value.to_vec())));
    }

    async fn remove(&self, name: &str) {
        self.change(|keys| drop(keys.remove(name)));
    }

    async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool {
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_plain_folder() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("secrets")).unwrap();
    println!("plain folder: {}", conformance(&Plain { dir, history: Mutex::default() }).await);
}

#[tokio::test(flavor = "current_thread")]
async fn a_volume_of_kubernetes() {
    println!("Kubernetes volume: {}", conformance(&Volume::new()).await);
}
