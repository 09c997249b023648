//! The transport against servers that a test scripts byte by byte, in plain text and over TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod length;
mod memory;
mod proxies;
mod server;
mod tls;
mod traces;
mod wire;

use secretfig_tests::ScanAlloc;

#[global_allocator]
static ALLOC: ScanAlloc = ScanAlloc;
