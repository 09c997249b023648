//! The age store in company: with other implementations of age, in a configuration, in memory, and in
//! everything that is said when something is wrong.
//!
//! Needs cargo's registry and, for the independent implementation, Node 20 with npm: `rage` and the
//! package `age-encryption` are installed once, into the folder of the build.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod copies;
mod interop;
mod loading;
mod markers;
mod place;
mod tools;

#[global_allocator]
static ALLOC: secretfig_tests::ScanAlloc = secretfig_tests::ScanAlloc;
