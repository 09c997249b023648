//! Kubernetes, and any other issuer of JWTs: a role, and a token that is read anew for each login.

use crate::adapter::Call;
use secretfig_source::SourceError;
use vaultrs::api::auth::kubernetes::requests::LoginWithKubernetesRequest;

/// The login; the two ways differ in their mounts only. Without a role, the mount's own default counts.
pub(super) fn login(mount: &str, role: Option<&str>, jwt: &str) -> Result<Call, SourceError> {
    let endpoint =
        LoginWithKubernetesRequest { mount: mount.to_owned(), role: String::new(), jwt: String::new() };
    let role = role.map(|role| ("role", role));
    let fields: Vec<_> = role.into_iter().chain([("jwt", jwt)]).collect();
    Call::of(&endpoint).fields(&fields)
}
