//! What stands in a token.

use serde::{Deserialize, Serialize};

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom it was given to.
    pub sub: String,
    /// Who signed it, where the configuration names an issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Whom it is shown to, where the configuration names an audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// When it ends, in seconds since 1970.
    pub exp: u64,
}
