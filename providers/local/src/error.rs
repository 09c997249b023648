//! From what age and the system say to what a user does: tables, and no foreign text.
//!
//! The texts of [`io::Error`] and of age's own errors are never passed on: they may name anything.

use secretfig_source::{ErrorKind, SourceError, Unavailable};
use std::borrow::Cow;
use std::io;

/// The scheme of references to this source, and its name in messages: `age://database#password`.
pub const SCHEME: &str = "age";

/// Why there is no answer: a kind, and what to do. The secret is named by whoever was asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: ErrorKind,
    hint: Cow<'static, str>,
}

impl Refusal {
    pub(crate) fn new(kind: ErrorKind, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, hint: hint.into() }
    }

    /// About a file, which the hint begins with.
    pub(crate) fn about(self, what: &str) -> Self {
        Self { kind: self.kind, hint: format!("{what}: {}", self.hint).into() }
    }

    /// For an answer about one secret.
    pub(crate) fn of(self, secret: &str) -> SourceError {
        SourceError::from(self).secret(secret)
    }
}

impl From<Refusal> for SourceError {
    fn from(refusal: Refusal) -> Self {
        let error = SourceError::new(refusal.kind, SCHEME);
        match refusal.hint {
            Cow::Borrowed(hint) => error.hint(hint),
            Cow::Owned(hint) => error.hint_naming(hint),
        }
    }
}

pub(crate) fn misconfigured(hint: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(ErrorKind::Misconfigured, hint)
}

/// The table: what the system says about a file, and what a user does about it.
impl From<&io::Error> for Refusal {
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind as Io;
        let (kind, hint) = match error.kind() {
            Io::NotFound | Io::NotADirectory => (ErrorKind::Misconfigured, "it is not there"),
            Io::AlreadyExists => {
                (ErrorKind::Misconfigured, "it is there already, and nothing is overwritten")
            }
            Io::PermissionDenied => (
                ErrorKind::Denied,
                "let the user of this process use the file, enter the folders above it and, to make or change it, write \
                 in its folder",
            ),
            Io::ResourceBusy => (
                ErrorKind::Misconfigured,
                "it is in use: a single file that is mounted by itself cannot be replaced; mount its folder",
            ),
            Io::ReadOnlyFilesystem => (ErrorKind::Denied, "its file system can only be read"),
            Io::InvalidFilename | Io::InvalidInput => {
                (ErrorKind::Misconfigured, "the file system takes no such file name")
            }
            Io::IsADirectory => (ErrorKind::Misconfigured, "it is a folder, and a file is wanted"),
            Io::TimedOut => (ErrorKind::Timeout, "the file system does not answer"),
            Io::OutOfMemory => (ErrorKind::TooLarge, "there is no memory for it"),
            Io::StorageFull | Io::QuotaExceeded => {
                (ErrorKind::Unavailable(Unavailable::Failing), "there is no room left on its disk")
            }
            _ => (
                ErrorKind::Unavailable(Unavailable::Failing),
                "the file system fails; look at the mount, its links and the limit of open files",
            ),
        };
        Self::new(kind, hint)
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_system() {
        use io::ErrorKind as Io;
        for (io, want) in [
            (Io::NotFound, ErrorKind::Misconfigured),
            (Io::AlreadyExists, ErrorKind::Misconfigured),
            (Io::PermissionDenied, ErrorKind::Denied),
            (Io::ReadOnlyFilesystem, ErrorKind::Denied),
            (Io::ResourceBusy, ErrorKind::Misconfigured),
            (Io::TimedOut, ErrorKind::Timeout),
            (Io::StorageFull, ErrorKind::Unavailable(Unavailable::Failing)),
            (Io::Other, ErrorKind::Unavailable(Unavailable::Failing)),
        ] {
            let refusal = Refusal::from(io::Error::new(io, "marker-of-a-foreign-text"));
            let error = refusal.about("store `s.age`").of("db");
            assert_eq!(error.kind(), want, "{io:?}");
            assert!(!error.to_string().contains("marker"), "{error}");
            assert_eq!(error.secret_name(), Some("db"));
            assert!(error.what_to_do().starts_with("store `s.age`: "), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_written_or_replaced_is_told_by_its_folder() {
        let hint = |code| SourceError::from(Refusal::from(io::Error::from_raw_os_error(code)));
        let (denied, busy) = (hint(13), hint(16));
        assert!(denied.what_to_do().contains("write in its folder"), "{denied}");
        assert!(busy.what_to_do().contains("mount its folder"), "{busy}");
    }
}
