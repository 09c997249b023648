//! From a document to [`JwtConfig`]: spellings, units and checks.

use super::key::{unfit_public, weakness};
use super::{ACCESS_TTL, Algorithm, JwtConfig, REFRESH_TTL};
use crate::models::leaf::{Kind, NAME, Refusal, Scalar, time};
use crate::models::spelling::{Draft, Keys, Made, spelled};
use crate::{ExposeSecret, Invalid, SecretBytes};
use std::time::Duration;

spelled! {
    enum Field of JwtDraft {
        Key: "secret_key" | "secretKey" | "SecretKey" | "signing_key" | "signingKey" | "SigningKey" | "private_key"
            | "privateKey" | "PrivateKey" | "key" | "secret" => key = required(KEY),
        Algorithm: "algorithm" | "Algorithm" | "alg" => algorithm = optional(ALGORITHM),
        PublicKey: "public_key" | "publicKey" | "PublicKey" => public_key = optional(KEY),
        AccessTtl: "access_ttl" | "access_token_ttl_minutes" | "expiresIn" | "expires_in" | "expiryHours"
            | "expiry_hours" | "ExpiryHours" | "expiryMinutes" | "expiry_minutes" | "ExpiryMinutes"
            | "token_expiry_min" => access_ttl = in_unit(unit),
        RefreshTtl: "refresh_ttl" | "refresh_token_ttl_days" | "refresh_expiry_h" | "refreshExpiresIn"
            => refresh_ttl = in_unit(unit),
        Issuer: "issuer" | "Issuer" | "iss" => issuer = optional(NAME),
        Audience: "audience" | "Audience" | "aud" => audience = optional(NAME),
        Kid: "kid" | "key_id" | "keyId" | "KeyId" => kid = optional(NAME),
    }
}

const KEY: Kind<SecretBytes> = Kind::bytes("text or bytes", |leaf| key(leaf).ok_or(Refusal::Other));
/// `none` is no unknown name, and gets a reason of its own.
const ALGORITHM: Kind<Algorithm> = Kind::choice(
    Algorithm::NAMES,
    "an algorithm that signs: anyone can forge a token that is not signed",
    |leaf| match leaf
        .text(|name| Algorithm::read(name).ok_or_else(|| name.trim().eq_ignore_ascii_case("none")))
    {
        Some(Ok(algorithm)) => Ok(algorithm),
        Some(Err(true)) => Err(Refusal::Other),
        Some(Err(false)) | None => Err(Refusal::NoneOf(Algorithm::NAMES)),
    },
);

const TIME: Kind<Duration> =
    Kind::any("seconds, or a time such as `15m` or `7d`: at least a second, at most 366 days", |leaf| {
        time(leaf).and_then(life).ok_or(Refusal::Other)
    });
const MINUTES: Kind<Duration> =
    Kind::any("a whole number of minutes: at least 1, at most 366 days", |leaf| units(leaf, 60));
const HOURS: Kind<Duration> =
    Kind::any("a whole number of hours: at least 1, at most 366 days", |leaf| units(leaf, 3_600));
const DAYS: Kind<Duration> = Kind::any("a whole number of days, from 1 to 366", |leaf| units(leaf, 86_400));

/// What unit the value of that key is in: its name says so.
fn unit(key: &str) -> Kind<Duration> {
    match key {
        "access_token_ttl_minutes"
        | "expiryMinutes"
        | "expiry_minutes"
        | "ExpiryMinutes"
        | "token_expiry_min" => MINUTES,
        "expiryHours" | "expiry_hours" | "ExpiryHours" | "refresh_expiry_h" => HOURS,
        "refresh_token_ttl_days" => DAYS,
        _ => TIME,
    }
}

fn units(leaf: Scalar<'_>, seconds: u64) -> Result<Duration, Refusal> {
    let all = leaf.integer().and_then(|units| units.checked_mul(seconds));
    all.map(Duration::from_secs).and_then(life).ok_or(Refusal::Other)
}

/// More than a year is a wrong unit, or a token that nobody can take back.
fn life(ttl: Duration) -> Option<Duration> {
    (Duration::from_secs(1)..=Duration::from_secs(366 * 86_400)).contains(&ttl).then_some(ttl)
}

fn key(leaf: Scalar<'_>) -> Option<SecretBytes> {
    match leaf {
        Scalar::Bytes(bytes) => Some(SecretBytes::from(bytes.to_vec())),
        leaf => leaf.text(|text| SecretBytes::from(text.as_bytes().to_vec())),
    }
}

#[derive(Default)]
pub(super) struct JwtDraft {
    key: Option<SecretBytes>,
    algorithm: Option<Algorithm>,
    public_key: Option<SecretBytes>,
    access_ttl: Option<Duration>,
    refresh_ttl: Option<Duration>,
    issuer: Option<String>,
    audience: Option<String>,
    kid: Option<String>,
}

impl JwtDraft {
    pub(super) fn of(algorithm: Algorithm, key: SecretBytes) -> Result<JwtConfig, Invalid> {
        let draft = Self { key: Some(key), algorithm: Some(algorithm), ..Self::default() };
        Made::of(draft, &Keys::none()).checked()
    }
}

impl Draft for JwtDraft {
    type Field = Field;
    type Model = JwtConfig;
    const NAME: &'static str = "JwtConfig";
    const EXPECTED: &'static str = "a table with secret_key, or the key itself";

    fn whole(&mut self, document: Scalar<'_>) {
        self.key = key(document);
    }

    fn missing(&self) -> Option<Field> {
        self.key.is_none().then_some(Field::Key)
    }

    fn make(self, keys: &Keys<Field>) -> (JwtConfig, Vec<Invalid>) {
        let algorithm = self.algorithm.unwrap_or_default();
        let signing_key = self.key.unwrap_or_else(|| SecretBytes::from(Vec::new()));
        let weak = weakness(algorithm, signing_key.expose_secret())
            .map(|reason| Invalid { path: keys.path(Field::Key), reason });
        let unfit = (self.public_key.as_ref())
            .and_then(|key| unfit_public(algorithm, key.expose_secret()))
            .map(|reason| Invalid { path: keys.path(Field::PublicKey), reason });
        let model = JwtConfig {
            algorithm,
            signing_key,
            public_key: self.public_key,
            kid: self.kid,
            issuer: self.issuer,
            audience: self.audience,
            access_ttl: self.access_ttl.unwrap_or(ACCESS_TTL),
            refresh_ttl: self.refresh_ttl.unwrap_or(REFRESH_TTL),
        };
        (model, weak.into_iter().chain(unfit).collect())
    }
}
