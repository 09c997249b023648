//! `exec`: runs a program with the secrets of the configuration.
//!
//! * `plan`: which leaves, under which variables.
//! * `memory`: secrets as sealed files in memory, which the program inherits.

#[cfg(target_os = "linux")]
mod memory;
mod plan;

use super::say::{self, Ended, Failure};
use crate::builder::Builder;
use crate::env::Variables;
use plan::{As, Handed};
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::process::Command;

/// The arguments of `exec`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
How CMD is given a secret:

  --files  (the default, on Linux) As an open, sealed file in memory, whose path
           is in a variable: the secret of the key `database.password` is read
           from the file that APP_DATABASE__PASSWORD_FILE names, as often as one
           likes. The value is in no environment, in no argument, on no disk.
           The path holds for CMD and for each child that inherits open files.
           A program that closes them before it starts a child (Python's
           `subprocess`, sudo) takes them from it.
  --env    As the value of APP_DATABASE__PASSWORD, for programs that read no
           files. Every child inherits it, /proc/PID/environ shows it to the
           same user, and crash reports like to take it along.

Without --as every secret of the configuration is handed on, and no plain key.
With --as only the keys that are named, plain ones too, each under the name that
is given. With --files that name ends in _FILE, which is put there if need be.

CMD inherits the rest of the environment, except for the key and the passphrase
of the store.

Exit codes: CMD's own. Before CMD has started: 1 the configuration is refused;
2 the command was not understood; 126 CMD cannot be run; 127 CMD was not found.

Examples:
  secretfig exec -- ./server --port 8080
  secretfig exec --as POSTGRES_PASSWORD=database.password -- docker-entrypoint.sh postgres
  secretfig exec --env --as PGPASSWORD=database.password -- psql")]
pub struct Exec {
    /// Hand secrets on as values of variables
    #[arg(long)]
    env: bool,
    /// Hand secrets on as files in memory, whose paths are in variables (Linux; the default)
    #[arg(long, conflicts_with = "env")]
    files: bool,
    /// Hand on this key, under this name; may be given again
    #[arg(long = "as", value_name = "VAR=KEY", value_parser = As::parse)]
    picked: Vec<As>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) async fn run<T: DeserializeOwned + Send + Sync + 'static>(
    command: Exec,
    builder: Builder<T>,
) -> Ended {
    let files = !command.env;
    if files && !cfg!(target_os = "linux") {
        return Err(Failure::Usage(
            "files in memory are Linux's: use `--env`, and read in `--help` what that gives away".to_owned(),
        ));
    }
    let prefix = builder.variables.setting("SECRETFIG_ENV_PREFIX").unwrap_or_else(|| "APP_".to_owned());
    let config = builder.load().await?;
    config.remarks().iter().for_each(|remark| say::note(remark));
    let handed = plan::handed(&config, &command.picked, &prefix, files)?;
    drop(config);

    let mut arguments = command.command.into_iter();
    // clap has seen to it that there is one
    let program = arguments.next().unwrap_or_default();
    let mut run = Command::new(program);
    run.args(arguments);
    for name in plan::kept_back(&Variables::default(), &handed, &prefix) {
        run.env_remove(name);
    }
    start(run, handed, files)
}

/// Becomes the program. Comes back only if that fails.
#[cfg(unix)]
fn start(mut run: Command, handed: Vec<Handed>, files: bool) -> Ended {
    use std::os::unix::process::CommandExt;
    let open = give(handed, &mut run, files)?;
    let e = run.exec();
    drop(open);
    Err(not_run(&e))
}

/// Prepares what the program is given; the files are to be held open until it has started.
#[cfg(unix)]
fn give(handed: Vec<Handed>, run: &mut Command, files: bool) -> Result<Vec<std::os::fd::OwnedFd>, Failure> {
    if files {
        #[cfg(target_os = "linux")]
        return memory::hold(handed, run);
    }
    in_environment(handed, run)?;
    Ok(Vec::new())
}

/// Runs the program and ends as it ends.
#[cfg(not(unix))]
fn start(mut run: Command, handed: Vec<Handed>, _: bool) -> Ended {
    in_environment(handed, &mut run)?;
    match run.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(e) => Err(not_run(&e)),
    }
}

fn not_run(e: &std::io::Error) -> Failure {
    match e.kind() {
        std::io::ErrorKind::NotFound => Failure::NotRun(127, "the program was not found".to_owned()),
        kind => Failure::NotRun(126, format!("the program cannot be run: {kind}")),
    }
}

/// Hands the values on as they are.
fn in_environment(handed: Vec<Handed>, run: &mut Command) -> Ended {
    for Handed { name, key, value } in handed {
        if value.contains(&0) {
            return Err(Failure::Refused(format!(
                "`{key}` holds a zero byte, which no variable can: use `--files`"
            )));
        }
        #[cfg(unix)]
        let value: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&value);
        #[cfg(not(unix))]
        let value = std::str::from_utf8(&value)
            .map_err(|_| Failure::Refused(format!("`{key}` holds bytes that are no text")))?;
        run.env(name, value);
    }
    Ok(())
}
