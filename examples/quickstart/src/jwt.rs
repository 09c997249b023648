//! Tokens signed by the section's current key, and verified by it or by the one before.

use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, get_current_timestamp};
use secretfig::models::JwtConfig;
use secretfig::{ExposeSecret, Held};
use serde::{Deserialize, Serialize};

/// What a token says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    exp: u64,
}

/// Which key a token was signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SignedWith {
    Current,
    Previous,
}

/// Signs with the current key at once, which is right for one process. In a fleet, whoever signs waits until everyone
/// else can verify.
pub(crate) fn sign(key: &JwtConfig, subject: &str) -> Result<String, Error> {
    let claims = Claims {
        sub: subject.to_owned(),
        iss: key.issuer().map(str::to_owned),
        aud: key.audience().map(str::to_owned),
        exp: get_current_timestamp() + key.access_ttl().as_secs(),
    };
    // jsonwebtoken refuses an algorithm that is not HMAC's with a key that is
    let signing = EncodingKey::from_secret(key.signing_key().expose_secret());
    jsonwebtoken::encode(&Header::new(algorithm(key)?), &claims, &signing)
}

/// Without a `kid` in the token there are two keys to try: the current one, and the one before, for as long as tokens
/// live that it signed.
pub(crate) fn verify(key: &Held<JwtConfig>, token: &str) -> Option<(Claims, SignedWith)> {
    if let Ok(claims) = verify_with(key, token) {
        return Some((claims, SignedWith::Current));
    }
    let previous = key.previous()?;
    verify_with(&previous, token).ok().map(|claims| (claims, SignedWith::Previous))
}

fn verify_with(key: &JwtConfig, token: &str) -> Result<Claims, Error> {
    let mut validation = Validation::new(algorithm(key)?);
    let mut required = vec!["exp"];
    if let Some(issuer) = key.issuer() {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    if let Some(audience) = key.audience() {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    validation.set_required_spec_claims(&required);
    let verifying = DecodingKey::from_secret(key.signing_key().expose_secret());
    jsonwebtoken::decode(token, &verifying, &validation).map(|token| token.claims)
}

/// The configuration's, never the one that a token names.
fn algorithm(key: &JwtConfig) -> Result<Algorithm, Error> {
    key.algorithm().as_str().parse()
}
