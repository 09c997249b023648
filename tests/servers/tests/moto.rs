//! moto, as tests of AWS use it: by an administrator, and by users who may do so much and no more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use secretfig_test_servers::Moto;
use serde_json::json;

#[tokio::test]
async fn an_administrator_makes_secrets_users_and_roles() {
    for moto in [Moto::start().await, Moto::open().await] {
        let (arn, version) = moto.put("app/db", "one").await;
        assert!(arn.starts_with("arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db-"), "{arn}");
        let (again, next) = moto.put("app/db", "two").await;
        assert!(again == arn && next != version);
        let get = json!({ "SecretId": "app/db", "VersionStage": "AWSPREVIOUS" });
        let (status, got) = moto.call("GetSecretValue", get).await;
        assert_eq!((status, got["SecretString"].as_str()), (200, Some("one")));
        let policy =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}"#;
        assert_ne!(moto.user(policy).await.access_key_id, moto.access_key_id());
        assert!(moto.role(policy).await.starts_with("arn:aws:iam::123456789012:role/"));
        assert!(moto.calls().is_empty(), "an administrator's calls are not told");
    }
}
