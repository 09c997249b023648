//! Small files that sign in (feature `options`): a token of an agent's sink, a projected service account token. Read anew each
//! time, within bounds, into memory that is wiped.

use crate::{ErrorKind, SourceError};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// No token is longer.
const TOKEN: usize = 64 << 10;

/// No bundle of authorities is larger; a system's own, which variables such as `AWS_CA_BUNDLE` often name, has some 220 KiB.
const BUNDLE: usize = 4 << 20;

/// The whole of a file of at most 4 MiB: certificates and keys. It blocks: where a runtime is, hand it to a thread for what
/// blocks. `what` it is begins the sentence of an error, which is of the source of that scheme.
///
/// # Errors
/// `Misconfigured`, with the path and the reason: not there, not readable, no file, too large.
pub fn bytes(path: &Path, what: &str, scheme: &'static str) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let large = "it is larger than 4 MiB";
    within_bounds(path, BUNDLE).map_err(|e| refused(what, path, scheme, &e, large))
}

/// The text of a file of at most 64 KiB, without the blanks around it: an agent, or an editor, ends it with a newline.
///
/// # Errors
/// As [`bytes()`], and where it is no text, or empty.
pub fn text(path: &Path, what: &str, scheme: &'static str) -> Result<Zeroizing<String>, SourceError> {
    let large = "it is larger than 64 KiB";
    let text = within_bounds(path, TOKEN).and_then(|bytes| trimmed(&bytes));
    text.map_err(|e| refused(what, path, scheme, &e, large))
}

fn within_bounds(path: &Path, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    // before it is opened: to open a pipe waits for whoever writes it, for ever
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // its whole room at once: a block that grows leaves its last state behind. Some file systems tell no size
    let room = usize::try_from(metadata.len()).unwrap_or(usize::MAX).clamp(TOKEN, most);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(room as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > room {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn trimmed(bytes: &[u8]) -> io::Result<Zeroizing<String>> {
    let text = std::str::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?.trim();
    if text.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn refused(what: &str, path: &Path, scheme: &'static str, error: &io::Error, large: &str) -> SourceError {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "it is not there; check the path, and that its volume is mounted",
        io::ErrorKind::PermissionDenied => "this process may not read it",
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => "it is no file",
        io::ErrorKind::FileTooLarge => large,
        io::ErrorKind::InvalidData => "it is no text",
        io::ErrorKind::UnexpectedEof => "it is empty; who writes it has not yet done so",
        _ => "it cannot be read; look at the mount",
    };
    let hint = format!("{what} `{}`: {why}", path.display());
    SourceError::new(ErrorKind::Misconfigured, scheme).hint_naming(hint)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_may_be_as_large_as_a_systems_own_and_a_token_may_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (size, token, bundle) in
            [(TOKEN, true, true), (TOKEN + 1, false, true), (BUNDLE, false, true), (BUNDLE + 1, false, false)]
        {
            std::fs::write(&path, vec![b'a'; size]).unwrap();
            let text = text(&path, "the token", "test");
            assert_eq!(text.as_ref().ok().map(|text| text.len()), token.then_some(size));
            let bytes = bytes(&path, "the bundle", "test");
            assert_eq!(bytes.as_ref().ok().map(|bytes| bytes.len()), bundle.then_some(size));
            for (error, told) in [(text.err(), "larger than 64 KiB"), (bytes.err(), "larger than 4 MiB")] {
                assert!(error.is_none_or(|e| e.to_string().contains(told)));
            }
        }
    }
}
