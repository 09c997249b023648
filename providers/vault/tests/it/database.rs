//! Credentials of a real database, and a cluster that loses its leader.

use crate::hop::{Hop, clock, vault};
use secretfig_source::{Ask, Source};
use secretfig_test_servers::{Cluster, OpenBao, Postgres};
use secretfig_vault::{Auth, Settings, Vault};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn a_read_of_a_dynamic_role_makes_one_user_and_giving_it_back_takes_it_away() {
    let (server, postgres) = (OpenBao::start().await, Postgres::start().await);
    postgres.give_roles_to(&server).await;
    let (vault, hop) = vault(&server, Auth::Token(server.root_token().into()));
    let users = async || postgres.query("select rolname from pg_roles where rolname like 'v-%'").await.len();
    let ask = Ask::new(format!("database/creds/{}", role(&server, "roles").await));
    assert!(vault.mints(&ask));
    let minted = vault.fetch(std::slice::from_ref(&ask)).await.remove(0).unwrap();
    assert_eq!((users().await, hop.count("/creds/"), minted.repeatable), (1, 1, false));
    let lease = minted.lease.unwrap();
    let renewed = vault.renew(&lease).await.unwrap();
    assert_eq!(renewed.id, lease.id);
    assert!(!vault.lost(&lease));
    vault.revoke(&lease).await.unwrap();
    assert_eq!(users().await, 0);
    let e = vault.renew(&lease).await.unwrap_err();
    assert_eq!(e.kind(), secretfig_source::ErrorKind::Absent, "{e}");
}

/// The first role of that kind that the harness has set up.
async fn role(server: &OpenBao, kind: &str) -> String {
    let (_, roles) = server.call("LIST", &format!("database/{kind}"), Value::Null).await;
    roles["data"]["keys"][0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_static_role_is_read_as_often_as_one_likes() {
    let (server, postgres) = (OpenBao::start().await, Postgres::start().await);
    postgres.give_roles_to(&server).await;
    let (vault, _) = vault(&server, Auth::Token(server.root_token().into()));
    let ask = Ask::new(format!("database/static-creds/{}", role(&server, "static-roles").await));
    assert!(!vault.mints(&ask));
    let first = vault.fetch(std::slice::from_ref(&ask)).await.remove(0).unwrap();
    let again = vault.fetch(&[ask]).await.remove(0).unwrap();
    assert_eq!(first.revision, again.revision);
    assert!(first.repeatable && first.lease.is_none() && first.expires.is_some());
}

#[tokio::test]
async fn a_cluster_that_loses_its_leader_is_read_through_the_others() {
    let cluster = Cluster::start().await;
    let leader = cluster.leader().await;
    let kv = json!({ "type": "kv", "options": { "version": "1" } });
    assert_eq!(cluster.call(leader, "POST", "sys/mounts/old", kv).await.0, 204);
    assert_eq!(cluster.call(leader, "POST", "old/db", json!({ "password": "x" })).await.0, 204);
    // a standby answers by what has reached it
    for node in 0..cluster.nodes().len() {
        while cluster.call(node, "GET", "old/db", Value::Null).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let first = &cluster.nodes()[leader];
    let auth = Auth::Token(cluster.root_token().into());
    let mut settings = Settings::new(first, auth).unwrap().known_mount("old", None).unwrap();
    for node in cluster.nodes().iter().filter(|node| *node != first) {
        settings = settings.also(node).unwrap();
    }
    let vault = Vault::over(settings, Hop::new(), clock()).unwrap();
    assert!(vault.fetch(&[Ask::new("old/db")]).await.remove(0).is_ok());
    cluster.kill(leader);
    let mut read = 0;
    let reading = async {
        while read < 100 {
            match vault.fetch(&[Ask::new("old/db")]).await.remove(0) {
                Ok(_) => read += 1,
                // an election takes its time; the core waits longer between two tries
                Err(e) => {
                    assert!(e.kind().is_outage(), "{e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), reading).await.is_ok(), "100 reads in 30 s");
}
