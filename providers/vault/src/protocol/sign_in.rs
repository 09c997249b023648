//! Signing in by hand: a login where there is a way to, and who the token then is.

use super::line::{Body, Call, Line, Stop, Token, Waits, denied_by_policy};
use super::{Session, Vault};
use crate::error::{Doing, Refusal, malformed, misconfigured};
use crate::reply::{Looked, flag, get, looked, number, text, tree};
use crate::settings::{Auth, Given, SecretId};
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use secretfig_source::protocol::{Reply, SignIn, SignedIn};
use secretfig_source::{ErrorKind, SourceError, Tick};
use std::time::Duration;
use zeroize::Zeroizing;

/// A login is not used to its end: two thirds of it, so that no request meets the end.
fn until(now: Tick, seconds: u64) -> Tick {
    match seconds {
        0 => Tick::FAR,
        seconds => now.after(Duration::from_secs((seconds / 3).saturating_mul(2).max(1))),
    }
}

pub(super) async fn sign_in(
    vault: &Vault,
    line: Line<'_>,
) -> Result<Result<SignedIn<Session>, SourceError>, SignIn> {
    match enter(vault, &line).await {
        Ok(signed_in) => Ok(Ok(signed_in)),
        Err(Stop::Refused(refusal)) => Ok(Err(refusal.into())),
        Err(Stop::SignIn) => Err(SignIn),
    }
}

async fn enter(vault: &Vault, line: &Line<'_>) -> Result<SignedIn<Session>, Stop> {
    if let Auth::Token(token) = &vault.settings.auth {
        return with_token(vault, line, token.expose_secret()).await;
    }
    let (mount, leaf, way, body) = login(vault, line).await?;
    let mut path = vec!["v1", "auth"];
    path.extend(mount.split('/'));
    path.push("login");
    path.extend(leaf);
    let call = Call::new(Method::POST, &path).body(body);
    let reply = one(vault, line, call, None, Doing::SignIn(way)).await?;
    let bad = || malformed("the reply to the login holds no token");
    let tree = tree(&reply)?;
    let auth = get(&tree, "auth").ok_or_else(bad)?;
    let token = Token::new(&vault.settings.addresses, text(auth, "client_token").ok_or_else(bad)?)?;
    let seconds = number(auth, "lease_duration").unwrap_or(0);
    let (begun, ends) = (line.now().tick, ends(line.now().tick, seconds));
    // who it is stands in the audit line; a login that may not look itself up is one all the same
    #[cfg(feature = "full")]
    let known = {
        let look = one(vault, line, look_up(), Some(&token), Doing::Token).await;
        look.and_then(|reply| Ok(looked(&reply)?)).ok()
    };
    // there is no such line at the edge, where a request is a good part of a cold start
    #[cfg(not(feature = "full"))]
    let known = None;
    Ok(signed_in(token, known, ends, until(begun, seconds)))
}

fn ends(now: Tick, seconds: u64) -> Option<Tick> {
    (seconds > 0).then(|| now.after(Duration::from_secs(seconds)))
}

fn signed_in(token: Token, known: Option<Looked>, ends: Option<Tick>, until: Tick) -> SignedIn<Session> {
    let signed_in = SignedIn::new(Session { token, looks: known.is_some(), ends }).until(until);
    match known.and_then(|known| known.identity) {
        Some(identity) => signed_in.identity(identity),
        None => signed_in,
    }
}

/// With a token that somebody gave: it is looked up, and renewed where a third of it is over.
async fn with_token(vault: &Vault, line: &Line<'_>, token: &str) -> Result<SignedIn<Session>, Stop> {
    let token = Token::new(&vault.settings.addresses, token)?;
    let login = vault.settings.login_namespace.as_deref();
    let reply = line.send(&[look_up()], Some(&token), login).await?.pop();
    if let Some(Ok(reply)) = &reply {
        // it may not look itself up, and may read what it is for
        if reply.status() == StatusCode::FORBIDDEN && denied_by_policy(reply) {
            return Ok(signed_in(token, None, None, Tick::FAR));
        }
    }
    let none = || Refusal::from(SourceError::new(ErrorKind::Transport, crate::SCHEME));
    let known = looked(&line.expected(reply.ok_or_else(none)?, Doing::Token)?)?;
    let mut left = known.ttl;
    if known.renewable && left > 0 && left < known.made_for / 3 * 2 {
        let renew = Call::new(Method::POST, &["v1", "auth", "token", "renew-self"]);
        if let Ok(reply) = one(vault, line, renew, Some(&token), Doing::Token).await {
            let auth = tree(&reply)?;
            let auth = get(&auth, "auth").filter(|auth| flag(auth, "renewable").is_some());
            left = auth.and_then(|auth| number(auth, "lease_duration")).unwrap_or(left);
        }
    }
    // one that cannot be renewed ends when it ends, and nobody here can make another
    let until = if known.renewable { until(line.now().tick, left) } else { Tick::FAR };
    Ok(signed_in(token, Some(known), ends(line.now().tick, left), until))
}

fn look_up() -> Call {
    Call::new(Method::GET, &["v1", "auth", "token", "lookup-self"])
}

/// One request about the sign-in itself, and its reply where it is the expected one.
pub(super) fn one<'a>(
    vault: &'a Vault,
    line: &'a Line<'_>,
    call: Call,
    token: Option<&'a Token>,
    doing: Doing<'a>,
) -> Waits<'a, Reply> {
    Box::pin(async move {
        let reply = line.send(&[call], token, vault.settings.login_namespace.as_deref()).await?.pop();
        let none = || Refusal::from(SourceError::new(ErrorKind::Transport, crate::SCHEME));
        Ok(line.expected(reply.ok_or_else(none)?, doing)?)
    })
}

type Login<'a> = (&'a str, Option<&'a str>, &'static str, Body);

/// Mount, last segment, way and body.
#[cfg_attr(not(feature = "full"), allow(unused_variables, clippy::unused_async))]
async fn login<'a>(vault: &'a Vault, line: &Line<'_>) -> Result<Login<'a>, Stop> {
    let way = vault.settings.auth.way();
    Ok(match &vault.settings.auth {
        Auth::AppRole { mount, role_id, secret_id } => {
            let secret_id = match secret_id {
                SecretId::None => Zeroizing::default(),
                SecretId::Plain(given) => Zeroizing::new(open(given)?.to_owned()),
                #[cfg(feature = "full")]
                SecretId::Wrapped(given) => super::more::unwrapped(vault, line, mount, open(given)?).await?,
            };
            let body = Body::new().text("role_id", open(role_id)?).text("secret_id", &secret_id);
            (mount, None, way, body)
        }
        #[cfg(feature = "full")]
        Auth::Kubernetes { mount, role, token } => {
            (mount, None, way, Body::new().text("jwt", open(token)?).text("role", role))
        }
        #[cfg(feature = "full")]
        Auth::Jwt { mount, role, token } => {
            let body = Body::new().text("jwt", open(token)?);
            (mount, None, way, role.iter().fold(body, |body, role| body.text("role", role)))
        }
        #[cfg(feature = "full")]
        Auth::Userpass { mount, user, password } => {
            (mount, Some(user.as_str()), way, Body::new().text("password", open(password)?))
        }
        _ => {
            return Err(misconfigured("this way to sign in is the client's").into());
        }
    })
}

/// Settings that name files were refused when the protocol was made.
fn open(given: &Given) -> Result<&str, Refusal> {
    match given {
        Given::Text(text) => Ok(text.expose_secret()),
        #[cfg(feature = "full")]
        Given::File(_) => Err(misconfigured("no file is read here")),
    }
}
