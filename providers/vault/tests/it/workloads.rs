//! The ways of workloads, which are given who they are: Kubernetes, an issuer of JWTs, a certificate.

use crate::certs::Authority;
use crate::hop::{clock, policy, reads, revoke_all, root, vault};
use crate::issuer::{Issuer, Kubernetes, REVIEWER};
use secretfig_source::{ErrorKind, Source};
use secretfig_test_servers::OpenBao;
use secretfig_vault::{Auth, Given, Settings, Vault};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// A server with `secret/db`, and the policy `app` that reads it.
async fn server() -> OpenBao {
    let server = OpenBao::start().await;
    furnish(&server).await;
    server
}

async fn furnish(server: &OpenBao) {
    policy(server).await;
    root(server, "POST", "secret/data/db", json!({ "data": { "password": "x" } })).await;
}

fn file(path: &Path) -> Given {
    Given::File(Arc::from(path))
}

async fn refused(vault: &Vault, way: &str) {
    let e = vault.sign_in().await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unauthenticated, "{e}");
    assert!(e.what_to_do().contains(&format!("sign-in by {way}")), "{e}");
}

#[tokio::test]
async fn kubernetes_reviews_the_token_and_a_projected_one_is_read_anew_for_each_login() {
    let (server, kubernetes, issuer) = (server().await, Kubernetes::start().await, Issuer::new());
    root(&server, "POST", "sys/auth/kubernetes", json!({ "type": "kubernetes" })).await;
    let config = json!({
        "kubernetes_host": kubernetes.address,
        // it wants one, though it asks without TLS
        "kubernetes_ca_cert": Authority::new("cluster").pem,
        "token_reviewer_jwt": REVIEWER,
        "disable_local_ca_jwt": true,
    });
    root(&server, "POST", "auth/kubernetes/config", config).await;
    let role = json!({
        "bound_service_account_names": "app",
        "bound_service_account_namespaces": "shop",
        "token_policies": "app",
    });
    root(&server, "POST", "auth/kubernetes/role/app", role).await;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let by = |role: &str| {
        let (mount, role) = ("kubernetes".to_owned(), role.to_owned());
        vault(&server, Auth::Kubernetes { mount, role, token: file(&path) })
    };
    let (one, two) = (issuer.service_account("app", "one", 600), issuer.service_account("app", "two", 600));
    kubernetes.knows(std::slice::from_ref(&one));
    std::fs::write(&path, &one).unwrap();
    let (source, hop) = by("app");
    let identity = source.sign_in().await.unwrap().unwrap();
    assert!(identity.as_str().starts_with("kubernetes-"), "{identity:?}");
    reads(&source).await.unwrap();

    // the kubelet writes another one, and the first is not known any more
    kubernetes.knows(std::slice::from_ref(&two));
    std::fs::write(&path, &two).unwrap();
    revoke_all(&server).await;
    reads(&source).await.unwrap();
    assert_eq!((kubernetes.reviewed(), hop.count("/login")), (vec![one.clone(), two.clone()], 2));

    for (token, known, role) in [
        (one, false, "app"),                                          // not known any more
        (two, true, "nope"),                                          // no such role
        (issuer.service_account("app", "old", -3_600), true, "app"),  // over
        (issuer.service_account("other", "three", 600), true, "app"), // another account
        ("no-jwt-at-all".to_owned(), false, "app"),
    ] {
        kubernetes.knows(if known { std::slice::from_ref(&token) } else { &[] });
        std::fs::write(&path, &token).unwrap();
        refused(&by(role).0, "kubernetes").await;
    }
}

#[tokio::test]
async fn a_jwt_is_held_to_its_signature_its_audience_and_its_time_and_its_file_is_read_anew() {
    let (server, issuer) = (server().await, Issuer::new());
    root(&server, "POST", "sys/auth/jwt", json!({ "type": "jwt" })).await;
    let config = json!({
        "jwt_validation_pubkeys": [issuer.public_key()],
        "jwt_supported_algs": ["ES256"],
        "default_role": "app",
    });
    root(&server, "POST", "auth/jwt/config", config).await;
    let role = json!({
        "role_type": "jwt",
        "bound_audiences": ["vault"],
        "user_claim": "sub",
        "token_policies": "app",
        "expiration_leeway": -1,
        "clock_skew_leeway": -1,
    });
    root(&server, "POST", "auth/jwt/role/app", role).await;
    let by = |role: Option<&str>, token: Given| {
        vault(&server, Auth::Jwt { mount: "jwt".to_owned(), role: role.map(str::to_owned), token })
    };
    let given = |token: String| Given::Text(token.into());
    for role in [Some("app"), None] {
        let (source, _) = by(role, given(issuer.jwt("vault", 600)));
        assert_eq!(source.sign_in().await.unwrap().unwrap().as_str(), "jwt-app");
        reads(&source).await.unwrap();
    }
    for (token, role) in [
        (issuer.jwt("vault", -3_600), "app"),     // over
        (issuer.jwt("another", 600), "app"),      // for somebody else
        (Issuer::new().jwt("vault", 600), "app"), // of another issuer
        (issuer.jwt("vault", 600), "nope"),       // no such role
        ("no-jwt-at-all".to_owned(), "app"),
    ] {
        refused(&by(Some(role), given(token)).0, "jwt").await;
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwt");
    std::fs::write(&path, issuer.jwt("vault", 600)).unwrap();
    let (source, hop) = by(Some("app"), file(&path));
    reads(&source).await.unwrap();
    std::fs::write(&path, issuer.jwt("vault", -3_600)).unwrap();
    revoke_all(&server).await;
    assert_eq!(reads(&source).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    std::fs::write(&path, issuer.jwt("vault", 600)).unwrap();
    reads(&source).await.unwrap();
    assert_eq!(hop.count("/login"), 3);
}

#[tokio::test]
async fn a_certificate_is_shown_and_only_one_of_the_right_authority_and_name_signs_in() {
    let (of_server, of_clients) = (Authority::new("of the server"), Authority::new("of clients"));
    let server = OpenBao::start_tls(&of_server.server()).await;
    furnish(&server).await;
    root(&server, "POST", "sys/auth/cert", json!({ "type": "cert" })).await;
    let role = json!({
        "certificate": of_clients.pem,
        "allowed_common_names": "app",
        "token_policies": "app",
        "display_name": "shop",
    });
    root(&server, "POST", "auth/cert/certs/app", role).await;

    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("client.pem"), folder.path().join("client.key"));
    // by its own transport, as the settings build it: who the client is, is the transport's to show
    let by = |role: Option<&str>, shown: Option<(String, String)>| {
        let auth = Auth::Certificate { mount: "cert".to_owned(), role: role.map(str::to_owned) };
        let mut settings = Settings::new(server.address(), auth).unwrap().ca(of_server.pem.as_str());
        if let Some((shown, with)) = shown {
            std::fs::write(&certificate, shown).unwrap();
            std::fs::write(&key, with).unwrap();
            settings = settings.client_files(&certificate, &key);
        }
        Vault::new(settings, clock()).unwrap()
    };
    for role in [Some("app"), None] {
        let source = by(role, Some(of_clients.client("app")));
        assert_eq!(source.sign_in().await.unwrap().unwrap().as_str(), "cert-shop");
        reads(&source).await.unwrap();
        revoke_all(&server).await;
        reads(&source).await.unwrap();
    }
    refused(&by(Some("nope"), Some(of_clients.client("app"))), "cert").await;
    refused(&by(Some("app"), Some(of_clients.client("other"))), "cert").await;
    refused(&by(Some("app"), Some(Authority::new("of clients").client("app"))), "cert").await;
    refused(&by(Some("app"), None), "cert").await;

    // a server of another authority is shown nothing at all
    let auth = Auth::Certificate { mount: "cert".to_owned(), role: None };
    let settings = Settings::new(server.address(), auth).unwrap().ca(of_clients.pem.as_str());
    let e = Vault::new(settings, clock()).unwrap().sign_in().await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Tls, "{e}");
}
