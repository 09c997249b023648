//! The harness of three nodes.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use secretfig_test_servers::Cluster;
use serde_json::{Value, json};

#[tokio::test]
async fn another_leads_when_the_leader_is_killed() {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.nodes().len(), 3);
    let first = cluster.leader().await;
    let other = (first + 1) % 3;
    // one that stands by passes it on
    let (status, body) = cluster.call(other, "POST", "secret/data/a", json!({ "data": { "k": "v" } })).await;
    assert_eq!(status, 200, "{body}");
    cluster.kill(first);
    let second = cluster.leader().await;
    assert_ne!(first, second);
    let (status, body) = cluster.call(second, "GET", "secret/data/a", Value::Null).await;
    assert_eq!((status, body["data"]["data"]["k"].as_str()), (200, Some("v")), "{body}");
}
