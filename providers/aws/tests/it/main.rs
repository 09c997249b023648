//! Both halves against servers: moto, which checks signatures and policies, moto that does not, and ministack. What they do
//! otherwise than AWS: `tests/servers/DEVIATIONS.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod chain;
mod conformance;
mod fetching;
mod rights;
mod shared;
mod ways;
