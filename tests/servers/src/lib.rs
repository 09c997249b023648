//! Real servers for tests and examples: installed once, started and stopped.
//!
//! ```no_run
//! use secretfig_test_servers::OpenBao;
//! use serde_json::json;
//!
//! # async fn check() {
//! let bao = OpenBao::start().await;
//! let (status, _) = bao.call("POST", "secret/data/myapp", json!({ "data": { "password": "…" } })).await;
//! assert_eq!(status, 200);
//! println!("{}", bao.address()); // http://127.0.0.1:…, until `bao` is dropped
//! # }
//! ```
//!
//! * `install.rs`: what is installed, into the user's cache folder, once for all checkouts: versions are pinned, hashes
//!   checked, no root is needed. [`install_all`] does it ahead of time.
//! * `process.rs`: a running server. It ends with the value that stands for it, and with the test process, however that
//!   ends.
//! * `client.rs`: requests to a server's own interface.
//! * `openbao.rs`, `cluster.rs`, `postgres.rs`, `moto.rs`, `ministack.rs`: the servers. What they do otherwise than the real
//!   service is in `DEVIATIONS.md`.
//! * `relay.rs`: a hop in front of one, which delays and counts.
//!
//! A server that cannot be had is a failure that says what was tried and what to do; nothing is ever skipped. This crate
//! knows the servers and nothing of the libraries that are tested against them. Unix only.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it serves tests: one without its server fails by panicking"
)]

mod agent;
mod client;
mod cluster;
mod install;
mod ministack;
mod moto;
mod openbao;
mod postgres;
mod process;
mod relay;

pub use agent::Agent;
pub use cluster::Cluster;
pub use install::{Failed, install_all};
pub use ministack::Ministack;
pub use moto::{ACCOUNT, Keys, Moto, python_of_moto};
pub use openbao::{OpenBao, Tls};
pub use postgres::Postgres;
pub use relay::{Passed, Relay, longest_chain};
