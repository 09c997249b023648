//! Signatures, version 4, for requests that no SDK sends. The hashes are crates'; what is signed, and in which order, is
//! [AWS' documentation](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), and its
//! published vectors hold this to it (`sign/vectors.json`).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::SystemTime;
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed for: a service in a region, at a time.
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    /// As [`stamp`] writes it.
    pub(crate) stamp: &'a str,
}

/// What is signed. Header names are in lower case, values as they are sent; path and query are encoded already.
pub(crate) struct Signable<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// A time as signatures have it: `20150830T123600Z`.
pub(crate) fn stamp(wall: SystemTime) -> String {
    // what cannot be written, because it is before 1970, is a clock that was never set: AWS will say that it is wrong
    let wall = wall.max(SystemTime::UNIX_EPOCH);
    let text = humantime::format_rfc3339_seconds(wall).to_string();
    text.chars().filter(|c| !matches!(c, '-' | ':')).collect()
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
    let key = Zeroizing::new(["AWS4", secret].concat());
    let mut key = mac(key.as_bytes(), date.as_bytes());
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(&*key, part.as_bytes());
    }
    let signature = hex(&*mac(&*key, to_sign.as_bytes()));
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
    let mut headers: Vec<(&str, String)> = Vec::with_capacity(what.headers.len());
    for (name, value) in what.headers {
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        match headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => {
                known.push(',');
                known.push_str(&value);
            }
            None => headers.push((name, value)),
        }
    }
    headers.sort_by_key(|(name, _)| *name);
    let mut query: Vec<&str> = what.query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_by_key(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut text = Zeroizing::new(String::with_capacity(1024));
    text.extend([what.method, "\n", what.path, "\n", &query.join("&"), "\n"]);
    for (name, value) in &headers {
        text.extend([name, ":", value, "\n"]);
    }
    text.extend(["\n", &signed, "\n", &hash(what.body)]);
    (text, signed)
}

fn mac(key: &[u8], message: &[u8]) -> Zeroizing<[u8; 32]> {
    // INVARIANT: HMAC takes a key of any length
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Zeroizing::default() };
    mac.update(message);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // INVARIANT: writing into a String does not fail
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
