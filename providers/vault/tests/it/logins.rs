//! One login, whoever asks; and none where a login is not what is missing.

use crate::hop::{approle, root, vault};
use secretfig_source::{Ask, ErrorKind, Source};
use secretfig_test_servers::OpenBao;
use secretfig_tests::{Hunt, Marker};
use secretfig_vault::{Auth, Given, SecretId};
use serde_json::{Value, json};

fn by_approle((role_id, secret_id): (String, String)) -> Auth {
    Auth::AppRole {
        mount: "approle".to_owned(),
        role_id: Given::Text(role_id.into()),
        secret_id: SecretId::Plain(Given::Text(secret_id.into())),
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_under_64_tasks_costs_one_login() {
    let server = OpenBao::start().await;
    root(&server, "POST", "secret/data/db", json!({ "data": { "password": "x" } })).await;
    let (vault, hop) = vault(&server, by_approle(approle(&server, json!({})).await));
    assert_eq!(vault.sign_in().await.unwrap().unwrap().as_str(), "approle");
    assert_eq!(hop.count("/login"), 1);

    let accessors = root(&server, "LIST", "auth/token/accessors", Value::Null).await;
    for accessor in accessors["data"]["keys"].as_array().unwrap() {
        let known = json!({ "accessor": accessor });
        let (_, of) = server.call("POST", "auth/token/lookup-accessor", known.clone()).await;
        if of["data"]["display_name"] == "approle" {
            root(&server, "POST", "auth/token/revoke-accessor", known).await;
        }
    }
    hop.forget();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let vault = vault.clone();
            tokio::spawn(async move { vault.fetch(&[Ask::new("secret/db")]).await.remove(0).is_ok() })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert_eq!(hop.count("/login"), 1, "one login for all");
    assert_eq!(hop.count("lookup-self"), 2, "one for the dead token, one for its successor");
    assert!(hop.count("/secret/data/db") <= 2 * 64, "each request is replayed once at most");
}

#[tokio::test]
async fn a_denied_path_costs_no_login() {
    let server = OpenBao::start().await;
    let (vault, hop) = vault(&server, by_approle(approle(&server, json!({})).await));
    vault.sign_in().await.unwrap();
    hop.forget();
    for _ in 0..3 {
        let e = vault.fetch(&[Ask::new("secret/denied")]).await.remove(0).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Denied);
        assert!(e.what_to_do().contains("path \"secret/data/denied\""), "{e}");
    }
    assert_eq!(hop.count("/login"), 0);
}

#[tokio::test]
async fn a_login_that_fails_is_told_once_to_all_who_waited() {
    let server = OpenBao::start().await;
    let hunt = Hunt::new();
    let marker = hunt.plant("the secret_id", Marker::random());
    let (role_id, _) = approle(&server, json!({})).await;
    let (vault, hop) = vault(&server, by_approle((role_id, marker.text().to_owned())));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let vault = vault.clone();
            tokio::spawn(async move { vault.fetch(&[Ask::new("secret/db")]).await.remove(0).unwrap_err() })
        })
        .collect();
    for task in tasks {
        let e = task.await.unwrap();
        assert_eq!(e.kind(), ErrorKind::Unauthenticated);
        hunt.check_error("a refused login", &e);
    }
    assert_eq!(hop.count("/login"), 1);
    hunt.check_debug("the source", &*vault);
    hunt.finish();
}

#[tokio::test]
async fn short_and_limited_tokens_are_replaced_and_not_hammered() {
    let server = OpenBao::start().await;
    root(&server, "POST", "secret/data/db", json!({ "data": { "password": "x" } })).await;
    for (role, logins) in [
        (json!({ "token_num_uses": 3 }), 4..=5),
        (json!({ "token_num_uses": 0, "token_type": "batch", "token_ttl": "1h" }), 1..=1),
        (json!({ "token_type": "service", "token_period": "1h" }), 1..=1),
    ] {
        let (vault, hop) = vault(&server, by_approle(approle(&server, role.clone()).await));
        for _ in 0..10 {
            assert!(vault.fetch(&[Ask::new("secret/db")]).await.remove(0).is_ok(), "{role}");
        }
        let made = hop.count("/login");
        assert!(logins.contains(&made), "{role}: {made} logins");
        assert_eq!(hop.count("renew-self"), 0, "{role}");
    }
}

#[tokio::test]
async fn what_is_ours_is_given_back_at_the_end() {
    let server = OpenBao::start().await;
    let (vault, hop) = vault(&server, by_approle(approle(&server, json!({})).await));
    vault.sign_in().await.unwrap();
    vault.close(std::time::Duration::from_secs(5)).await;
    assert_eq!(hop.count("revoke-self"), 1);
    let accessors = root(&server, "LIST", "auth/token/accessors", Value::Null).await;
    assert_eq!(accessors["data"]["keys"].as_array().unwrap().len(), 1, "only root's is left");
}
