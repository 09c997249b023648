//! The commands, inside an application's own binary and as the program `secretfig` (feature `cli`).
//!
//! | command | does |
//! | --- | --- |
//! | `local init`, `set`, `remove`, `list`, `recipient`, `rekey` | keep an encrypted store, in place of `.env` |
//! | `check` | loads the configuration as the application would, and tells every fault |
//! | `explain` | tells where each key came from, and what it beat |
//! | `grants` | writes the policies under which the configuration can be read |
//! | `template` | writes a `config.toml` with every key of the application's type |
//! | `exec` | runs a program with the secrets of the configuration |
//! | `completions` | writes the completions of a shell |
//!
//! The user's page is `core/docs/cli.md`. No command prints the value of a secret, and none takes one as an argument.
//!
//! # In an application
//!
//! A binary of its own, which knows the application's type and so checks every key against it:
//!
//! ```no_run
//! # #[derive(serde::Deserialize)] struct AppConfig {}
//! #[tokio::main]
//! async fn main() -> std::process::ExitCode {
//!     secretfig::cli::run::<AppConfig>().await
//! }
//! ```
//!
//! Or commands of the application's own program, with its own builder:
//!
//! ```
//! use clap::Parser;
//! use secretfig::{Config, cli};
//! use std::process::ExitCode;
//! # #[derive(serde::Deserialize)] struct AppConfig { port: u16 }
//!
//! #[derive(Parser)]
//! enum Program {
//!     Serve,
//!     /// The configuration and its secrets
//!     #[command(subcommand)]
//!     Secrets(cli::Commands),
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let builder = Config::<AppConfig>::standard();
//! # let builder = builder.env([("APP_PORT", "80")]);
//! let code = match Program::parse_from(["myapp", "secrets", "check"]) {
//!     Program::Serve => ExitCode::SUCCESS, // …
//!     Program::Secrets(commands) => cli::run_with(commands, builder).await,
//! };
//! assert_eq!(code, ExitCode::SUCCESS);
//! # });
//! ```
//!
//! # Exit codes
//!
//! | code | means |
//! | --- | --- |
//! | 0 | fine |
//! | 1 | refused: the configuration, the store, or the system |
//! | 2 | the command was not understood, or cannot be done by this program |
//! | 126, 127 | `exec`: the program cannot be run, or is not there |
//! | 130 | a prompt was left by Ctrl-C |
//!
//! `exec` becomes the program it runs, so that all other codes are that program's.

mod check;
mod exec;
mod explain;
mod grants;
mod local;
mod log;
mod prompt;
mod say;
mod template;
mod untyped;

pub use untyped::Untyped;

use crate::builder::Builder;
use crate::config::Config;
use clap::error::ErrorKind::{
    ArgumentConflict, DisplayHelpOnMissingArgumentOrSubcommand, MissingRequiredArgument, MissingSubcommand,
};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use say::Failure;
use serde::de::DeserializeOwned;
use std::any::TypeId;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// The commands, for an application that has a command line of its own: a `clap::Subcommand`.
///
/// An application flattens them among its own (`#[command(flatten)]`) or puts them below one (`#[command(subcommand)]`),
/// and hands what was parsed to [`run_with`]. What was parsed keeps no value that was put among the arguments by mistake;
/// clap's own messages, which the application prints, may quote one (`--passphrase=…`), and those of [`run`] do not.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Commands {
    /// Keep an age-encrypted store of secrets, in place of `.env`
    ///
    /// The application reads it with SECRET_PROVIDER=local.
    Local(local::Local),
    /// Load the configuration as the application would, and tell every fault
    ///
    /// Every layer is read and every secret fetched, as at the application's start, and all that is wrong is told in
    /// one report. Nothing is changed, and no value is printed.
    Check(check::Check),
    /// Tell where each key came from, and what it beat; never a secret's value
    ///
    /// For every key: its layer, and the source, secret and revision behind it. No secret's value is printed, whatever
    /// is asked for.
    Explain(explain::Explain),
    /// Write the least privilege that the configuration needs, in each manager's own language
    ///
    /// Policies for exactly the secrets that the layers name, and nothing else. No source is asked for anything.
    Grants(grants::Grants),
    /// Write a commented `config.toml` with every key of the application's type
    ///
    /// Every key stands as a comment, with its kind and an example that the type accepts. What is secret stands as an
    /// entry of `[secrets]`.
    Template(template::Template),
    /// Run a program with the secrets of the configuration
    ///
    /// Loads the configuration and becomes CMD, which is given the secrets in memory: nothing is written to a disk.
    Exec(exec::Exec),
}

/// The whole command line of [`run`].
#[derive(Debug, Parser)]
#[command(
    name = "secretfig",
    version,
    about = "Layered configuration in which secret managers are layers",
    after_help = "\
Exit codes: 0 fine; 1 refused by the configuration, the store or the system;
2 not understood.
No command prints the value of a secret, and none takes one as an argument.",
    max_term_width = 100
)]
struct Program {
    /// Tell every access to a secret on stderr: who, which, which revision, never a value
    #[arg(short, long, global = true)]
    verbose: bool,
    #[command(subcommand)]
    command: ProgramCommand,
}

#[derive(Debug, Subcommand)]
enum ProgramCommand {
    #[command(flatten)]
    Commands(Commands),
    /// Write the completions of a shell to stdout
    #[command(after_help = "\
Examples:
  secretfig completions bash > ~/.local/share/bash-completion/completions/secretfig
  secretfig completions zsh > ~/.zfunc/_secretfig")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Parses the arguments of this process, and runs the command over the standard layers of `T`
/// ([`Config::standard`]). Works on a current-thread runtime and on a multi-thread one.
pub async fn run<T: DeserializeOwned + Send + Sync + 'static>() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let name = args.first().map(Path::new).and_then(Path::file_name);
    let name = name.map_or_else(|| "secretfig".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut command = named(Program::command(), &name);
    let parsed = command.try_get_matches_from_mut(&args);
    let program = match parsed.and_then(|matches| Program::from_arg_matches(&matches)) {
        Ok(program) => program,
        Err(e) => {
            // most of what clap would say quotes the arguments
            let quotes = e.use_stderr()
                && !matches!(
                    e.kind(),
                    MissingRequiredArgument
                        | ArgumentConflict
                        | MissingSubcommand
                        | DisplayHelpOnMissingArgumentOrSubcommand
                );
            return match local::quietly(&args).filter(|_| quotes) {
                Some(said) => say::end(Err(Failure::Usage(said.to_owned()))),
                None => refused(&e),
            };
        }
    };
    if program.verbose {
        log::audit_to_stderr();
    }
    match program.command {
        ProgramCommand::Commands(commands) => run_with(commands, Config::<T>::standard()).await,
        ProgramCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, name, &mut script);
            say::end(say::out(&String::from_utf8_lossy(&script)))
        }
    }
}

/// Runs a command over the layers of a builder, which may be an application's own.
///
/// `local …` looks at the builder's environment and, where it is a standard one, at `[source.local]` in its files.
pub async fn run_with<T: DeserializeOwned + Send + Sync + 'static>(
    commands: Commands,
    builder: Builder<T>,
) -> ExitCode {
    let ended = match commands {
        Commands::Local(command) => local::run(command, builder).await,
        Commands::Check(command) => check::run(command, builder).await,
        Commands::Explain(command) => explain::run(command, builder).await,
        Commands::Grants(command) => grants::run(&command, builder),
        Commands::Template(command) => template::run::<T>(&command),
        Commands::Exec(command) => exec::run(command, builder).await,
    };
    say::end(ended)
}

/// Prints clap's own words: help, the version, or what was not understood.
fn refused(e: &clap::Error) -> ExitCode {
    // there is nobody to tell if even this cannot be printed
    let _ = e.print();
    ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2))
}

/// Whether this is the program that knows no type.
fn is_untyped<T: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<Untyped>()
}

/// The examples in `--help` call the program by the name it was called by.
fn named(command: clap::Command, name: &str) -> clap::Command {
    let below: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let examples = command.get_after_help().map(ToString::to_string);
    let command = match examples {
        Some(examples) => command.after_help(examples.replace("secretfig ", &format!("{name} "))),
        None => command,
    };
    below.iter().fold(command, |command, sub| command.mut_subcommand(sub, |sub| named(sub, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Program::command().debug_assert();
    }

    /// An application may print what it parsed.
    #[test]
    fn what_was_parsed_shows_no_value_that_was_among_the_arguments() {
        for args in [
            &["local", "set", "a", "hunter2pw"][..],
            &["local", "set", "a=hunter2pw"],
            &["local", "set", "a", "--", "hunter2pw"],
            &["local", "rekey", "--add", "hunter2pw", "--remove", "hunter2pw"],
            &["local", "init", "--recipient", "hunter2pw"],
            &["local", "init", "--passphrase", "hunter2pw"],
            &["local", "rekey", "hunter2pw"],
        ] {
            let program = Program::try_parse_from(["secretfig"].iter().chain(args)).unwrap();
            assert!(!format!("{program:?}{program:#?}").contains("hunter2"), "{args:?}");
        }
    }

    #[test]
    fn every_command_has_a_help_with_an_example() {
        fn look(command: &clap::Command, into: &mut Vec<String>) {
            let leaf = command.get_subcommands().next().is_none();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if leaf && !help.contains("  secretfig ") || command.get_about().is_none() {
                into.push(command.get_name().to_owned());
            }
            command.get_subcommands().for_each(|sub| look(sub, into));
        }
        let mut without = Vec::new();
        look(&Program::command(), &mut without);
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn examples_call_the_program_by_its_own_name() {
        let command = named(Program::command(), "myapp-secrets");
        let check = command.find_subcommand("check").unwrap().get_after_help().unwrap().to_string();
        assert!(check.contains("  myapp-secrets check") && !check.contains("  secretfig "), "{check}");
    }
}
