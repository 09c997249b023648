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

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secretfig_local::Settings;
use secretfig_local::edit::{Layout, Readers, Store, create_identity};
use serde_json::json;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with `config.toml`, a store, and the key that opens it.
pub(crate) struct Place {
    root: PathBuf,
    /// Removes the folder in the end, unless someone wants to look into it.
    temporary: Option<TempDir>,
}

impl Place {
    /// Makes all of it, with values that nobody has chosen: in a new folder, or in `keep`, which is left behind,
    /// the store as it was before the rotation with it.
    pub(crate) fn new(keep: Option<PathBuf>, config: &str, broken: bool) -> Result<Self, Box<dyn Error>> {
        let (root, temporary) = match keep {
            Some(root) => (root, None),
            None => {
                let folder = tempfile::Builder::new().prefix("secretfig-quickstart-").tempdir()?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        fs::write(root.join("config.toml"), config)?;
        let place = Self { root, temporary };
        let reader = create_identity(&place.identity())?;
        Store::create(&place.settings(), &Readers::Recipients(vec![reader]), Layout::Toml)?;
        place.set(if broken { unusable()? } else { usable()? })?;
        Ok(place)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("secrets.age")
    }

    fn identity(&self) -> PathBuf {
        self.root.join("identity.txt")
    }

    /// What a deployment would set; at home only `SECRET_PROVIDER` is needed.
    pub(crate) fn variables(&self) -> [(&'static str, OsString); 3] {
        [
            ("APP_CONFIG_DIR", self.root.clone().into()),
            ("SECRET_PROVIDER", "local".into()),
            ("SECRETFIG_AGE_IDENTITY", self.identity().into()),
        ]
    }

    /// What `secretfig local set jwt` does: a new signing key, all else as it was.
    pub(crate) fn rotate_jwt(&self) -> Result<(), Box<dyn Error>> {
        if self.temporary.is_none() {
            fs::copy(self.store(), self.root.join("before.age"))?;
        }
        self.set(vec![("jwt", jwt(48)?)])
    }

    /// Opens the store, changes it, and saves it in one step: a reader sees all of the old one or all of the new one.
    fn set(&self, values: Vec<(&str, String)>) -> Result<(), Box<dyn Error>> {
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
fn usable() -> io::Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("database", database("orders")?.to_string()),
        ("reports", database("reports")?.to_string()),
        ("jwt", jwt(48)?),
        ("mail/api_key", random(24)?),
    ])
}

/// The faults of `broken.toml` that lie in secrets.
fn unusable() -> io::Result<Vec<(&'static str, String)>> {
    let mut cut_off = database("orders")?.to_string();
    cut_off.truncate(cut_off.len() - 2);
    Ok(vec![("database", cut_off), ("reports", database("reports")?.to_string()), ("jwt", jwt(12)?)])
}

/// The layout of AWS Secrets Manager, which rotation functions write.
fn database(name: &str) -> io::Result<serde_json::Value> {
    Ok(json!({
        "engine": "postgres",
        "host": "db.internal",
        "port": 5432,
        "username": format!("u_{}", random(16)?),
        "password": random(24)?,
        "dbname": name,
    }))
}

fn jwt(bytes: usize) -> io::Result<String> {
    Ok(json!({ "algorithm": "HS256", "signing_key": random(bytes)?, "issuer": "quickstart" }).to_string())
}

fn random(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
