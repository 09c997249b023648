//! What every service answers: status, content type and body, to the byte.

use super::client::Reply;

/// An answer that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    status: u16,
    content_type: Option<&'a str>,
    body: &'a str,
}

pub(super) const ALIVE: Answer<'_> = json(r#"{"alive":true}"#);
pub(super) const READY: Answer<'_> = json(r#"{"ready":true,"degraded":false}"#);
pub(super) const DEGRADED: Answer<'_> = json(r#"{"ready":true,"degraded":true}"#);
pub(super) const CURRENT: Answer<'_> = json(r#"{"subject":"demo","signed_with":"current","assistant":true}"#);
pub(super) const UNASSISTED: Answer<'_> =
    json(r#"{"subject":"demo","signed_with":"current","assistant":false}"#);
pub(super) const PREVIOUS: Answer<'_> =
    json(r#"{"subject":"demo","signed_with":"previous","assistant":true}"#);
pub(super) const UNAUTHORIZED: Answer<'_> = Answer { status: 401, content_type: None, body: "" };
pub(super) const NOT_FOUND: Answer<'_> = Answer { status: 404, content_type: None, body: "" };

/// Where each key comes from: its secret, and the line of `config.toml` that says so.
const ORIGINS: [(&str, Option<&str>, u8); 10] = [
    ("database.dbname", Some("database"), 9),
    ("database.engine", Some("database"), 9),
    ("database.host", Some("database"), 9),
    ("database.password", Some("database"), 9),
    ("database.username", Some("database"), 9),
    ("jwt.signing_key", Some("jwt"), 10),
    ("openai.api_key", Some("openai"), 11),
    ("server.host", None, 4),
    ("server.port", None, 5),
    ("server.shutdown_grace", None, 6),
];

/// What `/config` says, with that source and with the revisions that it says.
pub(super) fn origins(folder: &str, source: &str, said: &str) -> String {
    let quoted = |text: &str| format!("\"{text}\"");
    let keys = ORIGINS.map(|(key, secret, line)| {
        let file = format!("{folder}/config.toml:{line}");
        let variable = match key {
            "server.port" => Some("APP_SERVER__PORT"),
            "server.shutdown_grace" => Some("APP_SERVER__SHUTDOWN_GRACE"),
            _ => None,
        };
        let (layer, beaten) = match variable {
            Some(name) => (format!("variable `{name}`"), quoted(&file)),
            None => (file, String::new()),
        };
        let [revision, secret_name, source] = match secret {
            Some(name) => [revision(said, key).unwrap_or_default(), name, source].map(quoted),
            None => ["null"; 3].map(str::to_owned),
        };
        let is_secret = secret.is_some();
        format!(
            r#"{{"beaten":[{beaten}],"key":"{key}","layer":"{layer}","revision":{revision},"secret":{is_secret},"secret_name":{secret_name},"source":{source},"value":null}}"#
        )
    });
    format!(r#"{{"keys":[{}],"profile":"default","remarks":[],"strict":false}}"#, keys.join(","))
}

/// The revision that `/config` says of a key.
pub(super) fn revision<'a>(said: &'a str, key: &str) -> Option<&'a str> {
    let (_, after) = said.split_once(&format!(r#""key":"{key}""#))?;
    after.split_once(r#""revision":""#)?.1.split('"').next()
}

/// 200, with that body.
pub(super) const fn json(body: &str) -> Answer<'_> {
    Answer { status: 200, content_type: Some("application/json"), body }
}

impl Reply {
    /// What of it must be the same on every framework.
    pub(super) fn answer(&self) -> Answer<'_> {
        Answer { status: self.status, content_type: self.header("content-type"), body: &self.body }
    }
}
