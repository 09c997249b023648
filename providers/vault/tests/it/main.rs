//! The source for servers, at a real OpenBao.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what a suite ran is printed")]

mod adverse;
mod certs;
mod conformance;
mod database;
mod door;
mod hop;
mod issuer;
mod kinds;
mod life;
mod logins;
mod made;
mod namespaces;
mod said;
mod secret_ids;
#[path = "../shared/mod.rs"]
mod shared;
mod ways;
mod workloads;
