//! The contract between [`secretfig`](https://docs.rs/secretfig) and the places secrets come from.
//!
//! Whoever writes a source reads this crate in this order:
//!
//! 1. [`Ask`]: what the core wants, a name and a point in its history ([`At`]).
//! 2. [`Source`]: the one trait. `fetch` answers asks, `probe` says cheaply whether something moved.
//! 3. [`Fetched`]: an answer, a [`Document`] with its [`Revision`] and times.
//! 4. [`Document`] and [`Sealed`]: where values live. Bytes go in; a tree with sealed leaves comes
//!    out, with no plain copy in between.
//! 5. [`SourceError`] and [`ErrorKind`]: what went wrong, by what a caller does about it.
//! 6. [`Clock`] and [`Tick`]: time is handed in.
//! 7. `protocol` (feature `protocol`): for managers spoken to by hand, requests out and replies
//!    in, with no I/O of its own.
//! 8. `testing` (feature `testing`): `FakeSource`, and the conformance suite that proves a
//!    source keeps this contract.
//!
//! ```text
//!   Ask ──▶ Source::fetch ──▶ Fetched { Document, Revision, … } ──▶ the core
//!                 │
//!                 └─ or, by hand: Protocol ─▶ Exchange::step ─▶ Request ─▶ Http ─▶ Reply ─▶ …
//! ```
//!
//! No tokio, no SDK, no clock and no randomness in here; it builds for `wasm32-unknown-unknown`.
//!
//! # A whole source
//!
//! ```
//! use secretfig_source::{Ask, Document, ErrorKind, Fetched, Revision, Source, SourceError, SourceInfo};
//!
//! struct OneSecret;
//!
//! #[async_trait::async_trait]
//! impl Source for OneSecret {
//!     fn info(&self) -> SourceInfo {
//!         SourceInfo::new("one", "memory")
//!     }
//!     async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
//!         asks.iter()
//!             .map(|ask| match ask.name() {
//!                 "greeting" => Ok(Fetched::new(Document::from_text("hello"), Revision::new("1"))),
//!                 name => Err(SourceError::new(ErrorKind::Absent, "one")
//!                     .secret(name)
//!                     .hint("this source holds `greeting` and nothing else")),
//!             })
//!             .collect()
//!     }
//! }
//! ```

mod ask;
mod clock;
mod document;
mod error;
mod fetched;
#[cfg(feature = "options")]
pub mod file;
mod note;
#[cfg(feature = "options")]
pub mod options;
#[cfg(feature = "protocol")]
pub mod protocol;
mod revision;
mod sealed;
mod source;
#[cfg(feature = "testing")]
pub mod testing;

pub use ask::{Ask, At};
pub use async_trait::async_trait;
pub use clock::{Clock, Tick};
pub use document::{Document, Format, Limits, Malformed, Reading};
pub use error::{ErrorKind, SourceError, Unavailable, Validity, Withdrawn};
pub use fetched::{Fetched, Identity, Lease, Probe};
pub use note::Note;
pub use revision::{Fingerprints, Revision};
pub use sealed::{Exposed, Node, Sealed};
pub use source::{Abilities, Batch, Grants, Listing, Source, SourceInfo};
