//! An OpenBao of its own: the same secrets, an AppRole, and the policy that the configuration needs.
//!
//! What is done here as root, somebody who runs the server does beforehand. The application has a role_id and a secret_id,
//! which give it a token under that policy, and nothing else.

use crate::store::Place;
use crate::values::{database, jwt, random};
use quickstart::AppConfig;
use secretfig::{At, Builder, Config, Source, SourceError, SystemClock};
use secretfig_source::Ask;
use secretfig_test_servers::OpenBao;
use secretfig_vault::{Auth, Given, SecretId, Settings, Vault};
use serde_json::{Value, json};
use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

type Failed = Box<dyn Error>;

/// The server, the configuration, and, where that is the broken one, a second server.
pub(crate) struct Servers {
    place: Place,
    main: Server,
    archive: Option<Server>,
}

/// A server, and what the application is given for it.
struct Server {
    bao: OpenBao,
    policy: String,
    role_id: String,
    secret_id: String,
}

impl Servers {
    /// With all that `vault.toml` asks for.
    pub(crate) async fn usable(keep: Option<PathBuf>) -> Result<Self, Failed> {
        let mut asks = asks(&["database", "reports", "jwt", "mail"]);
        asks.push(Ask::new("quickstart/jwt").at(At::Previous)); // `keep_previous`
        let servers = Self::start(keep, include_str!("../vault.toml"), &asks).await?;
        servers.put("database", database("orders")?).await?;
        servers.put("reports", database("reports")?).await?;
        servers.put("jwt", jwt(48)?).await?;
        servers.put("mail", json!({ "api_key": random(24)? })).await?;
        Ok(servers)
    }

    /// With the faults that `broken-vault.toml` tells.
    pub(crate) async fn broken(keep: Option<PathBuf>) -> Result<Self, Failed> {
        let asks = asks(&["database", "reports", "jwt", "mail"]);
        let mut servers = Self::start(keep, include_str!("../broken-vault.toml"), &asks).await?;
        let mut no_text = database("orders")?;
        no_text["password"] = json!({ "value": random(24)? });
        servers.put("database", no_text).await?;
        servers.put("jwt", jwt(12)?).await?;
        servers.put("admin", json!({ "password": random(24)? })).await?;
        servers.put("mail", json!({ "sender": random(24)? })).await?;
        servers.main.root("DELETE", "secret/data/quickstart/mail", Value::Null).await?;

        let archive = Server::start(&asks).await?;
        archive.bao.seal().await;
        servers.record("archive", &archive.proof())?;
        servers.archive = Some(archive);
        Ok(servers)
    }

    async fn start(keep: Option<PathBuf>, config: &str, asks: &[Ask]) -> Result<Self, Failed> {
        let servers =
            Self { place: Place::new(keep, config)?, main: Server::start(asks).await?, archive: None };
        if servers.place.is_kept() {
            servers.place.make_store()?;
        }
        servers.record("role", &servers.main.proof())?;
        Ok(servers)
    }

    /// For whoever looks at what the program prints.
    pub(crate) fn told(&self) -> String {
        let address = self.main.bao.address();
        let policy = self.main.policy.trim_end().replace('\n', "\n  ");
        format!("made: OpenBao at {address}, an AppRole, and its policy from the configuration:\n  {policy}")
    }

    /// The standard layers. The variables are what a deployment would set; `[source.archive]` is a source of the
    /// application's own.
    pub(crate) fn layers(&self) -> (Builder<AppConfig>, Vec<(&'static str, OsString)>) {
        let variables = vec![
            self.place.config_folder(),
            ("SECRET_PROVIDER", "vault".into()),
            ("VAULT_ADDR", self.main.bao.address().into()),
            ("SECRETFIG_VAULT_ROLE_ID", self.main.role_id.clone().into()),
            ("SECRETFIG_VAULT_SECRET_ID", self.main.secret_id.clone().into()),
        ];
        let Some(archive) = &self.archive else { return (Config::standard(), variables) };
        let (address, auth) = (archive.bao.address().to_owned(), archive.auth());
        let second = move || -> Result<Arc<dyn Source>, SourceError> {
            let settings = Settings::new(&address, auth.clone())?;
            Ok(Arc::new(Vault::new(settings, Arc::new(SystemClock::default()))?))
        };
        (Config::standard().register("archive", move |_| second()), variables)
    }

    /// What `bao kv put secret/quickstart/jwt` does: one more version.
    pub(crate) async fn rotate_jwt(&self) -> Result<(), Failed> {
        let key = jwt(48)?;
        if self.place.is_kept() {
            self.place.rotate_jwt(key.to_string())?;
        }
        self.main.write("jwt", &key).await
    }

    async fn put(&self, name: &str, document: Value) -> Result<(), Failed> {
        self.record(name, &document)?;
        self.main.write(name, &document).await
    }

    /// The server ends with this program, and all that it holds with it: where the folder is left behind, what was made is
    /// in there too, encrypted.
    fn record(&self, name: &str, document: &Value) -> Result<(), Failed> {
        if self.place.is_kept() { self.place.set([(name, document.to_string())]) } else { Ok(()) }
    }
}

impl Server {
    /// With an AppRole that may read what is asked for.
    async fn start(asks: &[Ask]) -> Result<Self, Failed> {
        let bao = OpenBao::try_start().await?;
        // what a policy allows has nothing to do with who signs in
        let anyone = Auth::Token(bao.root_token().into());
        let policy = Settings::new(bao.address(), anyone)?.grants(asks);
        let mut server = Self { bao, policy, role_id: String::new(), secret_id: String::new() };
        server.root("POST", "sys/auth/approle", json!({ "type": "approle" })).await?;
        server.root("PUT", "sys/policies/acl/quickstart", json!({ "policy": server.policy })).await?;
        let role = "auth/approle/role/quickstart";
        server.root("POST", role, json!({ "token_policies": "quickstart", "token_ttl": "1h" })).await?;
        let given = server.root("GET", &format!("{role}/role-id"), Value::Null).await?;
        server.role_id = text(&given["data"]["role_id"])?;
        let given = server.root("POST", &format!("{role}/secret-id"), json!({})).await?;
        server.secret_id = text(&given["data"]["secret_id"])?;
        Ok(server)
    }

    fn auth(&self) -> Auth {
        Auth::AppRole {
            mount: "approle".to_owned(),
            role_id: Given::Text(self.role_id.clone().into()),
            secret_id: SecretId::Plain(Given::Text(self.secret_id.clone().into())),
        }
    }

    fn proof(&self) -> Value {
        json!({ "role_id": self.role_id, "secret_id": self.secret_id, "root_token": self.bao.root_token() })
    }

    async fn write(&self, name: &str, document: &Value) -> Result<(), Failed> {
        let path = format!("secret/data/quickstart/{name}");
        self.root("POST", &path, json!({ "data": document })).await?;
        Ok(())
    }

    async fn root(&self, method: &str, path: &str, body: Value) -> Result<Value, Failed> {
        let (status, body) = self.bao.call(method, path, body).await;
        // what it says may quote what it was sent
        if status < 300 { Ok(body) } else { Err(format!("OpenBao: {method} {path}: {status}").into()) }
    }
}

fn asks(names: &[&str]) -> Vec<Ask> {
    names.iter().map(|name| Ask::new(format!("quickstart/{name}"))).collect()
}

fn text(value: &Value) -> Result<String, Failed> {
    Ok(value.as_str().ok_or("OpenBao gives a role no role_id or no secret_id")?.to_owned())
}
