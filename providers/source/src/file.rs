//! Small files that sign in (feature `options`): a token of an agent's sink, a projected service account token. Read anew each
//! time, within bounds, into memory that is wiped.

use crate::{ErrorKind, SourceError};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// No token is longer.
const MOST: usize = 64 << 10;

/// The whole of a file of at most 64 KiB. It blocks: where a runtime is, hand it to a thread for what blocks. `what` it is
/// begins the sentence of an error, which is of the source of that scheme.
///
/// # Errors
/// `Misconfigured`, with the path and the reason: not there, not readable, no file, too large.
pub fn bytes(path: &Path, what: &str, scheme: &'static str) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    within_bounds(path).map_err(|e| refused(what, path, scheme, &e))
}

/// Its text, without the blanks around it: an agent, or an editor, ends it with a newline.
///
/// # Errors
/// As [`bytes()`], and where it is no text, or empty.
pub fn text(path: &Path, what: &str, scheme: &'static str) -> Result<Zeroizing<String>, SourceError> {
    within_bounds(path).and_then(|bytes| trimmed(&bytes)).map_err(|e| refused(what, path, scheme, &e))
}

fn within_bounds(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    // before it is opened: to open a pipe waits for whoever writes it, for ever
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // its whole room at once: a block that grows leaves its last state behind
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 1));
    file.take(MOST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MOST {
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

fn refused(what: &str, path: &Path, scheme: &'static str, error: &io::Error) -> SourceError {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "it is not there; check the path, and that its volume is mounted",
        io::ErrorKind::PermissionDenied => "this process may not read it",
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => "it is no file",
        io::ErrorKind::FileTooLarge => "it is larger than 64 KiB",
        io::ErrorKind::InvalidData => "it is no text",
        io::ErrorKind::UnexpectedEof => "it is empty; who writes it has not yet done so",
        _ => "it cannot be read; look at the mount",
    };
    let hint = format!("{what} `{}`: {why}", path.display());
    SourceError::new(ErrorKind::Misconfigured, scheme).hint_naming(hint)
}
