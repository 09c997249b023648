//! What every test here needs: a clock, and a hop that counts what passes.

pub(crate) use crate::shared::{post, post_over, root};
use secretfig_source::protocol::{Http, HttpError, Limits, Reply, Request};
use secretfig_source::{Clock, Source, Tick, async_trait};
use secretfig_test_servers::OpenBao;
use secretfig_transport::{Settings as Way, Transport};
use secretfig_vault::{Auth, Settings, Vault};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// The machine's clock; monotonic time is tokio's.
pub(crate) struct Machine(tokio::time::Instant);

impl Clock for Machine {
    fn tick(&self) -> Tick {
        Tick::from_start(self.0.elapsed())
    }
    #[allow(clippy::disallowed_methods, reason = "a real server has real times")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(Machine(tokio::time::Instant::now()))
}

/// The transport, and what went through it: `GET /v1/secret/data/x`, each with the namespace of its header.
pub(crate) struct Hop {
    to: Transport,
    seen: Mutex<Vec<(String, Option<String>)>>,
    given: Mutex<BTreeSet<(&'static str, String)>>,
}

/// The keys of replies under which a server gives what it made up, and what that is.
const GIVEN: [(&str, &str); 7] = [
    ("client_token", "a token"),
    ("token", "a wrapping token"),
    ("id", "a token that was looked up"),
    ("secret_id", "a secret_id"),
    ("lease_id", "a lease"),
    ("username", "a user"),
    ("password", "a password"),
];

impl Hop {
    pub(crate) fn new() -> Arc<Self> {
        Self::over(Way::default())
    }

    /// Over a transport with these settings.
    pub(crate) fn over(way: Way) -> Arc<Self> {
        let to = Transport::new(way).unwrap();
        Arc::new(Self { to, seen: Mutex::default(), given: Mutex::default() })
    }

    /// How many requests had this in their line, since the last call of [`Hop::forget`].
    pub(crate) fn count(&self, part: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|(line, _)| line.contains(part)).count()
    }

    /// In which namespaces those requests were.
    pub(crate) fn namespaces(&self, part: &str) -> BTreeSet<Option<String>> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(line, _)| line.contains(part)).map(|(_, namespace)| namespace.clone()).collect()
    }

    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap().clear();
    }

    /// What the server gave that it had made up itself, and what each is.
    pub(crate) fn given(&self) -> BTreeSet<(&'static str, String)> {
        self.given.lock().unwrap().clone()
    }
}

fn collect(reply: &Value, given: &mut BTreeSet<(&'static str, String)>) {
    match reply {
        Value::Object(table) => {
            for (key, value) in table {
                if let (Some((_, what)), Some(text)) =
                    (GIVEN.iter().find(|(of, _)| of == key), value.as_str())
                    && !text.is_empty()
                {
                    given.insert((what, text.to_owned()));
                }
                collect(value, given);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, given)),
        _ => {}
    }
}

#[async_trait]
impl Http for Hop {
    async fn send(&self, request: Request, limits: Limits) -> Result<Reply, HttpError> {
        let path = request.url().replace(request.origin().as_str(), "");
        let headers = request.headers();
        let namespace = headers.get("x-vault-namespace");
        let namespace = namespace.map(|namespace| namespace.to_str().unwrap().to_owned());
        self.seen.lock().unwrap().push((format!("{} {path}", request.method()), namespace));
        let reply = self.to.send(request, limits).await?;
        let body = serde_json::from_slice(reply.body()).unwrap_or_default();
        collect(&body, &mut self.given.lock().unwrap());
        Ok(reply)
    }
}

/// The source that signs in in this way, and what passes between it and the server.
pub(crate) fn vault(server: &OpenBao, auth: Auth) -> (Arc<Vault>, Arc<Hop>) {
    let hop = Hop::new();
    let settings = Settings::new(server.address(), auth).unwrap().known_mount("old", None).unwrap();
    (Arc::new(Vault::over(settings, hop.clone(), clock()).unwrap()), hop)
}

/// The policy `app`: all of `secret/` but `secret/denied`.
pub(crate) async fn policy(server: &OpenBao) {
    let policy = r#"
        path "secret/data/*" { capabilities = ["read"] }
        path "secret/metadata/*" { capabilities = ["read", "list"] }
        path "secret/data/denied" { capabilities = ["deny"] }
        path "secret/metadata/denied" { capabilities = ["deny"] }
    "#;
    root(server, "PUT", "sys/policies/acl/app", json!({ "policy": policy })).await;
}

/// AppRole, with the role `app` of the policy `app`; its two ids.
pub(crate) async fn approle(server: &OpenBao, role: Value) -> (String, String) {
    policy(server).await;
    let (_, mounts) = server.call("GET", "sys/auth", Value::Null).await;
    if mounts["data"]["approle/"].is_null() {
        root(server, "POST", "sys/auth/approle", json!({ "type": "approle" })).await;
    }
    let mut settings = json!({ "token_policies": "app" });
    settings.as_object_mut().unwrap().extend(role.as_object().unwrap().clone());
    root(server, "POST", "auth/approle/role/app", settings).await;
    let role_id = root(server, "GET", "auth/approle/role/app/role-id", Value::Null).await;
    let secret_id = root(server, "POST", "auth/approle/role/app/secret-id", json!({})).await;
    let text = |reply: &Value, key: &str| reply["data"][key].as_str().unwrap().to_owned();
    (text(&role_id, "role_id"), text(&secret_id, "secret_id"))
}

/// Has the reply wrapped.
pub(crate) const WRAPPED: (&str, &str) = ("x-vault-wrap-ttl", "60s");

/// Revokes every token but root's, as somebody does who cleans up.
pub(crate) async fn revoke_all(server: &OpenBao) {
    let accessors = root(server, "LIST", "auth/token/accessors", Value::Null).await;
    for accessor in accessors["data"]["keys"].as_array().unwrap() {
        let known = json!({ "accessor": accessor });
        let (_, of) = server.call("POST", "auth/token/lookup-accessor", known.clone()).await;
        if of["data"]["display_name"] != "root" {
            root(server, "POST", "auth/token/revoke-accessor", known).await;
        }
    }
}

/// Whether asking for `secret/db` succeeds, as who is signed in.
pub(crate) async fn reads(vault: &Vault) -> Result<(), secretfig_source::SourceError> {
    vault.fetch(&[secretfig_source::Ask::new("secret/db")]).await.remove(0).map(|_| ())
}
