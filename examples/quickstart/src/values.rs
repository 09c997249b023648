//! Values that nobody has chosen.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io;

/// The layout of AWS Secrets Manager, which rotation functions write.
pub(crate) fn database(name: &str) -> io::Result<Value> {
    Ok(json!({
        "engine": "postgres",
        "host": "db.internal",
        "port": 5432,
        "username": format!("u_{}", random(16)?),
        "password": random(24)?,
        "dbname": name,
    }))
}

/// A key that signs tokens, of so many random bytes in base64.
pub(crate) fn jwt(bytes: usize) -> io::Result<Value> {
    Ok(json!({ "algorithm": "HS256", "signing_key": random(bytes)?, "issuer": "quickstart" }))
}

/// So many random bytes, in base64.
pub(crate) fn random(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
