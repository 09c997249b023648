//! Every option, the variable that sets it, and its default.

use crate::error::{Refusal, misconfigured};
use secrecy::SecretString;
use secretfig_source::SourceError;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use zeroize::Zeroize;

const FILE: &str = "SECRETFIG_AGE_FILE";
const IDENTITY: &str = "SECRETFIG_AGE_IDENTITY";
const IDENTITY_FILE: &str = "SECRETFIG_AGE_IDENTITY_FILE";
const PASSPHRASE: &str = "SECRETFIG_AGE_PASSPHRASE";
const PASSPHRASE_FILE: &str = "SECRETFIG_AGE_PASSPHRASE_FILE";
const MAX_BYTES: &str = "SECRETFIG_AGE_MAX_BYTES";

/// The store where nothing names one.
const STORE: &str = "secrets.age";
/// The largest `max_bytes`.
const MOST_BYTES: usize = 64 << 20;

/// Which file is the store, and how it is opened.
///
/// | option | variable | default |
/// | --- | --- | --- |
/// | [`file`](Self::file) | `SECRETFIG_AGE_FILE` | `secrets.age` |
/// | [`identity`](Self::identity) or [`identity_file`](Self::identity_file) | `SECRETFIG_AGE_IDENTITY`: the text `AGE-SECRET-KEY-1…`, one key a line, or the path of a file | – |
/// | [`identity_file`](Self::identity_file) | `SECRETFIG_AGE_IDENTITY_FILE`: a path | `secretfig/identity.txt` in the user's config folder |
/// | [`passphrase`](Self::passphrase) | `SECRETFIG_AGE_PASSPHRASE` | none |
/// | [`passphrase_file`](Self::passphrase_file) | `SECRETFIG_AGE_PASSPHRASE_FILE`: a path | none |
/// | [`max_bytes`](Self::max_bytes) | `SECRETFIG_AGE_MAX_BYTES` | 1 MiB (1048576 bytes) of plaintext |
///
/// Of `SECRETFIG_AGE_IDENTITY` and `SECRETFIG_AGE_IDENTITY_FILE` one is set, and of
/// `SECRETFIG_AGE_PASSPHRASE` and `SECRETFIG_AGE_PASSPHRASE_FILE`: both are a fault, since nobody
/// can tell which of two was meant. Only [`Settings::from_env`] knows the default identity file,
/// since only it is told where the user's config folder is:
///
/// | system | folder |
/// | --- | --- |
/// | all, where it is set to an absolute path | `$XDG_CONFIG_HOME` |
/// | macOS | `$HOME/Library/Application Support` |
/// | Windows | `%APPDATA%` |
/// | others | `$HOME/.config` |
///
/// The passphrase opens a store that is encrypted with one, and an identity file that is
/// (`age -p`). Relative paths are below [`below`](Self::below), which is the working folder unless
/// it is called.
///
/// ```
/// use secretfig_local::Settings;
/// let settings = Settings::from_env([
///     ("SECRETFIG_AGE_FILE", "deploy/secrets.age"),
///     ("HOME", "/home/ada"),
/// ])?;
/// assert_eq!(settings.store(), std::path::Path::new("deploy/secrets.age"));
/// # Ok::<(), secretfig_source::SourceError>(())
/// ```
#[derive(Clone)]
pub struct Settings {
    pub(crate) file: PathBuf,
    pub(crate) identity: Option<Given>,
    /// Looked at where no identity is given.
    pub(crate) usual_identity: Option<PathBuf>,
    pub(crate) passphrase: Option<Given>,
    pub(crate) max_bytes: usize,
}

/// Something secret, or the file that holds it, and who says so.
#[derive(Clone)]
pub(crate) enum Given {
    Text(SecretString, &'static str),
    /// A path is not shown: the secret itself may have been put there by mistake.
    File(PathBuf, &'static str),
    /// A key where a path belongs. It was dropped at once, so that it becomes no file's name.
    Misplaced(&'static str),
}

/// What is said of a key with something around it, which would else be taken for a path.
pub(crate) const MISPLACED: &str = "it is a key with quotes or other text around it, or stands where a path belongs; \
    give the key alone, or the path of its file";

impl Given {
    fn file(path: PathBuf, who: &'static str) -> Self {
        if Settings::holds_key(&path) {
            crate::wipe(path.into_os_string());
            return Given::Misplaced(who);
        }
        Given::File(path, who)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// The variables that [`Settings::from_env`] reads, each with what it sets: for a table of all
    /// variables of an application. (`XDG_CONFIG_HOME`, `HOME` and `APPDATA` only say where the
    /// user's config folder is.)
    pub const VARIABLES: [(&'static str, &'static str); 6] = [
        (FILE, "the age-encrypted store; default `secrets.age`"),
        (IDENTITY, "the key that opens it, or the path of its file"),
        (IDENTITY_FILE, "the path of the key's file; default `secretfig/identity.txt` in the config folder"),
        (PASSPHRASE, "the passphrase of the store, or of the identity file"),
        (PASSPHRASE_FILE, "the path of a file that holds the passphrase"),
        (MAX_BYTES, "how large the opened store may be, in bytes; default 1048576"),
    ];

    /// Whether [`Settings::from_env`] looks at a variable of that name, so that a caller need not
    /// hand in all.
    pub fn reads(variable: &str) -> bool {
        Self::VARIABLES.iter().any(|(name, _)| *name == variable)
            || matches!(variable, "XDG_CONFIG_HOME" | "HOME" | "APPDATA")
    }

    /// Whether a text is that of an identity file, which is secret, and not the path of one.
    ///
    /// ```
    /// use secretfig_local::Settings;
    /// assert!(Settings::is_identity("# mine\nAGE-SECRET-KEY-1QQQ"));
    /// assert!(!Settings::is_identity("/home/ada/.config/secretfig/identity.txt"));
    /// ```
    pub fn is_identity(text: &str) -> bool {
        // SSH keys and plugins too: that they are not supported is told later
        const BEGINS: [&str; 3] = ["AGE-SECRET-KEY-", "AGE-PLUGIN-", "-----BEGIN "];
        text.lines().map(str::trim).any(|line| {
            let begins =
                |with: &&str| line.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
            BEGINS.iter().any(begins)
        })
    }

    /// Whether a text holds a key, whatever stands around it: quotes that a Docker env file kept, a word before it.
    /// It is neither the text of an identity file nor a path, and is never shown.
    ///
    /// ```
    /// use secretfig_local::Settings;
    /// assert!(Settings::holds_key("\"AGE-SECRET-KEY-1QQQ\""));
    /// assert!(!Settings::holds_key("/home/ada/.config/secretfig/identity.txt"));
    /// ```
    pub fn holds_key(text: impl AsRef<OsStr>) -> bool {
        let text = text.as_ref().as_encoded_bytes();
        let has = |key: &[u8]| text.windows(key.len()).any(|part| part.eq_ignore_ascii_case(key));
        has(b"AGE-SECRET-KEY-") || has(b"AGE-PLUGIN-")
    }

    /// `secrets.age`, no identity, no passphrase; the defaults for all else. The environment is not
    /// looked at.
    pub fn new() -> Self {
        Self {
            file: STORE.into(),
            identity: None,
            usual_identity: None,
            passphrase: None,
            max_bytes: 1 << 20,
        }
    }

    /// What these variables say. The application hands them in, usually `std::env::vars_os()`; an
    /// empty one counts as unset.
    ///
    /// # Errors
    /// `Misconfigured`, in one error for all variables that cannot be understood.
    pub fn from_env<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, SourceError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut known = Variables::default();
        for (name, value) in vars {
            let (name, value): (OsString, OsString) = (name.into(), value.into());
            match name.into_string() {
                Ok(name) if Self::reads(&name) && !value.is_empty() => known.0.insert(name, value),
                _ => continue,
            };
        }
        let mut settings = Self::new();
        let mut wrong = Vec::new();
        if let Some(file) = known.take(FILE) {
            settings.file = taken_for_path(FILE, file, &mut wrong).unwrap_or(settings.file);
        }
        settings.identity = identity_from(&mut known, &mut wrong);
        settings.usual_identity =
            config_folder(std::env::consts::OS, &known).map(|folder| usual_identity(&folder));
        settings.passphrase = passphrase_from(&mut known, &mut wrong);
        if let Some(bytes) = known.take(MAX_BYTES) {
            match bytes.to_str().and_then(|bytes| bytes.trim().parse().ok()) {
                Some(bytes) => settings.max_bytes = bytes,
                None => wrong.push(format!("`{MAX_BYTES}` is no number of bytes")),
            }
        }
        if wrong.is_empty() { Ok(settings) } else { Err(misconfigured(wrong.join("; ")).into()) }
    }

    /// The store is this file.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = path.into();
        self
    }

    /// These keys open it: the text of an identity file, `AGE-SECRET-KEY-1…`, one a line.
    #[must_use]
    pub fn identity(mut self, text: SecretString) -> Self {
        self.identity = Some(Given::Text(text, "the identity of the settings"));
        self
    }

    /// The keys of this file open it.
    #[must_use]
    pub fn identity_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.identity = Some(Given::file(path.into(), "`identity_file`"));
        self
    }

    /// This passphrase opens it, or the identity file.
    #[must_use]
    pub fn passphrase(mut self, passphrase: SecretString) -> Self {
        self.passphrase = Some(Given::Text(passphrase, "the passphrase of the settings"));
        self
    }

    /// The passphrase in this file opens it, or the identity file. One newline at the end of the file
    /// does not belong to the passphrase.
    #[must_use]
    pub fn passphrase_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.passphrase = Some(Given::file(path.into(), "`passphrase_file`"));
        self
    }

    /// The most bytes of plaintext the store may hold. More is `TooLarge`. Default 1 MiB; at most
    /// 64 MiB can be set.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// What is relative among the paths given until now lies below this folder.
    #[must_use]
    pub fn below(mut self, folder: &Path) -> Self {
        self.file = folder.join(self.file);
        for given in [&mut self.identity, &mut self.passphrase] {
            if let Some(Given::File(path, _)) = given {
                *path = folder.join(&*path);
            }
        }
        self
    }

    /// The file that is the store.
    pub fn store(&self) -> &Path {
        &self.file
    }

    /// Where a person's identity lies if nothing else is said: what a command writes a new one to.
    /// `None` where neither is known: nothing names a file, and there is no config folder.
    pub fn identity_path(&self) -> Option<&Path> {
        match &self.identity {
            Some(Given::File(path, _)) => Some(path),
            Some(Given::Text(..) | Given::Misplaced(_)) => None,
            None => self.usual_identity.as_deref(),
        }
    }

    /// Whether anything but the default says how the store is opened.
    pub fn names_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// Whether a passphrase, or its file, is set.
    pub fn names_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    /// Refuses what cannot work, and makes every path absolute, once.
    pub(crate) fn checked(mut self) -> Result<Self, Refusal> {
        let mut wrong = Vec::new();
        let mut absolute = |path: &mut PathBuf, what: &str| match std::path::absolute(&*path) {
            _ if Self::holds_key(&path) => wrong.push(format!("{what}: {MISPLACED}")),
            Ok(whole) => *path = whole,
            Err(_) => wrong.push(format!("{what} has no path")),
        };
        absolute(&mut self.file, "the store");
        for (given, what) in
            [(&mut self.identity, "the identity file"), (&mut self.passphrase, "the file of the passphrase")]
        {
            if let Some(Given::File(path, _)) = given {
                absolute(path, what);
            }
        }
        for given in [&self.identity, &self.passphrase] {
            if let Some(Given::Misplaced(who)) = given {
                wrong.push(format!("{who}: {MISPLACED}"));
            }
        }
        if self.max_bytes > MOST_BYTES {
            wrong.push("`max_bytes` can be at most 67108864 (64 MiB)".to_owned());
        }
        if wrong.is_empty() { Ok(self) } else { Err(misconfigured(wrong.join("; "))) }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("file", if Self::holds_key(&self.file) { &"a key" } else { &self.file })
            .field("identity", &self.identity)
            .field("usual_identity", &self.usual_identity)
            .field("passphrase", &self.passphrase)
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Text(_, who) => write!(f, "text of {who}"),
            Given::File(_, who) => write!(f, "file of {who}"),
            Given::Misplaced(who) => write!(f, "a key in place of a file of {who}"),
        }
    }
}

fn identity_from(known: &mut Variables, wrong: &mut Vec<String>) -> Option<Given> {
    known.only_one(IDENTITY, IDENTITY_FILE, wrong);
    if let Some(value) = known.take(IDENTITY) {
        let value = match value.into_string() {
            Ok(mut text) if Settings::is_identity(&text) => {
                let given = Given::Text(SecretString::from(text.as_str()), "`SECRETFIG_AGE_IDENTITY`");
                text.zeroize();
                return Some(given);
            }
            Ok(text) => text.into(),
            Err(value) => value,
        };
        let path = taken_for_path(IDENTITY, value, wrong)?;
        return Some(Given::file(path, "`SECRETFIG_AGE_IDENTITY`"));
    }
    let path = known.take(IDENTITY_FILE)?;
    if path.to_str().is_some_and(Settings::is_identity) {
        wrong.push(format!("`{IDENTITY_FILE}` holds a key and no path; that is `{IDENTITY}`"));
        crate::wipe(path);
        return None;
    }
    let path = taken_for_path(IDENTITY_FILE, path, wrong)?;
    Some(Given::file(path, "`SECRETFIG_AGE_IDENTITY_FILE`"))
}

fn passphrase_from(known: &mut Variables, wrong: &mut Vec<String>) -> Option<Given> {
    known.only_one(PASSPHRASE, PASSPHRASE_FILE, wrong);
    if let Some(value) = known.take(PASSPHRASE) {
        return match value.into_string() {
            Ok(mut text) => {
                let given = Given::Text(SecretString::from(text.as_str()), "`SECRETFIG_AGE_PASSPHRASE`");
                text.zeroize();
                Some(given)
            }
            Err(value) => {
                crate::wipe(value);
                wrong.push(format!("`{PASSPHRASE}` is not UTF-8"));
                None
            }
        };
    }
    let path = taken_for_path(PASSPHRASE_FILE, known.take(PASSPHRASE_FILE)?, wrong)?;
    Some(Given::file(path, "`SECRETFIG_AGE_PASSPHRASE_FILE`"))
}

/// The path that a variable holds, unless a key is part of it: a path is shown, and becomes a file's name.
fn taken_for_path(variable: &str, value: OsString, wrong: &mut Vec<String>) -> Option<PathBuf> {
    if Settings::holds_key(&value) {
        crate::wipe(value);
        wrong.push(format!("`{variable}`: {MISPLACED}"));
        return None;
    }
    Some(value.into())
}

/// The variables that count, wiped when they are not taken.
#[derive(Default)]
struct Variables(BTreeMap<String, OsString>);

impl Variables {
    fn take(&mut self, name: &str) -> Option<OsString> {
        self.0.remove(name)
    }

    /// Two that say the same thing are told, and neither is preferred.
    fn only_one(&self, one: &str, other: &str, wrong: &mut Vec<String>) {
        if self.0.contains_key(one) && self.0.contains_key(other) {
            wrong.push(format!("`{one}` and `{other}` are both set: unset one of them"));
        }
    }

    fn folder(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

impl Drop for Variables {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_values().for_each(crate::wipe);
    }
}

/// The folder of the user's own configuration.
/// <https://specifications.freedesktop.org/basedir-spec/latest/>
fn config_folder(system: &str, known: &Variables) -> Option<PathBuf> {
    known.folder("XDG_CONFIG_HOME").or_else(|| match system {
        "windows" => known.folder("APPDATA"),
        "macos" => Some(known.folder("HOME")?.join("Library/Application Support")),
        _ => Some(known.folder("HOME")?.join(".config")),
    })
}

fn usual_identity(folder: &Path) -> PathBuf {
    folder.join("secretfig").join("identity.txt")
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const KEY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

    fn from(vars: &[(&str, &str)]) -> Settings {
        Settings::from_env(vars.iter().copied()).unwrap()
    }

    fn file(given: &Option<Given>) -> Option<&Path> {
        match given {
            Some(Given::File(path, _)) => Some(path),
            _ => None,
        }
    }

    #[test]
    fn nothing_set_is_the_usual_store_and_the_usual_identity() {
        let settings = from(&[("PATH", "/bin"), ("SECRETFIG_AGE_FILE", "")]);
        assert_eq!(settings.store(), Path::new("secrets.age"));
        assert_eq!((settings.max_bytes, settings.identity_path()), (1_048_576, None));
        let settings = from(&[("XDG_CONFIG_HOME", "/x")]);
        assert_eq!(settings.identity_path(), Some(Path::new("/x/secretfig/identity.txt")));
        assert!(!settings.names_identity() && !settings.names_passphrase());
    }

    #[cfg(unix)]
    #[test]
    fn the_config_folder_of_each_system() {
        for (system, vars, want) in [
            ("linux", &[("HOME", "/h")][..], Some("/h/.config")),
            ("freebsd", &[("HOME", "/h"), ("XDG_CONFIG_HOME", "")], Some("/h/.config")),
            ("linux", &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")], Some("/x")),
            ("linux", &[("HOME", "/h"), ("XDG_CONFIG_HOME", "relative")], Some("/h/.config")),
            ("macos", &[("HOME", "/h")], Some("/h/Library/Application Support")),
            ("macos", &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")], Some("/x")),
            ("windows", &[("HOME", "/h"), ("APPDATA", "/a")], Some("/a")),
            ("windows", &[("HOME", "/h")], None),
            ("linux", &[("APPDATA", "/a")], None),
        ] {
            let known = Variables(vars.iter().map(|(n, v)| ((*n).to_owned(), (*v).into())).collect());
            assert_eq!(config_folder(system, &known), want.map(PathBuf::from), "{system} {vars:?}");
        }
    }

    #[test]
    fn every_variable() {
        let settings = from(&[
            ("SECRETFIG_AGE_FILE", "deploy/s.age"),
            ("SECRETFIG_AGE_IDENTITY_FILE", "k"),
            ("SECRETFIG_AGE_PASSPHRASE_FILE", "/run/p"),
            ("SECRETFIG_AGE_MAX_BYTES", " 64 "),
        ]);
        assert_eq!(settings.max_bytes, 64);
        let settings = settings.below(Path::new("/etc/app"));
        assert_eq!(settings.store(), Path::new("/etc/app/deploy/s.age"));
        assert_eq!(file(&settings.identity), Some(Path::new("/etc/app/k")));
        assert_eq!(file(&settings.passphrase), Some(Path::new("/run/p")));

        // an empty one counts as unset; and a path where there is no key
        let settings = from(&[
            ("SECRETFIG_AGE_IDENTITY", &format!("# mine\n{KEY}\n")),
            ("SECRETFIG_AGE_IDENTITY_FILE", ""),
            ("SECRETFIG_AGE_PASSPHRASE", "hunter2"),
            ("SECRETFIG_AGE_PASSPHRASE_FILE", ""),
        ]);
        assert!(
            matches!(&settings.identity, Some(Given::Text(text, _)) if text.expose_secret().contains(KEY))
        );
        assert!(
            matches!(&settings.passphrase, Some(Given::Text(text, _)) if text.expose_secret() == "hunter2")
        );
        assert_eq!(settings.identity_path(), None);
        let settings = from(&[("SECRETFIG_AGE_IDENTITY", "/k")]);
        assert_eq!(file(&settings.identity), Some(Path::new("/k")));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let settings = from(&[
            ("SECRETFIG_AGE_IDENTITY", KEY),
            ("SECRETFIG_AGE_PASSPHRASE", "hunter2"),
            ("SECRETFIG_AGE_FILE", "s.age"),
        ]);
        let shown = format!("{settings:?} {settings:#?}");
        assert!(shown.contains("s.age") && shown.contains("SECRETFIG_AGE_IDENTITY"), "{shown}");
        assert!(!shown.contains("AGE-SECRET") && !shown.contains("hunter"), "{shown}");
        // what was meant as a secret and taken for a path
        let settings =
            from(&[("SECRETFIG_AGE_IDENTITY", "hunter2"), ("SECRETFIG_AGE_PASSPHRASE_FILE", "hunter2")]);
        assert!(!format!("{settings:?}").contains("hunter"));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_no_value() {
        let error = Settings::from_env([
            ("SECRETFIG_AGE_IDENTITY_FILE", KEY),
            ("SECRETFIG_AGE_MAX_BYTES", "hunter2"),
        ])
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "age: misconfigured: `SECRETFIG_AGE_IDENTITY_FILE` holds a key and no path; that is \
             `SECRETFIG_AGE_IDENTITY`; `SECRETFIG_AGE_MAX_BYTES` is no number of bytes"
        );
        let error =
            Settings::new().file("").identity_file("").max_bytes((64 << 20) + 1).checked().unwrap_err();
        assert_eq!(
            SourceError::from(error).what_to_do(),
            "the store has no path; the identity file has no path; `max_bytes` can be at most 67108864 (64 MiB)"
        );
    }

    #[test]
    fn a_key_that_is_taken_for_a_path_is_neither_shown_nor_kept() {
        for key in [
            format!("\"{KEY}\""),
            format!("'{}'", KEY.to_lowercase()),
            format!("key={KEY}"),
            format!("./{KEY}"),
            format!("\"AGE-PLUGIN-YUBIKEY-1{}\"", &KEY[16..]),
        ] {
            for variable in [FILE, IDENTITY, IDENTITY_FILE, PASSPHRASE_FILE] {
                let error = Settings::from_env([(variable, &key)]).unwrap_err();
                assert_eq!(error.what_to_do(), format!("`{variable}`: {MISPLACED}"));
            }
            let bare = Settings::new;
            for settings in [bare().identity_file(&key), bare().passphrase_file(&key), bare().file(&key)] {
                let shown = format!("{settings:?} {settings:#?} {:?}", settings.identity_path());
                let error = SourceError::from(settings.checked().unwrap_err());
                assert!(error.what_to_do().contains(MISPLACED), "{error}");
                let said = format!("{shown} {error}").to_uppercase();
                assert!(!said.contains(&KEY[16..]), "{said}");
            }
        }
    }

    #[test]
    fn two_variables_that_say_the_same_are_a_fault() {
        let error = Settings::from_env([
            (IDENTITY, KEY),
            (IDENTITY_FILE, "/k"),
            (PASSPHRASE, "hunter2"),
            (PASSPHRASE_FILE, "/p"),
        ])
        .unwrap_err();
        assert_eq!(
            error.what_to_do(),
            "`SECRETFIG_AGE_IDENTITY` and `SECRETFIG_AGE_IDENTITY_FILE` are both set: unset one of them; \
             `SECRETFIG_AGE_PASSPHRASE` and `SECRETFIG_AGE_PASSPHRASE_FILE` are both set: unset one of them"
        );
    }
}
