#![doc = include_str!("../README.md")]
//!
//! # The way of a request through this crate
//!
//! ```text
//!  Settings ──▶ Transport ──▶ way ──▶ reqwest ──▶ body ──▶ Reply
//!              (two clients:  (may it    │  ├ names: who is localhost, whom a setting places
//!               direct, and    go, and   │  └ tls:   ring, 1.2 at least, pins, identity
//!               by a proxy)    by whom)  └── what went wrong ──▶ fault ──▶ HttpError
//! ```
//!
//! 1. [`Settings`] hold what is set per source; each is checked when it is set.
//! 2. [`Transport`] is the [`Http`](secretfig_source::protocol::Http) of every manager's crate.
//! 3. A URL is looked at before a name is resolved: plain `http`, users in it, steps in its path (`way.rs`).
//! 4. Names are resolved by us (`names.rs`), and TLS is set up by us (`tls.rs`).
//! 5. A body is read into one block at a time, each wiped (`body.rs`).
//! 6. Every failure becomes a word and a hint (`fault.rs`); what reqwest says of it is read and dropped.

mod body;
mod fault;
mod names;
mod settings;
mod tls;
mod transport;
mod way;

pub use settings::{Proxy, Settings};
pub use transport::Transport;
