//! Where each key came from, and what it beat.

use crate::assemble::{self, Have, place_in};
use crate::plan::Plan;
use crate::report::Place;
use crate::tree::{Beaten, Clean, KeyPath, LeafText, Merged, Number, Plain, Slot, Why};
use std::fmt;
use zeroize::Zeroizing;

/// For every key of the configuration: the layer, source, secret and revision it came from, and the layers it
/// beat. No value of any layer is in what it prints, unless [`Explain::show`] named it.
///
/// ```
/// # use serde::Deserialize;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use secretfig::{Config, TextEnv};
/// #[derive(Deserialize)]
/// struct App { port: u16 }
/// let config =
///     Config::<App>::builder().env([("APP_PORT", "80")]).merge(TextEnv::prefixed("APP_")).load().await?;
/// assert_eq!(config.explain().to_string(), "profile `default`, relaxed\nport  variable `APP_PORT`");
/// let shown = config.explain().show("port").to_string();
/// assert_eq!(shown, "profile `default`, relaxed\nport = 80  variable `APP_PORT`");
/// # Ok::<_, secretfig::LoadError>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Explain {
    profile: String,
    strict: bool,
    lines: Vec<Explained>,
    remarks: Vec<String>,
    shown: Vec<KeyPath>,
}

/// One key of an [`Explain`].
#[derive(Clone)]
#[non_exhaustive]
pub struct Explained {
    /// The key.
    pub key: KeyPath,
    /// Whether the value is a secret's.
    pub secret: bool,
    place: Place,
    beaten: Vec<(Place, Why)>,
    value: Option<Zeroizing<String>>,
}

impl Explained {
    /// The layer it came from.
    pub fn layer_name(&self) -> Option<&str> {
        self.place.layer.as_deref()
    }

    /// The source it came from.
    pub fn source_name(&self) -> Option<&str> {
        self.place.source.as_deref()
    }

    /// The secret it came from.
    pub fn secret_name(&self) -> Option<&str> {
        self.place.secret.as_deref()
    }

    /// The secret's revision.
    pub fn revision(&self) -> Option<&secretfig_source::Revision> {
        self.place.revision.as_ref()
    }

    /// What it beat: each contribution in words, highest last.
    pub fn beaten(&self) -> impl Iterator<Item = String> {
        self.beaten.iter().map(|(place, why)| match why {
            Why::Lower => place.to_string(),
            Why::Null => format!("{place} (null, ignored)"),
            Why::PlainUnderSecret => format!("{place} (plain, passed over)"),
            Why::Overridden => format!("{place} (secret, overridden: rotation has no effect)"),
        })
    }
}

impl Explain {
    pub(crate) fn of(plan: &Plan, have: &[Have], guarded: &dyn Fn(&KeyPath) -> bool) -> Self {
        let (parsed, _) = assemble::parse(plan, have);
        let remarks = assemble::remarks(plan, &parsed, |_| true);
        let mut lines = Vec::new();
        assemble::merged(plan, &parsed, true, |root| {
            walk(plan, have, root, &KeyPath::root(), guarded, &mut lines);
        });
        Self { profile: plan.profile.to_string(), strict: plan.strict, lines, remarks, shown: Vec::new() }
    }

    /// Also shows the values of the keys that match: `server.port`, `server.*`.
    ///
    /// A key that is a secret is not shown even so: whose value came from a source; which lies in a
    /// [`Live`](crate::Live) part, or whose type is [`Strict`](crate::Strict), [`SecretBytes`](crate::SecretBytes) or
    /// one of our models; which no field took; or which gives itself away by its name (`password`, `token`, `key`, …)
    /// or by credentials in it (`scheme://user:password@host`). That a field is a `SecretString` serde does not tell.
    #[must_use]
    pub fn show(mut self, keys: &str) -> Self {
        self.shown.push(KeyPath::parse(keys));
        self
    }

    /// Only this key and those under it; with `*`, those that match.
    ///
    /// ```
    /// # use serde::Deserialize;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use secretfig::{Config, TextEnv};
    /// #[derive(Deserialize)]
    /// struct App { port: u16, host: String }
    /// let config = Config::<App>::builder()
    ///     .env([("APP_PORT", "80"), ("APP_HOST", "localhost")])
    ///     .merge(TextEnv::prefixed("APP_"))
    ///     .load()
    ///     .await?;
    /// let explain = config.explain().only(["port"]);
    /// assert_eq!(explain.keys().len(), 1);
    /// # Ok::<_, secretfig::LoadError>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn only<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        let wanted: Vec<KeyPath> = keys.into_iter().map(|key| KeyPath::parse(key.as_ref())).collect();
        self.lines.retain(|line| {
            wanted.iter().any(|wanted| line.key.starts_with(wanted) || line.key.matches(wanted))
        });
        self
    }

    /// The keys.
    pub fn keys(&self) -> &[Explained] {
        &self.lines
    }

    /// One key.
    pub fn key(&self, key: &str) -> Option<&Explained> {
        let path = KeyPath::parse(key);
        self.lines.iter().find(|line| line.key == path)
    }

    /// What a person should know of the layers: passed over, ignored, overridden.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// As JSON: `{"profile", "strict", "keys": [{"key", "secret", "layer", "source", "secret_name", "revision",
    /// "beaten": [], "value"}], "remarks": []}`; `value` only where shown.
    pub fn to_json(&self) -> String {
        let keys = self.lines.iter().map(|line| {
            serde_json::json!({
                "key": line.key.to_string(),
                "secret": line.secret,
                "layer": line.place.layer,
                "source": line.place.source,
                "secret_name": line.place.secret,
                "revision": line.place.revision.as_ref().map(ToString::to_string),
                "beaten": line.beaten().collect::<Vec<_>>(),
                "value": self.value(line),
            })
        });
        serde_json::json!({
            "profile": self.profile,
            "strict": self.strict,
            "keys": keys.collect::<Vec<_>>(),
            "remarks": self.remarks,
        })
        .to_string()
    }

    fn value<'e>(&self, line: &'e Explained) -> Option<&'e str> {
        let named = self.shown.iter().any(|pattern| line.key.matches(pattern));
        line.value.as_deref().filter(|_| named && !line.secret).map(String::as_str)
    }
}

fn walk(
    plan: &Plan,
    have: &[Have],
    slot: &Slot<'_>,
    path: &KeyPath,
    guarded: &dyn Fn(&KeyPath) -> bool,
    into: &mut Vec<Explained>,
) {
    match &slot.node {
        Merged::Table(table, _) if !table.is_empty() => {
            for (key, slot) in table {
                walk(plan, have, slot, &path.child(key), guarded, into);
            }
        }
        Merged::Table(..) => {}
        _ => {
            let beaten = slot.beaten.iter().map(|Beaten { origin, why }| (plan.place(*origin), *why));
            // where a secret belongs, a plain value stands in for one
            let stands_in = plan.uses_at(path).next().is_some()
                || slot.beaten.iter().any(|beaten| beaten.origin.secret.is_some());
            let guarded = stands_in || guarded(path);
            into.push(Explained {
                key: path.clone(),
                secret: slot.is_secret(),
                place: place_in(plan, have, slot),
                beaten: beaten.collect(),
                value: plain_of(slot).filter(|value| !guarded && !sounds_secret(path, value)),
            });
        }
    }
}

/// Whether a key gives itself away as a secret's by its name.
#[cfg(feature = "cli")]
pub(crate) fn is_secret_by_name(path: &KeyPath) -> bool {
    sounds_secret(path, "")
}

/// A second net, besides where a value came from and what its type says: serde does not tell that a target is a
/// `SecretString`.
fn sounds_secret(path: &KeyPath, value: &str) -> bool {
    const PARTS: [&str; 14] = [
        "pass",
        "secret",
        "token",
        "key",
        "credential",
        "private",
        "auth",
        "salt",
        "pwd",
        "cert",
        "dsn",
        "url",
        "cookie",
        "signature",
    ];
    const WORDS: [&str; 3] = ["pin", "seed", "otp"];
    let named = |key: &str| {
        let key = key.to_lowercase();
        PARTS.iter().any(|part| key.contains(part))
            || key.split(|c: char| !c.is_alphanumeric()).any(|word| WORDS.contains(&word))
    };
    let says = |word: &str| {
        let mut parts = value.as_bytes().windows(word.len());
        parts.any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    let holds_credentials = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
        || says("password=")
        || says("pwd=");
    holds_credentials || path.iter().any(named)
}

/// The value of a plain leaf.
fn plain_of(slot: &Slot<'_>) -> Option<Zeroizing<String>> {
    (!slot.is_secret()).then(|| plain(&slot.node))
}

/// The value of a plain leaf, or of a list of them.
pub(crate) fn plain(node: &Merged<'_>) -> Zeroizing<String> {
    Zeroizing::new(match (node, node.leaf_text()) {
        (_, Some(LeafText::Parsed(text) | LeafText::Strict(text))) => text.to_owned(),
        (Merged::Plain(Plain::Bool(yes)), _) => yes.to_string(),
        (Merged::Plain(Plain::Number(n) | Plain::Guessed(n)), _) => match n {
            Number::Unsigned(n) => n.to_string(),
            Number::Signed(n) => n.to_string(),
            Number::Float(n) => n.to_string(),
        },
        (Merged::List(items), _) => {
            let items: Vec<_> = items.iter().map(|item| plain(&item.node)).collect();
            format!("[{}]", items.iter().map(|text| text.as_str()).collect::<Vec<_>>().join(", "))
        }
        _ => "null".to_owned(),
    })
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile `{}`, {}", Clean(&self.profile), if self.strict { "strict" } else { "relaxed" })?;
        let left = |line: &Explained| match self.value(line) {
            Some(value) => Zeroizing::new(format!("{} = {}", line.key, Clean(value))),
            None => Zeroizing::new(line.key.to_string()),
        };
        let width = self.lines.iter().map(|line| left(line).chars().count()).max().unwrap_or(0);
        for line in &self.lines {
            write!(f, "\n{:width$}  {}", left(line).as_str(), line.place)?;
            let beaten: Vec<String> = line.beaten().collect();
            if !beaten.is_empty() {
                write!(f, "; beats {}", beaten.join(", "))?;
            }
        }
        for remark in &self.remarks {
            write!(f, "\nnote: {}", Clean(remark))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Explained({} \u{2190} {})", self.key, self.place)
    }
}
