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
    let quiet = Quiet::begin();
    let first = one_line(&format!("{what}: "), &quiet)?;
    let second = one_line("Once more: ", &quiet)?;
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
    one_line(prompt, &Quiet::begin())
}

/// Asks, without echo. The rest of a paste is neither an answer to the next question nor the shell's.
fn one_line(prompt: &str, quiet: &Quiet) -> Result<SecretString, Failure> {
    let typed = match rpassword::prompt_password(prompt) {
        Ok(typed) => sealed(&Zeroizing::new(typed)),
        Err(e) => {
            return Err(match e.kind() {
                ErrorKind::Interrupted => Failure::Interrupted,
                ErrorKind::UnexpectedEof => {
                    Failure::Refused("nothing was typed; nothing was changed".to_owned())
                }
                _ => Failure::Refused("there is no terminal to ask on".to_owned()),
            });
        }
    };
    if quiet.discard() {
        return Err(Failure::Refused(
            "more than one line was pasted; nothing was changed. A value of several lines is piped: \
             `set NAME < file`"
                .to_owned(),
        ));
    }
    Ok(typed)
}

#[cfg(unix)]
use terminal::Quiet;

/// Elsewhere the terminal is `rpassword`'s matter alone.
#[cfg(not(unix))]
struct Quiet;

#[cfg(not(unix))]
impl Quiet {
    fn begin() -> Self {
        Self
    }

    fn discard(&self) -> bool {
        false
    }
}

#[cfg(unix)]
mod terminal {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{
        LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr, tcsetattr,
    };
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::{Handle, Signals};
    use std::fs::File;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, OnceLock};
    use std::thread::JoinHandle;

    /// A paste goes on while its parts come at this distance, in nanoseconds. Nobody types as fast.
    const PAUSE: i64 = 50_000_000;
    /// So many parts are thrown away; what comes later is thrown away when the terminal gets its echo back.
    const PARTS: usize = 40;

    /// While it lives, the terminal does not echo, between two questions too, and no signal leaves it so: Ctrl-C
    /// ends the question and not the process, and what else ends the process gives the echo back first.
    pub(super) struct Quiet {
        /// None where there is no terminal, which the question will tell.
        terminal: Option<(File, Termios)>,
        watch: Option<(Handle, JoinHandle<()>)>,
    }

    impl Quiet {
        pub(super) fn begin() -> Self {
            ends(false);
            let terminal = quiet().ok();
            let watch = terminal.as_ref().and_then(|(file, usual)| watch(file, usual).ok());
            Self { terminal, watch }
        }

        /// Throws away what came unasked. Whether anything did.
        pub(super) fn discard(&self) -> bool {
            let Some((terminal, _)) = &self.terminal else { return false };
            let pause = Timespec { tv_sec: 0, tv_nsec: PAUSE };
            let more = || {
                let mut one = [PollFd::new(terminal, PollFlags::IN)];
                poll(&mut one, Some(&pause)).is_ok_and(|ready| ready > 0)
            };
            (0..PARTS).take_while(|_| more() && tcflush(terminal, QueueSelector::IFlush).is_ok()).count() > 0
        }
    }

    impl Drop for Quiet {
        fn drop(&mut self) {
            // in this order: from here on a signal ends the process as it always does
            if let Some((terminal, usual)) = &self.terminal {
                let _ = tcsetattr(terminal, OptionalActions::Flush, usual);
            }
            ends(true);
            if let Some((handle, thread)) = self.watch.take() {
                handle.close();
                let _ = thread.join();
            }
        }
    }

    /// Turns the echo off. With it, how the terminal was.
    fn quiet() -> std::io::Result<(File, Termios)> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let usual = tcgetattr(&terminal)?;
        let mut quiet = usual.clone();
        // not by lines, so that what came is seen before its line ends; and Ctrl-C is for the question to read
        let usual_modes = LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        quiet.local_modes.remove(usual_modes);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&terminal, OptionalActions::Now, &quiet)?;
        Ok((terminal, usual))
    }

    /// Gives the echo back at a signal that ends the process, and lets it end it.
    fn watch(terminal: &File, usual: &Termios) -> std::io::Result<(Handle, JoinHandle<()>)> {
        let (terminal, usual) = (terminal.try_clone()?, usual.clone());
        let mut signals = Signals::new([SIGHUP, SIGTERM])?;
        let handle = signals.handle();
        let watching = move || {
            if let Some(signal) = signals.forever().next() {
                let _ = tcsetattr(&terminal, OptionalActions::Flush, &usual);
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        };
        let thread = std::thread::Builder::new().name("secretfig prompt".to_owned()).spawn(watching)?;
        Ok((handle, thread))
    }

    /// Whether these signals end the process, as they do where nothing is said.
    fn ends(yes: bool) {
        static ENDS: OnceLock<Option<Arc<AtomicBool>>> = OnceLock::new();
        let ends = ENDS.get_or_init(|| {
            let ends = Arc::default();
            for signal in [SIGHUP, SIGINT, SIGTERM] {
                signal_hook::flag::register_conditional_default(signal, Arc::clone(&ends)).ok()?;
            }
            Some(ends)
        });
        if let Some(ends) = ends {
            ends.store(yes, Ordering::SeqCst);
        }
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
