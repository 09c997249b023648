#![doc = include_str!("../README.md")]

#[cfg(feature = "edit")]
pub mod edit;
mod error;
mod settings;

pub use error::SCHEME;
pub use settings::Settings;

/// Wipes a variable's value that is not needed any more.
fn wipe(value: std::ffi::OsString) {
    zeroize::Zeroize::zeroize(&mut value.into_encoded_bytes());
}
