//! From a token to what it says, or to nothing.

use crate::{Claims, algorithm};
use jsonwebtoken::{DecodingKey, Validation};
use secretfig::models::JwtConfig;
use secretfig::{ExposeSecret, Held};
use serde::Serialize;

/// Which key a token was signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SignedWith {
    /// The one that signs now.
    Current,
    /// The one before.
    Previous,
}

/// What the token says and which key signed it; `None` when neither did, or when it has ended.
///
/// There are two keys to try: the current one, and the one before, for as long as tokens live that it signed. A `kid`
/// that the token names is not asked for: two keys are tried as fast as one is looked up.
pub fn verify<K>(key: &Held<JwtConfig, K>, token: &str) -> Option<(Claims, SignedWith)> {
    if let Some(claims) = verify_with(key, token) {
        return Some((claims, SignedWith::Current));
    }
    let claims = verify_with(&*key.previous()?, token)?;
    Some((claims, SignedWith::Previous))
}

fn verify_with(key: &JwtConfig, token: &str) -> Option<Claims> {
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
    jsonwebtoken::decode(token, &verifying, &validation).ok().map(|token| token.claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign;
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use secretfig::testing::FakeSource;
    use secretfig::{Config, Live, SecretLayer, Wanted};
    use serde::Deserialize;

    const KEYS: [&str; 3] = [
        "pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2",
        "Uc3ZfKbE7aHs9MjGd2pWl0Yx1rT5vQ8u",
        "s9MjGd2pWl0Yx1rT5vQ8uNc3ZfKbE7aH",
    ];

    #[derive(Deserialize)]
    struct App {
        jwt: Live<JwtConfig>,
    }

    fn document(key: &str) -> String {
        format!(r#"{{"signing_key": "{key}", "issuer": "shop", "audience": "till", "access_ttl": 60}}"#)
    }

    async fn loaded(source: &FakeSource) -> Config<App> {
        let layer = SecretLayer::from(source.clone()).put("jwt", Wanted::new("jwt").keep_previous(true));
        Config::builder().merge(layer).load().await.unwrap()
    }

    #[tokio::test]
    async fn a_token_outlives_one_rotation_and_no_second() {
        let source = FakeSource::new().with("jwt", &document(KEYS[0]));
        let config = loaded(&source).await;
        let section = config.section(|app| &app.jwt);
        let token = sign(&section.latest(), "joe").unwrap();
        let by = |token: &str| verify(&section.latest(), token).map(|(claims, by)| (claims.sub, by));
        assert_eq!(by(&token), Some(("joe".into(), SignedWith::Current)));

        source.rotate("jwt", &document(KEYS[1]));
        config.refresh().await;
        assert_eq!(by(&token), Some(("joe".into(), SignedWith::Previous)));
        let new = sign(&section.latest(), "ann").unwrap();
        assert_eq!(by(&new), Some(("ann".into(), SignedWith::Current)));

        source.rotate("jwt", &document(KEYS[2]));
        config.refresh().await;
        assert_eq!(by(&token), None);
        assert_eq!(by(&new), Some(("ann".into(), SignedWith::Previous)));
    }

    #[tokio::test]
    async fn what_was_signed_otherwise_is_nothing() {
        let config = loaded(&FakeSource::new().with("jwt", &document(KEYS[0]))).await;
        let key = config.section(|app| &app.jwt).latest();
        let good = verify(&key, &sign(&key, "joe").unwrap()).unwrap().0;
        let signed = |claims: &Claims, algorithm, with: &str| {
            let key = EncodingKey::from_secret(with.as_bytes());
            jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
        };
        let same = signed(&good, Algorithm::HS256, KEYS[0]);
        assert_eq!(verify(&key, &same).map(|(claims, _)| claims), Some(good.clone()));

        let (head, rest) = same.split_once('.').unwrap();
        let (body, signature) = rest.split_once('.').unwrap();
        let other = |change: fn(&mut Claims)| {
            let mut claims = good.clone();
            change(&mut claims);
            signed(&claims, Algorithm::HS256, KEYS[0])
        };
        let refused = [
            ("another key", signed(&good, Algorithm::HS256, KEYS[1])),
            ("another algorithm", signed(&good, Algorithm::HS512, KEYS[0])),
            ("ended", other(|claims| claims.exp = 1)),
            ("another issuer", other(|claims| claims.iss = Some("stall".into()))),
            ("no issuer", other(|claims| claims.iss = None)),
            ("another audience", other(|claims| claims.aud = Some("stock".into()))),
            ("no audience", other(|claims| claims.aud = None)),
            ("no signature", format!("{head}.{body}.")),
            // {"alg":"none"}
            ("none", format!("eyJhbGciOiJub25lIn0.{body}.")),
            ("none, signed", format!("eyJhbGciOiJub25lIn0.{body}.{signature}")),
            ("cut off", same[..same.len() - 4].to_owned()),
            ("no token", "joe".to_owned()),
            ("empty", String::new()),
        ];
        for (what, token) in refused {
            assert!(verify(&key, &token).is_none(), "{what}");
        }
    }
}
