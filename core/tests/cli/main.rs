//! The program `secretfig`, as a person or a pipeline runs it.
//!
//! It needs the feature `cli`: `cargo test --workspace` has it, alone it is `cargo test -p secretfig --features cli`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(all(unix, feature = "files", feature = "models"))]

mod commands;
mod exec;
mod ground;
mod local;
mod page;
#[cfg(target_os = "linux")]
mod prompts;
#[cfg(target_os = "linux")]
mod syscalls;
mod told;
mod typed;
