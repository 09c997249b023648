#![doc = include_str!("../README.md")]
//!
//! # The way of a secret through this crate
//!
//! ```text
//!  Settings ──▶ Local ──▶ identity ──▶ open ──▶ tree ──▶ Document, Revision
//!  (store,      (the      (keys,       (age,     (sealed
//!   identity)    source)   passphrase)  bounded)  leaves)
//!                  └── watch: notify ──▶ changed()
//! ```
//!
//! 1. [`Settings`] say which file, and how it is opened: the table of all options and their variables
//!    is there.
//! 2. [`Local`] is the [`Source`](secretfig_source::Source).
//! 3. The identity is read anew for each decryption (`identity.rs`).
//! 4. The store is read once, within bounds, and decrypted into one block that is wiped (`open.rs`).
//! 5. Its text goes into sealed leaves, and names walk its tables (`naming.rs`, `tree.rs`).
//! 6. What age and the system say against it becomes a kind and a hint, by tables (`error.rs`,
//!    `open.rs`).
//! 7. `changed()` ends when the store was replaced (`watch.rs`).
//!
//! With the feature `edit`, the module `edit` makes and changes stores.

#[cfg(feature = "edit")]
pub mod edit;
mod error;
mod identity;
mod naming;
mod open;
mod settings;
mod source;
mod tree;
mod turns;
mod watch;

pub use error::SCHEME;
pub use settings::Settings;
pub use source::Local;

/// Wipes a variable's value that is not needed any more.
fn wipe(value: std::ffi::OsString) {
    zeroize::Zeroize::zeroize(&mut value.into_encoded_bytes());
}
