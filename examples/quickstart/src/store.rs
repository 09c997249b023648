//! A store of secrets as a person keeps one: a file that is encrypted to a key in their home.
//!
//! ```text
//! config.toml     in clear: what the application wants, and where
//! secrets.age     every secret, encrypted; made anew by each change, in one rename
//! secrets.age.recipients   who may read it: public keys
//! identity.txt    the secret key; at home it would be in ~/.config/secretfig
//! ```
//!
//! What is done here by the library, `secretfig local init` and `secretfig local set NAME` do on the command line.

use crate::values::{database, jwt, random};
use secretfig_local::Settings;
use secretfig_local::edit::{Layout, Readers, Store, create_identity};
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with `config.toml`; and, once it is [made](Place::make_store), a store, and the key that opens it.
pub(crate) struct Place {
    root: PathBuf,
    /// Removes the folder in the end, unless someone wants to look into it.
    temporary: Option<TempDir>,
}

impl Place {
    /// A new folder, or `keep`, which is left behind, the store as it was before the rotation with it.
    pub(crate) fn new(keep: Option<PathBuf>, config: &str) -> Result<Self, Box<dyn Error>> {
        let (root, temporary) = match keep {
            Some(root) => (root, None),
            None => {
                let folder = tempfile::Builder::new().prefix("secretfig-quickstart-").tempdir()?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        fs::write(root.join("config.toml"), config)?;
        Ok(Self { root, temporary })
    }

    /// Makes a key, and a store that it opens.
    pub(crate) fn make_store(&self) -> Result<(), Box<dyn Error>> {
        let reader = create_identity(&self.identity())?;
        Store::create(&self.settings(), &Readers::Recipients(vec![reader]), Layout::Toml)?;
        Ok(())
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("secrets.age")
    }

    fn identity(&self) -> PathBuf {
        self.root.join("identity.txt")
    }

    /// Where the configuration is.
    pub(crate) fn config_folder(&self) -> (&'static str, OsString) {
        ("APP_CONFIG_DIR", self.root.clone().into())
    }

    /// What a deployment would set; at home only `SECRET_PROVIDER` is needed.
    pub(crate) fn variables(&self) -> [(&'static str, OsString); 3] {
        [
            self.config_folder(),
            ("SECRET_PROVIDER", "local".into()),
            ("SECRETFIG_AGE_IDENTITY", self.identity().into()),
        ]
    }

    /// Whether the folder is left behind.
    pub(crate) fn is_kept(&self) -> bool {
        self.temporary.is_none()
    }

    /// What `secretfig local set jwt` does: a new signing key, all else as it was.
    pub(crate) fn rotate_jwt(&self, key: String) -> Result<(), Box<dyn Error>> {
        if self.is_kept() {
            fs::copy(self.store(), self.root.join("before.age"))?;
        }
        self.set([("jwt", key)])
    }

    /// Opens the store, changes it, and saves it in one step: a reader sees all of the old one or all of the new one.
    pub(crate) fn set<'n>(
        &self,
        values: impl IntoIterator<Item = (&'n str, String)>,
    ) -> Result<(), Box<dyn Error>> {
        let mut store = Store::open(&self.settings())?;
        for (name, value) in values {
            store.set(name, &value.into())?;
        }
        store.save()?;
        Ok(())
    }

    fn settings(&self) -> Settings {
        Settings::new().file(self.store()).identity_file(self.identity())
    }
}

/// What the application needs. A secret may be one text, a JSON document in one text, or a table of texts.
pub(crate) fn usable() -> io::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("database", database("orders")?.to_string()),
        ("reports", database("reports")?.to_string()),
        ("jwt", jwt(48)?.to_string()),
        ("mail/api_key", random(24)?),
    ])
}

/// The faults of `broken.toml` that lie in secrets.
pub(crate) fn unusable() -> io::Result<Vec<(&'static str, String)>> {
    let mut cut_off = database("orders")?.to_string();
    cut_off.truncate(cut_off.len() - 2);
    let reports = database("reports")?.to_string();
    Ok(vec![("database", cut_off), ("reports", reports), ("jwt", jwt(12)?.to_string())])
}
