//! Stores in a folder of a test, changed and read back by the source.

mod cuts;
mod model;
mod rekeyed;
mod stores;

use super::*;
use crate::Local;
use secretfig_source::{Ask, Reading, Source};
use tempfile::TempDir;

/// A folder with an identity and, once made, a store.
struct Place {
    dir: TempDir,
    me: Recipient,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let me = create_identity(&dir.path().join("identity.txt")).unwrap();
        Self { dir, me }
    }

    /// With a store that holds `a` and `b/c`.
    fn with_store() -> Self {
        let place = Self::new();
        Store::create(&place.settings(), &place.readers(&[]), Layout::Toml).unwrap();
        place.set(&[("a", "old"), ("b/c", "kept")]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn settings(&self) -> Settings {
        settings_in(self.dir.path())
    }

    /// Ourselves and these.
    fn readers(&self, others: &[&Recipient]) -> Readers {
        Readers::Recipients(std::iter::once(&self.me).chain(others.iter().copied()).cloned().collect())
    }

    fn set(&self, pairs: &[(&str, &str)]) {
        let mut store = Store::open(&self.settings()).unwrap();
        for (name, value) in pairs {
            store.set(name, &(*value).into()).unwrap();
        }
        store.save().unwrap();
    }

    /// What lies in the folder beside the identity, sorted.
    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name != "identity.txt");
        names.sort();
        names
    }
}

/// Of a folder that holds `identity.txt` and `secrets.age`.
fn settings_in(folder: &Path) -> Settings {
    Settings::new().file(folder.join("secrets.age")).identity_file(folder.join("identity.txt"))
}

fn stranger() -> (age::x25519::Identity, Recipient) {
    let key = age::x25519::Identity::generate();
    let recipient = Recipient(key.to_public());
    (key, recipient)
}

/// A value, as the source gives it.
fn value(settings: &Settings, name: &str) -> Result<String, SourceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let local = Local::new(settings.clone())?;
    let answer = runtime.block_on(local.fetch(&[Ask::new(name)])).remove(0)?;
    match answer.document.read(&Reading { allow_empty: true, ..Reading::default() }).unwrap() {
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Text(text) | Exposed::Number(text) => Ok(text.to_owned()),
            Exposed::Bool(yes) => Ok(yes.to_string()),
            Exposed::Bytes(_) => panic!("bytes in {name}"),
        },
        other => Ok(format!("{other:?}")),
    }
}
