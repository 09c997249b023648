//! What the tests of several crates share. Never published.
//!
//! * [`markers`]: values to plant, and the hunt that looks for them in everything a program says.
//! * [`scan_alloc`]: an allocator that looks for them in every block a program frees, and counts
//!   allocations.

pub mod markers;
pub mod scan_alloc;

pub use markers::{Form, Hunt, Marker};
pub use scan_alloc::ScanAlloc;
