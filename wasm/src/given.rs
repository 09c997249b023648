//! What JavaScript gives, in the form that `package/options.js` has made of it: rows of texts, by their first one.

use crate::failure::Flaw;
use crate::hold::Wanted;
use crate::session::Manager;
use crate::tree::{child, text};
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
    /// From a JSON object: `rows` and `shape`. `key` is random and secret.
    ///
    /// # Errors
    /// Every setting that cannot be.
    pub(crate) fn read(given: &str, key: &[u8]) -> Result<Self, Vec<Flaw>> {
        let how = Reading { format: Format::Json, allow_empty: true, ..Reading::default() };
        let given = Document::from_text(given).read(&how).unwrap_or(Node::Null);
        let Some(Node::List(rows)) = child(&given, "rows") else { return Err(Vec::new()) };
        let mut flaws = Vec::new();
        let (mut address, mut auth, mut secrets, mut times) = ("", None, Vec::new(), [Duration::ZERO; 3]);
        for row in rows {
            match cell(row, 0) {
                "address" => address = cell(row, 1),
                "token" => auth = Some(Auth::Token(cell(row, 1).into())),
                "appRole" => {
                    let [mount, role_id, secret_id] = [1, 2, 3].map(|n| cell(row, n));
                    auth = Some(Auth::AppRole {
                        mount: mount.to_owned(),
                        role_id: Shown::Text(role_id.into()),
                        secret_id: SecretId::Plain(Shown::Text(secret_id.into())),
                    });
                }
                "secret" => secrets.push(wanted(row)),
                "times" => times = [1, 2, 3].map(|n| time(cell(row, n))),
                _ => {}
            }
        }
        let auth = auth.ok_or_else(Vec::new)?;
        let mut settings = Settings::new(address, auth).map_err(|e| vec![wrong("address", &e)])?;
        for row in rows {
            let (name, value) = (cell(row, 0), cell(row, 1));
            let set = settings.clone();
            let set = match name {
                "namespace" => set.namespace(value),
                "mount" => set.mount(value),
                "prefix" => set.prefix(value),
                "mounts" => set.known_mount(value.trim_matches('/'), Kind::parse(cell(row, 2))),
                _ => continue,
            };
            match set {
                Ok(set) => settings = set,
                Err(e) if name == "mounts" => flaws.push(wrong(&crate::tree::join(name, value), &e)),
                Err(e) => flaws.push(wrong(name, &e)),
            }
        }
        let Ok(key) = key.try_into() else {
            let hint = "load inside of a request: at the top of a module a Worker gives no random, no clock and no network";
            flaws.push(Flaw::new("options", "misconfigured", "this host gives no random here", hint));
            return Err(flaws);
        };
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let vault = Vault::new(settings, key).map_err(|e| vec![wrong("options", &e)])?;
        let [ttl, max_stale, timeout] = times;
        let shape = child(&given, "shape").unwrap_or(&Node::Null).clone();
        Ok(Self { manager: Manager::new(vault), secrets, ttl, max_stale, timeout, shape })
    }
}

/// `secret`, its key, its name, a field of it, whether it is optional, and its ttl.
fn wanted(row: &Node) -> Wanted {
    let field = Some(cell(row, 3)).filter(|field| !field.is_empty());
    let ttl = Some(cell(row, 5)).filter(|ttl| !ttl.is_empty());
    let mut wanted = Wanted::new(cell(row, 1), cell(row, 2));
    wanted.reading.field = field.map(Into::into);
    wanted.optional = !cell(row, 4).is_empty();
    wanted.ttl = ttl.map(time);
    wanted
}

fn cell(row: &Node, n: usize) -> &str {
    match row {
        Node::List(cells) => cells.get(n).and_then(text).unwrap_or_default(),
        _ => "",
    }
}

/// Whole milliseconds.
fn time(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap_or(0))
}

fn wrong(option: &str, error: &SourceError) -> Flaw {
    Flaw::new(option, error.kind().as_str(), error.kind().as_str(), error.what_to_do())
}
