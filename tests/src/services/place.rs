//! The secrets of a service: a folder of files, or an age store; the names are the same in both.

use super::Provider;
use crate::{Hunt, Marker};
use secrecy::SecretString;
use secretfig_local::Settings;
use secretfig_local::edit::{Layout, Readers, Store, create_identity};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// Where the secrets of one run are.
pub(super) struct Place {
    provider: Provider,
    root: TempDir,
}

impl Place {
    /// All that a service takes, with values that nobody has chosen; each is planted.
    pub(super) fn whole(provider: Provider, hunt: &Hunt) -> Self {
        let place = Self::least(provider, hunt);
        // it is sent in a header, which not every character can
        let sendable: String = Marker::random().text().chars().filter(char::is_ascii_alphanumeric).collect();
        let key = hunt.plant("openai/api_key", Marker::new(format!("sk-{sendable}")));
        place.set("openai/api_key", key.text());
        place
    }

    /// All that it cannot do without.
    pub(super) fn least(provider: Provider, hunt: &Hunt) -> Self {
        let place = Self::empty(provider, hunt);
        place.set("database/engine", "postgres");
        place.set("database/host", "db.internal");
        place.set("database/dbname", "orders");
        for name in ["database/username", "database/password", "jwt/signing_key"] {
            place.plant(hunt, name);
        }
        place
    }

    /// Nothing yet.
    pub(super) fn empty(provider: Provider, hunt: &Hunt) -> Self {
        let place = Self { provider, root: tempfile::tempdir().unwrap() };
        match provider {
            Provider::Files => fs::create_dir(place.path("secrets")).unwrap(),
            Provider::Local => {
                let recipient = create_identity(&place.path("identity.txt")).unwrap();
                let readers = Readers::Recipients(vec![recipient]);
                Store::create(&place.settings(), &readers, Layout::Toml).unwrap();
                let identity = fs::read_to_string(place.path("identity.txt")).unwrap();
                let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap();
                hunt.plant("the identity", Marker::new(key));
            }
        }
        place
    }

    /// A new random value at that name.
    pub(super) fn plant(&self, hunt: &Hunt, name: &str) {
        self.set(name, hunt.plant(name, Marker::random()).text());
    }

    /// A value at that name, in one step, as whoever rotates a secret of a running service writes it.
    pub(super) fn set(&self, name: &str, value: &str) {
        match self.provider {
            Provider::Files => {
                let path = self.path("secrets").join(name);
                let folder = path.parent().unwrap();
                fs::create_dir_all(folder).unwrap();
                let new = folder.join(".new");
                fs::write(&new, value).unwrap();
                #[cfg(unix)]
                fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
                fs::rename(new, path).unwrap();
            }
            Provider::Local => {
                let mut store = Store::open(&self.settings()).unwrap();
                store.set(name, &SecretString::from(value)).unwrap();
                store.save().unwrap();
            }
        }
    }

    /// What a deployment sets for it.
    pub(super) fn variables(&self) -> Vec<(&'static str, OsString)> {
        match self.provider {
            Provider::Files => {
                vec![
                    ("SECRET_PROVIDER", "files".into()),
                    ("SECRETFIG_FILES_DIR", self.path("secrets").into()),
                ]
            }
            Provider::Local => vec![
                ("SECRET_PROVIDER", "local".into()),
                ("SECRETFIG_AGE_FILE", self.path("secrets.age").into()),
                ("SECRETFIG_AGE_IDENTITY_FILE", self.path("identity.txt").into()),
            ],
        }
    }

    fn settings(&self) -> Settings {
        Settings::new().file(self.path("secrets.age")).identity_file(self.path("identity.txt"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}
