//! `check`: loads the configuration as the application would, and tells every fault.

use super::say::{self, Ended, Failure};
use crate::builder::Builder;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
stdout: where each key came from, if all is well.
stderr: the report, if not, and remarks.
Exit codes: 0 all is well; 1 the configuration is refused;
2 the command was not understood.

Examples:
  secretfig check
  APP_PROFILE=production SECRET_PROVIDER=files secretfig check --deny-remarks
  secretfig check --json | jq '.faults[].key'")]
pub struct Check {
    /// Print one JSON document to stdout, also if the configuration is refused
    #[arg(long)]
    json: bool,
    /// Refuse remarks too (a key that no field takes, a secret that is overridden): for CI
    #[arg(long)]
    deny_remarks: bool,
}

pub(super) async fn run<T: DeserializeOwned + Send + Sync + 'static>(
    command: Check,
    builder: Builder<T>,
) -> Ended {
    let config = match builder.load().await {
        Ok(config) => config,
        Err(e) if command.json => {
            say::out(&judged(false, &e.to_json()))?;
            return Err(Failure::Told);
        }
        Err(e) => return Err(e.into()),
    };
    let denied = command.deny_remarks && !config.remarks().is_empty();
    let explain = config.explain();
    let told = explain.remarks();
    if command.json {
        let mut whole: Value = serde_json::from_str(&explain.to_json()).unwrap_or_default();
        whole["remarks"] = config.remarks().into();
        say::out(&judged(!denied, &whole.to_string()))?;
    } else {
        say::out(&explain.to_string())?;
        config.remarks().iter().filter(|remark| !told.contains(remark)).for_each(|remark| say::note(remark));
        if super::is_untyped::<T>() {
            say::note(
                "keys are not checked against the application's type, which this program does not know; files, \
                 variables, sources and documents are",
            );
        }
    }
    match denied {
        true if command.json => Err(Failure::Told),
        true => Err(Failure::Refused("there are remarks, and --deny-remarks refuses them".to_owned())),
        false => Ok(()),
    }
}

/// The document with `ok` in it.
fn judged(ok: bool, json: &str) -> String {
    let mut whole: Value = serde_json::from_str(json).unwrap_or_default();
    whole["ok"] = ok.into();
    whole.to_string()
}
