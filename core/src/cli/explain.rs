//! `explain`: where each key came from, and what it beat.

use super::say::{self, Ended, Failure};
use crate::assemble;
use crate::builder::Builder;
use crate::tree::KeyPath;
use serde::de::DeserializeOwned;

/// The arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A key is a path such as `database.password`; one of a table stands for all
below it; `*` is any one key, and at the end any rest.

--show prints the values of plain keys. It does not print a value that came
from a source, that lies in a `Live` part, that no field takes, or whose key
sounds like a secret's (password, token, key, url, …).

Examples:
  secretfig explain
  secretfig explain database server.port
  secretfig explain --show 'server.*'
  secretfig explain --json | jq '.keys[] | select(.secret) | .key'")]
pub struct Explain {
    /// Only these keys, and those below them
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// Print the values of the plain keys that match; may be given again
    #[arg(long, value_name = "PATTERN")]
    show: Vec<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run<T: DeserializeOwned + Send + Sync + 'static>(
    command: Explain,
    builder: Builder<T>,
) -> Ended {
    if !command.show.is_empty() && super::is_untyped::<T>() {
        return Err(Failure::Usage(
            "--show needs the application's type, which says where secrets are: use the commands of the \
             application's own binary (secretfig::cli::run)"
                .to_owned(),
        ));
    }
    let config = builder.load().await?;
    let mut explain = config.explain();
    let unknown: Vec<String> = command.keys.iter().filter_map(|key| missing(&explain, key)).collect();
    if !unknown.is_empty() {
        return Err(Failure::Refused(unknown.join("; ")));
    }
    if !command.keys.is_empty() {
        explain = explain.only(&command.keys);
    }
    for pattern in &command.show {
        explain = explain.show(pattern);
    }
    if command.json {
        return say::out(&explain.to_json());
    }
    say::out(&explain.to_string())?;
    let told = explain.remarks();
    config.remarks().iter().filter(|remark| !told.contains(remark)).for_each(|remark| say::note(remark));
    Ok(())
}

/// What to say of a key that is not there.
fn missing(explain: &crate::Explain, key: &str) -> Option<String> {
    if !explain.clone().only([key]).keys().is_empty() {
        return None;
    }
    let known: Vec<String> = explain.keys().iter().map(|line| line.key.to_string()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let path = KeyPath::parse(key).to_string();
    Some(match assemble::nearest(&path, &known) {
        Some(near) => format!("there is no key `{path}`: did you mean `{near}`?"),
        None => format!("there is no key `{path}` in any layer"),
    })
}
