//! The service, started and used as a user would. What it owes is the same for its sisters: `secretfig_tests::services`.

#![cfg(unix)]

use secretfig_tests::services::{Provider, Service};

const SERVICE: Service = Service {
    name: "axum-service",
    binary: env!("CARGO_BIN_EXE_axum-service"),
    folder: env!("CARGO_MANIFEST_DIR"),
};

#[tokio::test]
async fn it_serves_secrets_from_files() {
    SERVICE.serves(Provider::Files).await;
}

#[tokio::test]
async fn it_serves_secrets_from_the_age_store() {
    SERVICE.serves(Provider::Local).await;
}

#[tokio::test]
async fn it_serves_secrets_from_vault() {
    SERVICE.serves(Provider::Vault).await;
}

#[tokio::test]
async fn it_serves_secrets_from_aws() {
    SERVICE.serves(Provider::Aws).await;
}

#[tokio::test]
async fn it_does_without_what_is_optional() {
    SERVICE.does_without_what_is_optional(Provider::Files).await;
    SERVICE.does_without_what_is_optional(Provider::Local).await;
    SERVICE.does_without_what_is_optional(Provider::Vault).await;
    SERVICE.does_without_what_is_optional(Provider::Aws).await;
}

#[tokio::test]
async fn three_faults_are_one_report() {
    SERVICE.refuses(Provider::Files).await;
    SERVICE.refuses(Provider::Local).await;
    SERVICE.refuses(Provider::Vault).await;
    SERVICE.refuses(Provider::Aws).await;
}

#[tokio::test]
async fn it_serves_under_an_ipv6_address() {
    SERVICE.serves_ipv6().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    SERVICE.says_what_is_in_its_way().await;
}
