//! Signing in by hand: a login where there is a way to, and who the token then is.

use super::line::{Body, Call, Line, Stop, Token, denied_by_policy};
use super::talk::SignIn;
use super::{Session, Vault};
use crate::error::{Doing, Refusal, malformed, misconfigured};
use crate::reply::{Looked, flag, get, looked, number, text, tree};
use crate::settings::{Auth, Given, SecretId};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::protocol::SignedIn;
use secretfig_source::{ErrorKind, SourceError, Tick};
use std::sync::PoisonError;
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
    let path = ["v1", "auth"].into_iter().chain(mount.split('/')).chain(["login"]).chain(leaf);
    let call = Call::new(Method::POST, path).body(body);
    let reply = one(vault, line, call, None, Doing::SignIn(way)).await?;
    let bad = || malformed("the reply to the login holds no token");
    let tree = tree(&reply)?;
    let auth = get(&tree, "auth").ok_or_else(bad)?;
    let token = Token::new(&vault.settings.addresses, text(auth, "client_token").ok_or_else(bad)?)?;
    let seconds = number(auth, "lease_duration").unwrap_or(0);
    let (begun, ends) = (line.now().tick, ends(line.now().tick, seconds));
    // who it is stands in the audit line; a login that may not look itself up is one all the same
    let look = one(vault, line, look_up(), Some(&token), Doing::Token).await;
    let known = look.and_then(|reply| Ok(looked(&reply)?)).ok();
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
        let renew = Call::new(Method::POST, ["v1", "auth", "token", "renew-self"]);
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
    Call::new(Method::GET, ["v1", "auth", "token", "lookup-self"])
}

async fn one(
    vault: &Vault,
    line: &Line<'_>,
    call: Call,
    token: Option<&Token>,
    doing: Doing<'_>,
) -> Result<secretfig_source::protocol::Reply, Stop> {
    let reply = line.send(&[call], token, vault.settings.login_namespace.as_deref()).await?.pop();
    let none = || Refusal::from(SourceError::new(ErrorKind::Transport, crate::SCHEME));
    Ok(line.expected(reply.ok_or_else(none)?, doing)?)
}

type Login<'a> = (&'a str, Option<&'a str>, &'static str, Body);

/// Mount, last segment, way and body.
async fn login<'a>(vault: &'a Vault, line: &Line<'_>) -> Result<Login<'a>, Stop> {
    let way = vault.settings.auth.way();
    Ok(match &vault.settings.auth {
        Auth::AppRole { mount, role_id, secret_id } => {
            let secret_id = self::secret_id(vault, line, mount, secret_id).await?;
            let body = Body::new().text("role_id", open(role_id)?).text("secret_id", &secret_id);
            (mount, None, way, body)
        }
        Auth::Kubernetes { mount, role, token } => {
            (mount, None, way, Body::new().text("jwt", open(token)?).text("role", role))
        }
        Auth::Jwt { mount, role, token } => {
            let body = Body::new().text("jwt", open(token)?);
            (mount, None, way, role.iter().fold(body, |body, role| body.text("role", role)))
        }
        Auth::Userpass { mount, user, password } => {
            (mount, Some(user.as_str()), way, Body::new().text("password", open(password)?))
        }
        Auth::Token(_) | Auth::TokenFile(_) | Auth::Certificate { .. } => {
            return Err(misconfigured("this way to sign in is the client's").into());
        }
    })
}

/// Settings that name files were refused when the protocol was made.
fn open(given: &Given) -> Result<&str, Refusal> {
    match given {
        Given::Text(text) => Ok(text.expose_secret()),
        Given::File(_) => Err(misconfigured("no file is read here")),
    }
}

async fn secret_id(
    vault: &Vault,
    line: &Line<'_>,
    mount: &str,
    secret_id: &SecretId,
) -> Result<Zeroizing<String>, Stop> {
    let wrapped = match secret_id {
        SecretId::None => return Ok(Zeroizing::default()),
        SecretId::Plain(given) => return Ok(Zeroizing::new(open(given)?.to_owned())),
        SecretId::Wrapped(given) => open(given)?,
    };
    if let Some(opened) = &*vault.opened.lock().unwrap_or_else(PoisonError::into_inner) {
        return Ok(Zeroizing::new(opened.expose_secret().to_owned()));
    }
    // first who wrapped it, and what: somebody could have put another wrapping in its place
    let body = Body::new().text("token", wrapped);
    let look = Call::new(Method::POST, ["v1", "sys", "wrapping", "lookup"]).body(body);
    let known = tree(&one(vault, line, look, None, Doing::Unwrap).await?)?;
    let path = get(&known, "data").and_then(|data| text(data, "creation_path")).unwrap_or_default();
    if !of_this_role(path, vault.settings.login_namespace.as_deref(), mount) {
        return Err(Refusal::new(
            ErrorKind::Unauthenticated,
            "the wrapping token was not made by this AppRole's secret_id endpoint: somebody may have put another in its \
             place. Check `auth_mount`; else treat it as tampering",
        )
        .into());
    }
    let token = Token::new(&vault.settings.addresses, wrapped)?;
    let unwrap = Call::new(Method::POST, ["v1", "sys", "wrapping", "unwrap"]).once();
    let opened = tree(&one(vault, line, unwrap, Some(&token), Doing::Unwrap).await?)?;
    let opened = get(&opened, "data").and_then(|data| text(data, "secret_id"));
    let opened = opened.ok_or_else(|| malformed("the wrapping token holds no secret_id"))?;
    *vault.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(SecretString::from(opened));
    Ok(Zeroizing::new(opened.to_owned()))
}

fn of_this_role(path: &str, namespace: Option<&str>, mount: &str) -> bool {
    let inside =
        namespace.and_then(|namespace| path.strip_prefix(namespace)?.strip_prefix('/')).unwrap_or(path);
    let role = inside.strip_prefix("auth/").and_then(|rest| rest.strip_prefix(mount)?.strip_prefix("/role/"));
    let role = role.and_then(|rest| rest.strip_suffix("/secret-id"));
    role.is_some_and(|role| !role.is_empty() && !role.contains('/'))
}
