//! From a document to [`OpenAiConfig`]: spellings and checks.

use super::{ENDPOINT, MAX_TOKENS, OpenAiConfig};
use crate::models::leaf::{Kind, NAME, Refusal, Scalar};
use crate::models::placeholder::is_placeholder;
use crate::models::spelling::{Draft, Keys, Made, spelled};
use crate::{ExposeSecret, Invalid, SecretString};
use fluent_uri::Uri;
use std::net::IpAddr;

spelled! {
    enum Field of OpenAiDraft {
        ApiKey: "api_key" | "apiKey" | "ApiKey" | "key" => api_key = required(KEY),
        Model: "model" | "Model" | "default_model" | "defaultModel" | "DefaultModel" => model = optional(NAME),
        Organization: "organization" | "Organization" | "organization_id" | "organizationId" | "OrganizationId"
            | "org_id" => organization = optional(NAME),
        Project: "project" | "Project" | "project_id" | "projectId" | "ProjectId" => project = optional(NAME),
        MaxTokens: "max_tokens" | "maxTokens" | "MaxTokens" => max_tokens = optional(TOKENS),
        Endpoint: "endpoint" | "Endpoint" | "base_url" | "baseUrl" | "BaseUrl" => endpoint = optional(ADDRESS),
    }
}

const KEY: Kind<SecretString> =
    Kind::text("text", |leaf| leaf.text(|text| SecretString::from(text)).ok_or(Refusal::Other));
const TOKENS: Kind<u32> = Kind::any("a whole number of tokens, from 1 to 128000", |leaf| {
    let tokens = leaf.integer().and_then(|tokens| u32::try_from(tokens).ok());
    tokens.filter(|tokens| (1..=128_000).contains(tokens)).ok_or(Refusal::Other)
});
/// One that is wrong is told by the check, with the reason.
const ADDRESS: Kind<Result<String, &'static str>> =
    Kind::text("an https URL", |leaf| leaf.text(address).ok_or(Refusal::Other));

const LEAST: usize = 20;

/// Why that is no API key.
fn unfit(key: &str) -> Option<&'static str> {
    if is_placeholder(key.as_bytes()) {
        return Some("this is a placeholder: create a key in the dashboard of the API's owner");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("an API key is printable ASCII without blanks and line ends: store it without them");
    }
    (key.len() < LEAST).then_some("an API key has at least 20 characters: store the whole of it")
}

/// Plain HTTP would show the key to everyone on the way; what stands before an `@` or behind a `?` may be a key.
fn address(text: &str) -> Result<String, &'static str> {
    let url = Uri::parse(text.trim()).map_err(|_| "this is no URL: it reads like `https://host/v1`")?;
    let authority = url.authority().filter(|authority| !authority.host().is_empty());
    let authority = authority.ok_or("this URL names no host: it reads like `https://host/v1`")?;
    if authority.userinfo().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("an endpoint has no user, query or fragment: remove it, and put a key into `api_key`");
    }
    if authority.port_to_u16().is_err() {
        return Err("the port of this URL is not from 1 to 65535");
    }
    match url.scheme().as_str().to_ascii_lowercase().as_str() {
        "https" => {}
        "http" if is_loopback(authority.host()) => {}
        "http" => {
            return Err("plain http would show the key to others: use https (http is for loopback alone)");
        }
        _ => return Err("this is no https URL"),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[derive(Default)]
pub(super) struct OpenAiDraft {
    api_key: Option<SecretString>,
    model: Option<String>,
    organization: Option<String>,
    project: Option<String>,
    max_tokens: Option<u32>,
    endpoint: Option<Result<String, &'static str>>,
}

impl OpenAiDraft {
    pub(super) fn of(api_key: SecretString) -> Result<OpenAiConfig, Invalid> {
        Made::of(Self { api_key: Some(api_key), ..Self::default() }, &Keys::none()).checked()
    }
}

impl Draft for OpenAiDraft {
    type Field = Field;
    type Model = OpenAiConfig;
    const NAME: &'static str = "OpenAiConfig";
    const EXPECTED: &'static str = "a table with api_key, or the key itself";

    fn whole(&mut self, document: Scalar<'_>) {
        self.api_key = match document {
            Scalar::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(SecretString::from),
            document => document.text(|text| SecretString::from(text)),
        };
    }

    fn missing(&self) -> Option<Field> {
        self.api_key.is_none().then_some(Field::ApiKey)
    }

    fn make(self, keys: &Keys<Field>) -> (OpenAiConfig, Vec<Invalid>) {
        let fault = |field, reason| Invalid { path: keys.path(field), reason };
        let api_key = self.api_key.unwrap_or_default();
        let unfit = unfit(api_key.expose_secret()).map(|reason| fault(Field::ApiKey, reason));
        let (endpoint, wrong) = match self.endpoint {
            Some(Ok(endpoint)) => (endpoint, None),
            Some(Err(reason)) => (String::new(), Some(fault(Field::Endpoint, reason))),
            None => (ENDPOINT.to_owned(), None),
        };
        let model = OpenAiConfig {
            api_key,
            model: self.model,
            organization: self.organization,
            project: self.project,
            max_tokens: self.max_tokens.unwrap_or(MAX_TOKENS),
            endpoint,
        };
        (model, unfit.into_iter().chain(wrong).collect())
    }
}
