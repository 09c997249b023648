//! A server, what passes between it and us, and all that is logged meanwhile.

use secretfig::SystemClock;
use secretfig_source::async_trait;
use secretfig_source::protocol::{Http, HttpError, Limits, Reply, Request};
use secretfig_test_servers::{OpenBao, Postgres};
use secretfig_tests::{Hunt, Log, Marker};
use secretfig_transport::{Settings as Way, Transport};
use secretfig_vault::{Auth, Given, Kind, SecretId, Settings, Vault};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing::subscriber::DefaultGuard;

/// Far more than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A user of a database, as the database engine gives it.
#[derive(Deserialize)]
pub(crate) struct Login {
    pub(crate) username: secretfig::SecretString,
    pub(crate) password: secretfig::SecretString,
}

/// The two ids of an AppRole.
pub(crate) struct Ids {
    pub(crate) role_id: String,
    pub(crate) secret_id: String,
}

/// One OpenBao, one way to it, and one log. It must end with [`Scene::finish`].
pub(crate) struct Scene {
    pub(crate) server: OpenBao,
    pub(crate) hunt: Hunt,
    pub(crate) tap: Arc<Tap>,
    log: Log,
    _logging: DefaultGuard,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let server = OpenBao::start().await;
        // from here on: what the harness logs is none of ours
        let (log, logging) = Log::listen();
        let hunt = Hunt::new();
        let tap = Tap::new();
        Self { server, hunt, tap, log, _logging: logging }
    }

    /// A value to plant.
    pub(crate) fn secret(&self, name: &str) -> String {
        self.hunt.plant(name, Marker::random()).text().to_owned()
    }

    /// A request as root that must succeed.
    pub(crate) async fn root(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.server.call(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {reply}");
        reply
    }

    /// Writes a secret of the mount `secret`, which has versions.
    pub(crate) async fn put(&self, path: &str, data: Value) {
        self.root("POST", &format!("secret/data/{path}"), json!({ "data": data })).await;
    }

    pub(crate) async fn policy(&self, hcl: &str) {
        self.root("PUT", "sys/policies/acl/app", json!({ "policy": hcl })).await;
    }

    /// An AppRole of that policy (and of `default`).
    pub(crate) async fn approle(&self, hcl: &str) -> Ids {
        self.policy(hcl).await;
        self.root("POST", "sys/auth/approle", json!({ "type": "approle" })).await;
        self.root("POST", "auth/approle/role/app", json!({ "token_policies": "app" })).await;
        let role_id = self.root("GET", "auth/approle/role/app/role-id", Value::Null).await;
        let secret_id = self.root("POST", "auth/approle/role/app/secret-id", json!({})).await;
        let ids = Ids {
            role_id: role_id["data"]["role_id"].as_str().unwrap().to_owned(),
            secret_id: secret_id["data"]["secret_id"].as_str().unwrap().to_owned(),
        };
        self.hunt.plant("the role_id", Marker::new(&*ids.role_id));
        self.hunt.plant("the secret_id", Marker::new(&*ids.secret_id));
        ids
    }

    /// What an operator sets for that AppRole.
    pub(crate) fn env(&self, ids: &Ids) -> Vec<(&'static str, String)> {
        vec![
            ("SECRET_PROVIDER", "vault".to_owned()),
            ("VAULT_ADDR", self.server.address().to_owned()),
            ("SECRETFIG_VAULT_ROLE_ID", ids.role_id.clone()),
            ("SECRETFIG_VAULT_SECRET_ID", ids.secret_id.clone()),
        ]
    }

    /// The settings for that AppRole; `old` is a mount without versions.
    pub(crate) fn settings(&self, ids: &Ids) -> Settings {
        let auth = Auth::AppRole {
            mount: "approle".to_owned(),
            role_id: Given::Text(ids.role_id.as_str().into()),
            secret_id: SecretId::Plain(Given::Text(ids.secret_id.as_str().into())),
        };
        Settings::new(self.server.address(), auth).unwrap().known_mount("old", Some(Kind::V1)).unwrap()
    }

    /// The source, with everything that passes seen by the tap.
    pub(crate) fn vault(&self, settings: Settings) -> Vault {
        Vault::over(settings, self.tap.clone(), Arc::new(SystemClock::default())).unwrap()
    }

    /// How many logins the server has written into its audit log.
    pub(crate) fn logins(&self) -> usize {
        let log = self.server.log();
        let requests = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        requests
            .filter(|line| line["type"] == "request" && line["request"]["path"] == "auth/approle/login")
            .count()
    }

    /// Takes back every token that came of a login.
    pub(crate) async fn revoke_logins(&self) {
        let accessors = self.root("LIST", "auth/token/accessors", Value::Null).await;
        let mut revoked = 0;
        for accessor in accessors["data"]["keys"].as_array().unwrap() {
            let known = json!({ "accessor": accessor });
            let (_, of) = self.server.call("POST", "auth/token/lookup-accessor", known.clone()).await;
            if of["data"]["display_name"] == "approle" {
                self.root("POST", "auth/token/revoke-accessor", known).await;
                revoked += 1;
            }
        }
        assert!(revoked > 0, "there is a login to take back");
    }

    /// Looks through all that was logged, for what was planted and for what the server gave: tokens and passwords.
    pub(crate) fn finish(self) {
        let Self { hunt, tap, log, .. } = self;
        for (name, value) in tap.given.lock().unwrap().iter() {
            hunt.plant(name.as_str(), Marker::new(value.as_str()));
        }
        let text = log.text();
        assert!(text.contains("TRACE") && text.contains("hyper"), "the log has all of it");
        hunt.check("the log at TRACE", &text);
        let passed: String = tap.seen.lock().unwrap().iter().map(|(line, _)| line.as_str()).collect();
        // a source that is built from variables has a way of its own
        if !passed.is_empty() {
            hunt.check("what passed", passed);
        }
        hunt.finish();
    }
}

/// A server with a database, whose role `app` makes users.
pub(crate) async fn database(scene: &Scene) -> Postgres {
    let postgres = Postgres::start().await;
    postgres.give_roles_to(&scene.server).await;
    postgres
}

/// The users that were made.
pub(crate) async fn users(postgres: &Postgres) -> BTreeSet<String> {
    let rows = postgres.query("select rolname from pg_roles where rolname like 'v-%'").await;
    rows.into_iter().flatten().collect()
}

/// How long the users of the role `app` live: at first, and at most.
pub(crate) async fn lives(scene: &Scene, first: &str, most: &str) {
    scene
        .root(
            "POST",
            "database/roles/app",
            json!({ "default_ttl": first, "max_ttl": most, "db_name": "app", "creation_statements": [
        "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
    ] }),
        )
        .await;
}

/// Waits for something to come true.
pub(crate) async fn until(what: &str, limit: Duration, mut yes: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !yes().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(limit, waiting).await.is_ok(), "not within {limit:?}: {what}");
}

/// The transport, what went through it, and which secrets the server gave on its own.
pub(crate) struct Tap {
    to: Transport,
    /// `GET /v1/secret/data/x`, and the status of the reply.
    seen: Mutex<Vec<(String, u16)>>,
    given: Mutex<BTreeSet<(String, String)>>,
}

impl Tap {
    fn new() -> Arc<Self> {
        let to = Transport::new(Way::default()).unwrap();
        Arc::new(Self { to, seen: Mutex::default(), given: Mutex::default() })
    }

    /// The statuses of the replies to requests with this in their line.
    pub(crate) fn replies(&self, part: &str) -> Vec<u16> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(line, _)| line.contains(part)).map(|(_, status)| *status).collect()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }
}

#[async_trait]
impl Http for Tap {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        let path = request.url().replace(request.origin().as_str(), "");
        let line = format!("{} {path}", request.method());
        let reply = self.to.send(request, limits).await?;
        let body: Value = serde_json::from_slice(reply.body()).unwrap_or_default();
        for (name, value) in
            [("token", &body["auth"]["client_token"]), ("password", &body["data"]["password"])]
        {
            if let Some(value) = value.as_str() {
                let given = format!("a {name} that the server gave");
                self.given.lock().unwrap().insert((given, value.to_owned()));
            }
        }
        self.seen.lock().unwrap().push((line, reply.status().as_u16()));
        Ok(reply)
    }
}
