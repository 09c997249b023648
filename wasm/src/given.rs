//! What JavaScript gives, in the form that `package/options.js` has made of it: lists of texts.

use crate::failure::Flaw;
use crate::hold::Wanted;
use crate::session::Manager;
use crate::tree::text;
use secretfig_aws::{self as aws, protocol::SecretsManager};
use secretfig_source::protocol::Origin;
use secretfig_source::{Document, Format, Node, Reading, SourceError};
use secretfig_vault::{self as vault, protocol::Vault};
use std::time::Duration;

/// Everything that a cache is made of.
pub(crate) struct Given {
    pub(crate) manager: Manager,
    pub(crate) secrets: Vec<Wanted>,
    pub(crate) ttl: Duration,
    pub(crate) max_stale: Duration,
    /// For one request, headers and body.
    pub(crate) timeout: Duration,
    pub(crate) shape: Node,
}

impl Given {
    /// From a JSON list: the server and what signs in there, where names lie and for how long they are served, other mounts,
    /// what is wanted, and its shape. `key` is random and secret.
    ///
    /// # Errors
    /// Every setting that cannot be.
    pub(crate) fn read(given: &str, key: &[u8]) -> Result<Self, Vec<Flaw>> {
        let how = Reading { format: Format::Json, allow_empty: true, ..Reading::default() };
        let given = Document::from_text(given).read(&how).unwrap_or(Node::Null);
        let [server, place, more, wanted] = [0, 1, 2, 3].map(|n| part(&given, n));
        let Ok(key) = key.try_into() else {
            let hint = "load inside of a request: at the top of a module a Worker gives no random, no clock and no network";
            return Err(vec![Flaw::new("options", "misconfigured", "this host gives no random here", hint)]);
        };
        let [.., ttl, max_stale, timeout, provider] = cells(place);
        let manager = match provider {
            "aws-sm" => aws(server, place, more, key)?,
            _ => vault(server, place, more, key)?,
        };
        let [ttl, max_stale, timeout] = [ttl, max_stale, timeout].map(time);
        let secrets = list(wanted).iter().map(self::wanted).collect();
        Ok(Self { manager, secrets, ttl, max_stale, timeout, shape: part(&given, 4).clone() })
    }
}

/// The server, what signs in there, where names lie, and other mounts.
fn vault(server: &Node, place: &Node, mounts: &Node, key: [u8; 32]) -> Result<Manager, Vec<Flaw>> {
    let [.., token, auth_mount, role_id, secret_id] = cells(server);
    let [namespace, mount, prefix, ..] = cells(place);
    let auth = if token.is_empty() {
        let [role_id, secret_id] = [role_id, secret_id].map(|text| vault::Given::Text(text.into()));
        let secret_id = vault::SecretId::Plain(secret_id);
        vault::Auth::AppRole { mount: auth_mount.to_owned(), role_id, secret_id }
    } else {
        vault::Auth::Token(token.into())
    };
    let mut known = Vec::new();
    for row in list(mounts) {
        let [mount, kind, ..] = cells(row);
        known.push((mount.to_owned(), vault::Kind::parse(kind)));
    }
    let settings = vault::Settings::at(origin(server, "address")?, auth);
    let settings = settings.map_err(|e| vec![wrong("options", &e)])?;
    let settings = match settings.names(namespace, mount, prefix, &known) {
        Ok(settings) => settings,
        Err(all) => return Err(all.iter().map(|(option, e)| wrong(option, e)).collect()),
    };
    Ok(Manager::new(Vault::new(settings, key).map_err(|e| vec![wrong("options", &e)])?))
}

/// The region, what signs in there, where names lie, and the endpoints of Secrets Manager and of STS.
fn aws(who: &Node, place: &Node, endpoints: &Node, key: [u8; 32]) -> Result<Manager, Vec<Flaw>> {
    let [region, id, secret, session, role_arn, token, session_name] = cells(who);
    let auth = if token.is_empty() {
        let keys = aws::Keys::new(id, secret.into());
        aws::Auth::Keys(if session.is_empty() { keys } else { keys.session_token(session.into()) })
    } else {
        let session_name = Some(session_name).filter(|name| !name.is_empty()).map(str::to_owned);
        aws::Auth::WebIdentity {
            role_arn: role_arn.to_owned(),
            session_name,
            token: aws::Given::Text(token.into()),
        }
    };
    let [_, _, prefix, ..] = cells(place);
    let [own, sts] =
        [(0, "endpoint"), (1, "stsEndpoint")].map(|(n, option)| origin(part(endpoints, n), option));
    Ok(Manager::new(SecretsManager::at(region, auth, prefix, own?, sts?, key)))
}

/// An address that JavaScript has taken apart.
fn origin(parts: &Node, option: &str) -> Result<Origin, Vec<Flaw>> {
    let [scheme, host, port, ..] = cells(parts);
    let port = port.parse().ok().and_then(|port: u64| port.try_into().ok());
    Origin::of_parts(scheme, host, port).map_err(|refused| vec![wrong(option, &refused.of_source(""))])
}

/// Its key, its name, a field of it, whether it is optional, and its ttl.
fn wanted(row: &Node) -> Wanted {
    let [key, name, field, optional, ttl, ..] = cells(row);
    let mut wanted = Wanted::new(key, name);
    wanted.reading.field = Some(field).filter(|field| !field.is_empty()).map(Into::into);
    wanted.optional = !optional.is_empty();
    wanted.ttl = Some(ttl).filter(|ttl| !ttl.is_empty()).map(time);
    wanted
}

fn list(node: &Node) -> &[Node] {
    if let Node::List(list) = node { list } else { &[] }
}

fn part(node: &Node, n: usize) -> &Node {
    list(node).get(n).unwrap_or(&Node::Null)
}

/// Its texts; empty where there are not so many.
fn cells(row: &Node) -> [&str; 7] {
    std::array::from_fn(|n| text(part(row, n)).unwrap_or_default())
}

/// Whole milliseconds.
fn time(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap_or(0))
}

fn wrong(option: &str, error: &SourceError) -> Flaw {
    Flaw::new(option, error.kind().as_str(), error.kind().as_str(), error.what_to_do())
}
