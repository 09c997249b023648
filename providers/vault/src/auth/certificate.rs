//! A TLS client certificate: the transport has shown it already when the login arrives.

use crate::adapter::Call;
use secretfig_source::SourceError;
use vaultrs::api::auth::cert::requests::LoginRequest;

/// The login. Without a role, the server tries all that trust the certificate.
pub(super) fn login(mount: &str, role: Option<&str>) -> Result<Call, SourceError> {
    let endpoint = LoginRequest { mount: mount.to_owned(), cert_name: String::new() };
    let fields: Vec<_> = role.map(|role| ("name", role)).into_iter().collect();
    Call::of(&endpoint).fields(&fields)
}
