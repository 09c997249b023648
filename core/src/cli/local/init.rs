//! `local init`: an identity, where there is none, and a store.

use super::{Here, Key, NO_PASSPHRASE, Unwanted, tell_readers};
use crate::cli::prompt;
use crate::cli::say::{self, Ended, Failure};
use secrecy::{ExposeSecret, SecretString};
use secretfig_local::edit::{self, Layout, Readers, Recipient, Store};

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
    pub(super) fn run(self, mut here: Here) -> Ended {
        if !self.rest.is_empty() {
            return Err(Failure::Usage(NO_PASSPHRASE.to_owned()));
        }
        let layout = if self.json_layout { Layout::Json } else { Layout::Toml };
        // before a key is made that nothing would need
        if here.settings.store().symlink_metadata().is_ok() {
            return Err(Failure::Refused(format!(
                "`{}` is there already, and nothing is overwritten: `secretfig local rekey` changes who may read it",
                here.store()
            )));
        }
        let recipients = Key::all(self.recipients)?;
        let readers = if self.passphrase {
            let passphrase = passphrase(&here)?;
            here.settings = here.settings.passphrase(passphrase.clone());
            Readers::Passphrase(passphrase)
        } else {
            let mut all = own(&here)?;
            let others: Vec<Recipient> =
                recipients.into_iter().filter(|other| !all.contains(other)).collect();
            all.extend(others);
            Readers::Recipients(all)
        };
        Store::create(&here.settings, &readers, layout)?;
        say::err(&format!("Made the store `{}`.", here.store()));
        tell_readers(&readers);
        say::note(
            "put a secret in with `secretfig local set NAME`, and let the application read it: SECRET_PROVIDER=local",
        );
        Ok(())
    }
}

/// Our public keys; a new one where there is none.
fn own(here: &Here) -> Result<Vec<Recipient>, Failure> {
    let path = here.settings.identity_path();
    match path {
        Some(path) if !path.exists() => {
            let recipient = edit::create_identity(path)?;
            say::err(&format!("Made a key of your own: `{}`.", path.display()));
            say::note(
                "keep a copy of it in a safe place, and never in git: without it nobody opens the store",
            );
            Ok(vec![recipient])
        }
        _ => Ok(edit::recipients_of(&here.settings)?),
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
