//! The source for servers, at a real OpenBao.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what a suite ran is printed")]

mod conformance;
mod database;
mod hop;
mod logins;
mod ways;
