//! What a caller of `load` gives, read into settings: every fault of it at once, and none quotes what was given.

use crate::failure::Flaw;
use crate::shape::Shape;
use js_sys::{Array, Object, Reflect};
use secretfig::{SecretString, Wanted};
use secretfig_vault::Kind;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};

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
    pub(crate) fn read(given: &JsValue) -> Result<Self, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let Some(mut reader) = Reader::of(given, String::new(), &mut flaws) else { return Err(flaws) };
        reader.not_here();
        reader.unknown(&KNOWN);
        match reader.text("provider").as_deref() {
            Some("vault") => {}
            Some(_) => reader.flaw("provider", "no such provider", "`vault` is the one there is"),
            None => reader.missing("provider", "set it to `vault`"),
        }
        let address =
            reader.needed("address", "set it to the server's origin, such as `https://vault.example:8200`");
        let token = reader.secret("token");
        let app_role = reader.take("appRole");
        let namespace = reader.text("namespace");
        let (mount, prefix, mounts) = (reader.text("mount"), reader.text("prefix"), reader.take("mounts"));
        let (ttl, max_stale) = (reader.seconds("ttl"), reader.seconds("maxStale"));
        let timeout = reader.seconds("timeout").unwrap_or(Duration::from_secs(3));
        let (secrets, shape) = (reader.take("secrets"), reader.take("shape"));
        let sign_in = match (token, app_role) {
            (Some(token), None) => Some(SignIn::Token(token)),
            (None, Some(app_role)) => read_app_role(&app_role, &mut flaws),
            (None, None) => {
                // a token of another type has its fault already
                if !flaws.iter().any(|flaw| flaw.key == "token") {
                    flaws.push(Flaw::new("token", "missing", "missing", "give `token` or `appRole`"));
                }
                None
            }
            (Some(_), Some(_)) => {
                flaws.push(Flaw::new(
                    "token",
                    "misconfigured",
                    "given beside `appRole`",
                    "keep one of the two",
                ));
                None
            }
        };
        let mounts = mounts.map(|mounts| read_mounts(&mounts, &mut flaws)).unwrap_or_default();
        let secrets = read_secrets(secrets.as_ref(), &mut flaws);
        let shape = shape.map_or(Shape::Any, |shape| Shape::read(&shape, "shape", &mut flaws));
        match (address, sign_in) {
            (Some(address), Some(sign_in)) if flaws.is_empty() => Ok(Self {
                address,
                sign_in,
                namespace,
                mount,
                prefix,
                mounts,
                secrets,
                ttl,
                max_stale,
                timeout,
                shape,
            }),
            _ => Err(flaws),
        }
    }
}

fn read_app_role(given: &JsValue, flaws: &mut Vec<Flaw>) -> Option<SignIn> {
    let mut reader = Reader::of(given, "appRole".to_owned(), flaws)?;
    reader.unknown(&["roleId", "secretId", "mount"]);
    let role_id = reader.needed("roleId", "give the role's id");
    let secret_id = reader.secret("secretId");
    if secret_id.is_none() {
        reader.missing("secretId", "give a secret id of the role");
    }
    let mount = reader.text("mount");
    Some(SignIn::AppRole { mount, role_id: role_id?, secret_id: secret_id? })
}

/// `{ kv: "v1", pg: "database", "team/kv": null }`: of what kind each is; of a `null` one the server tells.
fn read_mounts(given: &JsValue, flaws: &mut Vec<Flaw>) -> Vec<(String, Option<Kind>)> {
    let Some(mut reader) = Reader::of(given, "mounts".to_owned(), flaws) else { return Vec::new() };
    let mut mounts = Vec::new();
    for mount in Object::keys(&reader.object).iter().filter_map(|key| key.as_string()) {
        let stated = reader.text(&mount);
        let kind = stated.as_deref().and_then(Kind::parse);
        if stated.is_some() && kind.is_none() {
            reader.flaw(&mount, "no such kind of mount", "kinds are `v1`, `v2` and `database`");
        }
        mounts.push((mount.trim_matches('/').to_owned(), kind));
    }
    mounts
}

fn read_secrets(given: Option<&JsValue>, flaws: &mut Vec<Flaw>) -> Vec<(String, Wanted)> {
    let hint = "name what to load, such as `{ database: \"secret/myapp/database\" }`";
    let Some(given) = given else {
        flaws.push(Flaw::new("secrets", "missing", "missing", hint));
        return Vec::new();
    };
    let Some(reader) = Reader::of(given, "secrets".to_owned(), flaws) else { return Vec::new() };
    let entries = Object::entries(&reader.object);
    if entries.length() == 0 {
        flaws.push(Flaw::new("secrets", "misconfigured", "nothing to load", hint));
    }
    let mut secrets = Vec::new();
    for entry in entries.iter() {
        let entry = Array::from(&entry);
        let Some(key) = entry.get(0).as_string() else { continue };
        if let Some(wanted) = read_wanted(&entry.get(1), &format!("secrets.{key}"), flaws) {
            secrets.push((key, wanted));
        }
    }
    secrets
}

fn read_wanted(given: &JsValue, at: &str, flaws: &mut Vec<Flaw>) -> Option<Wanted> {
    if let Some(name) = given.as_string() {
        return Some(Wanted::new(name));
    }
    let mut reader = Reader::of(given, at.to_owned(), flaws)?;
    reader.unknown(&["name", "field", "optional", "ttl"]);
    let name = reader.needed("name", "name the secret");
    let (field, optional, ttl) = (reader.text("field"), reader.yes("optional"), reader.seconds("ttl"));
    let mut wanted = Wanted::new(name?).optional(optional);
    if let Some(field) = field {
        wanted = wanted.field(field);
    }
    Some(match ttl {
        Some(ttl) => wanted.ttl(ttl),
        None => wanted,
    })
}

/// One object of the options.
struct Reader<'f> {
    object: Object,
    at: String,
    flaws: &'f mut Vec<Flaw>,
}

impl<'f> Reader<'f> {
    fn of(given: &JsValue, at: String, flaws: &'f mut Vec<Flaw>) -> Option<Self> {
        match given.dyn_ref::<Object>() {
            Some(object) if !Array::is_array(given) && !given.is_function() => {
                Some(Self { object: object.clone(), at, flaws })
            }
            _ => {
                let key = if at.is_empty() { "options" } else { &at };
                flaws.push(Flaw::new(key, "wrong type", "wrong type, expected an object", "give an object"));
                None
            }
        }
    }

    fn path(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    fn flaw(&mut self, key: &str, message: &str, hint: &str) {
        self.flaws.push(Flaw::new(&self.path(key), "misconfigured", message, hint));
    }

    fn missing(&mut self, key: &str, hint: &str) {
        let path = self.path(key);
        // of another type is not missing
        if !self.flaws.iter().any(|flaw| flaw.key == path) {
            self.flaws.push(Flaw::new(&path, "missing", "missing", hint));
        }
    }

    fn wrong_type(&mut self, key: &str, expected: &str) {
        let message = format!("wrong type, expected {expected}");
        self.flaws.push(Flaw::new(&self.path(key), "wrong type", &message, "correct the option"));
    }

    /// What was given at this key; `undefined` and `null` are nothing, so that `env.TOKEN` may be handed on.
    fn take(&mut self, key: &str) -> Option<JsValue> {
        match Reflect::get(&self.object, &JsValue::from_str(key)) {
            Ok(value) if value.is_undefined() || value.is_null() => None,
            Ok(value) => Some(value),
            Err(_) => {
                self.flaw(key, "its getter threw", "give a plain value");
                None
            }
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let text = self.take(key)?.as_string();
        match text {
            None => self.wrong_type(key, "a string"),
            Some(ref text) if text.is_empty() => self.flaw(key, "empty", "set it, or leave it out"),
            Some(_) => {}
        }
        text.filter(|text| !text.is_empty())
    }

    fn secret(&mut self, key: &str) -> Option<SecretString> {
        self.text(key).map(SecretString::from)
    }

    fn needed(&mut self, key: &str, hint: &str) -> Option<String> {
        let text = self.text(key);
        if text.is_none() {
            self.missing(key, hint);
        }
        text
    }

    fn yes(&mut self, key: &str) -> bool {
        let Some(given) = self.take(key) else { return false };
        if given.as_bool().is_none() {
            self.wrong_type(key, "a boolean");
        }
        given.as_bool().unwrap_or_default()
    }

    fn seconds(&mut self, key: &str) -> Option<Duration> {
        let seconds = self.take(key)?.as_f64().filter(|n| *n > 0.0);
        let seconds = seconds.and_then(|n| Duration::try_from_secs_f64(n).ok());
        if seconds.is_none() {
            self.wrong_type(key, "seconds, a number above 0");
        }
        seconds
    }

    fn unknown(&mut self, known: &[&str]) {
        for key in Object::keys(&self.object).iter().filter_map(|key| key.as_string()) {
            let told = self.at.is_empty() && NOT_HERE.contains(&key.as_str());
            if !told && !known.contains(&key.as_str()) {
                self.flaw(&key, "no such option", "correct its spelling, or remove it");
            }
        }
    }

    /// By asking for each, and not by looking at own keys alone: what a prototype brings is as much meant.
    fn not_here(&mut self) {
        for key in NOT_HERE {
            if self.take(key).is_some() {
                let message = format!("`{key}` cannot be honoured here");
                let hint = "`fetch` has no such thing; leave it to the host, or run on a server";
                self.flaw(key, &message, hint);
            }
        }
    }
}
