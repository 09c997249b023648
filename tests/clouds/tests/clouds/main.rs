//! Proof that the SDKs of two clouds run over the one transport: an adapter each, and what each shows of faults, of
//! secrets in logs, and of its own retries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod aws;
mod aws_runs;
mod azure;
mod azure_runs;
mod ear;
mod hop;
mod key_vault;
