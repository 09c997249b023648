//! secretfig for edge functions: Workers, Deno, Node and browsers.
//!
//! It is the part of a manager's crate that knows no SDK, and a cache. No I/O, no clock and no promise in here: a
//! conversation is a [`Talk`], which says what to send and is given what came back. JavaScript (`package/index.js`)
//! carries it, by the host's own `fetch`.
//!
//! 1. `options`: from what a caller of `load` gives to settings; every fault of it at once.
//! 2. `wire`: requests out, replies in. `host`: clocks and random, as they are handed in.
//! 3. `tree`: what documents hold, put together. `shape`: what it is to look like. `json`: from there to JavaScript.
//! 4. `hold`: what is held, and by which rules. `cache`: when it is looked at again.
//! 5. `exports`: what JavaScript sees. `failure`: its errors.
//!
//! The size of the package is a promise, so here is no core: its rules are, in as many lines as the edge has room
//! for (`core/docs/design.md` tells which are not).
//!
//! A panic ends an instance, so nothing on this path may panic: by lint here, and by the tests, which send all kinds
//! of bad replies.

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
mod hold;
mod host;
mod json;
mod options;
mod shape;
mod tree;
mod vault;
mod wire;

pub use exports::{Config, Talk, begin};
