//! ministack, and the hop in front of a server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use secretfig_test_servers::{Ministack, Relay, longest_chain};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn secrets_are_made_and_a_stage_is_moved() {
    let server = Ministack::start().await;
    let (arn, first) = server.put("app/db", "one").await;
    let (again, second) = server.put("app/db", "two").await;
    assert!(arn.contains(":secret:app/db-") && arn == again && first != second);
    let back = json!({ "SecretId": "app/db", "VersionStage": "AWSCURRENT", "MoveToVersionId": first, "RemoveFromVersionId": second });
    assert_eq!(server.call("UpdateSecretVersionStage", back).await.0, 200);
    let (_, got) = server.call("GetSecretValue", json!({ "SecretId": "app/db" })).await;
    assert_eq!(got["SecretString"], "one");
}

#[tokio::test]
async fn a_hop_delays_counts_and_answers_itself() {
    let server = Ministack::start().await;
    server.put("app/db", "one").await;
    let hop = Relay::to(server.address(), Duration::from_millis(20)).await;
    let get = || async {
        let body = json!({ "SecretId": "app/db" }).to_string();
        let scope = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0";
        let address = hop.address();
        let mut stream = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: here\r\nx-amz-target: secretsmanager.GetSecretValue\r\nauthorization: {scope}\r\ncontent-type: \
             application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        String::from_utf8_lossy(&status[9..]).parse::<u16>().unwrap()
    };
    assert_eq!(get().await, 200);
    let (one, two) = tokio::join!(get(), get());
    assert!(one == 200 && two == 200);
    hop.answer(429, "{}");
    assert_eq!(get().await, 429);
    let passed = hop.passed();
    assert_eq!((passed.len(), longest_chain(&passed)), (4, 3));
    assert_eq!(passed[0].what, "POST / secretsmanager.GetSecretValue");
    assert!(hop.passed().is_empty());
}
