#![doc = include_str!("../README.md")]
//!
//! # The way of a request through this crate
//!
//! ```text
//!  start-up ─▶ sections(&config).add(…) ─▶ require::<(…)>() ─┬─▶ configure ─▶ app_data of every worker
//!                                                            └─▶ SectionsError: every type that is not there
//!  request ─▶ Secrets<S>: app_data ─▶ Section<S> ─▶ get() ─┬─▶ Held<S> ─▶ handler
//!             (by type)               (one atomic load)    └─▶ Withheld ─▶ Rejection: 503
//!  GET /ready ─▶ health_routes ─▶ Config::health() ─▶ two booleans
//!  SIGTERM ─▶ run ─▶ the server ends, then the Keeper
//! ```
//!
//! 1. [`sections`] lists what handlers may take, [`Sections::require`] checks it (`sections.rs`, `needs.rs`).
//! 2. [`Secrets`] takes the section out of the `app_data` (`secrets.rs`).
//! 3. What must not be used any more, and what was never registered, becomes a [`Rejection`] (`rejection.rs`).
//! 4. [`health_routes`] answers an orchestrator's probes (`health.rs`), [`run`] ends in order (`run.rs`).

mod health;
mod needs;
mod rejection;
mod run;
mod secrets;
mod sections;

pub use health::health_routes;
pub use needs::Needs;
pub use rejection::Rejection;
pub use run::run;
pub use secrets::Secrets;
pub use sections::{Sections, SectionsError, sections};
