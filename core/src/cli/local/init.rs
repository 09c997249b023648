//! `local init`: an identity, where there is none, and a store.

use super::{Here, Key, NO_PASSPHRASE, Unwanted, tell_readers, waiting};
use crate::cli::prompt;
use crate::cli::say::{self, Ended, Failure};
use secrecy::{ExposeSecret, SecretString};
use secretfig_local::edit::{self, Layout, Readers, Recipient, Store};
use std::path::{Path, PathBuf};

/// The arguments of `local init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Who may read the store is listed beside it (`secrets.age.recipients`), one
public key a line. Both files may be committed to git. Your own key may not; it
is in your home, readable by you alone. Keep a copy of it in a safe place:
without it nobody opens the store.

Examples:
  secretfig local init
  secretfig local init --file deploy/secrets.age --recipient age1…
  secretfig local init --passphrase")]
pub(super) struct Init {
    /// Let the holder of this key read it too; may be given again
    #[arg(long = "recipient", value_name = "age1…", value_parser = Key::parse)]
    recipients: Vec<Key>,
    /// Encrypt it with a passphrase in place of keys: asked for, or SECRETFIG_AGE_PASSPHRASE
    #[arg(long, conflicts_with = "recipients")]
    passphrase: bool,
    /// Keep it as JSON inside, in place of TOML
    #[arg(long)]
    json_layout: bool,
    /// What must not be there
    #[arg(hide = true, num_args = 0.., allow_hyphen_values = true, value_parser = Unwanted::parser())]
    rest: Vec<Unwanted>,
}

impl Init {
    pub(super) fn run(self, here: &mut Here) -> Ended {
        if !self.rest.is_empty() {
            return Err(Failure::Usage(NO_PASSPHRASE.to_owned()));
        }
        let layout = if self.json_layout { Layout::Json } else { Layout::Toml };
        // before a key is made that nothing would need
        if here.settings.store().symlink_metadata().is_ok() {
            return match missing_identity(here) {
                Some(path) if self.recipients.is_empty() && !self.passphrase && !self.json_layout => {
                    join(here, &path)
                }
                _ => Err(Failure::Refused(format!(
                    "`{}` is there already, and nothing is overwritten: `secretfig local rekey` changes who may read it",
                    here.store()
                ))),
            };
        }
        folder_is_there(here)?;
        let recipients = Key::all(self.recipients)?;
        let readers = if self.passphrase {
            let passphrase = passphrase(here)?;
            here.settings = here.settings.clone().passphrase(passphrase.clone());
            Readers::Passphrase(passphrase)
        } else {
            let mut all = own(here)?;
            for other in recipients {
                if !all.contains(&other) {
                    all.push(other);
                }
            }
            Readers::Recipients(all)
        };
        Store::create_telling(&here.settings, &readers, layout, &waiting)?;
        say::err(&format!("Made the store `{}`.", here.store()));
        tell_readers(&readers);
        say::note(
            "put a secret in with `secretfig local set NAME`, and let the application read it: SECRET_PROVIDER=local",
        );
        Ok(())
    }
}

/// Where our key would lie, if it is not there.
fn missing_identity(here: &Here) -> Option<PathBuf> {
    let path = here.settings.identity_path()?;
    matches!(path.try_exists(), Ok(false)).then(|| path.to_owned())
}

/// A store is there, and we have no key: makes one, and says how it gets in.
fn join(here: &Here, path: &Path) -> Ended {
    let recipient = made(path)?;
    let store = here.store();
    if edit::has_passphrase(&here.settings) {
        say::err(&format!("The store `{store}` is left as it is: its passphrase opens it. Your public key:"));
        say::err(&format!("  {recipient}"));
        say::err("To encrypt it to your key in place of the passphrase:");
    } else {
        say::err(&format!(
            "The store `{store}` is left as it is: your key does not open it yet. Your public key:"
        ));
        say::err(&format!("  {recipient}"));
        say::err("Send it to one who reads the store, and ask them to run, and to commit what it changes:");
    }
    say::err(&format!("  secretfig local rekey --add {recipient}"));
    Ok(())
}

/// Our public keys; a new one where there is none.
fn own(here: &mut Here) -> Result<Vec<Recipient>, Failure> {
    match missing_identity(here) {
        Some(path) => Ok(vec![made(&path)?]),
        None if here.settings.identity_path().is_none() && !here.settings.names_identity() => {
            Err(Failure::Refused(
                "nothing says where your key lies: set HOME, XDG_CONFIG_HOME (on Windows, APPDATA) or \
                 SECRETFIG_AGE_IDENTITY_FILE, to an absolute path"
                    .to_owned(),
            ))
        }
        None => here.recipients(),
    }
}

fn made(path: &Path) -> Result<Recipient, Failure> {
    let recipient = edit::create_identity(path)?;
    say::err(&format!("Made a key of your own: `{}`.", path.display()));
    say::note("keep a copy of it in a safe place, and never in git: without it nobody opens the store");
    Ok(recipient)
}

/// Refuses before a key is made or a passphrase is asked for.
fn folder_is_there(here: &Here) -> Ended {
    let store = std::path::absolute(here.settings.store()).ok();
    match store.as_deref().and_then(Path::parent) {
        Some(folder) if !folder.is_dir() => Err(Failure::Refused(format!(
            "the folder of the store, `{}`, is not there: make it, or name another store by --file",
            folder.display()
        ))),
        _ => Ok(()),
    }
}

/// The passphrase of a new store: what will open it is already said, or it is asked for.
fn passphrase(here: &Here) -> Result<SecretString, Failure> {
    match edit::passphrase_of(&here.settings)? {
        Some(passphrase) => strong(passphrase),
        None => new_passphrase("Passphrase of the store"),
    }
}

/// A passphrase, from a prompt or from standard input.
pub(super) fn new_passphrase(what: &str) -> Result<SecretString, Failure> {
    strong(prompt::value(what, false)?)
}

/// A store may be copied and guessed at without end: a short passphrase protects nothing.
fn strong(passphrase: SecretString) -> Result<SecretString, Failure> {
    const LEAST: usize = 12;
    match passphrase.expose_secret().chars().count() < LEAST {
        true => Err(Failure::Refused(format!(
            "a passphrase has {LEAST} characters at least; nothing was changed"
        ))),
        false => Ok(passphrase),
    }
}
