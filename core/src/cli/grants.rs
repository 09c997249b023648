//! `grants`: the least privilege that the configuration needs, in each manager's own language.

use super::say::{self, Ended};
use crate::builder::Builder;
use serde::de::DeserializeOwned;

/// The arguments of `grants`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
stdout: a policy per source, ready to be written to the manager.
stderr: the sources that have no rights of their own.
Nothing is asked of any source; that it can be signed in to is no matter.

Examples:
  secretfig grants
  SECRET_PROVIDER=vault secretfig grants | vault policy write myapp -
  secretfig grants vault > policy.hcl")]
pub struct Grants {
    /// Only this source
    #[arg(value_name = "SOURCE")]
    source: Option<String>,
}

pub(super) fn run<T: DeserializeOwned + Send + Sync + 'static>(
    command: &Grants,
    builder: Builder<T>,
) -> Ended {
    let all = builder.grants()?;
    let wanted = |name: &str| command.source.as_deref().is_none_or(|only| only == name);
    let known: Vec<&str> = all.iter().map(|one| one.source.as_str()).collect();
    if let Some(only) = command.source.as_deref().filter(|only| !known.contains(only)) {
        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        return Err(say::Failure::Refused(format!("no secret is asked of `{only}`, but of {known}")));
    }
    for one in all.iter().filter(|one| wanted(&one.source)) {
        match &one.policy {
            Some(policy) => say::out(policy)?,
            None => say::note(&format!(
                "`{}` ({}) has no policies; what may be read there is decided by the system",
                one.source, one.origin
            )),
        }
    }
    if all.is_empty() {
        say::note("no secret is asked for");
    }
    Ok(())
}
