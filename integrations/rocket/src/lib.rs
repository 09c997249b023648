#![doc = include_str!("../README.md")]
//!
//! # The way of a request through this crate
//!
//! ```text
//!  start-up ─▶ figment(&config, […]) ─▶ rocket::custom
//!           ─▶ sections(&config).add(…) ─▶ attach ─▶ ignite: managed state ─▶ Sentinel of Secrets<S>
//!  request ─▶ Secrets<S>: state ─▶ Section<S> ─▶ get() ─┬─▶ Held<S> ─▶ handler
//!             (by type)            (one atomic load)    └─▶ Withheld ─▶ Rejection ─▶ 503 catcher
//!  GET /ready ─▶ health_routes ─▶ Config::health() ─▶ two booleans
//!  SIGTERM ─▶ Sections ─▶ the Keeper ends
//! ```
//!
//! 1. [`sections`] registers what handlers may take, and ends the Keeper (`sections.rs`).
//! 2. [`Secrets`] takes the section out of the managed state (`secrets.rs`).
//! 3. What must not be used any more becomes a [`Rejection`], and that a 503 (`rejection.rs`).
//! 4. [`health_routes`] answers an orchestrator's probes (`health.rs`).
//! 5. [`figment()`] hands secrets to Rocket itself (`settings.rs`).

mod health;
mod rejection;
mod secrets;
mod sections;
mod settings;

pub use health::health_routes;
pub use rejection::Rejection;
pub use secrets::Secrets;
pub use sections::{Sections, sections};
pub use settings::{FigmentError, figment};

/// The code in the guide for those who come from Rocket's own configuration compiles and runs.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../core/docs/guides/from-rocket.md")]
    struct FromRocket;
}
