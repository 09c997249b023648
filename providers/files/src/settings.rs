//! Every option, the variable that sets it, and its default.

use crate::error::SCHEME;
use crate::naming;
use secretfig_source::{ErrorKind, SourceError};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// A `:`-separated list of folders, searched first. Each must be there.
pub(crate) const DIR: &str = "SECRETFIG_FILES_DIR";
/// Set by systemd for a unit with `LoadCredential=` and its like.
/// <https://systemd.io/CREDENTIALS/>
pub(crate) const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
const MAX_BYTES: &str = "SECRETFIG_FILES_MAX_BYTES";
/// The largest `max_bytes`.
const MOST_BYTES: usize = 64 << 20;
const NEWLINE: &str = "SECRETFIG_FILES_TRAILING_NEWLINE";
/// Before the name of a secret, in capitals: the path of its file.
pub(crate) const FILE_PREFIX: &str = "SECRET_FILE_";

/// Where Docker and podman mount secrets.
/// <https://docs.docker.com/engine/swarm/secrets/>,
/// <https://docs.podman.io/en/latest/markdown/podman-secret-create.1.html>
pub(crate) const RUN_SECRETS: &str = "/run/secrets";

/// Which files are secrets, and how they are read.
///
/// | option | variable | default |
/// | --- | --- | --- |
/// | [`folder`](Self::folder), any number, in order | `SECRETFIG_FILES_DIR`, a `:`-separated list (`;` on Windows) | none |
/// | – | `CREDENTIALS_DIRECTORY` (systemd sets it) | – |
/// | – | – | `/run/secrets` is searched by [`Settings::from_env`] |
/// | [`file`](Self::file), any number | `SECRET_FILE_<NAME>` | none |
/// | [`allow`](Self::allow), any number | – | none |
/// | [`max_bytes`](Self::max_bytes) | `SECRETFIG_FILES_MAX_BYTES` | 1 MiB (1048576 bytes) |
/// | [`trailing_newline`](Self::trailing_newline) | `SECRETFIG_FILES_TRAILING_NEWLINE`: `strip-one` or `keep` | `strip-one` |
///
/// # Where a name is looked up
///
/// | order | place | if the place is missing |
/// | --- | --- | --- |
/// | 1 | the file that [`file`](Self::file) gives to that very name | the secret is absent |
/// | 2 | the file that `SECRET_FILE_<NAME>` gives to it | the secret is absent |
/// | 3 | the folders of [`folder`](Self::folder) and `SECRETFIG_FILES_DIR`, in their order | misconfigured, said at sign-in |
/// | 4 | `$CREDENTIALS_DIRECTORY` | passed over |
/// | 5 | `/run/secrets` | passed over |
///
/// The first folder that has the name gives it. What a folder denies is denied: no later folder is
/// asked instead.
///
/// `<NAME>` is the name in capitals, all but ASCII letters and digits turned to `_`: the secret
/// `myapp/db-password` is read from the file that `SECRET_FILE_MYAPP_DB_PASSWORD` names. Names that
/// differ only in case or punctuation share a variable.
///
/// ```
/// use secretfig_files::Settings;
/// let settings = Settings::from_env([
///     ("SECRETFIG_FILES_DIR", "/etc/myapp/secrets"),
///     ("SECRET_FILE_MYAPP_DB_PASSWORD", "/run/db/pw"),
/// ])?;
/// assert_eq!(
///     settings.folders().map(|f| f.display().to_string()).collect::<Vec<_>>(),
///     ["/etc/myapp/secrets", "/run/secrets"]
/// );
/// # Ok::<(), secretfig_source::SourceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(crate) folders: Vec<Folder>,
    pub(crate) files: BTreeMap<Box<str>, PathBuf>,
    pub(crate) variables: BTreeMap<Box<str>, PathBuf>,
    pub(crate) allowed: Vec<PathBuf>,
    pub(crate) max_bytes: usize,
    pub(crate) trailing_newline: TrailingNewline,
}

/// A folder that is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Somebody named it: it must be there.
    pub(crate) explicit: bool,
}

/// What becomes of a newline at the end of a file.
///
/// ```
/// use secretfig_files::TrailingNewline;
/// assert_eq!("strip-one".parse(), Ok(TrailingNewline::StripOne));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrailingNewline {
    /// **One** `\n` or `\r\n` at the end of a text does not belong to it, since editors and `echo`
    /// write one. No other blank is touched; neither are bytes that are no UTF-8, nor what is read
    /// as `format = "bytes"`.
    #[default]
    StripOne,
    /// Every byte belongs to the value.
    Keep,
}

impl std::str::FromStr for TrailingNewline {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "strip-one" => Ok(Self::StripOne),
            "keep" => Ok(Self::Keep),
            _ => Err(()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The variables that [`Settings::from_env`] reads, each with what it sets: for a table of all
    /// variables of an application. `SECRET_FILE_*` stands for all that begin so.
    pub const VARIABLES: [(&'static str, &'static str); 5] = [
        (DIR, "folders of secret files, separated by `:`"),
        (CREDENTIALS, "the folder of systemd's credentials; systemd sets it"),
        ("SECRET_FILE_*", "the file of the secret of that name"),
        (MAX_BYTES, "how large a secret may be, in bytes; default 1048576"),
        (NEWLINE, "`strip-one` (default) or `keep`"),
    ];

    /// No folder, no file; the defaults for all else. The environment is not looked at.
    pub fn new() -> Self {
        Self {
            folders: Vec::new(),
            files: BTreeMap::new(),
            variables: BTreeMap::new(),
            allowed: Vec::new(),
            max_bytes: 1 << 20,
            trailing_newline: TrailingNewline::default(),
        }
    }

    /// What these variables say, and then `/run/secrets`. The application hands them in, usually
    /// `std::env::vars_os()`; an empty one counts as unset.
    ///
    /// # Errors
    /// `Misconfigured`, in one error for all variables that cannot be understood.
    pub fn from_env<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, SourceError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut settings = Self::new();
        let mut wrong = Vec::new();
        let mut credentials = None;
        let vars = vars.into_iter().map(|(name, value)| (name.into(), value.into()));
        for (name, value) in vars.filter(|(_, value): &(OsString, OsString)| !value.is_empty()) {
            let Some(name) = name.to_str() else { continue };
            match name {
                DIR => settings.folders.extend(listed(&value)),
                CREDENTIALS => credentials = Some(PathBuf::from(value)),
                MAX_BYTES => match value.to_str().and_then(|v| v.trim().parse().ok()) {
                    Some(bytes) => settings.max_bytes = bytes,
                    None => wrong.push(format!("`{name}` is no number of bytes")),
                },
                NEWLINE => match value.to_str().and_then(|v| v.trim().parse().ok()) {
                    Some(rule) => settings.trailing_newline = rule,
                    None => wrong.push(format!("`{name}` is neither `strip-one` nor `keep`")),
                },
                _ if name.starts_with(FILE_PREFIX) && name.len() > FILE_PREFIX.len() => {
                    let path = PathBuf::from(value);
                    if path.is_absolute() {
                        settings.variables.insert(name.into(), path);
                    } else {
                        // the value is not shown: it may be the secret itself, put there by mistake
                        wrong.push(format!("`{name}` is no absolute path"));
                    }
                }
                _ => {}
            }
        }
        if !wrong.is_empty() {
            return Err(misconfigured(wrong.join("; ")));
        }
        let implicit = credentials.into_iter().chain(cfg!(unix).then(|| RUN_SECRETS.into()));
        settings.folders.extend(implicit.map(|path| Folder { path, explicit: false }));
        Ok(settings)
    }

    /// Searches this folder too, after those that are there. A relative one is below the working
    /// directory of the moment in which the source is made. It must exist at sign-in.
    #[must_use]
    pub fn folder(mut self, path: impl Into<PathBuf>) -> Self {
        // before the implicit ones, which are always last
        let at = self.folders.iter().position(|f| !f.explicit).unwrap_or(self.folders.len());
        self.folders.insert(at, Folder { path: path.into(), explicit: true });
        self
    }

    /// The secret of that name is this file, wherever it lies: an absolute path. An operator named
    /// it, so its links may lead anywhere.
    #[must_use]
    pub fn file(mut self, name: impl Into<Box<str>>, path: impl Into<PathBuf>) -> Self {
        self.files.insert(name.into(), path.into());
        self
    }

    /// This file may be asked for by its absolute path, as the reference
    /// `file-secret:///run/secrets/pw` does. No absolute name is answered but those allowed here or
    /// by [`Files::allow_file`](crate::Files::allow_file). Its links may lead anywhere.
    #[must_use]
    pub fn allow(mut self, path: impl Into<PathBuf>) -> Self {
        self.allowed.push(path.into());
        self
    }

    /// The most bytes one secret may have; for a folder, all its files together. More is `TooLarge`.
    /// Default 1 MiB, which is also what a Kubernetes Secret may hold
    /// (<https://kubernetes.io/docs/concepts/configuration/secret/>). At most 64 MiB can be set.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// What becomes of a newline at the end of a file. Default [`TrailingNewline::StripOne`].
    #[must_use]
    pub fn trailing_newline(mut self, rule: TrailingNewline) -> Self {
        self.trailing_newline = rule;
        self
    }

    /// The folders that are searched, in order.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(|f| &*f.path)
    }

    /// Refuses what cannot work, and makes every path absolute, once.
    pub(crate) fn checked(mut self) -> Result<Self, SourceError> {
        let mut wrong = Vec::new();
        for folder in &mut self.folders {
            match std::path::absolute(&folder.path) {
                Ok(path) => folder.path = path,
                Err(_) => wrong.push("a folder of secrets has no path".to_owned()),
            }
        }
        for (name, path) in &self.files {
            if !matches!(naming::parse(name), Ok(naming::Name::Relative(_))) {
                wrong.push(format!("`{name}` cannot be the name of a file"));
            }
            if !path.is_absolute() {
                wrong.push(format!("the file of `{name}` is no absolute path"));
            }
        }
        // the buffer for a file that hides its size is this large
        if self.max_bytes > MOST_BYTES {
            wrong.push("`max_bytes` can be at most 67108864 (64 MiB)".to_owned());
        }
        if self.allowed.iter().any(|path| !path.is_absolute()) {
            wrong.push("an allowed file is no absolute path".to_owned());
        }
        if wrong.is_empty() { Ok(self) } else { Err(misconfigured(wrong.join("; "))) }
    }
}

/// The folders of a list; empty entries are passed over.
fn listed(value: &OsStr) -> impl Iterator<Item = Folder> + use<> {
    let paths: Vec<_> = std::env::split_paths(value).filter(|p| !p.as_os_str().is_empty()).collect();
    paths.into_iter().map(|path| Folder { path, explicit: true })
}

pub(crate) fn misconfigured(hint: String) -> SourceError {
    SourceError::new(ErrorKind::Misconfigured, SCHEME).hint_naming(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_the_folder_of_docker() {
        let none: [(&str, &str); 0] = [];
        let settings = Settings::from_env(none).unwrap();
        assert_eq!(settings.folders().collect::<Vec<_>>(), [Path::new("/run/secrets")]);
        assert_eq!(settings.max_bytes, 1_048_576);
        assert_eq!(settings.trailing_newline, TrailingNewline::StripOne);
    }

    #[test]
    fn every_variable() {
        let settings = Settings::from_env([
            ("PATH", "/bin"),
            ("SECRETFIG_FILES_DIR", "/a::/b:"),
            ("CREDENTIALS_DIRECTORY", "/run/credentials/app.service"),
            ("SECRET_FILE_DB", "/c/pw"),
            ("SECRET_FILE_EMPTY", ""),
            ("SECRET_FILE_", "nothing"),
            ("SECRETFIG_FILES_MAX_BYTES", "64"),
            ("SECRETFIG_FILES_TRAILING_NEWLINE", "keep"),
        ]);
        let settings = settings.unwrap().folder("/d");
        let folders: Vec<_> =
            settings.folders.iter().map(|f| (f.path.to_str().unwrap(), f.explicit)).collect();
        assert_eq!(
            folders,
            [
                ("/a", true),
                ("/b", true),
                ("/d", true),
                ("/run/credentials/app.service", false),
                ("/run/secrets", false)
            ]
        );
        assert_eq!(settings.variables.len(), 1);
        assert_eq!(settings.max_bytes, 64);
        assert_eq!(settings.trailing_newline, TrailingNewline::Keep);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_no_value() {
        let error = Settings::from_env([
            ("SECRET_FILE_DB", "hunter2"),
            ("SECRETFIG_FILES_MAX_BYTES", "hunter2"),
            ("SECRETFIG_FILES_TRAILING_NEWLINE", "hunter2"),
        ])
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "file-secret: misconfigured: `SECRET_FILE_DB` is no absolute path; \
             `SECRETFIG_FILES_MAX_BYTES` is no number of bytes; \
             `SECRETFIG_FILES_TRAILING_NEWLINE` is neither `strip-one` nor `keep`"
        );
        let error = Settings::new().file("../x", "y").allow("hunter2").folder("").checked().unwrap_err();
        assert_eq!(
            error.to_string(),
            "file-secret: misconfigured: a folder of secrets has no path; `../x` cannot be the name of a \
             file; the file of `../x` is no absolute path; an allowed file is no absolute path"
        );
    }
}
