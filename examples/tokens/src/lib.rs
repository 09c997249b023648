//! Tokens signed by a section's current key, and verified by it or by the one before.
//!
//! The example services sign and verify by these two functions. They take HMAC keys; whoever signs with a private key
//! hands jsonwebtoken the PEM of the section in the same place.

mod bearer;
mod claims;
mod signing;
mod verifying;

pub use bearer::bearer;
pub use claims::Claims;
pub use signing::{NotSigned, sign};
pub use verifying::{SignedWith, verify};

use secretfig::models::JwtConfig;

/// The configuration's, never the one that a token names. `None` for a key that is not HMAC's.
fn algorithm(key: &JwtConfig) -> Option<jsonwebtoken::Algorithm> {
    let ours = key.algorithm();
    ours.is_hmac().then(|| ours.as_str().parse().ok()).flatten()
}
