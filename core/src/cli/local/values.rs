//! `local set`, `remove`, `list`: names are told, values never.

use super::{Here, NO_VALUE, Unwanted};
use crate::cli::prompt;
use crate::cli::say::{self, Ended, Failure};
use crate::tree::Clean;
use secretfig_local::edit;
use std::convert::Infallible;

/// The arguments of `local set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A name is of parts with `/` between them: `database/password` is the part
`password` of the secret `database`. The prompt takes one line, and drops control
characters such as a tab: what has several lines, or must stay as it is to the
byte, is piped.

Examples:
  secretfig local set database/password
  head -c 24 /dev/urandom | base64 | secretfig local set jwt/secret_key
  secretfig local set tls/key --keep-newline < tls.key")]
pub(super) struct Set {
    /// The name of the secret
    #[arg(value_name = "NAME", value_parser = Name::parse)]
    name: Name,
    /// Keep the newline at the end of standard input
    #[arg(long)]
    keep_newline: bool,
    /// What must not be there
    #[arg(hide = true, num_args = 0.., allow_hyphen_values = true, value_parser = Unwanted::parser())]
    value: Vec<Unwanted>,
}

/// A name, or `NAME=VALUE`, which is not kept: no `Debug` can show it.
#[derive(Clone, Debug)]
enum Name {
    Alone(String),
    WithValue,
}

impl Name {
    fn parse(text: &str) -> Result<Self, Infallible> {
        Ok(if text.contains('=') { Self::WithValue } else { Self::Alone(text.to_owned()) })
    }
}

impl Set {
    /// A value among the arguments, also as `NAME=VALUE`, is refused and not repeated.
    pub(super) fn name(&self) -> Result<String, Failure> {
        match (&self.name, self.value.is_empty()) {
            (Name::Alone(name), true) => Ok(name.clone()),
            _ => Err(Failure::Usage(NO_VALUE.to_owned())),
        }
    }

    pub(super) fn run(self, here: &mut Here) -> Ended {
        let name = self.name()?;
        // before the store is locked: a person takes their time
        let value = prompt::value(&format!("Value of `{}`", Clean(&name)), self.keep_newline)?;
        let mut store = here.open()?;
        let set = store.set(&name, &value)?;
        store.save()?;
        let (name, store) = (Clean(&name), here.store());
        say::err(&match set {
            edit::Set::Added => format!("Added `{name}` to `{store}`."),
            edit::Set::Replaced => format!("Replaced `{name}` in `{store}`."),
            edit::Set::Unchanged => format!("`{name}` has that value already; nothing was changed."),
        });
        Ok(())
    }
}

/// The arguments of `local remove`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  secretfig local remove database/password")]
pub(super) struct Remove {
    /// The name of the secret
    #[arg(value_name = "NAME")]
    name: String,
}

impl Remove {
    pub(super) fn run(self, here: &mut Here) -> Ended {
        let mut store = here.open()?;
        store.remove(&self.name)?;
        store.save()?;
        say::err(&format!("Removed `{}` from `{}`.", Clean(&self.name), here.store()));
        say::note("older copies of the store, in backups or in git, still hold it");
        Ok(())
    }
}

/// The arguments of `local list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  secretfig local list
  secretfig local list --json | jq '.secrets[]'")]
pub(super) struct List {
    /// Print one JSON document: {\"store\": …, \"secrets\": […]}
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self, here: &mut Here) -> Ended {
        let names = here.names()?;
        if self.json {
            return say::out(&serde_json::json!({ "store": here.store(), "secrets": names }).to_string());
        }
        if names.is_empty() {
            say::note("the store is empty");
            return Ok(());
        }
        let lines: Vec<String> = names.iter().map(|name| Clean(name).to_string()).collect();
        say::out(&lines.join("\n"))
    }
}
