//! Where a value comes from: a prompt without echo, or standard input. Never an argument.

use super::say::Failure;
use secrecy::{ExposeSecret, SecretString};
use std::io::{self, ErrorKind, IsTerminal, Read};
use zeroize::Zeroizing;

/// The most that is read from standard input: more than a store holds at all, unless it is told to.
const MOST: usize = 64 << 20;
/// Read at once: what fits is never copied by a growing buffer.
const USUAL: usize = 1 << 20;

/// A value: from a prompt on a terminal, else from standard input.
pub(super) fn value(what: &str, keep_newline: bool) -> Result<SecretString, Failure> {
    match io::stdin().is_terminal() {
        true => twice(what),
        false => from_stdin(keep_newline),
    }
}

/// Asks twice, without echo.
fn twice(what: &str) -> Result<SecretString, Failure> {
    let first = once(&format!("{what}: "))?;
    let second = once("Once more: ")?;
    match first.expose_secret() == second.expose_secret() {
        true if first.expose_secret().is_empty() => {
            Err(Failure::Refused("nothing was typed; nothing was changed".to_owned()))
        }
        true => Ok(first),
        false => Err(Failure::Refused("the two are not the same; nothing was changed".to_owned())),
    }
}

/// Asks once, without echo.
pub(super) fn once(prompt: &str) -> Result<SecretString, Failure> {
    let quiet = Uninterrupted::begin();
    let typed = rpassword::prompt_password(prompt);
    drop(quiet);
    match typed {
        Ok(typed) => Ok(sealed(&Zeroizing::new(typed))),
        Err(e) => Err(match e.kind() {
            ErrorKind::Interrupted => Failure::Interrupted,
            ErrorKind::UnexpectedEof => Failure::Refused("nothing was typed; nothing was changed".to_owned()),
            _ => Failure::Refused("there is no terminal to ask on".to_owned()),
        }),
    }
}

/// While it lives, Ctrl-C ends the prompt and not the process: the terminal gets its echo back first.
struct Uninterrupted;

/// Whether SIGINT ends the process, as it does where nothing is said.
#[cfg(unix)]
static ENDS: std::sync::OnceLock<Option<std::sync::Arc<std::sync::atomic::AtomicBool>>> =
    std::sync::OnceLock::new();

impl Uninterrupted {
    fn begin() -> Self {
        Self::ends(false);
        Self
    }

    #[cfg(unix)]
    fn ends(yes: bool) {
        let ends = ENDS.get_or_init(|| {
            let ends = std::sync::Arc::default();
            let sigint = signal_hook::consts::SIGINT;
            signal_hook::flag::register_conditional_default(sigint, std::sync::Arc::clone(&ends)).ok()?;
            Some(ends)
        });
        if let Some(ends) = ends {
            ends.store(yes, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[cfg(not(unix))]
    fn ends(_: bool) {}
}

impl Drop for Uninterrupted {
    fn drop(&mut self) {
        Self::ends(true);
    }
}

fn from_stdin(keep_newline: bool) -> Result<SecretString, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(USUAL));
    read(&mut bytes).map_err(|e| Failure::Refused(format!("standard input cannot be read: {}", e.kind())))?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(Failure::Refused(
            "standard input is no text (UTF-8): encode it, as by base64".to_owned(),
        ));
    };
    let text = match text.strip_suffix('\n') {
        Some(text) if !keep_newline => text.strip_suffix('\r').unwrap_or(text),
        _ => text,
    };
    if text.is_empty() {
        return Err(Failure::Refused("standard input is empty; nothing was changed".to_owned()));
    }
    if bytes.len() > MOST {
        return Err(Failure::Refused(format!("standard input is larger than {MOST} bytes")));
    }
    Ok(sealed(text))
}

/// Reads past the buffer of `std::io::Stdin`, which is never wiped.
fn read(into: &mut Zeroizing<Vec<u8>>) -> io::Result<()> {
    #[cfg(unix)]
    let stdin = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned()?;
    #[cfg(windows)]
    let stdin = std::os::windows::io::AsHandle::as_handle(&io::stdin()).try_clone_to_owned()?;
    #[cfg(any(unix, windows))]
    let mut stdin = std::fs::File::from(stdin);
    #[cfg(not(any(unix, windows)))]
    let mut stdin = io::stdin();
    loop {
        if into.len() == into.capacity() {
            // grown by hand: what a vector leaves behind as it grows is not wiped
            let mut larger = Zeroizing::new(Vec::with_capacity(into.capacity() * 2));
            larger.extend_from_slice(into);
            *into = larger;
        }
        let (from, room) = (into.len(), into.capacity());
        into.resize(room, 0);
        let got = stdin.read(into.get_mut(from..).unwrap_or_default());
        into.truncate(from + got.as_ref().map_or(0, |got| *got));
        match got {
            Ok(0) => return Ok(()),
            Ok(_) if into.len() > MOST => return Ok(()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// At exact size, so that nothing is left behind by a shrinking buffer.
pub(super) fn sealed(text: &str) -> SecretString {
    SecretString::new(text.into())
}
