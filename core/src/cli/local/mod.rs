//! `local …`: keeps an age-encrypted store of secrets.
//!
//! * `init`: an identity, where there is none, and a store.
//! * `values`: `set`, `remove`, `list`.
//! * `readers`: `recipient`, `rekey`.
//!
//! All of it blocks, on the disk, on scrypt and on a person: so it runs on a blocking thread of the runtime.

mod init;
mod readers;
mod values;

use super::prompt;
use super::say::{self, Ended, Failure};
use crate::builder::Builder;
use crate::freeze;
use crate::layers::Profile;
use crate::plan::Draft;
use crate::report::{Fault, FaultKind, LoadError, Report};
use clap::builder::{OsStringValueParser, TypedValueParser};
use secretfig_local::Settings;
use secretfig_local::edit::{self, NoRecipient, Readers, Recipient, Store};
use secretfig_source::{ErrorKind, SourceError};
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;

/// The arguments of `local`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The store is `secrets.age`, unless --file, SECRETFIG_AGE_FILE or
`[source.local]` in config.toml says another. It is opened by your own key,
which `init` makes: ~/.config/secretfig/identity.txt, unless
SECRETFIG_AGE_IDENTITY_FILE says another. age and rage read both.

Examples:
  secretfig local init
  secretfig local set database/password")]
pub struct Local {
    /// The store
    #[arg(long, global = true, value_name = "PATH")]
    file: Option<PathBuf>,
    #[command(subcommand)]
    command: LocalCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LocalCommand {
    /// Make a store, and a key of your own if you have none
    ///
    /// Makes an empty store that you can read. Nothing is overwritten.
    Init(init::Init),
    /// Give a secret a value, from a prompt or from standard input
    ///
    /// On a terminal it is asked for twice, and not shown; else it is what standard input holds, without one newline at
    /// its end. There is no argument for it: arguments stay in the shell's history, and `ps` shows them to everyone.
    Set(values::Set),
    /// Remove a secret
    ///
    /// Of a name that others begin with (`database`, where there is `database/password`), all of them.
    Remove(values::Remove),
    /// List the names of the secrets, one a line; never values
    List(values::List),
    /// Print your public key, to send to whoever keeps a store that you are to read
    ///
    /// It is no secret.
    Recipient(readers::Recipient),
    /// Encrypt the store anew, and change who may read it
    ///
    /// Tells who may read it from now on. A passphrase is asked for, or read from standard input.
    Rekey(readers::Rekey),
}

/// What is said of a value among the arguments; never the value.
const NO_VALUE: &str = "`local set` takes a NAME and no value: an argument stays in the history of your shell, and every \
     process on this machine can see it (`ps`). Type it at the prompt, or pipe it: `secretfig local set NAME < file`. \
     What you typed just now counts as seen: take another value if it was a real one";

/// The same of a passphrase.
const NO_PASSPHRASE: &str = "a passphrase is no argument: it would stay in the history of your shell, and every process \
     on this machine could see it (`ps`). Type it at the prompt, or pipe it. What you typed just now counts as seen: \
     take another one if it was real";

/// The same of whatever else was not understood.
const NOT_REPEATED: &str = "`local` does not take these arguments: see `secretfig local --help`. They are not repeated \
     here: if a value, a passphrase or a secret key was among them, it counts as seen now";

/// What to say of arguments that were not understood and of which nothing must be repeated.
pub(super) fn quietly(args: &[OsString]) -> Option<&'static str> {
    let local = args.iter().position(|arg| arg == "local")?;
    let mut commands = args.iter().skip(local + 1);
    let of_command = commands.find_map(|arg| match arg.to_str()? {
        "set" => Some(NO_VALUE),
        "init" | "rekey" => Some(NO_PASSPHRASE),
        "remove" | "list" | "recipient" => Some(NOT_REPEATED),
        _ => None,
    });
    of_command.or(Some(NOT_REPEATED))
}

/// An argument that may be a value, and is not kept.
#[derive(Clone, Debug)]
struct Unwanted;

impl Unwanted {
    fn parser() -> impl TypedValueParser<Value = Self> {
        OsStringValueParser::new().map(|_| Self)
    }
}

pub(super) async fn run<T: DeserializeOwned + Send + Sync + 'static>(
    command: Local,
    builder: Builder<T>,
) -> Ended {
    let Local { file, command } = command;
    if let LocalCommand::Set(set) = &command {
        set.name()?;
    }
    let mut draft = Draft::new(Default::default());
    let told = freeze::told(builder, &mut draft);
    refuse(draft, &told.profile)?;
    let table = told.settings.sources.get("local").cloned().unwrap_or_default();
    let settings = crate::settings::store(&table, &told.variables, told.strict);
    let settings = settings.map_err(|(kind, hint)| Failure::Refused(format!("{kind}: {hint}")))?;
    let mut here = Here { settings: file.into_iter().fold(settings, Settings::file) };
    let running = tokio::task::spawn_blocking(move || match command {
        LocalCommand::Init(command) => command.run(&mut here),
        LocalCommand::Set(command) => command.run(&mut here),
        LocalCommand::Remove(command) => command.run(&mut here),
        LocalCommand::List(command) => command.run(&mut here),
        LocalCommand::Recipient(command) => command.run(&mut here),
        LocalCommand::Rekey(command) => command.run(&mut here),
    });
    match running.await {
        Ok(ended) => ended,
        Err(e) => match e.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Failure::Refused("the runtime ended before the command did".to_owned())),
        },
    }
}

/// Which of the faults hide where the store is. What an application would refuse besides is no matter here.
fn refuse(draft: Draft, profile: &Profile) -> Ended {
    let of_source = |fault: &Fault| fault.key().iter().next() == Some("source");
    let unread = |fault: &Fault| {
        matches!(fault.kind(), FaultKind::Syntax { .. } | FaultKind::Unreadable(_) | FaultKind::Provider(_))
            || (fault.key().is_root() && *fault.kind() == FaultKind::NotUtf8)
    };
    let faults: Vec<Fault> =
        draft.faults.into_iter().filter(|fault| of_source(fault) || unread(fault)).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(LoadError::new(Report { profile: profile.to_string(), faults, remarks: Vec::new() }).into())
}

/// Where a command works.
struct Here {
    settings: Settings,
}

impl Here {
    /// Opens the store to change it.
    fn open(&mut self) -> Result<Store, Failure> {
        self.with_passphrase(|settings| Store::open_telling(settings, &waiting))
    }

    /// The names in the store, which is only read.
    fn names(&mut self) -> Result<Vec<String>, Failure> {
        self.with_passphrase(edit::names)
    }

    /// Our own public keys.
    fn recipients(&mut self) -> Result<Vec<Recipient>, Failure> {
        self.with_passphrase(edit::recipients_of)
    }

    /// Does what may want a passphrase. One that nothing gives is asked for, once, where there is something that it
    /// opens.
    fn with_passphrase<R>(
        &mut self,
        work: impl Fn(&Settings) -> Result<R, SourceError>,
    ) -> Result<R, Failure> {
        match work(&self.settings) {
            Err(e) if self.wants_passphrase(&e) => {
                let passphrase = prompt::once("Passphrase of the store or of your key: ");
                // without a terminal, what was wrong at first is what is to be told
                let passphrase = passphrase.map_err(|failure| match failure {
                    Failure::Interrupted => Failure::Interrupted,
                    _ => e.into(),
                })?;
                self.settings = self.settings.clone().passphrase(passphrase);
                Ok(work(&self.settings)?)
            }
            done => Ok(done?),
        }
    }

    fn wants_passphrase(&self, e: &SourceError) -> bool {
        e.kind() == ErrorKind::Unauthenticated
            && !self.settings.names_passphrase()
            && (edit::has_passphrase(&self.settings) || edit::identity_is_locked(&self.settings))
    }

    fn store(&self) -> String {
        self.settings.store().display().to_string()
    }
}

/// Says why nothing happens.
fn waiting() {
    say::err("another command changes a store in this folder; waiting");
}

/// Says who may read the store from now on.
fn tell_readers(readers: &Readers) {
    match readers {
        Readers::Recipients(all) => {
            let keys = if all.len() == 1 { "this key" } else { "any of these keys" };
            say::err(&format!("It can be read with {keys}:"));
            all.iter().for_each(|recipient| say::err(&format!("  {recipient}")));
        }
        Readers::Passphrase(_) => say::err("It can be read by whoever knows its passphrase."),
    }
}

/// A public key among the arguments. What is none is not kept: it may be the secret one.
#[derive(Clone, Debug)]
struct Key(Option<Recipient>);

impl Key {
    fn parse(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse().ok()))
    }

    fn all(keys: Vec<Self>) -> Result<Vec<Recipient>, Failure> {
        keys.into_iter().map(|key| key.0).collect::<Option<_>>().ok_or_else(|| {
            Failure::Usage(format!(
                "{NoRecipient}. It is not repeated here: if it was a secret key, it counts as seen now"
            ))
        })
    }
}
