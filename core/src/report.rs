//! Every fault of every layer, for a person: one screen, a line per fault.
//!
//! `key ← layer, source, secret, revision: what happened → what to do`. The report is what people paste into
//! chats, so it holds names and kinds and never a value of any layer: a password may come in by environment.

use crate::tree::{Clean, KeyPath};
use secretfig_source::{ErrorKind, Revision};
use std::fmt;

/// Why a configuration was not loaded: a [`Report`]. `Debug` and `Display` are the report, so that
/// `fn main() -> Result<(), LoadError>`, anyhow and `Box<dyn Error>` print it; there is no `source()`.
#[derive(Clone, PartialEq, Eq)]
pub struct LoadError(Box<Report>);

impl LoadError {
    pub(crate) fn new(report: Report) -> Self {
        Self(Box::new(report))
    }

    /// The report.
    pub fn report(&self) -> &Report {
        &self.0
    }

    /// One line: `configuration refused: 8 faults, the first at `database.port``.
    pub fn summary(&self) -> String {
        self.0.summary()
    }

    /// The report for machines; see [`Report::to_json`].
    pub fn to_json(&self) -> String {
        self.0.to_json()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for LoadError {}

/// Everything that is wrong with a configuration, and what a person should know besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub(crate) profile: String,
    pub(crate) faults: Vec<Fault>,
    pub(crate) remarks: Vec<String>,
}

impl Report {
    /// The faults: of settings and sources first, then of keys in the order of the fields.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What is no fault and should be known all the same.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// One line.
    pub fn summary(&self) -> String {
        match self.faults.first() {
            None => "configuration loaded".to_owned(),
            Some(first) => {
                format!("configuration refused: {}, the first at `{}`", count(self.faults.len()), first.key)
            }
        }
    }

    /// As JSON: `{"profile", "faults": [{"key", "kind", "message", "layer", "source", "secret", "revision",
    /// "hint"}], "remarks": []}`; what is unknown is `null`.
    pub fn to_json(&self) -> String {
        let faults: Vec<_> = self.faults.iter().map(Fault::json).collect();
        serde_json::json!({ "profile": self.profile, "faults": faults, "remarks": self.remarks }).to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "configuration refused (profile `{}`)", Clean(&self.profile))?;
        for fault in &self.faults {
            writeln!(f, "  {fault}")?;
        }
        for remark in &self.remarks {
            writeln!(f, "  note: {}", Clean(remark))?;
        }
        f.write_str(&count(self.faults.len()))
    }
}

fn count(faults: usize) -> String {
    if faults == 1 { "1 fault".to_owned() } else { format!("{faults} faults") }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(crate) key: KeyPath,
    pub(crate) kind: FaultKind,
    pub(crate) place: Place,
    pub(crate) hint: String,
}

/// Where a fault lies: as much as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) layer: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) revision: Option<Revision>,
}

/// What is wrong, by what a person does about it. No variant has room for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The key is in no layer.
    Missing,
    /// The value is of another type than this.
    WrongType(Box<str>),
    /// The value is of the right type and not accepted; what was expected.
    OutOfRange(Box<str>),
    /// A list or table of another length than this.
    WrongLength(Box<str>),
    /// None of these names.
    UnknownVariant(&'static [&'static str]),
    /// The type takes no unknown keys, and this is one.
    UnknownKey,
    /// A second spelling of the field of this name; the other spelling's key, where it is known.
    TwoSpellings {
        /// The field.
        field: &'static str,
        /// The other key.
        other: Option<KeyPath>,
    },
    /// The type's own code refused the value. What it said is not shown: it may quote the value.
    Refused,
    /// A check failed, for this reason.
    Invalid(&'static str),
    /// `Strict<T>` in a strict profile met a value of a plain layer.
    NotSecret,
    /// A number that figment's `Env` made of text met a text target.
    Guessed,
    /// Bytes that are no text met a text target.
    NotText,
    /// An environment variable is not UTF-8.
    NotUtf8,
    /// The source could not give the secret.
    Source(ErrorKind),
    /// Nobody could be signed in to a source; the secrets that lie behind it.
    SignIn(ErrorKind, Vec<String>),
    /// The document cannot be read in its format.
    Document(&'static str),
    /// A setting, a `[secrets]` entry or a reference is wrong.
    Setting(&'static str),
    /// A file cannot be parsed, at this line and column.
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// A file cannot be read.
    Unreadable(std::io::ErrorKind),
    /// A figment provider failed, in this way.
    Provider(&'static str),
    /// The type's or the check's own code panicked.
    Panicked,
}

impl Fault {
    pub(crate) fn new(key: KeyPath, kind: FaultKind) -> Self {
        let hint = kind.default_hint().to_owned();
        Self { key, kind, place: Place::default(), hint }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    pub(crate) fn layer(mut self, layer: impl Into<String>) -> Self {
        self.place.layer = Some(layer.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The key path it is about; the root for faults of files and settings as a whole.
    pub fn key(&self) -> &KeyPath {
        &self.key
    }

    /// What is wrong.
    pub fn kind(&self) -> &FaultKind {
        &self.kind
    }

    /// The layer: a file with its line, a variable, a place in code.
    pub fn layer_name(&self) -> Option<&str> {
        self.place.layer.as_deref()
    }

    /// The source's name.
    pub fn source_name(&self) -> Option<&str> {
        self.place.source.as_deref()
    }

    /// The secret's name.
    pub fn secret_name(&self) -> Option<&str> {
        self.place.secret.as_deref()
    }

    /// The revision that was looked at.
    pub fn revision(&self) -> Option<&Revision> {
        self.place.revision.as_ref()
    }

    /// What to do about it.
    pub fn what_to_do(&self) -> &str {
        &self.hint
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "key": self.key.to_string(),
            "kind": self.kind.name(),
            "message": self.kind.to_string(),
            "layer": self.place.layer,
            "source": self.place.source,
            "secret": self.place.secret,
            "revision": self.place.revision.as_ref().map(ToString::to_string),
            "hint": self.hint,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        let place = self.place.to_string();
        if !place.is_empty() {
            write!(f, " \u{2190} {place}")?;
        }
        write!(f, ": {} \u{2192} {}", self.kind, Clean(&self.hint))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        if let Some(source) = &self.source {
            write!(f, "{}", Clean(source))?;
            between = " ";
        }
        if let Some(secret) = &self.secret {
            write!(f, "{between}`{}`", Clean(secret))?;
            between = " ";
        }
        if let Some(revision) = &self.revision {
            write!(f, "{between}{revision}")?;
            between = " ";
        }
        if let Some(layer) = &self.layer {
            if between.is_empty() {
                write!(f, "{}", Clean(layer))?;
            } else {
                write!(f, " (by {})", Clean(layer))?;
            }
        }
        Ok(())
    }
}

impl FaultKind {
    /// The kind as one lower-case word or two, for JSON and logs.
    pub fn name(&self) -> &'static str {
        match self {
            FaultKind::Missing => "missing",
            FaultKind::WrongType(_) => "wrong type",
            FaultKind::OutOfRange(_) => "out of range",
            FaultKind::WrongLength(_) => "wrong length",
            FaultKind::UnknownVariant(_) => "unknown variant",
            FaultKind::UnknownKey => "unknown key",
            FaultKind::TwoSpellings { .. } => "two spellings",
            FaultKind::Refused => "refused",
            FaultKind::Invalid(_) => "invalid",
            FaultKind::NotSecret => "not secret",
            FaultKind::Guessed => "guessed",
            FaultKind::NotText => "not text",
            FaultKind::NotUtf8 => "not utf-8",
            FaultKind::Source(kind) => kind.as_str(),
            FaultKind::SignIn(..) => "sign-in",
            FaultKind::Document(_) => "document",
            FaultKind::Setting(_) => "setting",
            FaultKind::Syntax { .. } => "syntax",
            FaultKind::Unreadable(_) => "unreadable",
            FaultKind::Provider(_) => "provider",
            FaultKind::Panicked => "panicked",
        }
    }

    fn default_hint(&self) -> &'static str {
        match self {
            FaultKind::Missing => "set it in a file, in the environment, or in a secret",
            FaultKind::WrongType(_) | FaultKind::OutOfRange(_) | FaultKind::WrongLength(_) => {
                "correct the value"
            }
            FaultKind::UnknownVariant(_) => "use one of these names",
            FaultKind::UnknownKey => "correct its spelling, or remove it",
            FaultKind::TwoSpellings { .. } => "keep one of the two",
            FaultKind::Refused => "check the value against the field's type",
            FaultKind::Invalid(_) => "correct the value",
            FaultKind::NotSecret => "store it in a secret source and name it under `[secrets]`",
            FaultKind::Guessed => "use secretfig's TextEnv, which keeps text as it is",
            FaultKind::NotText => "use `SecretBytes`, or store text",
            FaultKind::NotUtf8 => "set it to UTF-8 text, or put the bytes into a secret file",
            FaultKind::Source(_) | FaultKind::SignIn(..) => "check the source",
            FaultKind::Document(_) => "look at what is stored there, or set its `format`",
            FaultKind::Setting(_) => "correct the setting",
            FaultKind::Syntax { .. } => "correct the file",
            FaultKind::Unreadable(_) => "check that the file is there and may be read",
            FaultKind::Provider(_) => "check what this layer reads",
            FaultKind::Panicked => "look for the panic in the application's own log",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::WrongType(expected) => write!(f, "wrong type, expected {}", Clean(expected)),
            FaultKind::OutOfRange(expected) => write!(f, "not accepted, expected {}", Clean(expected)),
            FaultKind::WrongLength(expected) => write!(f, "wrong length, expected {}", Clean(expected)),
            FaultKind::UnknownVariant(names) => write!(f, "none of {}", Clean(&names.join(", "))),
            FaultKind::UnknownKey => f.write_str("no field takes this key"),
            FaultKind::TwoSpellings { field, other: Some(other) } => {
                write!(f, "a second spelling of `{field}`, which `{other}` gives already")
            }
            FaultKind::TwoSpellings { field, other: None } => write!(f, "a second spelling of `{field}`"),
            FaultKind::Refused => f.write_str("refused by its type"),
            FaultKind::Invalid(reason) => f.write_str(reason),
            FaultKind::NotSecret => f.write_str("must come from a secret, and comes from a plain layer"),
            FaultKind::Guessed => f.write_str("text is asked for, and the layer made a number of it"),
            FaultKind::NotText => f.write_str("text is asked for, and it holds bytes"),
            FaultKind::NotUtf8 => f.write_str("not UTF-8"),
            FaultKind::Source(kind) => write!(f, "{kind}"),
            FaultKind::SignIn(kind, secrets) => {
                write!(f, "no sign-in ({kind}), so not to be had: {}", Clean(&secrets.join(", ")))
            }
            FaultKind::Document(reason) => write!(f, "malformed: {reason}"),
            FaultKind::Setting(reason) => f.write_str(reason),
            FaultKind::Syntax { line, column } => write!(f, "syntax error at line {line}, column {column}"),
            FaultKind::Unreadable(kind) => write!(f, "cannot be read: {kind}"),
            FaultKind::Provider(kind) => write!(f, "the layer failed: {kind}"),
            FaultKind::Missing | FaultKind::Panicked => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use secretfig_source::{Unavailable, Validity, Withdrawn};

    /// One of each; the match without a wildcard makes a new variant a compile error here.
    pub(crate) fn one_of_each() -> Vec<FaultKind> {
        let all = vec![
            FaultKind::Missing,
            FaultKind::WrongType("u16".into()),
            FaultKind::OutOfRange("u16".into()),
            FaultKind::WrongLength("3 elements".into()),
            FaultKind::UnknownVariant(&["a", "b"]),
            FaultKind::UnknownKey,
            FaultKind::TwoSpellings { field: "database", other: Some(KeyPath::parse("db.dbname")) },
            FaultKind::TwoSpellings { field: "database", other: None },
            FaultKind::Refused,
            FaultKind::Invalid("a reason"),
            FaultKind::NotSecret,
            FaultKind::Guessed,
            FaultKind::NotText,
            FaultKind::NotUtf8,
            FaultKind::Source(ErrorKind::Denied),
            FaultKind::SignIn(ErrorKind::Tls, vec!["a".into()]),
            FaultKind::Document("empty"),
            FaultKind::Setting("no such source"),
            FaultKind::Syntax { line: 1, column: 2 },
            FaultKind::Unreadable(std::io::ErrorKind::NotFound),
            FaultKind::Provider("missing file"),
            FaultKind::Panicked,
        ];
        for kind in &all {
            match kind {
                FaultKind::Missing
                | FaultKind::WrongType(_)
                | FaultKind::OutOfRange(_)
                | FaultKind::WrongLength(_)
                | FaultKind::UnknownVariant(_)
                | FaultKind::UnknownKey
                | FaultKind::TwoSpellings { .. }
                | FaultKind::Refused
                | FaultKind::Invalid(_)
                | FaultKind::NotSecret
                | FaultKind::Guessed
                | FaultKind::NotText
                | FaultKind::NotUtf8
                | FaultKind::Source(_)
                | FaultKind::SignIn(..)
                | FaultKind::Document(_)
                | FaultKind::Setting(_)
                | FaultKind::Syntax { .. }
                | FaultKind::Unreadable(_)
                | FaultKind::Provider(_)
                | FaultKind::Panicked => {}
            }
        }
        all
    }

    #[test]
    fn every_kind_has_a_message_a_hint_and_a_line() {
        let _ = (Unavailable::Sealed, Validity::Expired, Withdrawn::Deleted);
        for kind in one_of_each() {
            let fault = Fault::new(KeyPath::parse("a.b"), kind);
            let line = fault.to_string();
            assert!(!line.contains('\n') && line.starts_with("a.b: "), "{line}");
            assert!(line.contains(" \u{2192} ") && !fault.what_to_do().is_empty(), "{line}");
            assert!(fault.json()["kind"].is_string());
        }
    }

    #[test]
    fn the_report_reads_as_one_screen() {
        let place = Place {
            layer: Some("`[secrets]`".into()),
            source: Some("vault".into()),
            secret: Some("myapp/db".into()),
            revision: Some(Revision::new("7")),
        };
        let report = Report {
            profile: "production".into(),
            faults: vec![
                Fault::new(KeyPath::parse("db.password"), FaultKind::Missing).at(place),
                Fault::new(KeyPath::parse("port"), FaultKind::WrongType("u16".into())).layer("config.toml:3"),
            ],
            remarks: vec!["cross-checks were not run".into()],
        };
        assert_eq!(
            report.to_string(),
            "configuration refused (profile `production`)\n\
             \x20 db.password \u{2190} vault `myapp/db` 7 (by `[secrets]`): missing \u{2192} set it in a file, in the \
             environment, or in a secret\n\
             \x20 port \u{2190} config.toml:3: wrong type, expected u16 \u{2192} correct the value\n\
             \x20 note: cross-checks were not run\n\
             2 faults"
        );
        assert_eq!(
            LoadError::new(report).summary(),
            "configuration refused: 2 faults, the first at `db.password`"
        );
    }
}
