#![doc = include_str!("../README.md")]
//!
//! # The way of a secret through this crate
//!
//! ```text
//!  Settings ──▶ what a name means ──▶ requests ──▶ replies ──▶ Document, Revision
//!  (settings)   (naming)             (protocol,   (reply)
//!                                     or source)     └── refusals, by one table (error)
//! ```

// what is there for the parts that are left out
#![cfg_attr(not(feature = "sdk"), allow(dead_code))]

#[cfg(all(feature = "sdk", not(all(target_family = "wasm", target_os = "unknown"))))]
mod adapter;
#[cfg(all(feature = "sdk", not(all(target_family = "wasm", target_os = "unknown"))))]
mod auth;
mod error;
#[cfg(feature = "full")]
mod folder;
#[cfg(feature = "full")]
mod grants;
mod naming;
#[cfg(feature = "full")]
mod notes;
pub mod protocol;
mod reply;
mod settings;
mod sign;
#[cfg(all(feature = "sdk", not(all(target_family = "wasm", target_os = "unknown"))))]
mod source;

pub use error::SCHEME;
pub use naming::Duplicates;
pub use settings::{Auth, Given, Keys, Settings};
#[cfg(all(feature = "sdk", not(all(target_family = "wasm", target_os = "unknown"))))]
pub use source::SecretsManager;
