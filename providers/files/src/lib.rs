#![doc = include_str!("../README.md")]
//!
//! # The way of a secret through this crate
//!
//! ```text
//!  Settings ──▶ Files ──▶ naming ──▶ glance ──▶ open ──▶ Document, Revision
//!  (folders,    (the      (what a    (..data     (one
//!   files)      source)    name is)   pinned)     file)
//!                  └── watch: notify ──▶ changed()
//! ```
//!
//! 1. [`Settings`] say where files may lie: the table of all options and their variables is there.
//! 2. [`Files`] is the [`Source`](secretfig_source::Source).
//! 3. A name is checked by its segments before anything touches the disk (`naming.rs`).
//! 4. One *glance* resolves every name of a call, with each swapped folder pinned (`glance.rs`).
//! 5. A file is opened without waiting, found to lie where it should, and read once into a block of
//!    its exact size that is wiped (`open.rs`).
//! 6. What the system says against it becomes a kind and a hint, by one table (`error.rs`).
//! 7. `changed()` ends when a file moved (`watch.rs`).

mod error;
mod glance;
mod naming;
mod open;
mod settings;
mod source;
mod watch;

pub use error::SCHEME;
pub use settings::{Settings, TrailingNewline};
pub use source::Files;
