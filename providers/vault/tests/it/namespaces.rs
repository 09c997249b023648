//! A login in one namespace, and values in another.

use crate::hop::{Hop, WRAPPED, clock, post};
use secretfig_source::{Ask, ErrorKind, Source};
use secretfig_test_servers::{OpenBao, Postgres};
use secretfig_vault::{Auth, Given, SecretId, Settings, Vault};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A request as root, in that namespace, that must succeed.
async fn root_in(server: &OpenBao, namespace: &str, method: &str, path: &str, body: Value) -> Value {
    let token = Some(server.root_token());
    let (status, reply) = server.call_with(token, Some(namespace), method, path, body).await;
    assert!((200..300).contains(&status), "{method} {path} in {namespace}: {status} {reply}");
    reply
}

/// The namespaces `team`, where one signs in, and `team/values`, where values are; and `other`, beside them.
async fn server() -> OpenBao {
    let server = OpenBao::start().await;
    for (within, name) in [("", "team"), ("", "other"), ("team", "values")] {
        root_in(&server, within, "POST", &format!("sys/namespaces/{name}"), json!({})).await;
    }
    // of a namespace below, by its path from here
    let policy = r#"
        path "values/secret/data/*" { capabilities = ["read"] }
        path "values/secret/metadata/*" { capabilities = ["read", "list"] }
        path "values/database/creds/app" { capabilities = ["read"] }
        path "values/sys/leases/renew" { capabilities = ["update"] }
        path "values/sys/leases/revoke" { capabilities = ["update"] }
    "#;
    for namespace in ["team", "other"] {
        root_in(&server, namespace, "PUT", "sys/policies/acl/app", json!({ "policy": policy })).await;
        root_in(&server, namespace, "POST", "sys/auth/approle", json!({ "type": "approle" })).await;
        let role = json!({ "token_policies": "app", "token_ttl": "6s", "token_max_ttl": "1h" });
        root_in(&server, namespace, "POST", "auth/approle/role/app", role).await;
    }
    let kv = json!({ "type": "kv", "options": { "version": "2" } });
    root_in(&server, "team/values", "POST", "sys/mounts/secret", kv).await;
    // a new mount answers 400 while it is being upgraded
    let written = async {
        let (token, value) = (Some(server.root_token()), json!({ "data": { "password": "x" } }));
        let put = || server.call_with(token, Some("team/values"), "POST", "secret/data/db", value.clone());
        while put().await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
    server
}

/// By AppRole of that namespace, its secret_id wrapped or not, reading in `team/values`.
async fn by(server: &OpenBao, login: &str, wrap: bool) -> (Vault, Arc<Hop>) {
    let role_id = root_in(server, login, "GET", "auth/approle/role/app/role-id", Value::Null).await;
    let within = ("x-vault-namespace", login);
    let headers = if wrap { [within, WRAPPED].to_vec() } else { vec![within] };
    let made = post(server, "auth/approle/role/app/secret-id", b"{}", &headers).await;
    let given = |text: &Value| Given::Text(text.as_str().unwrap().into());
    let secret_id = if wrap {
        SecretId::Wrapped(given(&made["wrap_info"]["token"]))
    } else {
        SecretId::Plain(given(&made["data"]["secret_id"]))
    };
    let (mount, role_id) = ("approle".to_owned(), given(&role_id["data"]["role_id"]));
    let settings = Settings::new(server.address(), Auth::AppRole { mount, role_id, secret_id }).unwrap();
    let settings = settings.namespace("team/values").unwrap().login_namespace(login).unwrap();
    let hop = Hop::new();
    (Vault::over(settings, hop.clone(), clock()).unwrap(), hop)
}

fn only(namespace: &str) -> BTreeSet<Option<String>> {
    [Some(namespace.to_owned())].into()
}

#[tokio::test]
async fn the_login_is_in_its_own_namespace_and_all_that_is_read_in_another() {
    let server = server().await;
    let postgres = Postgres::start().await;
    postgres.give_roles_in(&server, Some("team/values")).await;
    for wrap in [false, true] {
        let (source, hop) = by(&server, "team", wrap).await;
        assert_eq!(source.sign_in().await.unwrap().unwrap().as_str(), "team-auth-approle");
        let minted = Ask::new("database/creds/app");
        let lease = source.fetch(&[Ask::new("db"), minted]).await.pop().unwrap().unwrap().lease.unwrap();
        assert!(source.probe(&[Ask::new("db")]).await.remove(0).is_ok());
        source.renew(&lease).await.unwrap();
        source.revoke(&lease).await.unwrap();
        let renewed = async {
            while hop.count("renew-self") == 0 {
                assert!(source.fetch(&[Ask::new("db")]).await.remove(0).is_ok());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), renewed).await.unwrap();
        source.close(Duration::from_secs(5)).await;
        for part in ["/auth/", "/sys/wrapping/"] {
            assert!(hop.namespaces(part).is_subset(&only("team")), "{part}: {:?}", hop.namespaces(part));
        }
        let logins = ["approle/login", "lookup-self", "renew-self", "revoke-self"];
        for part in
            logins.into_iter().chain(["wrapping/lookup", "wrapping/unwrap"].into_iter().filter(|_| wrap))
        {
            assert_eq!(hop.namespaces(part), only("team"), "{part}");
        }
        for part in ["/secret/", "/database/", "/sys/internal/", "/sys/leases/"] {
            assert_eq!(hop.namespaces(part), only("team/values"), "{part}");
        }
    }
}

#[tokio::test]
async fn a_login_of_a_namespace_beside_it_may_not_read_there() {
    let server = server().await;
    let (source, hop) = by(&server, "other", false).await;
    assert!(source.sign_in().await.is_ok());
    let e = source.fetch(&[Ask::new("db")]).await.remove(0).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
    assert_eq!(hop.count("/login"), 1, "another login would change nothing");
}

#[tokio::test]
async fn a_namespace_that_is_not_there_is_told_as_that() {
    let server = server().await;
    let auth = || Auth::Token(server.root_token().into());
    let of = |namespace: &str, login: &str| {
        let settings = Settings::new(server.address(), auth()).unwrap().namespace(namespace).unwrap();
        Vault::over(settings.login_namespace(login).unwrap(), Hop::new(), clock()).unwrap()
    };
    for source in [of("nowhere", ""), of("team/values", "nowhere")] {
        let e = source.fetch(&[Ask::new("db")]).await.remove(0).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Misconfigured, "{e}");
        assert!(e.what_to_do().contains("no such namespace"), "{e}");
    }
    assert!(of("team/values", "").fetch(&[Ask::new("db")]).await.remove(0).is_ok());
}
