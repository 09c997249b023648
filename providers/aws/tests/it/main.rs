//! Both halves against servers: moto, which checks signatures and policies, moto that does not, and ministack. What they do
//! otherwise than AWS: `tests/servers/DEVIATIONS.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what ran"
)]

mod chain;
mod conformance;
mod fetching;
mod halves;
mod rights;
mod shared;
mod told;
mod ways;
