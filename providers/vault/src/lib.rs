#![doc = include_str!("../README.md")]
//!
//! # The way of a secret through this crate
//!
//! ```text
//!  Settings ──▶ a name's place ──▶ requests ──▶ replies ──▶ Document, Revision, Lease
//!  (settings)   (naming, mount)    (protocol,   (reply)
//!                                   or source)     └── refusals, by one table (error)
//! ```

// what is there for the parts that are left out
#![cfg_attr(not(feature = "full"), allow(dead_code))]

#[cfg(all(feature = "sdk", not(all(target_family = "wasm", target_os = "unknown"))))]
mod adapter;
#[cfg(all(feature = "sdk", not(all(target_family = "wasm", target_os = "unknown"))))]
mod auth;
mod error;
mod grants;
mod mount;
mod naming;
pub mod protocol;
mod reply;
mod settings;
#[cfg(all(feature = "sdk", not(all(target_family = "wasm", target_os = "unknown"))))]
mod source;

pub use error::SCHEME;
pub use naming::Kind;
pub use settings::{Auth, Given, SecretId, Settings};
#[cfg(all(feature = "sdk", not(all(target_family = "wasm", target_os = "unknown"))))]
pub use source::Vault;
