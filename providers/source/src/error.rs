//! What went wrong, told by what a caller does about it.

use crate::ask::Printable;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A source's refusal or failure: kind, secret, source, and one sentence on what to do.
///
/// There is no room for a body, a URL with a query or a foreign error: `source()` is always `None`,
/// and hints are static text. `Debug` is `Display`.
///
/// ```
/// use secretfig_source::{ErrorKind, SourceError};
/// let e = SourceError::new(ErrorKind::Denied, "vault")
///     .secret("myapp/database")
///     .hint("grant `read` on this path to the role");
/// assert_eq!(
///     e.to_string(),
///     "vault: `myapp/database`: denied: grant `read` on this path to the role"
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SourceError(Box<Parts>);

/// In a block of their own: an error is handed on far more often than it is looked at.
#[derive(Clone, PartialEq, Eq)]
struct Parts {
    kind: ErrorKind,
    source: Cow<'static, str>,
    secret: Option<Box<str>>,
    hint: Cow<'static, str>,
}

/// The kinds of failure, by what a caller does. Each says what its user should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The manager says there is no such secret. Check the name, or create it.
    Absent,
    /// We are known, and may not read this. Grant the right; never treated as absent.
    Denied,
    /// Nobody could be signed in. Check the identity's settings.
    Unauthenticated,
    /// Too many requests. Waited for, and tried again.
    Throttled {
        /// How long the manager asks to wait.
        retry_after: Option<Duration>,
    },
    /// The manager is there and cannot answer. Waited for, and tried again.
    Unavailable(Unavailable),
    /// It existed and was taken away. Restore it, or change the configuration.
    Withdrawn(Withdrawn),
    /// It exists and is not valid at this time.
    Validity(Validity),
    /// The answer is not what the manager promises, or the value is not what its format says.
    Malformed,
    /// The value is larger than the limit. Raise `max_secret_bytes`, or make it smaller.
    TooLarge,
    /// No answer within the deadline. Tried again.
    Timeout,
    /// The network failed. Tried again.
    Transport,
    /// TLS failed: an unknown CA, a wrong host, a pin that does not match. Not tried again.
    Tls,
    /// A setting or a name is wrong; nothing was asked. Fix the setting.
    Misconfigured,
}

/// Why a manager that is there cannot answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unavailable {
    /// Vault is sealed (503). Unseal it.
    Sealed,
    /// A standby that does not forward (429 on health, 472, 473). Ask the active node.
    Standby,
    /// Vault has not been initialised (501).
    Uninitialised,
    /// A replica that is behind (412).
    Behind,
    /// Another failure on the manager's side (5xx).
    Failing,
}

/// How a secret was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Withdrawn {
    /// Deleted, and perhaps recoverable.
    Deleted,
    /// Destroyed for good.
    Destroyed,
    /// Disabled.
    Disabled,
}

/// Why a secret is not valid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Validity {
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
}

impl ErrorKind {
    /// The kind as one lower-case word or two, for JSON and for logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            ErrorKind::Absent => "absent",
            ErrorKind::Denied => "denied",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::Throttled { .. } => "throttled",
            ErrorKind::Unavailable(Unavailable::Sealed) => "sealed",
            ErrorKind::Unavailable(Unavailable::Standby) => "standby",
            ErrorKind::Unavailable(Unavailable::Uninitialised) => "uninitialised",
            ErrorKind::Unavailable(Unavailable::Behind) => "behind",
            ErrorKind::Unavailable(Unavailable::Failing) => "unavailable",
            ErrorKind::Withdrawn(Withdrawn::Deleted) => "deleted",
            ErrorKind::Withdrawn(Withdrawn::Destroyed) => "destroyed",
            ErrorKind::Withdrawn(Withdrawn::Disabled) => "disabled",
            ErrorKind::Validity(Validity::Expired) => "expired",
            ErrorKind::Validity(Validity::NotYetValid) => "not yet valid",
            ErrorKind::Malformed => "malformed",
            ErrorKind::TooLarge => "too large",
            ErrorKind::Timeout => "timed out",
            ErrorKind::Transport => "unreachable",
            ErrorKind::Tls => "TLS refused",
            ErrorKind::Misconfigured => "misconfigured",
        }
    }

    /// Whether the same request may succeed later without anyone changing anything: an outage. A
    /// value that is loaded is served through it.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            ErrorKind::Throttled { .. }
                | ErrorKind::Unavailable(_)
                | ErrorKind::Timeout
                | ErrorKind::Transport
                | ErrorKind::Unauthenticated
        )
    }

    /// Whether the manager answered about this very secret, so that asking again changes nothing.
    pub fn is_definite(&self) -> bool {
        matches!(
            self,
            ErrorKind::Absent
                | ErrorKind::Denied
                | ErrorKind::Withdrawn(_)
                | ErrorKind::Validity(_)
                | ErrorKind::TooLarge
                | ErrorKind::Misconfigured
        )
    }

    fn default_hint(&self) -> &'static str {
        match self {
            ErrorKind::Absent => "check the name, or create the secret",
            ErrorKind::Denied => "grant this identity the right to read it",
            ErrorKind::Unauthenticated => "check the identity this process signs in with",
            ErrorKind::Throttled { .. } => "too many requests; it is tried again",
            ErrorKind::Unavailable(Unavailable::Sealed) => "unseal the server",
            ErrorKind::Unavailable(Unavailable::Standby) => "ask the active node",
            ErrorKind::Unavailable(Unavailable::Uninitialised) => "initialise the server",
            ErrorKind::Unavailable(Unavailable::Behind) => "the replica is behind; it is tried again",
            ErrorKind::Unavailable(Unavailable::Failing) => "the server fails; look at its own log",
            ErrorKind::Withdrawn(Withdrawn::Deleted) => "restore it, or take it out of the configuration",
            ErrorKind::Withdrawn(Withdrawn::Destroyed) => "write a new version of it",
            ErrorKind::Withdrawn(Withdrawn::Disabled) => "enable it",
            ErrorKind::Validity(Validity::Expired) => "renew it",
            ErrorKind::Validity(Validity::NotYetValid) => "wait, or correct its activation time",
            ErrorKind::Malformed => "look at what is stored there",
            ErrorKind::TooLarge => "raise `max_secret_bytes`, or store less",
            ErrorKind::Timeout => "check that the server can be reached from here",
            ErrorKind::Transport => "check the address and the network",
            ErrorKind::Tls => "check the CA, the host name and the pins",
            ErrorKind::Misconfigured => "check the settings of this source",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        if let ErrorKind::Throttled { retry_after: Some(wait) } = self {
            write!(f, " (asks to wait {} s)", wait.as_secs())?;
        }
        Ok(())
    }
}

impl SourceError {
    /// An error of that kind, of the source of that scheme.
    pub fn new(kind: ErrorKind, source: impl Into<Cow<'static, str>>) -> Self {
        let hint = Cow::Borrowed(kind.default_hint());
        Self(Box::new(Parts { kind, source: source.into(), secret: None, hint }))
    }

    /// About that secret.
    #[must_use]
    pub fn secret(mut self, name: impl Into<Box<str>>) -> Self {
        self.0.secret = Some(name.into());
        self
    }

    /// With what the user should do, in place of the kind's own sentence. Static, so that nothing
    /// fetched can get in.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.0.hint = Cow::Borrowed(hint);
        self
    }

    /// With a hint that names settings, files or rights. The caller answers for it holding no value.
    #[must_use]
    pub fn hint_naming(mut self, hint: String) -> Self {
        self.0.hint = Cow::Owned(hint);
        self
    }

    /// Its kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The source's scheme.
    pub fn source_name(&self) -> &str {
        &self.0.source
    }

    /// The secret it is about; none for sign-in.
    pub fn secret_name(&self) -> Option<&str> {
        self.0.secret.as_deref()
    }

    /// What the user should do.
    pub fn what_to_do(&self) -> &str {
        &self.0.hint
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Printable(&self.0.source))?;
        if let Some(secret) = &self.0.secret {
            write!(f, "`{}`: ", Printable(secret))?;
        }
        write!(f, "{}: {}", self.0.kind, Printable(&self.0.hint))
    }
}

impl fmt::Debug for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SourceError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// One of each; the matches without a wildcard make a new kind a compile error here.
    fn one_of_each() -> Vec<ErrorKind> {
        let mut all = vec![
            ErrorKind::Absent,
            ErrorKind::Denied,
            ErrorKind::Unauthenticated,
            ErrorKind::Throttled { retry_after: Some(Duration::from_secs(5)) },
            ErrorKind::Malformed,
            ErrorKind::TooLarge,
            ErrorKind::Timeout,
            ErrorKind::Transport,
            ErrorKind::Tls,
            ErrorKind::Misconfigured,
        ];
        let unavailable = [
            Unavailable::Sealed,
            Unavailable::Standby,
            Unavailable::Uninitialised,
            Unavailable::Behind,
            Unavailable::Failing,
        ];
        all.extend(unavailable.map(ErrorKind::Unavailable));
        let withdrawn = [Withdrawn::Deleted, Withdrawn::Destroyed, Withdrawn::Disabled];
        all.extend(withdrawn.map(ErrorKind::Withdrawn));
        all.extend([Validity::Expired, Validity::NotYetValid].map(ErrorKind::Validity));
        for kind in &all {
            match kind {
                ErrorKind::Absent
                | ErrorKind::Denied
                | ErrorKind::Unauthenticated
                | ErrorKind::Throttled { .. }
                | ErrorKind::Malformed
                | ErrorKind::TooLarge
                | ErrorKind::Timeout
                | ErrorKind::Transport
                | ErrorKind::Tls
                | ErrorKind::Misconfigured => {}
                ErrorKind::Unavailable(
                    Unavailable::Sealed
                    | Unavailable::Standby
                    | Unavailable::Uninitialised
                    | Unavailable::Behind
                    | Unavailable::Failing,
                ) => {}
                ErrorKind::Withdrawn(Withdrawn::Deleted | Withdrawn::Destroyed | Withdrawn::Disabled) => {}
                ErrorKind::Validity(Validity::Expired | Validity::NotYetValid) => {}
            }
        }
        all
    }

    #[test]
    fn every_kind_has_a_word_and_a_hint_of_its_own_and_prints_nothing_else() {
        let all = one_of_each();
        let words: BTreeSet<_> = all.iter().map(ErrorKind::as_str).collect();
        let hints: BTreeSet<_> = all.iter().map(ErrorKind::default_hint).collect();
        assert_eq!((words.len(), hints.len()), (all.len(), all.len()));
        for kind in all {
            let e = SourceError::new(kind, "vault").secret("a\u{1b}[2J");
            assert_eq!(format!("{e}"), format!("{e:?}"));
            assert_eq!(e.to_string(), format!("vault: `a\\u{{1b}}[2J`: {kind}: {}", kind.default_hint()));
            assert!(std::error::Error::source(&e).is_none());
            // an outage may pass by itself, so it is nothing definite
            assert!(!(kind.is_outage() && kind.is_definite()), "{kind}");
        }
    }
}
