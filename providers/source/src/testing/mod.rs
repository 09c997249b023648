//! For tests, of applications and of sources (feature `testing`).
//!
//! * [`FakeSource`] is a manager in memory that a test turns as it likes while the application runs:
//!   it rotates, denies, stalls and stops.
//! * [`Stage`] says how secrets get into the real thing behind a source under test.
//!
//! The fake needs no executor: it runs under any, and under tokio's paused clock.

mod conformance;
mod fake;

pub use conformance::{Stage, Wait};
pub use fake::FakeSource;
