//! A user and a password: for people, and for places that offer nothing better.

use crate::adapter::Call;
use secretfig_source::SourceError;
use vaultrs::api::auth::userpass::requests::LoginRequest;

/// The login.
pub(super) fn login(mount: &str, user: &str, password: &str) -> Result<Call, SourceError> {
    let endpoint =
        LoginRequest { mount: mount.to_owned(), username: user.to_owned(), password: String::new() };
    Call::of(&endpoint).fields(&[("password", password)])
}
