//! Signing in by hand: keys that are given, or those that STS grants for a web identity token. That call is not signed: the
//! token is what it is believed by
//! ([AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html)).

use super::{FORM, SecretsManager, Session, refused};
#[cfg(feature = "full")]
use crate::error::misconfigured;
use crate::error::{Doing, Refusal, SCHEME, Said, find, malformed, refusal};
use crate::settings::{Auth, Given, Keys};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::ErrorKind;
use secretfig_source::protocol::{HttpError, Now, Reply, Request, SignedIn};
#[cfg(feature = "full")]
use secretfig_source::{
    SourceError,
    protocol::{SignIn, Wire},
};
use std::time::Duration;
use zeroize::Zeroizing;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What every role allows, so that its end is known without reading a date.
const LASTS: u64 = 3600;

#[cfg(feature = "full")]
pub(super) async fn sign_in(
    aws: &SecretsManager,
    wire: &Wire,
) -> Result<Result<SignedIn<Session>, SourceError>, SignIn> {
    Ok(enter(aws, wire).await.map_err(Into::into))
}

#[cfg(feature = "full")]
async fn enter(aws: &SecretsManager, wire: &Wire) -> Result<SignedIn<Session>, Refusal> {
    let begun = wire.now();
    let signed_in = match with_token(aws)? {
        Err(keys) => with_keys(keys),
        Ok(request) => granted(wire.send(vec![request]).await.pop(), begun)?,
    };
    if let Some(identity) = super::more::identity(aws, wire, &signed_in.session).await {
        return Ok(signed_in.identity(identity));
    }
    Ok(signed_in)
}

pub(super) fn with_keys(keys: Keys) -> SignedIn<Session> {
    SignedIn::new(Session { keys })
}

/// What STS is asked for credentials with, where nobody gave them.
pub(super) fn with_token(aws: &SecretsManager) -> Result<Result<Request, Keys>, Refusal> {
    let (role, session, token) = match &aws.settings.auth {
        Auth::Keys(keys) => return Ok(Err(keys.clone())),
        Auth::WebIdentity { role_arn, session_name, token: Given::Text(token) } => {
            (role_arn, session_name, token.expose_secret().trim())
        }
        #[cfg(feature = "full")]
        Auth::WebIdentity { .. } => return Err(misconfigured("no file is read here")),
        #[cfg(feature = "full")]
        _ => return Err(misconfigured("this way to sign in is the client's")),
    };
    let body = form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("DurationSeconds", "3600"),
        ("RoleArn", role),
        ("RoleSessionName", session.as_deref().unwrap_or("secretfig")),
        ("WebIdentityToken", token),
    ]);
    let request = Request::new(Method::POST, &aws.sts, [] as [&str; 0]).map_err(refused)?;
    Ok(Ok(request.body(FORM, body)))
}

/// What STS grants, asked at that time.
pub(super) fn granted(
    sent: Option<Result<Reply, HttpError>>,
    begun: Now,
) -> Result<SignedIn<Session>, Refusal> {
    let reply = expected(sent, Doing::SignIn("web_identity"), begun)?;
    let part = |name: &str| {
        element(reply.body(), name).ok_or_else(|| malformed("STS grants credentials that cannot be read"))
    };
    let id = part("AccessKeyId")?.to_owned();
    let (secret, session) = (part("SecretAccessKey")?, part("SessionToken")?);
    let keys = Keys { id, secret: SecretString::from(secret), session: Some(SecretString::from(session)) };
    // two thirds of it, so that no request meets its end
    Ok(SignedIn::new(Session { keys }).until(begun.tick.after(Duration::from_secs(LASTS / 3 * 2))))
}

/// A reply of STS, where it is the expected one.
pub(super) fn expected(
    sent: Option<Result<Reply, HttpError>>,
    doing: Doing<'_>,
    now: Now,
) -> Result<Reply, Refusal> {
    let none = || Refusal::new(ErrorKind::Transport, "nothing came back");
    let reply = sent.ok_or_else(none)?.map_err(|error| Refusal::from(error.of_source(SCHEME)))?;
    if reply.status() == StatusCode::OK {
        return Ok(reply);
    }
    let (code, message) = (element(reply.body(), "Code"), element(reply.body(), "Message"));
    let said = Said {
        status: reply.status().as_u16(),
        code: code.unwrap_or_default(),
        message: message.unwrap_or_default(),
        wait: reply.retry_after(now.wall),
    };
    Err(refusal(&said, doing))
}

/// A form, in one block that never grows, and is wiped.
pub(super) fn form(fields: &[(&str, &str)]) -> Zeroizing<Vec<u8>> {
    let most = fields.iter().map(|(name, value)| name.len() + 2 + 3 * value.len()).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(most));
    for (name, value) in fields {
        if !body.is_empty() {
            body.push(b'&');
        }
        body.extend_from_slice(name.as_bytes());
        body.push(b'=');
        for part in utf8_percent_encode(value, ENCODED) {
            body.extend_from_slice(part.as_bytes());
        }
    }
    body
}

/// What the only element of that name holds, in the XML that STS answers with. No XML is parsed: none of the few texts that are
/// asked for has an escape or an element within, and one that has is not taken.
pub(super) fn element<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let (begin, end) = (["<", name, ">"].concat(), ["</", name, ">"].concat());
    let rest = body.get(find(body, &begin)? + begin.len()..)?;
    let (text, rest) = rest.split_at_checked(rest.iter().position(|b| matches!(b, b'<' | b'&'))?)?;
    if !rest.starts_with(end.as_bytes()) || find(rest, &begin).is_some() {
        return None;
    }
    std::str::from_utf8(text.trim_ascii()).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_mean_one_thing_is_taken_out_of_a_reply() {
        let body = b"<A><Code>AccessDenied</Code><Message>a &amp; b</Message><Id> x </Id><Two>1</Two><Two>2</Two></A>";
        assert_eq!(element(body, "Code"), Some("AccessDenied"));
        assert_eq!(element(body, "Id"), Some("x"));
        for name in ["Message", "Two", "A", "No", ""] {
            assert_eq!(element(body, name), None, "{name}");
        }
        assert_eq!(element(b"<Code>\xff</Code>", "Code"), None);
    }

    #[test]
    fn a_form_is_one_block() {
        let body = form(&[("A", "b c"), ("D", "e&f=ü")]);
        assert_eq!(body.as_slice(), b"A=b%20c&D=e%26f%3D%C3%BC");
        assert!(body.capacity() >= body.len());
    }
}
