//! `local recipient`, `rekey`: who may read a store.

use super::{Here, Key, NO_PASSPHRASE, Unwanted, init, tell_readers};
use crate::cli::say::{self, Ended, Failure};
use secretfig_local::edit::{self, Readers};

/// The arguments of `local recipient`: none.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  secretfig local recipient")]
pub(super) struct Recipient {}

impl Recipient {
    pub(super) fn run(self, here: &mut Here) -> Ended {
        let own = here.recipients()?;
        if own.is_empty() {
            return Err(Failure::Refused(
                "you have no key, only a passphrase: `secretfig local init` makes one, and leaves a store that is \
                 there as it is"
                    .to_owned(),
            ));
        }
        let lines: Vec<String> = own.iter().map(ToString::to_string).collect();
        say::out(&lines.join("\n"))
    }
}

/// The arguments of `local rekey`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Whoever is removed cannot read what is written from now on. What they could read
until now they may have kept, and git keeps it for them: rotate those values.

Examples:
  secretfig local rekey                      # to the keys in secrets.age.recipients
  secretfig local rekey --add age1…
  secretfig local rekey --remove age1…
  secretfig local rekey --only age1… --only age1…
  secretfig local rekey --passphrase")]
pub(super) struct Rekey {
    /// Let the holder of this key read it; may be given again
    #[arg(long, value_name = "age1…", value_parser = Key::parse)]
    add: Vec<Key>,
    /// Do not let the holder of this key read what is written from now on; may be given again
    #[arg(long, value_name = "age1…", value_parser = Key::parse)]
    remove: Vec<Key>,
    /// Let the holder of this key read it and nobody else but those named in the same way; may be given again
    #[arg(long, value_name = "age1…", value_parser = Key::parse, conflicts_with_all = ["add", "remove"])]
    only: Vec<Key>,
    /// Encrypt it with a passphrase in place of keys
    #[arg(long, conflicts_with_all = ["add", "remove", "only"])]
    passphrase: bool,
    /// What must not be there
    #[arg(hide = true, num_args = 0.., allow_hyphen_values = true, value_parser = Unwanted::parser())]
    rest: Vec<Unwanted>,
}

impl Rekey {
    pub(super) fn run(self, here: &mut Here) -> Ended {
        if !self.rest.is_empty() {
            return Err(Failure::Usage(NO_PASSPHRASE.to_owned()));
        }
        let (add, remove, only) = (Key::all(self.add)?, Key::all(self.remove)?, Key::all(self.only)?);
        let takes_out = !remove.is_empty() || !only.is_empty();
        let asked = || init::new_passphrase("New passphrase of the store");
        let passphrase = if self.passphrase { Some(asked()?) } else { None };
        let store = here.open()?;
        let readers = match passphrase {
            Some(passphrase) => Readers::Passphrase(passphrase),
            None if !only.is_empty() => Readers::Recipients(once_each(only)),
            None => store.readers_with(&add, &remove)?,
        };
        store.rekey(&readers)?;
        say::err(&format!("Encrypted `{}` anew.", here.store()));
        tell_readers(&readers);
        if takes_out {
            say::note(
                "rotate every value that was readable until now: who was removed may have kept it, and git has",
            );
        }
        Ok(())
    }
}

/// Whoever is named twice is meant once.
fn once_each(keys: Vec<edit::Recipient>) -> Vec<edit::Recipient> {
    let mut all = Vec::new();
    for key in keys {
        if !all.contains(&key) {
            all.push(key);
        }
    }
    all
}
