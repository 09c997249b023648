//! What a key has to be. The reasons are static and say what to do.

use super::Algorithm;
use crate::models::placeholder::is_placeholder;

/// Why the key may not sign with that algorithm.
pub(super) fn weakness(algorithm: Algorithm, key: &[u8]) -> Option<&'static str> {
    let (least, short) = match algorithm {
        Algorithm::Hs256 => {
            (32, "an HS256 key needs at least 32 bytes: generate one with `openssl rand -base64 48`")
        }
        Algorithm::Hs384 => {
            (48, "an HS384 key needs at least 48 bytes: generate one with `openssl rand -base64 64`")
        }
        Algorithm::Hs512 => {
            (64, "an HS512 key needs at least 64 bytes: generate one with `openssl rand -base64 96`")
        }
        _ if is_pem(key) && !pem_label(key).ends_with(b"PRIVATE KEY-----") => {
            return Some("this is no private key: signing with this algorithm takes the private one, in PEM");
        }
        _ if is_pem(key) => return None,
        _ => return Some("this algorithm signs with a private key in PEM, which begins with `-----BEGIN`"),
    };
    if is_pem(key) {
        // who verifies with a public key as an HMAC secret accepts what anyone has signed
        return Some("a PEM is no HMAC key: set `algorithm` to the one that it was made for, such as RS256");
    }
    if is_placeholder(key) {
        return Some("this is a placeholder: generate a key with `openssl rand -base64 96`");
    }
    (key.len() < least).then_some(short)
}

/// Why this is not the public key of that algorithm.
pub(super) fn unfit_public(algorithm: Algorithm, key: &[u8]) -> Option<&'static str> {
    if algorithm.is_hmac() {
        return Some("HMAC has no public key: set `algorithm` to the one that it was made for, or remove it");
    }
    if !is_pem(key) {
        return Some("this is no public key in PEM, which begins with `-----BEGIN`");
    }
    let private = pem_label(key).ends_with(b"PRIVATE KEY-----");
    private.then_some("this is a private key: put the public one here")
}

fn is_pem(key: &[u8]) -> bool {
    key.trim_ascii_start().starts_with(b"-----BEGIN ")
}

fn pem_label(key: &[u8]) -> &[u8] {
    let line = key.trim_ascii_start().split(|b| matches!(b, b'\n' | b'\r' | b'\\')).next();
    line.unwrap_or_default().trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fit_their_algorithm() {
        let random = b"pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2";
        for (algorithm, least) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
            assert_eq!(weakness(algorithm, &random[..least]), None);
            let short = weakness(algorithm, &random[..least - 1]).unwrap();
            assert!(short.contains(&least.to_string()) && short.contains(algorithm.as_str()), "{short}");
        }
        let private = b"-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----";
        let public = b"\n-----BEGIN PUBLIC KEY-----\\nabc";
        assert_eq!(weakness(Algorithm::Es256, private), None);
        assert!(weakness(Algorithm::Es256, public).unwrap().contains("no private key"));
        assert!(weakness(Algorithm::EdDsa, random).unwrap().contains("-----BEGIN"));
        assert!(weakness(Algorithm::Hs256, public).unwrap().contains("no HMAC key"));
        assert_eq!(unfit_public(Algorithm::Rs256, public), None);
        assert!(unfit_public(Algorithm::Rs256, private).unwrap().contains("private key"));
        assert!(
            unfit_public(Algorithm::Rs256, random).is_some()
                && unfit_public(Algorithm::Hs256, public).is_some()
        );
    }
}
