//! What the tests of several crates share. Never published.
//!
//! * [`markers`]: values to plant, and the hunt that looks for them in everything a program says.
//! * [`scan_alloc`]: an allocator that looks for them in every block a program frees, and counts
//!   allocations.
//! * `hostile` (feature `hostile`): a server that answers as badly as servers can, and the table of what has to come of it.
//! * `integrations` (feature `integrations`): what every integration with a web framework has to prove.
//! * `log` (feature `log`): what a program says through `tracing` and `log`.
//! * `services` (feature `services`): a check of any example service from outside.

#[cfg(feature = "hostile")]
pub mod hostile;
#[cfg(feature = "integrations")]
pub mod integrations;
#[cfg(feature = "log")]
pub mod log;
pub mod markers;
pub mod scan_alloc;
#[cfg(feature = "services")]
pub mod services;

#[cfg(feature = "log")]
pub use log::Log;
pub use markers::{Form, Hunt, Marker};
pub use scan_alloc::ScanAlloc;
