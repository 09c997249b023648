//! What it takes to call OpenAI's API, or another that speaks it.

mod draft;

use super::spelling::read_by;
use crate::{Invalid, SecretString};
use draft::OpenAiDraft;
use std::fmt;

const ENDPOINT: &str = "https://api.openai.com/v1";
const MAX_TOKENS: u32 = 4096;

/// What it takes to call OpenAI's API, or another that speaks it, in whichever layout a manager holds it.
///
/// It reads a table in any of the spellings of [the table](super#openaiconfig), or a text that is the API key itself.
/// `Debug` shows how much it may ask for, and no key, name or address; there is no `Serialize`.
///
/// ```
/// use secretfig::{ExposeSecret, models::OpenAiConfig};
///
/// let openai: OpenAiConfig = serde_json::from_str(
///     r#"{"apiKey": "sk-pWl0Yx1rT5vQ8uNc3ZfKbE7a", "default_model": "gpt-4o", "maxTokens": 1000}"#,
/// )?;
/// assert!(openai.api_key().expose_secret().starts_with("sk-"));
/// assert_eq!((openai.model(), openai.max_tokens()), (Some("gpt-4o"), 1000));
/// assert_eq!(openai.endpoint(), "https://api.openai.com/v1");
/// # Ok::<_, serde_json::Error>(())
/// ```
///
/// In an application's own struct it is a part such as `openai: Live<OpenAiConfig>`, and in its file one line:
///
/// ```toml
/// [secrets]
/// openai = { name = "myapp/openai" }
/// ```
#[derive(Clone)]
pub struct OpenAiConfig {
    api_key: SecretString,
    model: Option<String>,
    organization: Option<String>,
    project: Option<String>,
    max_tokens: u32,
    endpoint: String,
}

impl OpenAiConfig {
    /// A configuration made in code, for tests, with everything else at its default.
    ///
    /// The key is held to the rule that holds everywhere: at least 20 characters; printable ASCII without blanks, since
    /// it is sent in a header; and no placeholder, as [`JwtConfig::new`](super::JwtConfig::new) says it.
    ///
    /// ```
    /// use secretfig::models::OpenAiConfig;
    /// assert!(OpenAiConfig::new("sk-pWl0Yx1rT5vQ8uNc3ZfKbE7a").is_ok());
    /// assert!(OpenAiConfig::new("sk-your-api-key-goes-here").is_err());
    /// ```
    pub fn new(api_key: impl Into<SecretString>) -> Result<Self, Invalid> {
        OpenAiDraft::of(api_key.into())
    }

    /// With this model.
    #[must_use]
    pub fn with_model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// With this organization.
    #[must_use]
    pub fn with_organization(mut self, organization: impl Into<String>) -> Self {
        self.organization = Some(organization.into());
        self
    }

    /// With this project.
    #[must_use]
    pub fn with_project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// With answers of at most so many tokens.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: u32) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    /// With this endpoint, such as `http://127.0.0.1:8080/v1` of a test's own server. It is not checked.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// The key to send as `Authorization: Bearer …`.
    pub fn api_key(&self) -> &SecretString {
        &self.api_key
    }

    /// The model to ask. The API has no default: where the document names none, the application has to.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// The organization to send as `OpenAI-Organization`.
    pub fn organization(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// The project to send as `OpenAI-Project`.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// How many tokens an answer may have, from 1 to 128,000; 4096 where the document says nothing.
    pub fn max_tokens(&self) -> u32 {
        self.max_tokens
    }

    /// What paths such as `/chat/completions` are put behind, without a `/` at its end; OpenAI's own
    /// `https://api.openai.com/v1` where the document names none.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Debug for OpenAiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiConfig").field("max_tokens", &self.max_tokens).finish_non_exhaustive()
    }
}

read_by!(OpenAiConfig, OpenAiDraft);
