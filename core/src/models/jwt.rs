//! What it takes to sign and verify tokens.

mod algorithm;
mod draft;
mod key;

pub use algorithm::Algorithm;

use super::spelling::read_by;
use crate::{Invalid, SecretBytes};
use draft::JwtDraft;
use std::fmt;
use std::time::Duration;

const ACCESS_TTL: Duration = Duration::from_secs(15 * 60);
const REFRESH_TTL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What it takes to sign and verify tokens, in whichever layout a manager holds it.
///
/// It reads a table in any of the spellings of [the table](super#jwtconfig), or a text that is the key itself.
/// Whether the key is strong enough for its algorithm is checked while it is read; [`JwtConfig::new`] says the rule.
/// `Debug` shows algorithm and lives, there is no `Serialize`, and no fingerprint: that would be an oracle.
///
/// ```
/// use secretfig::{ExposeSecret, models::{Algorithm, JwtConfig}};
/// use std::time::Duration;
///
/// let jwt: JwtConfig = serde_json::from_str(
///     r#"{"secretKey": "pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2", "expiresIn": "30m", "issuer": "myapp"}"#,
/// )?;
/// assert_eq!(jwt.algorithm(), Algorithm::Hs256);
/// assert_eq!(jwt.signing_key().expose_secret().len(), 32);
/// assert_eq!(jwt.access_ttl(), Duration::from_secs(30 * 60));
/// assert_eq!(jwt.issuer(), Some("myapp"));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct JwtConfig {
    algorithm: Algorithm,
    signing_key: SecretBytes,
    public_key: Option<SecretBytes>,
    kid: Option<String>,
    issuer: Option<String>,
    audience: Option<String>,
    access_ttl: Duration,
    refresh_ttl: Duration,
}

impl JwtConfig {
    /// A configuration made in code, for tests, with everything else at its default.
    ///
    /// The key is held to the rule that holds everywhere:
    ///
    /// * For HS256, HS384 and HS512 it has at least 32, 48 and 64 bytes. Counted are the bytes as they stand, which are
    ///   also the key: base64 and hex are not decoded.
    /// * It is no placeholder: made of fewer than six different characters; with `changeme`, `replaceme`,
    ///   `yoursecret`, `yourapikey`, `youropenai` or `placeholder` in it, in any case and with `-`, `_` or blanks
    ///   anywhere; with `default`, `example` or `password` as a word; or made of nothing but words such as *my*, *super*,
    ///   *secret*, *key*, *xxxx*, of at least three letters once. Words end where anything but a letter stands. In keys
    ///   drawn at random, in hex, base64 or digits, such things do not occur.
    /// * For RS, PS, ES and EdDSA it is a private key in PEM; for HS it is no PEM at all.
    ///
    /// ```
    /// use secretfig::models::{Algorithm, JwtConfig};
    /// assert!(JwtConfig::new(Algorithm::Hs256, *b"pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2").is_ok());
    /// assert!(JwtConfig::new(Algorithm::Hs256, *b"my-super-secret-jwt-signing-key!").is_err());
    /// ```
    pub fn new(algorithm: Algorithm, signing_key: impl Into<Vec<u8>>) -> Result<Self, Invalid> {
        JwtDraft::of(algorithm, SecretBytes::from(signing_key.into()))
    }

    /// With this key identifier.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        self.kid = Some(kid.into());
        self
    }

    /// With this issuer.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// With this audience.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// With access tokens that live this long.
    #[must_use]
    pub fn with_access_ttl(mut self, ttl: Duration) -> Self {
        self.access_ttl = ttl;
        self
    }

    /// With refresh tokens that live this long.
    #[must_use]
    pub fn with_refresh_ttl(mut self, ttl: Duration) -> Self {
        self.refresh_ttl = ttl;
        self
    }

    /// The algorithm: the only one that a verifier should accept. HS256 where the document names none.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that signs: the bytes of an HMAC key, a private key in PEM for the others.
    pub fn signing_key(&self) -> &SecretBytes {
        &self.signing_key
    }

    /// The public key in PEM, if the document holds it. HMAC has none.
    pub fn public_key(&self) -> Option<&SecretBytes> {
        self.public_key.as_ref()
    }

    /// The key's identifier, if the document gives it one.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The `iss` to write and to demand.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The `aud` to write and to demand.
    pub fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    /// How long an access token lives; 15 minutes where the document says nothing.
    pub fn access_ttl(&self) -> Duration {
        self.access_ttl
    }

    /// How long a refresh token lives; 7 days where the document says nothing.
    pub fn refresh_ttl(&self) -> Duration {
        self.refresh_ttl
    }
}

impl fmt::Debug for JwtConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtConfig")
            .field("algorithm", &self.algorithm)
            .field("access_ttl", &self.access_ttl)
            .field("refresh_ttl", &self.refresh_ttl)
            .finish_non_exhaustive()
    }
}

read_by!(JwtConfig, JwtDraft);
