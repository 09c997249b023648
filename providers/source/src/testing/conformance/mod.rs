//! What any source has to prove.

mod stage;

pub use stage::{Stage, Wait};
