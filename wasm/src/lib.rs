//! secretfig for edge functions: Workers, Deno, Node and browsers.
//!
//! It is the core without figment, the part of a manager's crate that knows no SDK, and the host's own `fetch`:
//!
//! 1. `options`: from what a caller of `load` gives to settings; every fault of it at once.
//! 2. [`fetch`]: the host's `fetch` as the client of a protocol. `host`: its clocks and its random.
//! 3. `tree`: a document without a type of its own, and from there to JavaScript. `shape`: what it is to look like.
//! 4. `cache`: what is held, and when it is looked at again. Values, never a future: a request that waits for
//!    another request's I/O is ended by some hosts.
//! 5. `exports`: what JavaScript sees. `failure`: its errors.
//!
//! A panic in an exported function would leave its promise unsettled for ever, so nothing on this path may panic: by
//! lint here, and by the tests, which send all kinds of bad replies.

// a promise whose function has panicked is never settled
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

mod cache;
mod exports;
mod failure;
pub mod fetch;
mod host;
mod options;
mod shape;
mod tree;
mod vault;

pub use exports::{Config, load};
