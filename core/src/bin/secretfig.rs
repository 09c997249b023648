//! The stand-alone program: the commands of [`secretfig::cli`], for a configuration whose type it does not know.

use secretfig::cli::{self, Untyped};
use std::process::ExitCode;

fn main() -> std::io::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(cli::run::<Untyped>()))
}
