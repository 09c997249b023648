//! secretfig for edge functions: Workers, Deno, Node and browsers.
//!
//! It is the part of a manager's crate that knows no SDK, and a cache. No I/O, no clock and no promise in here: a
//! conversation is a [`Talk`], which says what to send and is given what came back. JavaScript (`package/index.js`)
//! carries it, by the host's own `fetch`.
//!
//! 1. `given`: from what `package/options.js` has checked to settings.
//! 2. `wire`: requests out, replies in, and the time of each step. `session`: as whom.
//! 3. `tree`: what documents hold, put together. `shape`: what it is to look like. `json`: from there to JavaScript.
//! 4. `hold`: what is held, and by which rules. `cache`: when it is looked at again.
//! 5. `exports`: what JavaScript sees. `failure`: what it makes errors of.
//!
//! The size of the package is a promise, so here is no core: its rules are, in as many lines as the edge has room
//! for (`core/docs/design.md` tells which are not). For the same reason what JavaScript does as well in a fifth of the room
//! is done there: to check options, to print, to make objects.
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
mod given;
mod hold;
mod json;
mod session;
mod shape;
mod tree;
mod wire;

pub use exports::{Config, Talk, begin};

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
