//! What a command says, and how it ends.

use crate::report::LoadError;
use crate::tree::Clean;
use secretfig_source::SourceError;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// How a command ended, where not well. No variant has room for a value.
#[derive(Debug)]
pub(super) enum Failure {
    /// Refused, for this reason.
    Refused(String),
    /// Refused, and told already.
    Told,
    /// The command cannot be done so; what to do instead.
    Usage(String),
    /// Ctrl-C at a prompt.
    Interrupted,
    /// `exec`: the program did not start.
    NotRun(u8, String),
}

pub(super) type Ended = Result<(), Failure>;

impl From<LoadError> for Failure {
    fn from(e: LoadError) -> Self {
        // its own lines, each of them safe for a terminal already
        err(&e.to_string());
        Failure::Told
    }
}

impl From<SourceError> for Failure {
    fn from(e: SourceError) -> Self {
        Failure::Refused(e.to_string())
    }
}

/// Tells how it ended, on stderr and by the exit code.
pub(super) fn end(ended: Ended) -> ExitCode {
    let (code, said) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Told) => (1, None),
        Err(Failure::Refused(said)) => (1, Some(said)),
        Err(Failure::Usage(said)) => (2, Some(said)),
        Err(Failure::Interrupted) => (130, None),
        Err(Failure::NotRun(code, said)) => (code, Some(said)),
    };
    if let Some(said) = said {
        err(&format!("error: {}", Clean(&said)));
    }
    ExitCode::from(code)
}

/// Writes to stdout. Whoever stops reading (`| head`) has read enough.
pub(super) fn out(text: &str) -> Ended {
    let mut stdout = std::io::stdout().lock();
    let mut write = || -> std::io::Result<()> {
        stdout.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            stdout.write_all(b"\n")?;
        }
        stdout.flush()
    };
    match write() {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Refused(format!("stdout cannot be written: {}", e.kind())))
        }
        _ => Ok(()),
    }
}

/// Writes a line to stderr. There is nowhere to tell that it failed.
pub(super) fn err(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// What a person should know besides.
pub(super) fn note(remark: &str) {
    err(&format!("note: {}", Clean(remark)));
}
