//! Signing in by hand: keys that are given, or those that STS grants for a web identity token. That call is not signed: the
//! token is what it is believed by
//! ([AssumeRoleWithWebIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html)).

use super::{SecretsManager, Session, refused};
#[cfg(feature = "full")]
use crate::error::misconfigured;
use crate::error::{Doing, Refusal, SCHEME, Said, malformed, refusal};
use crate::settings::{Auth, Given, Keys};
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::protocol::{Reply, Request, SignIn, SignedIn, Wire};
use secretfig_source::{ErrorKind, SourceError};
use std::time::Duration;
use zeroize::Zeroizing;

const FORM: &str = "application/x-www-form-urlencoded";
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What every role allows, so that its end is known without reading a date.
const LASTS: u64 = 3600;

pub(super) async fn sign_in(
    aws: &SecretsManager,
    wire: &Wire,
) -> Result<Result<SignedIn<Session>, SourceError>, SignIn> {
    Ok(enter(aws, wire).await.map_err(Into::into))
}

async fn enter(aws: &SecretsManager, wire: &Wire) -> Result<SignedIn<Session>, Refusal> {
    let signed_in = match &aws.settings.auth {
        Auth::Keys(keys) => SignedIn::new(Session { keys: keys.clone() }),
        Auth::WebIdentity { role_arn, session_name, token } => {
            let begun = wire.now().tick;
            let keys = with_token(aws, wire, role_arn, session_name.as_deref(), token).await?;
            // two thirds of it, so that no request meets its end
            SignedIn::new(Session { keys }).until(begun.after(Duration::from_secs(LASTS / 3 * 2)))
        }
        #[cfg(feature = "full")]
        _ => return Err(misconfigured("this way to sign in is the client's")),
    };
    #[cfg(feature = "full")]
    if let Some(identity) = super::more::identity(aws, wire, &signed_in.session).await {
        return Ok(signed_in.identity(identity));
    }
    Ok(signed_in)
}

async fn with_token(
    aws: &SecretsManager,
    wire: &Wire,
    role: &str,
    session: Option<&str>,
    token: &Given,
) -> Result<Keys, Refusal> {
    let token = match token {
        Given::Text(token) => token.expose_secret().trim(),
        #[cfg(feature = "full")]
        Given::File(_) => return Err(misconfigured("no file is read here")),
    };
    let body = form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("DurationSeconds", "3600"),
        ("RoleArn", role),
        ("RoleSessionName", session.unwrap_or("secretfig")),
        ("WebIdentityToken", token),
    ]);
    let request = Request::new(Method::POST, &aws.sts, [] as [&str; 0]).map_err(refused)?.body(FORM, body);
    let reply = ask_sts(wire, request, Doing::SignIn("web_identity")).await?;
    let part = |name: &str| {
        element(reply.body(), name).ok_or_else(|| malformed("STS grants credentials that cannot be read"))
    };
    let id = part("AccessKeyId")?.to_owned();
    let (secret, session) = (part("SecretAccessKey")?, part("SessionToken")?);
    Ok(Keys { id, secret: SecretString::from(secret), session: Some(SecretString::from(session)) })
}

/// A call of STS, and its reply where it is the expected one.
pub(super) async fn ask_sts(wire: &Wire, request: Request, doing: Doing<'_>) -> Result<Reply, Refusal> {
    let wall = wire.now().wall;
    let none = || Refusal::new(ErrorKind::Transport, "nothing came back");
    let reply = wire.send(vec![request]).await.pop().ok_or_else(none)?;
    let reply = reply.map_err(|error| Refusal::from(error.of_source(SCHEME)))?;
    if reply.status() == StatusCode::OK {
        return Ok(reply);
    }
    let (code, message) = (element(reply.body(), "Code"), element(reply.body(), "Message"));
    let said = Said {
        status: reply.status().as_u16(),
        code: code.unwrap_or_default(),
        message: message.unwrap_or_default(),
        wait: reply.retry_after(wall),
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
    let at = |part: &[u8], tag: &str| part.windows(tag.len()).position(|here| here == tag.as_bytes());
    let rest = body.get(at(body, &begin)? + begin.len()..)?;
    let (text, rest) = rest.split_at_checked(at(rest, &end)?)?;
    if at(rest, &begin).is_some() || text.iter().any(|b| matches!(b, b'<' | b'&')) {
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
