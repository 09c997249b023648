//! Installs the servers that are not there yet, so that no test waits for it.

#![allow(clippy::print_stderr, reason = "whoever starts it reads what it says")]

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(unix)]
    if let Err(e) = secretfig_test_servers::install_all() {
        eprintln!("{e}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
