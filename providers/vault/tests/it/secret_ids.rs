//! A secret_id that has come to its end is told as that, and not shown to the server over and over.

use crate::hop::{WRAPPED, approle, post, reads, revoke_all, root, vault};
use secretfig_source::{ErrorKind, Source, SourceError};
use secretfig_test_servers::OpenBao;
use secretfig_tests::{Hunt, Marker};
use secretfig_vault::{Auth, Given, SecretId, Vault};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A server with `secret/db`, and a role with these settings; its role_id and a secret_id.
async fn server(role: Value) -> (OpenBao, (String, String)) {
    let server = OpenBao::start().await;
    let ids = approle(&server, role).await;
    root(&server, "POST", "secret/data/db", json!({ "data": { "password": "x" } })).await;
    (server, ids)
}

fn by(role_id: &str, secret_id: SecretId) -> Auth {
    Auth::AppRole { mount: "approle".to_owned(), role_id: Given::Text(role_id.into()), secret_id }
}

fn plain(secret_id: &str) -> SecretId {
    SecretId::Plain(Given::Text(secret_id.into()))
}

fn file(path: &Path) -> Given {
    Given::File(Arc::from(path))
}

/// It is refused, told by these words, and by none of a policy's.
fn told(e: &SourceError, words: &[&str]) {
    assert_eq!(e.kind(), ErrorKind::Unauthenticated, "{e}");
    for word in words.iter().chain(&["No policy is missing", "auth/approle/role/<role>/secret-id"]) {
        assert!(e.what_to_do().contains(word), "{word}: {e}");
    }
    assert!(!e.what_to_do().contains("capabilities"), "{e}");
}

/// All that 32 tasks are told, three times over.
async fn asked(source: &Arc<Vault>) -> Vec<SourceError> {
    let mut told = Vec::new();
    for _ in 0..3 {
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let source = source.clone();
                tokio::spawn(async move { reads(&source).await.unwrap_err() })
            })
            .collect();
        for task in tasks {
            told.push(task.await.unwrap());
        }
    }
    told
}

#[tokio::test]
async fn one_that_is_used_up_costs_one_login_and_is_told_as_that() {
    let (server, (role_id, secret_id)) = server(json!({ "secret_id_num_uses": 1 })).await;
    let hunt = Hunt::new();
    hunt.plant("the secret_id", Marker::new(secret_id.as_str()));
    let (source, hop) = vault(&server, by(&role_id, plain(&secret_id)));
    reads(&source).await.unwrap();
    revoke_all(&server).await;
    hop.forget();
    for e in asked(&source).await {
        told(&e, &["signed in before", "used up (`secret_id_num_uses`)"]);
        hunt.check_error("a secret_id that is used up", &e);
    }
    assert_eq!(hop.count("/login"), 1, "no storm");
    assert!(hop.count("lookup-self") <= 1, "{}", hop.count("lookup-self"));
    // and who begins with it
    let (source, hop) = vault(&server, by(&role_id, plain(&secret_id)));
    for e in asked(&source).await {
        told(&e, &["is wrong, used up (`secret_id_num_uses`)", "of another role"]);
    }
    assert_eq!(hop.count("/login"), 1, "no storm");
    hunt.finish();
}

#[tokio::test]
async fn one_whose_time_is_over_costs_one_login_and_is_told_as_that() {
    let (server, (role_id, secret_id)) = server(json!({ "secret_id_ttl": "3s" })).await;
    let (source, hop) = vault(&server, by(&role_id, plain(&secret_id)));
    reads(&source).await.unwrap();
    let look_up = || {
        let known = json!({ "secret_id": secret_id });
        server.call("POST", "auth/approle/role/app/secret-id/lookup", known)
    };
    let over = async {
        while look_up().await.0 == 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), over).await.unwrap();
    reads(&source).await.expect("its token lives on");
    revoke_all(&server).await;
    hop.forget();
    for e in asked(&source).await {
        told(&e, &["signed in before", "over (`secret_id_ttl`)"]);
    }
    assert_eq!(hop.count("/login"), 1, "no storm");
}

#[tokio::test]
async fn one_that_is_bound_to_other_addresses_is_told_by_that() {
    let (server, (role_id, secret_id)) = server(json!({ "secret_id_bound_cidrs": ["10.0.0.0/8"] })).await;
    let e = vault(&server, by(&role_id, plain(&secret_id))).0.sign_in().await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unauthenticated);
    assert!(e.what_to_do().contains("secret_id_bound_cidrs"), "{e}");
}

#[tokio::test]
async fn a_new_one_in_the_file_signs_in_at_once() {
    let (server, (role_id, secret_id)) = server(json!({ "secret_id_num_uses": 1 })).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret-id");
    std::fs::write(&path, &secret_id).unwrap();
    let (source, hop) = vault(&server, by(&role_id, SecretId::Plain(file(&path))));
    reads(&source).await.unwrap();
    revoke_all(&server).await;
    told(&reads(&source).await.unwrap_err(), &["signed in before"]);
    let made = root(&server, "POST", "auth/approle/role/app/secret-id", json!({})).await;
    std::fs::write(&path, made["data"]["secret_id"].as_str().unwrap()).unwrap();
    reads(&source).await.unwrap();
    assert_eq!(hop.count("/login"), 3);
}

#[tokio::test]
async fn what_was_wrapped_is_used_on_and_a_new_wrapping_in_the_file_is_opened() {
    let (server, (role_id, _)) = server(json!({ "secret_id_num_uses": 2 })).await;
    let wrapped = async || {
        let made = post(&server, "auth/approle/role/app/secret-id", b"{}", &[WRAPPED]).await;
        made["wrap_info"]["token"].as_str().unwrap().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrapped");
    std::fs::write(&path, wrapped().await).unwrap();
    let (source, hop) = vault(&server, by(&role_id, SecretId::Wrapped(file(&path))));
    let again = async || {
        revoke_all(&server).await;
        reads(&source).await
    };
    reads(&source).await.unwrap();
    again().await.expect("what was in it is good for another login");
    assert_eq!((hop.count("/login"), hop.count("wrapping/unwrap")), (2, 1));
    told(&again().await.unwrap_err(), &["used up"]);
    // whoever delivers it takes the old one away, and brings a new one
    std::fs::remove_file(&path).unwrap();
    told(&reads(&source).await.unwrap_err(), &["used up"]);
    std::fs::write(&path, wrapped().await).unwrap();
    reads(&source).await.unwrap();
    again().await.expect("and the new one, too");
    assert_eq!((hop.count("/login"), hop.count("wrapping/unwrap")), (5, 2));
}
