//! The suite of every source, by both halves, on three servers.

use crate::shared::{HALVES, Make, any_keys, keys, settings};
use base64ct::{Base64, Encoding};
use secretfig_aws::Auth;
use secretfig_source::testing::{Stage, Wait, conformance};
use secretfig_source::{Source, async_trait};
use secretfig_test_servers::{Keys, Ministack, Moto, Relay};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

enum Server {
    Checking(Box<Moto>, Keys),
    Open(Box<Moto>),
    Other(Ministack),
}

impl Server {
    async fn call(&self, operation: &str, body: Value) -> (u16, Value) {
        match self {
            Server::Checking(moto, _) | Server::Open(moto) => moto.call(operation, body).await,
            Server::Other(server) => server.call(operation, body).await,
        }
    }

    fn address(&self) -> &str {
        match self {
            Server::Checking(moto, _) | Server::Open(moto) => moto.address(),
            Server::Other(server) => server.address(),
        }
    }
}

struct Place {
    server: Server,
    hop: Relay,
    make: Make,
    denied: Mutex<Vec<String>>,
}

impl Place {
    async fn new(server: Server, make: Make) -> Self {
        let hop = Relay::to(server.address(), Duration::ZERO).await;
        let place = Self { server, hop, make, denied: Mutex::default() };
        place.policy().await;
        place
    }

    async fn policy(&self) {
        let Server::Checking(moto, user) = &self.server else { return };
        let allow = json!({ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*" });
        let denied = self.denied.lock().unwrap().clone();
        let deny = |name: &String| {
            let resource = format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-??????");
            json!({ "Effect": "Deny", "Action": "secretsmanager:*", "Resource": resource })
        };
        let statements: Vec<_> = std::iter::once(allow).chain(denied.iter().map(deny)).collect();
        moto.allow(user, &json!({ "Version": "2012-10-17", "Statement": statements }).to_string()).await;
    }

    async fn versions(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let (_, known) = self.server.call("DescribeSecret", json!({ "SecretId": name })).await;
        let stages = known["VersionIdsToStages"].as_object().cloned().unwrap_or_default();
        stages.into_iter().map(|(id, stages)| (id, serde_json::from_value(stages).unwrap())).collect()
    }
}

#[async_trait]
impl Stage for Place {
    fn source(&self) -> Arc<dyn Source> {
        let auth: Auth = match &self.server {
            Server::Checking(_, user) => keys(user),
            _ => any_keys(),
        };
        (self.make)(settings(&self.hop.address(), auth))
    }

    fn name(&self, plain: &str) -> String {
        format!("suite/{plain}")
    }

    fn folders(&self) -> bool {
        true
    }

    async fn put(&self, name: &str, value: &[u8]) {
        let mut body = match std::str::from_utf8(value) {
            Ok(text) => json!({ "SecretString": text }),
            Err(_) => json!({ "SecretBinary": Base64::encode_string(value) }),
        };
        body["Name"] = json!(name);
        let (status, _) = self.server.call("CreateSecret", body.clone()).await;
        if status != 200 {
            body["SecretId"] = body["Name"].take();
            let (status, said) = self.server.call("PutSecretValue", body).await;
            assert_eq!(status, 200, "{name}: {said}");
        }
    }

    async fn remove(&self, name: &str) {
        let gone = json!({ "SecretId": name, "ForceDeleteWithoutRecovery": true });
        assert_eq!(self.server.call("DeleteSecret", gone).await.0, 200);
    }

    async fn deny(&self, name: &str) -> bool {
        if !matches!(self.server, Server::Checking(..)) {
            return false;
        }
        self.denied.lock().unwrap().push(name.to_owned());
        self.policy().await;
        true
    }

    async fn outage(&self, on: bool) -> bool {
        self.hop.down(on);
        true
    }

    async fn step_back(&self, name: &str) -> bool {
        let versions = self.versions(name).await;
        let of = |stage: &str| {
            let found = versions.iter().find(|(_, stages)| stages.iter().any(|one| one == stage));
            found.map(|(id, _)| id.clone()).unwrap()
        };
        let back = json!({
            "SecretId": name,
            "VersionStage": "AWSCURRENT",
            "MoveToVersionId": of("AWSPREVIOUS"),
            "RemoveFromVersionId": of("AWSCURRENT"),
        });
        assert_eq!(self.server.call("UpdateSecretVersionStage", back).await.0, 200);
        true
    }

    async fn withdraw(&self, name: &str) -> bool {
        assert_eq!(self.server.call("DeleteSecret", json!({ "SecretId": name })).await.0, 200);
        true
    }

    async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool {
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}

async fn runs(make_server: impl AsyncFn() -> Server, what: &str, cases: &[&str]) {
    for (half, make) in HALVES {
        let place = Place::new(make_server().await, make).await;
        let done = conformance(&place).await;
        println!("{half}, {what}: {done}");
        for case in cases {
            assert!(done.ran.contains(case), "{case}: {done}");
        }
    }
}

#[tokio::test]
async fn moto_that_checks_signatures_and_policies() {
    let server = async || {
        let moto = Moto::start().await;
        let user = moto.user(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}"#).await;
        Server::Checking(Box::new(moto), user)
    };
    let cases = ["previous", "versions", "rotation", "probes", "denied is not absent", "an outage"];
    runs(server, "moto", &cases).await;
}

#[tokio::test]
async fn moto_that_lets_everybody_in() {
    let server = async || Server::Open(Box::new(Moto::open().await));
    runs(server, "moto, open", &["previous", "versions", "rotation", "probes", "an outage"]).await;
}

#[tokio::test]
async fn ministack() {
    let server = async || Server::Other(Ministack::start().await);
    runs(server, "ministack", &["previous", "versions", "rotation", "probes", "an outage"]).await;
}
