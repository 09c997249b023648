//! What JavaScript gives, in the form that `package/options.js` has made of it: lists of texts.

use crate::failure::Flaw;
use crate::hold::Wanted;
use crate::session::Manager;
use crate::tree::text;
use secretfig_source::protocol::{Origin, Refused};
use secretfig_source::{Document, Format, Node, Reading, SourceError};
use secretfig_vault::{Auth, Given as Shown, Kind, SecretId, Settings, protocol::Vault};
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
        let [server, place, mounts, wanted] = [0, 1, 2, 3].map(|n| part(&given, n));
        let [scheme, host, port, token, auth_mount, role_id, secret_id] = cells(server);
        let [namespace, mount, prefix, ttl, max_stale, timeout, _] = cells(place);
        let port = port.parse().ok().and_then(|port: u64| port.try_into().ok());
        let auth = if token.is_empty() {
            let [role_id, secret_id] = [role_id, secret_id].map(|text| Shown::Text(text.into()));
            Auth::AppRole { mount: auth_mount.to_owned(), role_id, secret_id: SecretId::Plain(secret_id) }
        } else {
            Auth::Token(token.into())
        };
        let mut known = Vec::new();
        for row in list(mounts) {
            let [mount, kind, ..] = cells(row);
            known.push((mount.to_owned(), Kind::parse(kind)));
        }
        let origin = Origin::of_parts(scheme, host, port);
        let of_address = |refused: Refused| vec![wrong("address", &refused.of_source("vault"))];
        let settings = Settings::at(origin.map_err(of_address)?, auth);
        let settings = settings.map_err(|e| vec![wrong("options", &e)])?;
        let settings = match settings.names(namespace, mount, prefix, &known) {
            Ok(settings) => settings,
            Err(all) => return Err(all.iter().map(|(option, e)| wrong(option, e)).collect()),
        };
        let Ok(key) = key.try_into() else {
            let hint = "load inside of a request: at the top of a module a Worker gives no random, no clock and no network";
            return Err(vec![Flaw::new("options", "misconfigured", "this host gives no random here", hint)]);
        };
        let vault = Vault::new(settings, key).map_err(|e| vec![wrong("options", &e)])?;
        let [ttl, max_stale, timeout] = [ttl, max_stale, timeout].map(time);
        let secrets = list(wanted).iter().map(self::wanted).collect();
        Ok(Self {
            manager: Manager::new(vault),
            secrets,
            ttl,
            max_stale,
            timeout,
            shape: part(&given, 4).clone(),
        })
    }
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
