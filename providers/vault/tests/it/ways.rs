//! Each way to sign in, one by one.

use crate::hop::{WRAPPED, approle, policy, post, reads, revoke_all, root, vault};
use secretfig_source::{Ask, ErrorKind, Source};
use secretfig_test_servers::OpenBao;
use secretfig_vault::{Auth, Given, SecretId};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

async fn wrapped(server: &OpenBao, path: &str) -> String {
    let reply = post(server, path, b"{}", &[WRAPPED]).await;
    reply["wrap_info"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_and_a_file_that_is_read_anew() {
    let server = OpenBao::start().await;
    policy(&server).await;
    let token = async || {
        let made = root(&server, "POST", "auth/token/create", json!({ "policies": ["app"] })).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    };
    root(&server, "POST", "secret/data/db", json!({ "data": { "password": "x" } })).await;
    let first = token().await;
    let (by_token, _) = vault(&server, Auth::Token(first.as_str().into()));
    assert_eq!(by_token.sign_in().await.unwrap().unwrap().as_str(), "token");
    assert!(by_token.fetch(&[Ask::new("db")]).await.remove(0).is_ok());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sink");
    std::fs::write(&path, format!("{first}\n")).unwrap();
    let (by_file, hop) = vault(&server, Auth::TokenFile(Arc::from(path.as_path())));
    assert!(by_file.fetch(&[Ask::new("db")]).await.remove(0).is_ok());
    root(&server, "POST", "auth/token/revoke", json!({ "token": first })).await;
    std::fs::write(&path, token().await).unwrap();
    hop.forget();
    assert!(by_file.fetch(&[Ask::new("db")]).await.remove(0).is_ok(), "the new token of the file is taken");
    assert_eq!(hop.count("/login"), 0);

    let e = by_token.fetch(&[Ask::new("db")]).await.remove(0).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unauthenticated, "{e}");
}

#[tokio::test]
async fn a_wrapped_secret_id_is_looked_at_before_it_is_opened() {
    let server = OpenBao::start().await;
    let (role_id, _) = approle(&server, json!({})).await;
    let by = |wrapping: &str| Auth::AppRole {
        mount: "approle".to_owned(),
        role_id: Given::Text(role_id.as_str().into()),
        secret_id: SecretId::Wrapped(Given::Text(wrapping.into())),
    };
    let wrapping = wrapped(&server, "auth/approle/role/app/secret-id").await;
    let (source, hop) = vault(&server, by(&wrapping));
    assert_eq!(source.sign_in().await.unwrap().unwrap().as_str(), "approle");
    assert_eq!((hop.count("wrapping/lookup"), hop.count("wrapping/unwrap"), hop.count("/login")), (1, 1, 1));
    // the same once more: somebody has opened it
    let e = vault(&server, by(&wrapping)).0.sign_in().await.unwrap_err();
    assert!(e.kind() == ErrorKind::Unauthenticated && e.what_to_do().contains("tampering"), "{e}");
    // wrapped by another endpoint than the role's: it is not opened
    let foreign = wrapped(&server, "sys/wrapping/wrap").await;
    let (source, hop) = vault(&server, by(&foreign));
    let e = source.sign_in().await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unauthenticated);
    assert!(e.what_to_do().contains("another in its place"), "{e}");
    assert_eq!((hop.count("wrapping/unwrap"), hop.count("/login")), (0, 0));
    // one that is none, or was opened already
    let (source, hop) = vault(&server, by("s.used"));
    let e = source.sign_in().await.unwrap_err();
    assert!(e.kind() == ErrorKind::Unauthenticated && e.what_to_do().contains("tampering"), "{e}");
    assert_eq!((hop.count("wrapping/unwrap"), hop.count("/login")), (0, 0));
}

#[tokio::test]
async fn a_user_and_a_password() {
    let server = OpenBao::start().await;
    policy(&server).await;
    root(&server, "POST", "secret/data/db", json!({ "data": { "password": "x" } })).await;
    root(&server, "POST", "sys/auth/people", json!({ "type": "userpass" })).await;
    let user = async |password: &str| {
        let user = json!({ "password": password, "token_policies": "app" });
        root(&server, "POST", "auth/people/users/ada.l", user).await;
    };
    user("correct").await;
    let by = |user: &str, password: Given| {
        vault(&server, Auth::Userpass { mount: "people".to_owned(), user: user.to_owned(), password })
    };
    let text = |password: &str| Given::Text(password.into());
    let (source, hop) = by("ada.l", text("correct"));
    assert_eq!(source.sign_in().await.unwrap().unwrap().as_str(), "people-ada.l");
    reads(&source).await.unwrap();
    let e = source.fetch(&[Ask::new("denied")]).await.remove(0).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
    revoke_all(&server).await;
    reads(&source).await.unwrap();
    assert_eq!((hop.count("POST /v1/auth/people/login/ada.l"), hop.count("/login")), (2, 2));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "correct\n").unwrap();
    let (source, _) = by("ada.l", Given::File(Arc::from(path.as_path())));
    reads(&source).await.unwrap();
    user("another").await;
    revoke_all(&server).await;
    assert_eq!(reads(&source).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    std::fs::write(&path, "another\n").unwrap();
    reads(&source).await.expect("its file is read anew");

    for (user, password) in [("ada.l", "correct"), ("nobody", "another")] {
        let (source, hop) = by(user, text(password));
        // more of them would lock the user out, for whoever has the right password, too
        for _ in 0..10 {
            let e = source.sign_in().await.unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Unauthenticated, "{e}");
            assert!(e.what_to_do().contains("sign-in by userpass"), "{e}");
        }
        assert_eq!(hop.count("/login"), 1);
    }
    by("ada.l", text("another")).0.sign_in().await.expect("nobody is locked out");
}

#[tokio::test]
async fn a_file_that_is_missing_is_told_by_its_path() {
    let server = OpenBao::start().await;
    let token = Given::File(Arc::from(Path::new("/nowhere/token")));
    let auth = Auth::Kubernetes { mount: "kubernetes".to_owned(), role: "app".to_owned(), token };
    let e = vault(&server, auth).0.sign_in().await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Misconfigured);
    assert!(e.what_to_do().contains("/nowhere/token"), "{e}");
}
