//! The suite of every source, over a store in TOML and one in JSON.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a stage that cannot be set fails its test")]
#![allow(dead_code, reason = "the folder `store` serves other tests too")]

mod store;

use secretfig_source::testing::{Stage, Wait, conformance};
use secretfig_source::{Source, async_trait};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Place;

/// How the secrets are written down.
type Layout = fn(&BTreeMap<String, String>) -> String;

struct Age {
    place: Place,
    layout: Layout,
    secrets: Mutex<BTreeMap<String, String>>,
    /// Every ciphertext that there was: a person restores the one before from git.
    history: Mutex<Vec<Vec<u8>>>,
}

impl Age {
    fn new(layout: Layout) -> Self {
        let age = Self { place: Place::new(), layout, secrets: Mutex::default(), history: Mutex::default() };
        age.change(|_| {});
        age
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let mut secrets = self.secrets.lock().unwrap();
        change(&mut secrets);
        self.place.hold(&(self.layout)(&secrets));
        self.history.lock().unwrap().push(fs::read(self.place.path("secrets.age")).unwrap());
    }
}

#[async_trait]
impl Stage for Age {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(self.place.local())
    }

    fn name(&self, plain: &str) -> String {
        format!("myapp/{plain}")
    }

    async fn put(&self, name: &str, value: &[u8]) {
        let value = String::from_utf8(value.to_vec()).unwrap();
        self.change(|secrets| drop(secrets.insert(name.to_owned(), value)));
    }

    async fn remove(&self, name: &str) {
        self.change(|secrets| drop(secrets.remove(name)));
    }

    async fn outage(&self, on: bool) -> bool {
        let (here, away) = (self.place.path("secrets.age"), self.place.path("away"));
        let (from, to) = if on { (here, away) } else { (away, here) };
        fs::rename(from, to).unwrap();
        true
    }

    async fn step_back(&self, _name: &str) -> bool {
        let before = self.history.lock().unwrap().iter().rev().nth(1).cloned();
        self.place.write("secrets.age", &before.unwrap());
        true
    }

    async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool {
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}

/// `'myapp/name' = "value"`, one a line: a string of JSON is one of TOML, but for DEL.
fn toml(secrets: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, value) in secrets {
        let value = serde_json::to_string(value).unwrap().replace('\u{7f}', "\\u007f");
        writeln!(text, "'{name}' = {value}").unwrap();
    }
    text
}

/// `{"myapp": {"name": "value"}}`.
fn json(secrets: &BTreeMap<String, String>) -> String {
    let bare = secrets.iter().map(|(name, value)| (name.strip_prefix("myapp/").unwrap(), value));
    serde_json::json!({ "myapp": bare.collect::<BTreeMap<_, _>>() }).to_string()
}

#[tokio::test(flavor = "current_thread")]
async fn a_store_in_toml() {
    println!("store in TOML: {}", conformance(&Age::new(toml)).await);
}

#[tokio::test(flavor = "current_thread")]
async fn a_store_in_json() {
    println!("store in JSON: {}", conformance(&Age::new(json)).await);
}
