//! What a caller of `load` gives, read into settings: every fault of it at once, and none quotes what was given.

use crate::failure::Flaw;
use crate::hold::Wanted;
use crate::shape::Shape;
use crate::tree::{join, text};
use secrecy::SecretString;
use secretfig_source::{Document, Exposed, Format, Node, Reading};
use secretfig_vault::Kind;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that `load` was given.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) address: String,
    pub(crate) sign_in: SignIn,
    pub(crate) namespace: Option<String>,
    pub(crate) mount: Option<String>,
    pub(crate) prefix: Option<String>,
    /// Other mounts, each with its kind where one is stated.
    pub(crate) mounts: Vec<(String, Option<Kind>)>,
    pub(crate) secrets: Vec<(String, Wanted)>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) max_stale: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) enum SignIn {
    Token(SecretString),
    AppRole { mount: Option<String>, role_id: String, secret_id: SecretString },
}

/// What a server can and `fetch` cannot. To ignore one of them would be to trust what its user does not.
const NOT_HERE: [&str; 18] = [
    "ca",
    "caCert",
    "caFile",
    "extraCa",
    "pin",
    "pins",
    "proxy",
    "clientCert",
    "clientCertFile",
    "clientKey",
    "clientKeyFile",
    "cert",
    "key",
    "dangerPlainHttp",
    "rejectUnauthorized",
    "skipVerify",
    "tlsServerName",
    "tokenFile",
];

const KNOWN: [&str; 13] = [
    "provider",
    "address",
    "token",
    "appRole",
    "namespace",
    "mount",
    "prefix",
    "mounts",
    "secrets",
    "ttl",
    "maxStale",
    "timeout",
    "shape",
];

impl Options {
    /// From JSON; all numbers are times, in milliseconds.
    pub(crate) fn read(given: &str) -> Result<Self, Vec<Flaw>> {
        let how = Reading { format: Format::Json, allow_empty: true, ..Reading::default() };
        let given = Document::from_text(given).read(&how).unwrap_or(Node::Null);
        let mut flaws = Vec::new();
        let Some(mut reader) = Reader::of(&given, "", &mut flaws) else { return Err(flaws) };
        reader.unknown(&KNOWN);
        match reader.needed("provider", "set it to `vault`") {
            Some("vault") | None => {}
            Some(_) => reader.flaw("provider", "no such provider", "`vault` is the one there is"),
        }
        let address =
            reader.needed("address", "set it to the server's origin, such as `https://vault.example:8200`");
        let token = reader.text("token");
        let [namespace, mount, prefix] =
            ["namespace", "mount", "prefix"].map(|key| reader.text(key).map(str::to_owned));
        let [ttl, max_stale, timeout] = ["ttl", "maxStale", "timeout"].map(|key| reader.time(key));
        let [app_role, mounts, secrets, shape] =
            ["appRole", "mounts", "secrets", "shape"].map(|key| reader.get(key));
        let sign_in = match (reader.get("token"), app_role) {
            (Some(_), Some(_)) => {
                reader.flaw("token", "given beside `appRole`", "keep one of the two");
                None
            }
            (None, None) => {
                reader.missing("token", "give `token` or `appRole`");
                None
            }
            (Some(_), None) => token.map(|token| SignIn::Token(token.into())),
            (None, Some(app_role)) => read_app_role(app_role, &mut flaws),
        };
        let mounts = mounts.map(|mounts| read_mounts(mounts, &mut flaws)).unwrap_or_default();
        let secrets = read_secrets(secrets, &mut flaws);
        let shape = Shape::read(shape, &mut flaws);
        match (address, sign_in) {
            (Some(address), Some(sign_in)) if flaws.is_empty() => Ok(Self {
                address: address.to_owned(),
                sign_in,
                namespace,
                mount,
                prefix,
                mounts,
                secrets,
                ttl,
                max_stale,
                timeout: timeout.unwrap_or(Duration::from_secs(3)),
                shape,
            }),
            _ => Err(flaws),
        }
    }
}

fn read_app_role(given: &Node, flaws: &mut Vec<Flaw>) -> Option<SignIn> {
    let mut reader = Reader::of(given, "appRole", flaws)?;
    reader.unknown(&["roleId", "secretId", "mount"]);
    let role_id = reader.needed("roleId", "give the role's id");
    let secret_id = reader.needed("secretId", "give a secret id of the role");
    let mount = reader.text("mount").map(str::to_owned);
    Some(SignIn::AppRole { mount, role_id: role_id?.to_owned(), secret_id: secret_id?.into() })
}

/// `{ kv: "v1", pg: "database", "team/kv": null }`: of what kind each is; of a `null` one the server tells.
fn read_mounts(given: &Node, flaws: &mut Vec<Flaw>) -> Vec<(String, Option<Kind>)> {
    let Some(mut reader) = Reader::of(given, "mounts", flaws) else { return Vec::new() };
    let mut mounts = Vec::new();
    for mount in reader.table.keys() {
        let stated = reader.text(mount);
        let kind = stated.and_then(Kind::parse);
        if stated.is_some() && kind.is_none() {
            reader.flaw(mount, "no such kind of mount", "kinds are `v1`, `v2` and `database`");
        }
        mounts.push((mount.trim_matches('/').to_owned(), kind));
    }
    mounts
}

fn read_secrets(given: Option<&Node>, flaws: &mut Vec<Flaw>) -> Vec<(String, Wanted)> {
    let hint = "name what to load, such as `{ database: \"secret/myapp/database\" }`";
    let Some(given) = given else {
        flaws.push(Flaw::new("secrets", "missing", "missing", hint));
        return Vec::new();
    };
    let Some(reader) = Reader::of(given, "secrets", flaws) else { return Vec::new() };
    let table = reader.table;
    if table.is_empty() {
        flaws.push(Flaw::new("secrets", "misconfigured", "nothing to load", hint));
    }
    let wanted = table.iter().filter_map(|(key, given)| {
        Some((String::from(&**key), read_wanted(given, &join("secrets", key), flaws)?))
    });
    wanted.collect()
}

fn read_wanted(given: &Node, at: &str, flaws: &mut Vec<Flaw>) -> Option<Wanted> {
    if let Some(name) = text(given) {
        return Some(Wanted::new(name));
    }
    let mut reader = Reader::of(given, at, flaws)?;
    reader.unknown(&["name", "field", "optional", "ttl"]);
    let name = reader.needed("name", "name the secret");
    let (field, optional, ttl) = (reader.text("field"), reader.yes("optional"), reader.time("ttl"));
    let mut wanted = Wanted { optional, ttl, ..Wanted::new(name?) };
    wanted.reading.field = field.map(Into::into);
    Some(wanted)
}

/// One object of the options.
struct Reader<'g, 'f> {
    table: &'g BTreeMap<Box<str>, Node>,
    at: &'f str,
    flaws: &'f mut Vec<Flaw>,
}

impl<'g, 'f> Reader<'g, 'f> {
    fn of(given: &'g Node, at: &'f str, flaws: &'f mut Vec<Flaw>) -> Option<Self> {
        if let Node::Table(table) = given {
            return Some(Self { table, at, flaws });
        }
        let key = if at.is_empty() { "options" } else { at };
        flaws.push(Flaw::new(key, "wrong type", "wrong type, expected an object", "give an object"));
        None
    }

    fn push(&mut self, key: &str, kind: &'static str, message: &str, hint: &str) {
        self.flaws.push(Flaw::new(&join(self.at, key), kind, message, hint));
    }

    fn flaw(&mut self, key: &str, message: &str, hint: &str) {
        self.push(key, "misconfigured", message, hint);
    }

    fn missing(&mut self, key: &str, hint: &str) {
        self.push(key, "missing", "missing", hint);
    }

    fn wrong_type(&mut self, key: &str, expected: &str) {
        let message = format!("wrong type, expected {expected}");
        self.push(key, "wrong type", &message, "correct the option");
    }

    /// What was given at this key; `null` is nothing, so that `env.TOKEN ?? null` may be handed on.
    fn get(&self, key: &str) -> Option<&'g Node> {
        self.table.get(key).filter(|given| !matches!(given, Node::Null))
    }

    fn text(&mut self, key: &str) -> Option<&'g str> {
        let text = text(self.get(key)?);
        match text {
            None => self.wrong_type(key, "a string"),
            Some("") => self.flaw(key, "empty", "set it, or leave it out"),
            Some(_) => {}
        }
        text.filter(|text| !text.is_empty())
    }

    fn needed(&mut self, key: &str, hint: &str) -> Option<&'g str> {
        if self.get(key).is_none() {
            self.missing(key, hint);
        }
        self.text(key)
    }

    fn yes(&mut self, key: &str) -> bool {
        match self.get(key) {
            None => false,
            Some(Node::Leaf(leaf)) if let Exposed::Bool(yes) = leaf.expose_secret() => yes,
            Some(_) => {
                self.wrong_type(key, "a boolean");
                false
            }
        }
    }

    fn time(&mut self, key: &str) -> Option<Duration> {
        let millis = match self.get(key)? {
            Node::Leaf(leaf) => match leaf.expose_secret() {
                Exposed::Number(literal) => literal.parse().ok().filter(|millis| *millis > 0),
                _ => None,
            },
            _ => None,
        };
        if millis.is_none() {
            self.wrong_type(key, "seconds, a number above 0");
        }
        millis.map(Duration::from_millis)
    }

    fn unknown(&mut self, known: &[&str]) {
        for key in self.table.keys() {
            if self.at.is_empty() && NOT_HERE.contains(&&**key) {
                if self.get(key).is_some() {
                    let message = format!("`{key}` cannot be honoured here");
                    self.flaw(
                        key,
                        &message,
                        "`fetch` has no such thing; leave it to the host, or run on a server",
                    );
                }
            } else if !known.contains(&&**key) {
                self.flaw(key, "no such option", "correct its spelling, or remove it");
            }
        }
    }
}
