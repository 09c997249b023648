//! From a key and a name to a token.

use crate::{Claims, algorithm};
use jsonwebtoken::{EncodingKey, Header, get_current_timestamp};
use secretfig::ExposeSecret;
use secretfig::models::{Algorithm, JwtConfig};
use std::fmt;

/// A token for `subject` that lives for `access_ttl`, with the key's issuer, audience and `kid`.
///
/// Signs with the current key at once, which is right for one process. In a fleet, whoever signs waits until everyone
/// else can verify.
///
/// # Errors
/// [`NotSigned`] when the algorithm is not HMAC's.
///
/// ```
/// use secretfig::models::{Algorithm, JwtConfig};
/// let key = JwtConfig::new(Algorithm::Hs256, *b"pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2").unwrap();
/// assert_eq!(example_tokens::sign(&key, "joe").unwrap().split('.').count(), 3);
/// ```
pub fn sign(key: &JwtConfig, subject: &str) -> Result<String, NotSigned> {
    let refused = || NotSigned { algorithm: key.algorithm() };
    let claims = Claims {
        sub: subject.to_owned(),
        iss: key.issuer().map(str::to_owned),
        aud: key.audience().map(str::to_owned),
        exp: get_current_timestamp() + key.access_ttl().as_secs(),
    };
    let mut header = Header::new(algorithm(key).ok_or_else(refused)?);
    header.kid = key.kid().map(str::to_owned);
    let signing = EncodingKey::from_secret(key.signing_key().expose_secret());
    jsonwebtoken::encode(&header, &claims, &signing).map_err(|_| refused())
}

/// No token was signed. It says with which algorithm, and nothing of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSigned {
    algorithm: Algorithm,
}

impl fmt::Display for NotSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = self.algorithm;
        write!(f, "no token was signed with {algorithm}: this example takes HS256, HS384 and HS512")
    }
}

impl std::error::Error for NotSigned {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_no_hmac_key() {
        let pem =
            format!("-----BEGIN {0}-----\nMHcCAQEEIPl0Yx1rT5vQ8uNc3Zf\n-----END {0}-----\n", "PRIVATE KEY");
        for algorithm in [Algorithm::Rs256, Algorithm::Ps512, Algorithm::Es256, Algorithm::EdDsa] {
            let refused = sign(&JwtConfig::new(algorithm, pem.clone()).unwrap(), "joe").unwrap_err();
            let said = format!("{refused} {refused:?}");
            assert!(said.contains(algorithm.as_str()), "{said}");
            assert!(!said.contains("MHcCAQEE"), "{said}");
        }
    }

    #[test]
    fn the_header_names_algorithm_and_kid() {
        let strong = *b"pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2";
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            let key = JwtConfig::new(algorithm, strong).unwrap();
            for (key, kid) in [(key.clone(), None), (key.with_kid("k7"), Some("k7"))] {
                let header = jsonwebtoken::decode_header(sign(&key, "joe").unwrap()).unwrap();
                let named = format!("{:?}", header.alg).to_uppercase();
                assert_eq!((&*named, header.kid.as_deref()), (algorithm.as_str(), kid));
            }
        }
    }
}
