//! Actix: the suite of all integrations, the list of sections, and a real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod registering;
mod server;
mod suite;

use secretfig_tests::ScanAlloc;

/// Counts allocations.
#[global_allocator]
static ALLOC: ScanAlloc = ScanAlloc;
