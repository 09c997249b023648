//! The harness of OpenBao itself.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use secretfig_test_servers::OpenBao;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn two_at_once_are_two() {
    let (one, other) = tokio::join!(OpenBao::start(), OpenBao::start());
    assert_ne!(one.address(), other.address());
    let written = one.call("POST", "secret/data/a", json!({ "data": { "k": "v" } })).await;
    assert_eq!(written.0, 200, "{}", written.1);
    let (status, body) = one.call("GET", "secret/data/a", Value::Null).await;
    assert_eq!((status, body["data"]["data"]["k"].as_str()), (200, Some("v")));
    assert_eq!(other.call("GET", "secret/data/a", Value::Null).await.0, 404);
    assert_eq!(
        other.call_with(Some(one.root_token()), None, "GET", "secret/data/a", Value::Null).await.0,
        403
    );
    assert!(one.log().contains(r#""path":"secret/data/a""#), "{}", one.log());
}

#[tokio::test]
async fn it_is_sealed_and_unsealed() {
    let bao = OpenBao::start().await;
    bao.seal().await;
    assert_eq!(bao.call("GET", "secret/data/a", Value::Null).await.0, 503);
    bao.unseal().await;
    assert_eq!(bao.call("GET", "secret/data/a", Value::Null).await.0, 404);
}

#[tokio::test]
async fn it_stops_and_goes_on() {
    let bao = OpenBao::start().await;
    bao.stop();
    // its threads stop one after the other
    let mut tries = 0;
    loop {
        let asked = bao.call("GET", "secret/data/a", Value::Null);
        tokio::pin!(asked);
        if tokio::time::timeout(Duration::from_millis(300), &mut asked).await.is_ok() {
            tries += 1;
            assert!(tries < 20, "it does not stop");
            continue;
        }
        bao.go_on();
        assert_eq!(asked.await.0, 404);
        break;
    }
}
