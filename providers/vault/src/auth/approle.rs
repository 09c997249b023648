//! AppRole: a role_id, and a secret_id, which may come wrapped in a token that opens once.

use crate::adapter::{Adapter, Call};
use crate::error::{Doing, Refusal, refusal};
use crate::reply::{Body, get, text, tree};
use http::StatusCode;
use secretfig_source::protocol::Reply;
use secretfig_source::{ErrorKind, SourceError};
use std::time::SystemTime;
use vaultrs::api::auth::approle::requests::LoginWithApproleRequest;
use vaultrs::api::sys::requests::{UnwrapRequest, WrappingLookupRequest};
use zeroize::Zeroizing;

/// The login. The endpoint gives its path; what is secret goes straight into the body.
pub(super) fn login(mount: &str, role_id: &str, secret_id: &str) -> Result<Call, SourceError> {
    let endpoint =
        LoginWithApproleRequest { mount: mount.to_owned(), role_id: String::new(), secret_id: String::new() };
    Call::of(&endpoint).fields(&[("role_id", role_id), ("secret_id", secret_id)])
}

/// Opens a wrapped secret_id. First it asks what is in it and who wrapped it: an attacker could have put a wrapping
/// of his own in its place. One that was opened already is told as what it may be.
pub(super) async fn unwrap(
    adapter: &Adapter,
    namespace: Option<&str>,
    mount: &str,
    wrapping: &str,
    wall: SystemTime,
) -> Result<Zeroizing<String>, SourceError> {
    let look_up = Call::of(&WrappingLookupRequest::default()).fields(&[("token", wrapping)])?;
    let reply = adapter.send(&look_up, None, namespace).await?;
    let refused = |reply: &Reply| SourceError::from(refusal(reply, Doing::Unwrap, wall));
    if reply.status() != StatusCode::OK {
        return Err(refused(&reply));
    }
    let known = tree(&reply).map_err(|_| refused(&reply))?;
    let path = get(&known, "data").and_then(|data| text(data, "creation_path")).unwrap_or_default();
    if !makes_secret_ids(path, namespace, mount) {
        return Err(Refusal::new(
            ErrorKind::Unauthenticated,
            "the wrapping token was not made by this AppRole's secret_id endpoint: somebody may have put another \
             in its place. Check `auth_mount`; else treat it as tampering",
        )
        .into());
    }
    let open = Call::of(&UnwrapRequest { token: None }).once();
    let reply = adapter.send(&open, Some(&adapter.token(wrapping)?), namespace).await?;
    let opened = (reply.status() == StatusCode::OK).then(|| tree(&reply).ok()).flatten();
    let secret_id = opened.as_ref().and_then(|opened| text(get(opened, "data")?, "secret_id"));
    secret_id.map(|secret_id| Zeroizing::new(secret_id.to_owned())).ok_or_else(|| refused(&reply))
}

/// Why the login was refused, where the server says that it is the secret_id. It does not say what is the matter with it,
/// but that is never a policy. `before` says whether the same one has signed in.
pub(super) fn refused(reply: &Reply, mount: &str, before: bool) -> Option<SourceError> {
    let body = Body::read(reply).ok().filter(|_| reply.status() == StatusCode::BAD_REQUEST)?;
    let hint = if body.says("cidr") || body.says("source address") {
        "the secret_id, or its role, is bound to other addresses than this process has: check `secret_id_bound_cidrs` and \
         `token_bound_cidrs` of the role"
            .to_owned()
    } else if body.says("secret id") || body.says("secret_id") {
        let (now, why) = match before {
            true => (
                "the secret_id has signed in before and is refused now: it is used up (`secret_id_num_uses`), over \
                 (`secret_id_ttl`) or destroyed",
                "; for a process that signs in more than once, with more uses and more time",
            ),
            false => (
                "the secret_id is wrong, used up (`secret_id_num_uses`), over (`secret_id_ttl`) or destroyed, or the \
                 role_id is of another role",
                "",
            ),
        };
        format!(
            "{now}. No policy is missing: make a new one, `vault write -f auth/{mount}/role/<role>/secret-id`{why}"
        )
    } else {
        return None;
    };
    Some(Refusal::new(ErrorKind::Unauthenticated, hint).into())
}

/// Whether that is the path by which this mount makes secret_ids. The role is not compared: its name is not ours to
/// know.
fn makes_secret_ids(path: &str, namespace: Option<&str>, mount: &str) -> bool {
    let path = path.trim_start_matches('/');
    let path =
        namespace.and_then(|namespace| path.strip_prefix(namespace)?.strip_prefix('/')).unwrap_or(path);
    let role = path
        .strip_prefix("auth/")
        .and_then(|rest| rest.strip_prefix(mount)?.strip_prefix("/role/")?.strip_suffix("/secret-id"));
    role.is_some_and(|role| !role.is_empty() && !role.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::makes_secret_ids;

    #[test]
    fn only_the_mounts_own_endpoint_makes_secret_ids() {
        for (path, namespace, ours) in [
            ("auth/approle/role/app/secret-id", None, true),
            ("team/a/auth/approle/role/app/secret-id", Some("team/a"), true),
            ("auth/approle/role/app/secret-id", Some("team/a"), true),
            ("auth/approle2/role/app/secret-id", None, false),
            ("auth/approle/role/app/custom-secret-id", None, false),
            ("auth/approle/role//secret-id", None, false),
            ("auth/approle/role/a/b/secret-id", None, false),
            ("sys/wrapping/wrap", None, false),
            ("cubbyhole/auth/approle/role/app/secret-id", None, false),
            ("", None, false),
        ] {
            assert_eq!(makes_secret_ids(path, namespace, "approle"), ours, "{path}");
        }
    }
}
