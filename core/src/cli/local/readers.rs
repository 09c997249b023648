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
    pub(super) fn run(self, here: &Here) -> Ended {
        let own = edit::recipients_of(&here.settings)?;
        if own.is_empty() {
            return Err(Failure::Refused(
                "you have no key, only a passphrase: `secretfig local init` makes one with a store for keys"
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
  secretfig local rekey --passphrase")]
pub(super) struct Rekey {
    /// Let the holder of this key read it; may be given again
    #[arg(long, value_name = "age1…", value_parser = Key::parse)]
    add: Vec<Key>,
    /// Do not let the holder of this key read what is written from now on; may be given again
    #[arg(long, value_name = "age1…", value_parser = Key::parse)]
    remove: Vec<Key>,
    /// Encrypt it with a passphrase in place of keys
    #[arg(long, conflicts_with_all = ["add", "remove"])]
    passphrase: bool,
    /// What must not be there
    #[arg(hide = true, num_args = 0.., allow_hyphen_values = true, value_parser = Unwanted::parser())]
    rest: Vec<Unwanted>,
}

impl Rekey {
    pub(super) fn run(self, here: &Here) -> Ended {
        if !self.rest.is_empty() {
            return Err(Failure::Usage(NO_PASSPHRASE.to_owned()));
        }
        let (add, remove) = (Key::all(self.add)?, Key::all(self.remove)?);
        let asked = || init::new_passphrase("New passphrase of the store");
        let passphrase = if self.passphrase { Some(asked()?) } else { None };
        let store = here.open()?;
        let mut removed = 0;
        let readers = match (passphrase, store.readers()) {
            (Some(passphrase), _) => Readers::Passphrase(passphrase),
            (None, Readers::Recipients(now)) => {
                let strange = remove.iter().find(|gone| !now.contains(gone));
                if let Some(strange) = strange {
                    return Err(Failure::Refused(format!("{strange} is no reader of this store")));
                }
                removed = remove.len();
                let now = match now.is_empty() {
                    false => now.clone(),
                    true => {
                        say::note(
                            "the store has no list of its readers that fits: whoever is not named here cannot read \
                             what is written from now on",
                        );
                        edit::recipients_of(&here.settings)?
                    }
                };
                let mut all: Vec<edit::Recipient> =
                    now.into_iter().filter(|reader| !remove.contains(reader)).collect();
                for new in add {
                    if !all.contains(&new) {
                        all.push(new);
                    }
                }
                Readers::Recipients(all)
            }
            // from a passphrase to keys: our own, where there is one, and those that are added
            (None, Readers::Passphrase(_)) if !add.is_empty() => {
                let mut all = edit::recipients_of(&here.settings).unwrap_or_default();
                all.extend(add.into_iter().filter(|new| !all.contains(new)).collect::<Vec<_>>());
                Readers::Recipients(all)
            }
            (None, Readers::Passphrase(now)) => Readers::Passphrase(now.clone()),
        };
        store.rekey(&readers)?;
        say::err(&format!("Encrypted `{}` anew.", here.store()));
        tell_readers(&readers);
        if removed > 0 {
            say::note(
                "rotate every value that was readable until now: who was removed may have kept it, and git has",
            );
        }
        Ok(())
    }
}
