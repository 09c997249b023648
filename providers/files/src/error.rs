//! From what the system says to what a user does: one table.
//!
//! The text of an [`io::Error`] is never passed on: it is the system's, and it may name anything.

use secretfig_source::{ErrorKind, SourceError, Unavailable};
use std::borrow::Cow;
use std::io;

/// The scheme of references to this source, and its name in messages: `file-secret:///run/secrets/pw`.
pub const SCHEME: &str = "file-secret";

/// How one try to read one secret ended without it.
#[derive(Debug)]
pub(crate) enum Miss {
    /// Not here; it may be in the next folder.
    Missing,
    /// What was being read was replaced meanwhile: start over.
    Moved,
    /// An answer, and no folder after this one changes it.
    Refused(ErrorKind, Cow<'static, str>),
}

impl Miss {
    pub(crate) fn refused(kind: ErrorKind, hint: &'static str) -> Self {
        Self::Refused(kind, Cow::Borrowed(hint))
    }

    /// The error for the user; `searched` says where a missing file was looked for.
    pub(crate) fn about(self, name: &str, searched: impl FnOnce() -> String) -> SourceError {
        let (kind, hint) = match self {
            Miss::Missing => (ErrorKind::Absent, Cow::Owned(searched())),
            Miss::Moved => (
                ErrorKind::Unavailable(Unavailable::Failing),
                Cow::Borrowed("the files were being replaced at each of three tries; it is tried again"),
            ),
            Miss::Refused(kind, hint) => (kind, hint),
        };
        let error = SourceError::new(kind, SCHEME).secret(name);
        match hint {
            Cow::Borrowed(hint) => error.hint(hint),
            Cow::Owned(hint) => error.hint_naming(hint),
        }
    }
}

/// The table: what the system says about a path, and what a user does about it.
impl From<&io::Error> for Miss {
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind as Io;
        if is_loop(error) {
            return Self::refused(ErrorKind::Misconfigured, "its links lead in a circle; correct them");
        }
        match error.kind() {
            // `a/b` where `a` is a file: there is no such secret
            Io::NotFound | Io::NotADirectory => Self::Missing,
            Io::PermissionDenied => Self::refused(
                ErrorKind::Denied,
                "let the user of this process read the file and enter the folders above it",
            ),
            Io::InvalidFilename | Io::InvalidInput => {
                Self::refused(ErrorKind::Misconfigured, "the file system takes no such file name")
            }
            Io::TimedOut => Self::refused(ErrorKind::Timeout, "the file system does not answer"),
            Io::StaleNetworkFileHandle => Self::Moved,
            Io::OutOfMemory => Self::refused(ErrorKind::TooLarge, "there is no memory for it"),
            _ => Self::refused(
                ErrorKind::Unavailable(Unavailable::Failing),
                "the file system fails to read it; look at the mount and at the limit of open files",
            ),
        }
    }
}

impl From<io::Error> for Miss {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

/// Whether links lead in a circle, or (where none may be followed) a link stands at the end.
pub(crate) fn is_loop(error: &io::Error) -> bool {
    // std has no stable kind for it
    #[cfg(unix)]
    return error.raw_os_error() == Some(libc::ELOOP);
    #[cfg(not(unix))]
    return {
        let _ = error;
        false
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        use io::ErrorKind as Io;
        let kind = |kind: Io| {
            Miss::from(io::Error::new(kind, "marker-of-a-foreign-text")).about("db", || "searched".into())
        };
        for (io, want) in [
            (Io::NotFound, ErrorKind::Absent),
            (Io::NotADirectory, ErrorKind::Absent),
            (Io::PermissionDenied, ErrorKind::Denied),
            (Io::InvalidFilename, ErrorKind::Misconfigured),
            (Io::TimedOut, ErrorKind::Timeout),
            (Io::StaleNetworkFileHandle, ErrorKind::Unavailable(Unavailable::Failing)),
            (Io::Other, ErrorKind::Unavailable(Unavailable::Failing)),
            (Io::UnexpectedEof, ErrorKind::Unavailable(Unavailable::Failing)),
        ] {
            let error = kind(io);
            assert_eq!(error.kind(), want, "{io:?}");
            assert!(!error.to_string().contains("marker"), "{error}");
            assert_eq!(error.secret_name(), Some("db"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn circles_are_told() {
        let miss = Miss::from(io::Error::from_raw_os_error(libc::ELOOP));
        assert_eq!(
            miss.about("db", String::new).to_string(),
            "file-secret: `db`: misconfigured: its links lead in a circle; correct them"
        );
    }
}
