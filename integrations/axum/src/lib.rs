#![doc = include_str!("../README.md")]
//!
//! # The way of a request through this crate
//!
//! ```text
//!  request ─▶ Secrets<S>: FromRef ─▶ Section<S> ─▶ get() ─┬─▶ Held<S> ─▶ handler
//!             (of the state)         (one atomic load)    └─▶ Withheld ─▶ WithheldRejection: 503
//!  GET /ready ─▶ health_router ─▶ Config::health() ─▶ two booleans
//! ```
//!
//! 1. [`Secrets`] takes the section out of the state (`secrets.rs`).
//! 2. What must not be used any more becomes a [`WithheldRejection`] (`rejection.rs`).
//! 3. [`health_router`] answers an orchestrator's probes (`health.rs`).

mod health;
mod rejection;
mod secrets;

pub use health::health_router;
pub use rejection::WithheldRejection;
pub use secrets::Secrets;
