//! Signatures, version 4, for requests that no SDK sends. The hashes are crates'; what is signed, and in which order, is
//! [AWS' documentation](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), and its
//! published vectors hold this to it (`sign/vectors.json`).

use hmac::{Hmac, KeyInit, Mac};
use secretfig_source::protocol::hex;
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed for: a service in a region, at a time.
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    /// As [`stamp`] writes it.
    pub(crate) stamp: &'a str,
}

/// What is signed. Header names are in lower case, each once, in their order; so are the parameters of the query. Values are as
/// they are sent; path and query are encoded already.
pub(crate) struct Signable<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// A time as signatures have it: `20150830T123600Z`.
pub(crate) fn stamp(wall: SystemTime) -> String {
    // what was before 1970 is a clock that was never set: AWS will say that it is wrong
    let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, second) = (since / 86_400, since % 86_400);
    // the years from March on, in eras of 400: https://howardhinnant.github.io/date_algorithms.html#civil_from_days
    let (era, day) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = era * 4_000_000
        + year * 10_000
        + if month < 10 { (month + 3) * 100 } else { 10_000 + (month - 9) * 100 }
        + (day - (153 * month + 2) / 5 + 1);
    let time = 1_000_000 + second / 3600 * 10_000 + second / 60 % 60 * 100 + second % 60;
    [&*date.to_string(), "T", time.to_string().get(1..).unwrap_or_default(), "Z"].concat()
}

/// The value of `authorization`.
pub(crate) fn authorization(
    key_id: &str,
    secret: &str,
    scope: &Scope<'_>,
    what: &Signable<'_>,
) -> Zeroizing<String> {
    let date = scope.stamp.get(..8).unwrap_or_default();
    let credential = [date, scope.region, scope.service, "aws4_request"].join("/");
    let (canonical, signed) = canonical(what);
    let to_sign = [ALGORITHM, scope.stamp, &credential, &hash(canonical.as_bytes())].join("\n");
    let mut key = Zeroizing::new(["AWS4", secret].concat().into_bytes());
    for part in [date, scope.region, scope.service, "aws4_request", &to_sign] {
        key = mac(&key, part.as_bytes());
    }
    let signature = hex(&key);
    Zeroizing::new(
        [
            ALGORITHM,
            " Credential=",
            key_id,
            "/",
            &credential,
            ", SignedHeaders=",
            &signed,
            ", Signature=",
            &signature,
        ]
        .concat(),
    )
}

/// The canonical request, and the names of the headers in it.
fn canonical(what: &Signable<'_>) -> (Zeroizing<String>, String) {
    // in one block, which is wiped: a session token is among them
    let room = what.headers.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let (mut lines, mut signed) = (Zeroizing::new(String::with_capacity(room)), String::new());
    for (name, value) in what.headers {
        if !signed.is_empty() {
            signed.push(';');
        }
        signed.push_str(name);
        for part in [name, ":", value.trim(), "\n"] {
            lines.push_str(part);
        }
    }
    let hash = hash(what.body);
    let parts = [what.method, "\n", what.path, "\n", what.query, "\n", &lines, "\n", &signed, "\n", &hash];
    (Zeroizing::new(parts.concat()), signed)
}

fn mac(key: &[u8], message: &[u8]) -> Zeroizing<Vec<u8>> {
    // INVARIANT: HMAC takes a key of any length
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Zeroizing::default() };
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn hash(bytes: &[u8]) -> Zeroizing<String> {
    hex(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests;
