//! One line per access: who asked, what, which revision, with what outcome. Never a value.
//!
//! Target `secretfig::audit`, level INFO, fields `identity`, `source`, `secret`, `revision`, `outcome`, `via`
//! (`wire`: the source was asked, also to renew a lease and to take it back; `memory`: a value left by [`Config::expose`](crate::Config::expose)).

use secretfig_source::{Fetched, Identity, Probe, SourceError};

pub(crate) fn fetched(
    identity: Option<&Identity>,
    source: &str,
    secret: &str,
    result: &Result<Fetched, SourceError>,
) {
    match result {
        Ok(fetched) => line(identity, source, secret, Some(fetched.revision.as_str()), "read", "wire"),
        Err(e) => line(identity, source, secret, None, e.kind().as_str(), "wire"),
    }
}

/// A probe reads no value, so one that succeeds is no access; one that is refused was an attempt.
pub(crate) fn probed(
    identity: Option<&Identity>,
    source: &str,
    secret: &str,
    result: &Result<Probe, SourceError>,
) {
    if let Err(e) = result {
        line(identity, source, secret, None, e.kind().as_str(), "wire");
    }
}

pub(crate) fn line(
    identity: Option<&Identity>,
    source: &str,
    secret: &str,
    revision: Option<&str>,
    outcome: &str,
    via: &str,
) {
    tracing::info!(
        target: "secretfig::audit",
        identity = identity.map(Identity::as_str),
        source,
        secret,
        revision,
        outcome,
        via,
        "secret access"
    );
}
