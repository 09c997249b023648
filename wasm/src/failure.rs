//! What is wrong, for JavaScript to make errors of: what is known of each fault, and no value.

use crate::hold::Cause;
use crate::json::Json;
use secretfig_source::{ErrorKind, SourceError};

/// One thing that is wrong. It has room for names, and for no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) key: String,
    pub(crate) kind: &'static str,
    /// What happened, in words.
    what: String,
    pub(crate) hint: String,
    /// Whether it was the manager that answered so.
    asked: bool,
    pub(crate) secret: Option<String>,
}

impl Flaw {
    /// Of an option or a question: nothing was asked of a manager.
    pub(crate) fn new(key: &str, kind: &'static str, what: &str, hint: &str) -> Self {
        let [key, what, hint] = [key, what, hint].map(str::to_owned);
        Self { key, kind, what, hint, asked: false, secret: None }
    }

    /// A secret that could not be had, at the key where it is wanted.
    pub(crate) fn of_secret(key: &str, error: &SourceError) -> Self {
        let kind = error.kind();
        let mut flaw = Self::new(key, kind.as_str(), kind.as_str(), error.what_to_do());
        if let ErrorKind::Throttled { retry_after: Some(wait) } = kind {
            for part in [" (asks to wait ", &wait.as_secs().to_string(), " s)"] {
                flaw.what.push_str(part);
            }
        }
        flaw.asked = true;
        flaw.secret = error.secret_name().map(str::to_owned);
        flaw
    }

    /// A sign-in that failed, and what lies behind it: its kind is the cause, which is what a caller acts upon.
    pub(crate) fn of_sign_in(error: &SourceError, secrets: &str) -> Self {
        let mut flaw = Self::of_secret("", error);
        flaw.what = ["no sign-in (", &flaw.what, "), so not to be had: ", secrets].concat();
        flaw.secret = None;
        flaw
    }

    /// A document that cannot be read.
    pub(crate) fn of_document(key: &str, secret: &str, reason: &str) -> Self {
        let mut flaw = Self::new(key, "document", "malformed: ", "look at what is stored there");
        flaw.what.push_str(reason);
        flaw.asked = true;
        flaw.secret = Some(secret.to_owned());
        flaw
    }

    pub(crate) fn withheld(key: &str, cause: Cause, secret: &str) -> Self {
        let (kind, why, hint) = match cause {
            Cause::Stale => (
                "stale",
                "is withheld: its source has not answered for longer than `maxStale`",
                "see why the manager does not answer: `refresh()` tells",
            ),
            Cause::Withdrawn => (
                "withdrawn",
                "is withheld: it was taken away a while ago",
                "restore the secret, or take it out of the configuration",
            ),
        };
        let mut flaw = Self::new(key, kind, why, hint);
        flaw.secret = Some(secret.to_owned());
        flaw
    }

    /// `[key, kind, what, hint, whether a manager answered so, secret]`
    pub(crate) fn tell(&self, json: &mut Json) {
        json.raw("[");
        for text in [&self.key, self.kind, &self.what, &self.hint] {
            json.text(text).raw(",");
        }
        json.raw(if self.asked { "1" } else { "0" });
        if let Some(secret) = &self.secret {
            json.raw(",").text(secret);
        }
        json.raw("]");
    }
}

/// All of them, as [`Flaw::tell`] has each.
pub(crate) fn list(json: &mut Json, flaws: &[Flaw]) {
    json.list(flaws.iter(), &mut |json, flaw| flaw.tell(json));
}
