//! What the tests of both halves need: a server that is spoken to as root, and a place for the suite of every source.

use secretfig_source::protocol::{Credential, Http, Limits, Origin, Request};
use secretfig_source::testing::{Conformance, Stage, Wait, conformance};
use secretfig_source::{
    Ask, Fetched, Identity, Lease, Probe, Reading, Revision, Source, SourceError, SourceInfo, async_trait,
};
use secretfig_test_servers::{OpenBao, Postgres};
use secretfig_transport::{Settings, Transport};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as root that must succeed.
pub(crate) async fn root(server: &OpenBao, method: &str, path: &str, body: Value) -> Value {
    let (status, reply) = server.call(method, path, body).await;
    assert!((200..300).contains(&status), "{method} {path}: {status} {reply}");
    reply
}

/// A `POST` as root of this very text, with these headers.
pub(crate) async fn post(
    server: &OpenBao,
    path: &str,
    body: &[u8],
    headers: &[(&'static str, &str)],
) -> Value {
    let transport = Transport::new(Settings::default()).unwrap();
    post_over(&transport, server, path, body, headers).await
}

/// The same, over that client.
pub(crate) async fn post_over(
    over: &dyn Http,
    server: &OpenBao,
    path: &str,
    body: &[u8],
    headers: &[(&'static str, &str)],
) -> Value {
    let origin = Origin::parse(server.address()).unwrap();
    let token = Credential::header(&origin, "x-vault-token", server.root_token()).unwrap();
    let segments = std::iter::once("v1").chain(path.split('/'));
    let mut request =
        Request::new(http::Method::POST, &origin, segments).unwrap().credential(&token).unwrap();
    for (name, value) in headers {
        request = request.header(name, value).unwrap();
    }
    let request = request.body("application/json", body.to_vec().into());
    let reply = over.send(request, Limits::default()).await.unwrap();
    assert!(reply.status().is_success(), "POST {path}: {reply:?}");
    serde_json::from_slice(reply.body()).unwrap_or_default()
}

/// What the suite calls the secrets that it wants under leases, and what they are here.
const LEASED: [&str; 3] = ["leased", "renewed", "revoked"];
const MINTED: &str = "database/creds/app";

/// And the one that the manager rotates by itself.
const TURNED: &str = "turned";
const ROTATED: &str = "database/static-creds/app-static";

/// A source of that server, which has this token.
type Reads = fn(&OpenBao, &str) -> Arc<dyn Source>;

/// Runs the suite on a mount with versions beside a database, and on one without.
pub(crate) async fn keeps_the_contract(half: &str, reads: Reads) {
    let (with, without) = tokio::join!(Mount::new(true, reads), Mount::new(false, reads));
    let done = conformance(&with).await;
    println!("{half}, KV v2 and a database: {done}");
    ran(&done, &["previous", "versions", "leases", "renewal", "revocation", "rotation by the manager"]);
    let done = conformance(&without).await;
    println!("{half}, KV v1: {done}");
    ran(&done, &["rotation", "probes", "denied is not absent", "an outage"]);
}

fn ran(done: &Conformance, cases: &[&str]) {
    for case in cases {
        assert!(done.ran.contains(case), "{case}: {done}");
    }
}

/// A mount of its own, read by a token that may read all of it but what was denied.
struct Mount {
    server: OpenBao,
    v2: bool,
    denied: Mutex<Vec<String>>,
    token: String,
    reads: Reads,
    /// Behind the database mount, from which the secrets under leases come.
    _postgres: Option<Postgres>,
}

impl Mount {
    async fn new(v2: bool, reads: Reads) -> Self {
        let server = OpenBao::start().await;
        if !v2 {
            root(&server, "POST", "sys/mounts/old", json!({ "type": "kv", "options": { "version": "1" } }))
                .await;
        }
        let postgres = if v2 { Some(Postgres::start().await) } else { None };
        if let Some(postgres) = &postgres {
            postgres.give_roles_to(&server).await;
        }
        let denied = Mutex::default();
        let mut mount = Self { server, v2, denied, token: String::new(), reads, _postgres: postgres };
        mount.policy().await;
        let made = root(&mount.server, "POST", "auth/token/create", json!({ "policies": ["suite"] })).await;
        mount.token = made["auth"]["client_token"].as_str().unwrap().to_owned();
        mount
    }

    async fn policy(&self) {
        let all = if self.v2 { ["secret/data/*", "secret/metadata/*"].as_slice() } else { &["old/*"] };
        let mut policy = String::new();
        for path in all {
            policy += &format!("path \"{path}\" {{ capabilities = [\"read\", \"list\"] }}\n");
        }
        if self.v2 {
            for path in [MINTED, ROTATED] {
                policy += &format!("path \"{path}\" {{ capabilities = [\"read\"] }}\n");
            }
            for path in ["sys/leases/renew", "sys/leases/revoke"] {
                policy += &format!("path \"{path}\" {{ capabilities = [\"update\"] }}\n");
            }
        }
        for name in self.denied.lock().unwrap().iter() {
            for path in [self.at("data", name), self.at("metadata", name)] {
                policy += &format!("path \"{path}\" {{ capabilities = [\"deny\"] }}\n");
            }
        }
        root(&self.server, "PUT", "sys/policies/acl/suite", json!({ "policy": policy })).await;
    }

    fn at(&self, part: &str, name: &str) -> String {
        if self.v2 { name.replacen("secret/", &format!("secret/{part}/"), 1) } else { name.to_owned() }
    }
}

#[async_trait]
impl Stage for Mount {
    fn source(&self) -> Arc<dyn Source> {
        let source = (self.reads)(&self.server, &self.token);
        if self.v2 { source } else { Arc::new(Unversioned(source)) }
    }

    fn name(&self, plain: &str) -> String {
        if self.v2 && LEASED.contains(&plain) {
            return MINTED.to_owned();
        }
        if self.v2 && plain == TURNED {
            return ROTATED.to_owned();
        }
        format!("{}/myapp/{plain}", if self.v2 { "secret" } else { "old" })
    }

    async fn put(&self, name: &str, value: &[u8]) {
        if name == MINTED {
            // the server makes up what a credential is
            return;
        }
        // as it is: a tree in between would write a number in another way
        let text = std::str::from_utf8(value).unwrap();
        let data = match serde_json::from_str(text) {
            Ok(Value::Object(_)) => text.to_owned(),
            _ => json!({ "value": text }).to_string(),
        };
        let body = if self.v2 { format!("{{\"data\":{data}}}") } else { data };
        post(&self.server, &self.at("data", name), body.as_bytes(), &[]).await;
    }

    async fn remove(&self, name: &str) {
        root(&self.server, "DELETE", &self.at("metadata", name), Value::Null).await;
    }

    async fn deny(&self, name: &str) -> bool {
        self.denied.lock().unwrap().push(name.to_owned());
        self.policy().await;
        true
    }

    async fn outage(&self, on: bool) -> bool {
        if on {
            self.server.seal().await;
        } else {
            self.server.unseal().await;
        }
        true
    }

    async fn withdraw(&self, name: &str) -> bool {
        if self.v2 {
            root(&self.server, "DELETE", &self.at("data", name), Value::Null).await;
        }
        self.v2
    }

    async fn lease(&self, name: &str) -> bool {
        name == MINTED
    }

    async fn turn(&self, name: &str) -> Option<Reading> {
        if name != ROTATED {
            return None;
        }
        root(&self.server, "POST", "database/rotate-role/app-static", Value::Null).await;
        Some(Reading { field: Some("password".into()), ..Reading::default() })
    }

    async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool {
        tokio::time::timeout(limit, wait).await.is_ok()
    }

    fn reading(&self) -> Reading {
        Reading { allow_empty: true, field: Some("value".into()), ..Reading::default() }
    }

    fn number(&self, literal: &str) -> String {
        // a versioned mount keeps numbers as numbers, and writes them anew
        if self.v2 { literal.parse::<f64>().unwrap().to_string() } else { literal.to_owned() }
    }

    fn version(&self, revision: &Revision) -> String {
        revision.as_str().split(' ').next().unwrap_or_default().to_owned()
    }
}

/// Claims what a mount without versions can do: one Vault has mounts of both kinds.
struct Unversioned(Arc<dyn Source>);

#[async_trait]
impl Source for Unversioned {
    fn info(&self) -> SourceInfo {
        let info = self.0.info();
        let mut can = info.abilities;
        (can.previous, can.versions, can.created) = (false, false, false);
        info.abilities(can)
    }
    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        self.0.sign_in().await
    }
    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        self.0.fetch(asks).await
    }
    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        self.0.probe(asks).await
    }
    async fn renew(&self, lease: &Lease) -> Result<Lease, SourceError> {
        self.0.renew(lease).await
    }
    async fn revoke(&self, lease: &Lease) -> Result<(), SourceError> {
        self.0.revoke(lease).await
    }
}
