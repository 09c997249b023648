#![doc = include_str!("../README.md")]
//!
//! # The way of a request through this crate
//!
//! ```text
//!  Settings ──▶ Transport ──▶ way ──▶ reqwest ──▶ body ──▶ Reply
//!                        (may it go?)   │  └ tls: ring, 1.2 at least, pins, identity
//!                                       └── what went wrong ──▶ fault ──▶ HttpError
//! ```

mod body;
mod fault;
mod settings;
mod tls;
mod transport;
mod way;

pub use settings::{Proxy, Settings};
pub use transport::Transport;
