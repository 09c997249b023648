//! The harness of PostgreSQL, alone and behind OpenBao.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use secretfig_test_servers::{OpenBao, Postgres};
use serde_json::Value;

#[tokio::test]
async fn it_answers_who_has_the_password() {
    let postgres = Postgres::start().await;
    assert_eq!(postgres.query("SELECT 1, NULL, 'a'").await, [["1", "", "a"]]);
    let refused = postgres.query_as(postgres.user(), "another", "SELECT 1").await.unwrap_err();
    assert!(refused.contains("password authentication failed"), "{refused}");
}

#[tokio::test]
async fn openbao_makes_its_users() {
    let (postgres, bao) = tokio::join!(Postgres::start(), OpenBao::start());
    postgres.give_roles_to(&bao).await;
    for path in ["database/creds/app", "database/static-creds/app-static"] {
        let (status, body) = bao.call("GET", path, Value::Null).await;
        assert_eq!(status, 200, "{body}");
        let text = |key: &str| body["data"][key].as_str().unwrap().to_owned();
        let who = postgres.query_as(&text("username"), &text("password"), "SELECT current_user").await;
        assert_eq!(who.unwrap(), [[text("username")]]);
    }
}
