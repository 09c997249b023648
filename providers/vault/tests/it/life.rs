//! How long a token lives, at a real server: seconds, and what is done about their end.

use crate::hop::{Hop, approle, policy, reads, root, vault};
use secretfig_source::{ErrorKind, Source};
use secretfig_test_servers::OpenBao;
use secretfig_vault::{Auth, Given, SecretId, Vault};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

async fn server() -> OpenBao {
    let server = OpenBao::start().await;
    policy(&server).await;
    root(&server, "POST", "secret/data/db", json!({ "data": { "password": "x" } })).await;
    server
}

/// By AppRole, under a role with these settings.
async fn by(server: &OpenBao, role: Value) -> (Arc<Vault>, Arc<Hop>) {
    let (role_id, secret_id) = approle(server, role).await;
    let auth = Auth::AppRole {
        mount: "approle".to_owned(),
        role_id: Given::Text(role_id.into()),
        secret_id: SecretId::Plain(Given::Text(secret_id.into())),
    };
    vault(server, auth)
}

/// Reads on and on, each of which must succeed, until that has come about.
async fn read_until(source: &Vault, what: &str, done: impl Fn() -> bool) {
    let reading = async {
        while !done() {
            reads(source).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect(what);
}

#[tokio::test]
async fn a_short_token_is_renewed_on_the_way_of_calls() {
    let server = server().await;
    let (source, hop) = by(&server, json!({ "token_ttl": "6s", "token_max_ttl": "1h" })).await;
    read_until(&source, "two renewals", || hop.count("renew-self") >= 2).await;
    assert_eq!(hop.count("/login"), 1);
}

#[tokio::test]
async fn a_periodic_token_is_renewed_for_ever() {
    let server = server().await;
    let (source, hop) = by(&server, json!({ "token_period": "6s" })).await;
    read_until(&source, "three renewals", || hop.count("renew-self") >= 3).await;
    assert_eq!(hop.count("/login"), 1);
}

#[tokio::test]
async fn a_token_at_its_longest_time_costs_one_login_and_no_renewals_on_and_on() {
    let server = server().await;
    for role in [
        json!({ "token_ttl": "6s", "token_max_ttl": "9s" }),
        json!({ "token_ttl": "6s", "token_explicit_max_ttl": "9s", "token_max_ttl": 0 }),
    ] {
        let (source, hop) = by(&server, role.clone()).await;
        read_until(&source, "another login", || hop.count("/login") >= 2).await;
        assert_eq!(hop.count("/login"), 2, "{role}");
        assert!((1..=2).contains(&hop.count("renew-self")), "{role}: {}", hop.count("renew-self"));
    }
}

#[tokio::test]
async fn a_batch_token_is_replaced_in_time_and_never_renewed() {
    let server = server().await;
    let (source, hop) = by(&server, json!({ "token_type": "batch", "token_ttl": "6s" })).await;
    read_until(&source, "another login", || hop.count("/login") >= 2).await;
    assert_eq!((hop.count("/login"), hop.count("renew-self")), (2, 0));
}

#[tokio::test]
async fn one_that_is_given_and_not_renewable_is_used_to_its_end() {
    let server = server().await;
    let short = json!({ "policies": ["app"], "ttl": "4s", "renewable": false });
    let made = root(&server, "POST", "auth/token/create", short).await;
    let token = made["auth"]["client_token"].as_str().unwrap();
    let (source, hop) = vault(&server, Auth::Token(token.into()));
    reads(&source).await.unwrap();
    let end = async {
        loop {
            match reads(&source).await {
                Ok(()) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(e) => return e,
            }
        }
    };
    let e = tokio::time::timeout(Duration::from_secs(60), end).await.unwrap();
    assert_eq!((e.kind(), hop.count("renew-self")), (ErrorKind::Unauthenticated, 0), "{e}");
}

#[tokio::test]
async fn a_token_of_few_uses_is_spent_on_reads_and_on_nothing_else() {
    let server = server().await;
    let (source, hop) = by(&server, json!({ "token_num_uses": 4 })).await;
    hop.forget();
    for _ in 0..12 {
        reads(&source).await.unwrap();
    }
    assert_eq!((hop.count("lookup-self"), hop.count("renew-self")), (0, 0));
    assert!((3..=4).contains(&hop.count("/login")), "{}", hop.count("/login"));
    let (by_token, hop) = {
        let few = json!({ "policies": ["app"], "num_uses": 3 });
        let made = root(&server, "POST", "auth/token/create", few).await;
        vault(&server, Auth::Token(made["auth"]["client_token"].as_str().unwrap().into()))
    };
    by_token.sign_in().await.unwrap();
    let mut read = 0;
    let e = loop {
        match reads(&by_token).await {
            Ok(()) => read += 1,
            Err(e) => break e,
        }
    };
    assert!((1..=2).contains(&read), "{read}");
    assert_eq!(e.kind(), ErrorKind::Unauthenticated, "{e}");
    assert_eq!(hop.count("renew-self"), 0);
}
