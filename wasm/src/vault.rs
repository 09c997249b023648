//! Vault and OpenBao over `fetch`: the half of their crate that knows no SDK.

use crate::failure::Flaw;
use crate::host::HostClock;
use crate::options::{Options, SignIn};
use crate::wire::Wire;
use secrecy::SecretString;
use secretfig_source::SourceError;
use secretfig_source::protocol::{Limits, Over};
use secretfig_vault::{Auth, Given, SecretId, Settings, protocol::Vault};
use std::sync::Arc;

/// The source that these options name, or every fault of them. Each call signs in for itself where nobody is signed in:
/// no request waits for another one's.
pub(crate) fn source(
    options: &Options,
    key: &[u8],
    wire: Wire,
    clock: Arc<HostClock>,
) -> Result<Over<Vault, Wire>, Vec<Flaw>> {
    let settings = settings(options)?;
    let key = key.try_into().map_err(|_| {
        let hint = "load inside of a request: at the top of a module a Worker gives no random, no clock and no network";
        vec![Flaw::new("options", "misconfigured", "this host gives no random here", hint)]
    })?;
    let vault = Vault::new(settings, key).map_err(|e| vec![at("options", &e)])?;
    let limits = Limits { deadline: options.timeout, ..Limits::default() };
    Ok(Over::new(vault, wire, clock).limits(limits).signing_in_alone())
}

fn settings(options: &Options) -> Result<Settings, Vec<Flaw>> {
    let auth = match &options.sign_in {
        SignIn::Token(token) => Auth::Token(token.clone()),
        SignIn::AppRole { mount, role_id, secret_id } => Auth::AppRole {
            mount: mount.clone().unwrap_or_else(|| "approle".to_owned()),
            role_id: Given::Text(SecretString::from(role_id.as_str())),
            secret_id: SecretId::Plain(Given::Text(secret_id.clone())),
        },
    };
    let mut settings = Settings::new(&options.address, auth).map_err(|e| vec![at("address", &e)])?;
    let mut flaws = Vec::new();
    let mut set =
        |option: &str, with: &dyn Fn(Settings) -> Result<Settings, SourceError>| match with(settings.clone())
        {
            Ok(changed) => settings = changed,
            Err(e) => flaws.push(at(option, &e)),
        };
    if let Some(namespace) = &options.namespace {
        set("namespace", &|settings| settings.namespace(namespace));
    }
    if let Some(mount) = &options.mount {
        set("mount", &|settings| settings.mount(mount));
    }
    if let Some(prefix) = &options.prefix {
        set("prefix", &|settings| settings.prefix(prefix));
    }
    for (mount, kind) in &options.mounts {
        set(&format!("mounts.{mount}"), &|settings| settings.known_mount(mount, *kind));
    }
    if flaws.is_empty() { Ok(settings) } else { Err(flaws) }
}

fn at(option: &str, error: &SourceError) -> Flaw {
    Flaw::new(option, error.kind().as_str(), error.kind().as_str(), error.what_to_do())
}
