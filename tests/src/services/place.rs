//! The secrets of a service: a folder of files, an age store, OpenBao, or AWS Secrets Manager as moto plays it; the names are the same in all.

use super::Provider;
use crate::{Hunt, Marker};
use secrecy::SecretString;
use secretfig_local::Settings;
use secretfig_local::edit::{Layout, Readers, Store, create_identity};
use secretfig_test_servers::{Moto, OpenBao};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where the secrets of one run are.
pub(super) struct Place {
    provider: Provider,
    root: TempDir,
    manager: Option<Manager>,
}

/// The server, and what was written to it: there, a secret is one document.
struct Manager {
    server: Server,
    documents: RefCell<Value>,
}

enum Server {
    Bao(OpenBao),
    Moto(Box<Moto>),
}

impl Place {
    /// All that a service takes, with values that nobody has chosen; each is planted.
    pub(super) async fn whole(provider: Provider, hunt: &Hunt) -> Self {
        let place = Self::least(provider, hunt).await;
        // it is sent in a header, which not every character can
        let sendable: String = Marker::random().text().chars().filter(char::is_ascii_alphanumeric).collect();
        let key = hunt.plant("openai/api_key", Marker::new(format!("sk-{sendable}")));
        place.set("openai/api_key", key.text()).await;
        place
    }

    /// All that it cannot do without.
    pub(super) async fn least(provider: Provider, hunt: &Hunt) -> Self {
        let place = Self::empty(provider, hunt).await;
        place.set("database/engine", "postgres").await;
        place.set("database/host", "db.internal").await;
        place.set("database/dbname", "orders").await;
        for name in ["database/username", "database/password", "jwt/signing_key"] {
            place.plant(hunt, name).await;
        }
        place
    }

    /// Nothing yet.
    pub(super) async fn empty(provider: Provider, hunt: &Hunt) -> Self {
        let server = match provider {
            Provider::Vault => Some(Server::Bao(OpenBao::start().await)),
            Provider::Aws => Some(Server::Moto(Box::new(Moto::start().await))),
            Provider::Files | Provider::Local => None,
        };
        let manager = server.map(|server| Manager { server, documents: RefCell::default() });
        let place = Self { provider, root: tempfile::tempdir().unwrap(), manager };
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
            Provider::Vault => {
                let token = place.bao().root_token();
                hunt.plant("the token", Marker::new(token));
                fs::write(place.path("token"), token).unwrap();
                #[cfg(unix)]
                fs::set_permissions(place.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
                    .unwrap();
            }
            Provider::Aws => {
                hunt.plant("the key", Marker::new(place.moto().secret_access_key()));
            }
        }
        place
    }

    /// A new random value at that name.
    pub(super) async fn plant(&self, hunt: &Hunt, name: &str) {
        self.set(name, hunt.plant(name, Marker::random()).text()).await;
    }

    /// A value at that name, in one step, as whoever rotates a secret of a running service writes it.
    pub(super) async fn set(&self, name: &str, value: &str) {
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
            Provider::Vault => {
                let (secret, field) = name.split_once('/').unwrap();
                let body = json!({ "data": self.document(secret, field, value) });
                let (status, said) = self.bao().call("POST", &format!("secret/data/{secret}"), body).await;
                assert_eq!(status, 200, "{said}");
            }
            Provider::Aws => {
                let (secret, field) = name.split_once('/').unwrap();
                let document = self.document(secret, field, value).to_string();
                self.moto().put(secret, &document).await;
            }
        }
    }

    /// The secret with that field changed.
    fn document(&self, secret: &str, field: &str, value: &str) -> Value {
        let manager = self.manager.as_ref().expect("it was started for this provider");
        let mut documents = manager.documents.borrow_mut();
        documents[secret][field] = value.into();
        documents[secret].clone()
    }

    /// What a deployment sets for it.
    pub(super) fn variables(&self, shipped: &str) -> Vec<(&'static str, OsString)> {
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
            Provider::Vault => vec![
                ("SECRET_PROVIDER", "vault".into()),
                ("VAULT_ADDR", self.bao().address().into()),
                ("SECRETFIG_VAULT_TOKEN_FILE", self.path("token").into()),
                ("APP_CONFIG_DIR", self.config_folder(shipped).into()),
            ],
            Provider::Aws => vec![
                ("SECRET_PROVIDER", "aws".into()),
                ("AWS_REGION", "us-east-1".into()),
                ("AWS_ENDPOINT_URL", self.moto().address().into()),
                ("AWS_ENDPOINT_URL_STS", self.moto().address().into()),
                ("AWS_ACCESS_KEY_ID", self.moto().access_key_id().into()),
                ("AWS_SECRET_ACCESS_KEY", self.moto().secret_access_key().into()),
                ("APP_CONFIG_DIR", self.config_folder(shipped).into()),
            ],
        }
    }

    /// Where `config.toml` is: the shipped one. Managers do not tell when a secret changes, so that it is looked at by its
    /// `ttl`; where that is minutes, a test cannot wait for it, and has a copy in which it is a second, line by line.
    pub(super) fn config_folder(&self, shipped: &str) -> String {
        if self.manager.is_none() {
            return shipped.to_owned();
        }
        let text = fs::read_to_string(Path::new(shipped).join("config.toml")).unwrap();
        let (above, secrets) = text.split_once("\n[secrets]").unwrap();
        let lines = secrets.lines().map(|line| match line.split_once(" = ") {
            _ if line.contains('#') => format!("{line}\n"),
            Some((key, name)) if name.starts_with('"') => {
                format!("{key} = {{ name = {name}, ttl = \"1s\" }}\n")
            }
            Some((key, table)) => {
                format!("{key} = {}, ttl = \"1s\" }}\n", table.trim_end_matches([' ', '}']))
            }
            None => format!("{line}\n"),
        });
        let copy = format!("{above}\n[secrets]{}", lines.collect::<String>());
        fs::write(self.path("config.toml"), copy).unwrap();
        self.root.path().to_str().unwrap().to_owned()
    }

    fn bao(&self) -> &OpenBao {
        match self.manager.as_ref().map(|manager| &manager.server) {
            Some(Server::Bao(bao)) => bao,
            _ => panic!("it was started for this provider"),
        }
    }

    fn moto(&self) -> &Moto {
        match self.manager.as_ref().map(|manager| &manager.server) {
            Some(Server::Moto(moto)) => moto,
            _ => panic!("it was started for this provider"),
        }
    }

    fn settings(&self) -> Settings {
        Settings::new().file(self.path("secrets.age")).identity_file(self.path("identity.txt"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }
}
