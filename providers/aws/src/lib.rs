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

#[cfg(feature = "full")]
mod blind;
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

pub use error::SCHEME;
pub use naming::Duplicates;
pub use settings::{Auth, Given, Keys, Settings};
