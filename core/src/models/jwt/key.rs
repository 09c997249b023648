//! What a key has to be. The reasons are static and say what to do.

use super::Algorithm;
use zeroize::Zeroizing;

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

/// Inside a key, whatever stands between their words.
const TELLING: [&[u8]; 4] = [b"changeme", b"replaceme", b"yoursecret", b"placeholder"];
/// As a word of its own.
const TELLING_WORDS: [&[u8]; 3] = [b"default", b"example", b"password"];
/// A key of nothing but these is a placeholder.
const FILLING_WORDS: [&[u8]; 40] = [
    b"a",
    b"an",
    b"at",
    b"and",
    b"app",
    b"be",
    b"bit",
    b"bits",
    b"bytes",
    b"change",
    b"characters",
    b"chars",
    b"demo",
    b"dev",
    b"for",
    b"here",
    b"in",
    b"is",
    b"it",
    b"jwt",
    b"key",
    b"least",
    b"long",
    b"me",
    b"must",
    b"my",
    b"please",
    b"prod",
    b"production",
    b"secret",
    b"secure",
    b"signing",
    b"super",
    b"test",
    b"the",
    b"this",
    b"to",
    b"token",
    b"very",
    b"your",
];

fn is_placeholder(key: &[u8]) -> bool {
    let mut seen = [false; 256];
    key.iter().for_each(|b| seen[usize::from(*b)] = true);
    if seen.iter().filter(|seen| **seen).count() < 6 {
        return true;
    }
    let mut letters = Zeroizing::new(Vec::with_capacity(key.len()));
    letters.extend(key.iter().filter(|b| !b"-_ .".contains(b)).map(u8::to_ascii_lowercase));
    if TELLING.iter().any(|telling| letters.windows(telling.len()).any(|part| part == *telling)) {
        return true;
    }
    let is = |word: &[u8], one: &[u8]| word.eq_ignore_ascii_case(one);
    let mut words = key.split(|b| !b.is_ascii_alphabetic()).filter(|word| !word.is_empty()).peekable();
    if words.clone().any(|word| TELLING_WORDS.iter().any(|one| is(word, one))) {
        return true;
    }
    words.peek().is_some()
        && key.is_ascii()
        && words.all(|word| FILLING_WORDS.iter().any(|one| is(word, one)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known() {
        for key in [
            "change-me",
            "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
            "changemechangemechangemechangeme",
            "your-256-bit-secret",
            "your-secret-key-at-least-32-bytes-long",
            "yourSecretKeyGoesHereAndIsLongEnough",
            "my_super_secret_jwt_key_for_production_123",
            "placeholder-9f8a7s6d5f4a3s2d1f",
            "default-key-1234567890",
            "example.key.for.the.docs.0123456789",
            "Password123!Password123!Password123!",
            "secret",
            "",
            "00000000000000000000000000000000",
            "abcabcabcabcabcabcabcabcabcabcabc",
            "replace me with something long",
        ] {
            assert!(is_placeholder(key.as_bytes()), "{key}");
        }
    }

    #[test]
    fn random_keys_are_none() {
        for key in [
            "pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2",
            "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ+/defaultq83vEjRWeJA=",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "correct horse battery staple and a secret nobody knows",
            "28730164598273645091827364509182736450",
        ] {
            assert!(!is_placeholder(key.as_bytes()), "{key}");
        }
        assert!(!is_placeholder(
            &(0..32u8).map(|n| n.wrapping_mul(7).wrapping_add(129)).collect::<Vec<u8>>()
        ));
    }

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
