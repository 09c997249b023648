//! What is wrong, for JavaScript to make errors of: what is known of each fault, and no value.

use crate::hold::Cause;
use crate::json::Json;
use secretfig_source::SourceError;
use std::fmt::{self, Write};

/// One thing that is wrong. It has room for names, and for no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) key: String,
    pub(crate) kind: &'static str,
    pub(crate) source: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) hint: String,
    /// The whole of it, in one line.
    line: String,
}

impl Flaw {
    /// Of an option or a question: nothing was asked of a manager.
    pub(crate) fn new(key: &str, kind: &'static str, message: &str, hint: &str) -> Self {
        let at = if key.is_empty() { "(root)" } else { key };
        Self {
            key: key.to_owned(),
            kind,
            source: None,
            secret: None,
            hint: hint.to_owned(),
            line: format!("{at}: {message} \u{2192} {hint}"),
        }
    }

    /// A secret that could not be had, at the key where it is wanted.
    pub(crate) fn of_secret(key: &str, error: &SourceError) -> Self {
        let name = error.secret_name().unwrap_or_default();
        let mut flaw = Self::of_document(key, name, "");
        flaw.kind = error.kind().as_str();
        flaw.source = Some(error.source_name().to_owned());
        error.what_to_do().clone_into(&mut flaw.hint);
        flaw.line = format!("{} \u{2190} {error}", Clean(key));
        flaw
    }

    /// A sign-in that failed, and what lies behind it: its kind is the cause, which is what a caller acts upon.
    pub(crate) fn of_sign_in(error: &SourceError, secrets: &str) -> Self {
        let mut flaw = Self::of_source(error);
        let kind = error.kind();
        flaw.line = format!(
            "{}: no sign-in ({kind}), so not to be had: {} \u{2192} {}",
            error.source_name(),
            Clean(secrets),
            Clean(error.what_to_do())
        );
        flaw
    }

    /// A document that cannot be read.
    pub(crate) fn of_document(key: &str, secret: &str, reason: &str) -> Self {
        let hint = "look at what is stored there";
        Self {
            key: key.to_owned(),
            kind: "document",
            source: Some(SCHEME.to_owned()),
            secret: Some(secret.to_owned()),
            hint: hint.to_owned(),
            line: format!(
                "{} \u{2190} {SCHEME} `{}`: malformed: {reason} \u{2192} {hint}",
                Clean(key),
                Clean(secret)
            ),
        }
    }

    pub(crate) fn of_source(error: &SourceError) -> Self {
        Self {
            key: String::new(),
            kind: error.kind().as_str(),
            source: Some(error.source_name().to_owned()),
            secret: error.secret_name().map(Into::into),
            hint: error.what_to_do().to_owned(),
            line: error.to_string(),
        }
    }

    pub(crate) fn withheld(key: &str, cause: Cause, secret: &str) -> Self {
        let (kind, why, hint) = match cause {
            Cause::Stale => (
                "stale",
                "its source has not answered for longer than `maxStale`",
                "see why the manager does not answer: `refresh()` tells",
            ),
            Cause::Withdrawn => (
                "withdrawn",
                "it was taken away a while ago",
                "restore the secret, or take it out of the configuration",
            ),
            Cause::LeaseEnded => {
                ("lease ended", "its lease has ended", "see why no other is made: `refresh()` tells")
            }
        };
        let message = format!("`{}` is withheld: {why}", Clean(secret));
        Self { secret: Some(secret.to_owned()), ..Self::new(key, kind, &message, hint) }
    }

    /// All of it, in one line.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }

    /// `[key, kind, source, secret, hint, message]`
    pub(crate) fn tell(&self, json: &mut Json) {
        json.raw("[").text(&self.key).raw(",").text(self.kind).raw(",");
        for known in [&self.source, &self.secret] {
            match known {
                Some(text) => json.text(text),
                None => json.raw("null"),
            };
            json.raw(",");
        }
        json.text(&self.hint).raw(",").text(&self.line).raw("]");
    }
}

/// All of them, as [`Flaw::tell`] has each.
pub(crate) fn list(json: &mut Json, flaws: &[Flaw]) {
    json.list(flaws, |json, flaw| flaw.tell(json));
}

/// The one manager there is.
const SCHEME: &str = "vault";

/// Without control characters: a name must not write lines of its own into a log.
struct Clean<'a>(&'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns =
            |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        self.0.chars().try_for_each(|c| f.write_char(if c.is_control() || turns(c) { '\u{fffd}' } else { c }))
    }
}
