//! For tests, of applications and of sources (feature `testing`).
//!
//! * [`FakeSource`] is a manager in memory that a test turns as it likes while the application runs:
//!   it rotates, denies, stalls and stops.
//! * [`conformance`] proves of any source that it keeps the contract of [`Source`](crate::Source).
//!   A source's author implements [`Stage`], which says how secrets get into the real thing.
//!
//! Neither needs an executor: both run under any, and under tokio's paused clock.

mod conformance;
mod fake;

pub use conformance::{Conformance, Stage, Wait, conformance};
pub use fake::FakeSource;
