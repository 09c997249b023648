//! A folder with an identity and a store, as `secretfig local init` leaves it.

use secretfig_local::edit::{Layout, Readers, Recipient, Store, create_identity};
use secretfig_local::{Local, Settings};
use secretfig_source::{Ask, Exposed, Node, Reading, Source, SourceError};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

pub(crate) struct Place {
    dir: TempDir,
    pub(crate) me: Recipient,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let me = create_identity(&dir.path().join("identity.txt")).unwrap();
        Self { dir, me }
    }

    /// With a store for ourselves and these readers.
    pub(crate) fn with_store(others: &[&Recipient], layout: Layout) -> Self {
        let place = Self::new();
        Store::create(&place.settings(), &place.readers(others), layout).unwrap();
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::new().file(self.path("secrets.age")).identity_file(self.path("identity.txt"))
    }

    pub(crate) fn readers(&self, others: &[&Recipient]) -> Readers {
        Readers::Recipients(std::iter::once(&self.me).chain(others.iter().copied()).cloned().collect())
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        let mut store = Store::open(&self.settings()).unwrap();
        store.set(name, &value.into()).unwrap();
        store.save().unwrap();
    }

    /// The bytes of the store.
    pub(crate) fn file(&self) -> Vec<u8> {
        fs::read(self.path("secrets.age")).unwrap()
    }

    /// Puts other bytes in the place of the store.
    pub(crate) fn put(&self, bytes: &[u8]) {
        fs::write(self.path("secrets.age"), bytes).unwrap();
    }

    /// The secret key, as its file holds it.
    pub(crate) fn identity(&self) -> String {
        let text = fs::read_to_string(self.path("identity.txt")).unwrap();
        text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap().to_owned()
    }
}

/// A value, as the source gives it.
pub(crate) fn value(settings: Settings, name: &str) -> Result<String, SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(Local::new(settings)?.fetch(&[Ask::new(name)])).remove(0)?;
    match answer.document.read(&Reading::default()).unwrap() {
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Text(text) | Exposed::Number(text) => Ok(text.to_owned()),
            _ => panic!("neither text nor number"),
        },
        other => panic!("no leaf: {other:?}"),
    }
}
