//! Whom we are: keys of an identity file, and a passphrase.
//!
//! They are read anew for each decryption, and nothing of them is kept: a key that was replaced on
//! disk counts at once.

use crate::error::{Refusal, misconfigured};
use crate::open;
use crate::settings::{Given, MISPLACED, Settings};
use age::x25519;
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::ErrorKind;
use std::fs;
use std::path::Path;

/// How large an identity file or the file of a passphrase may be.
pub(crate) const MOST: usize = 64 << 10;

const READABLE: &str = "every user of this machine may read the age identity file; `chmod 600` it";
const WRITABLE: &str = "every user of this machine may write the age identity file; `chmod 600` it";

/// The keys that open a store.
pub(crate) struct Keys {
    /// They wipe themselves.
    pub(crate) identities: Vec<x25519::Identity>,
}

impl Keys {
    /// The public keys.
    pub(crate) fn recipients(&self) -> impl Iterator<Item = x25519::Recipient> {
        self.identities.iter().map(x25519::Identity::to_public)
    }
}

/// The keys that the settings name, or those of the usual file. None, where there is only a
/// passphrase.
///
/// Without either it is `Unauthenticated`.
pub(crate) fn keys(settings: &Settings) -> Result<Keys, Refusal> {
    Ok(keys_and_cost(settings)?.0)
}

/// The keys, and whether they took scrypt, since their file is behind a passphrase itself.
pub(crate) fn keys_and_cost(settings: &Settings) -> Result<(Keys, bool), Refusal> {
    let none = || (Keys { identities: Vec::new() }, false);
    match (&settings.identity, &settings.usual_identity) {
        (Some(Given::Text(text, who)), _) => {
            from_bytes(text.expose_secret().as_bytes(), settings).map_err(|e| e.about(who))
        }
        (Some(Given::File(path, who)), _) => {
            from_file(path, settings).map_err(|e| e.about(&format!("identity file of {who}")))
        }
        (Some(Given::Misplaced(who)), _) => Err(misconfigured(format!("{who}: {MISPLACED}"))),
        (None, Some(path)) if !matches!(path.try_exists(), Ok(false)) => {
            from_file(path, settings).map_err(|e| e.about(&format!("identity file `{}`", path.display())))
        }
        (None, _) if settings.passphrase.is_some() => Ok(none()),
        (None, usual) => {
            let missing = usual.as_ref().map_or(String::new(), |path| {
                format!("; the usual identity file `{}` is not there", path.display())
            });
            Err(Refusal::new(
                ErrorKind::Unauthenticated,
                format!(
                    "no identity: make one with `secretfig local init`, or set SECRETFIG_AGE_IDENTITY_FILE, \
                     SECRETFIG_AGE_IDENTITY or SECRETFIG_AGE_PASSPHRASE_FILE{missing}"
                ),
            ))
        }
    }
}

/// The passphrase that the settings name.
pub(crate) fn passphrase(settings: &Settings) -> Result<Option<SecretString>, Refusal> {
    let text = match &settings.passphrase {
        None => return Ok(None),
        Some(Given::Text(text, _)) => text.clone(),
        Some(Given::Misplaced(who)) => return Err(misconfigured(format!("{who}: {MISPLACED}"))),
        Some(Given::File(path, who)) => {
            let about = |e: Refusal| e.about(&format!("passphrase file of {who}"));
            let bytes = open::read(path, MOST).map_err(about)?;
            let text = std::str::from_utf8(&bytes).map_err(|_| about(misconfigured("it is not UTF-8")))?;
            let text = text.strip_suffix('\n').unwrap_or(text);
            SecretString::from(text.strip_suffix('\r').unwrap_or(text))
        }
    };
    if text.expose_secret().is_empty() {
        return Err(misconfigured("the passphrase is empty"));
    }
    Ok(Some(text))
}

/// What a person should know of the identity file: static text.
pub(crate) fn warnings(settings: &Settings) -> Vec<&'static str> {
    let path = match (&settings.identity, &settings.usual_identity) {
        (Some(Given::File(path, _)), _) | (None, Some(path)) => path,
        _ => return Vec::new(),
    };
    let (Ok(meta), true) = (fs::metadata(path), path.parent().is_none_or(others_may_enter)) else {
        return Vec::new();
    };
    let mode = mode(&meta);
    let found = [(mode & 0o004 != 0, READABLE), (mode & 0o002 != 0, WRITABLE)];
    found.into_iter().filter_map(|(is, text)| is.then_some(text)).collect()
}

fn from_file(path: &Path, settings: &Settings) -> Result<(Keys, bool), Refusal> {
    from_bytes(&open::read(path, MOST)?, settings)
}

/// The keys of an identity file, which may itself be encrypted with the passphrase.
fn from_bytes(bytes: &[u8], settings: &Settings) -> Result<(Keys, bool), Refusal> {
    if !open::is_age(bytes) {
        return Ok((parse(bytes)?, false));
    }
    let no_keys = || {
        Err(misconfigured(
            "it is encrypted to a key; an identity file is encrypted with a passphrase, by `age -p`",
        ))
    };
    let opened = open::decrypt(bytes, &no_keys, &|| passphrase(settings), MOST)?;
    Ok((parse(&opened.plaintext)?, true))
}

/// The lines of an identity file: keys, comments, nothing else. A line is never shown.
fn parse(bytes: &[u8]) -> Result<Keys, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| misconfigured("it is no text"))?;
    let mut identities = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.parse::<x25519::Identity>() {
            Ok(identity) => identities.push(identity),
            Err(_) => return Err(misconfigured(format!("line {}: {}", n + 1, what_it_is(line)))),
        }
    }
    if identities.is_empty() {
        return Err(misconfigured("it holds no key `AGE-SECRET-KEY-1…`"));
    }
    Ok(Keys { identities })
}

/// Says of a line that is no key what it looks like, by how it begins.
fn what_it_is(line: &str) -> &'static str {
    let begins = |with: &str| line.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    if begins("-----BEGIN") || begins("ssh-") {
        "an SSH or PEM key; SSH keys are not supported: make a key with `secretfig local init` or `age-keygen`"
    } else if begins("AGE-PLUGIN-") {
        "the identity of a plugin; plugins are not supported: make a key with `secretfig local init` or `age-keygen`"
    } else if begins("AGE-SECRET-KEY-PQ-") {
        "a post-quantum key; only X25519 keys `AGE-SECRET-KEY-1…` are supported"
    } else if begins("AGE-SECRET-KEY-") {
        "a key with a typing error, or cut off"
    } else if begins("age1") {
        "a public key; the identity is the secret one, `AGE-SECRET-KEY-1…`"
    } else {
        "no key `AGE-SECRET-KEY-1…`"
    }
}

/// The permission bits; 0 where there are none.
fn mode(meta: &fs::Metadata) -> u32 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::mode(meta);
    #[cfg(not(unix))]
    return {
        let _ = meta;
        0
    };
}

/// Whether other users may look into a folder at all.
fn others_may_enter(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|meta| mode(&meta) & 0o001 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::SourceError;

    #[test]
    fn lines_that_are_no_key_are_told_by_number_and_by_how_they_begin() {
        for (text, said) in [
            ("", "it holds no key"),
            ("# only a comment\n\n", "it holds no key"),
            ("hunter2", "line 1: no key"),
            ("# c\n\nAGE-SECRET-KEY-1HUNTER2", "line 3: a key with a typing error"),
            ("AGE-SECRET-KEY-PQ-1HUNTER2", "line 1: a post-quantum key"),
            ("AGE-PLUGIN-YUBIKEY-1HUNTER2", "line 1: the identity of a plugin; plugins are not supported"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2", "line 1: an SSH or PEM key; SSH keys are not"),
            ("ssh-ed25519 hunter2", "line 1: an SSH or PEM key"),
            ("age1hunter2", "line 1: a public key"),
        ] {
            let refusal = parse(text.as_bytes()).err().unwrap();
            let error = SourceError::from(refusal);
            assert_eq!(error.kind(), ErrorKind::Misconfigured);
            assert!(error.what_to_do().starts_with(said), "{error}");
            assert!(!error.to_string().to_lowercase().contains("hunter"), "{error}");
        }
        assert!(parse(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn several_keys_and_comments() {
        let keys = [x25519::Identity::generate(), x25519::Identity::generate()];
        let texts = keys.each_ref().map(|key| key.to_string().expose_secret().to_owned());
        let text = format!("# a\r\n{}\r\n\r\n  {}  \n", texts[0], texts[1]);
        let found: Vec<String> =
            parse(text.as_bytes()).unwrap().recipients().map(|k| k.to_string()).collect();
        assert_eq!(found, keys.each_ref().map(|key| key.to_public().to_string()));
    }
}
