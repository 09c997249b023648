//! From what AWS says to what a user does: one table, and no foreign text.
//!
//! Of a reply its status counts, its code (`__type`), what was being done, and whether one of a few known sentences stands in
//! its message. Those sentences are never passed on: they hold names of roles and keys, and a proxy may put anything there.
//!
//! Codes: [Secrets Manager](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors),
//! [those of all services](https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html),
//! [STS](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors).

use secretfig_source::{ErrorKind, SourceError, Unavailable, Withdrawn};
use std::borrow::Cow;
use std::time::Duration;

/// The scheme of references to this source, and its name in messages: `aws-sm://myapp/database#password`.
pub const SCHEME: &str = "aws-sm";

/// Why there is no answer: a kind, and what to do. The secret is named by whoever was asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: ErrorKind,
    /// In a block of its own, so that a refusal is small to hand on.
    hint: Box<Cow<'static, str>>,
}

impl Refusal {
    pub(crate) fn new(kind: ErrorKind, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, hint: Box::new(hint.into()) }
    }

    /// For an answer about one secret.
    pub(crate) fn of(self, secret: &str) -> SourceError {
        SourceError::from(self).secret(secret)
    }

    /// What the user should do.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

impl From<Refusal> for SourceError {
    fn from(refusal: Refusal) -> Self {
        let error = SourceError::new(refusal.kind, SCHEME);
        match *refusal.hint {
            Cow::Borrowed(hint) => error.hint(hint),
            Cow::Owned(hint) => error.hint_naming(hint),
        }
    }
}

impl From<SourceError> for Refusal {
    fn from(error: SourceError) -> Self {
        Self::new(error.kind(), error.what_to_do().to_owned())
    }
}

pub(crate) fn misconfigured(hint: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(ErrorKind::Misconfigured, hint)
}

pub(crate) fn malformed(hint: &'static str) -> Refusal {
    Refusal::new(ErrorKind::Malformed, worded(hint, NOT_AWS))
}

/// What was being done when a reply came that is none of the expected ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing<'a> {
    /// Getting credentials, in the way of that name.
    SignIn(&'static str),
    /// Asking who we are.
    #[cfg(feature = "full")]
    WhoAmI,
    /// Reading one secret, told as AWS is told it.
    Get(&'a str),
    /// Reading several at once.
    #[cfg(feature = "full")]
    Batch,
    /// Reading what is known of a secret.
    #[cfg(feature = "full")]
    Describe(&'a str),
    /// Listing a folder.
    #[cfg(feature = "full")]
    List,
}

impl Doing<'_> {
    fn action(self) -> &'static str {
        match self {
            #[cfg(feature = "full")]
            Doing::SignIn(_) => "sts:AssumeRole",
            #[cfg(feature = "full")]
            Doing::WhoAmI => "sts:GetCallerIdentity",
            #[cfg(feature = "full")]
            Doing::Get(_) => "secretsmanager:GetSecretValue",
            #[cfg(not(feature = "full"))]
            _ => "secretsmanager:GetSecretValue",
            #[cfg(feature = "full")]
            Doing::Batch => "secretsmanager:BatchGetSecretValue",
            #[cfg(feature = "full")]
            Doing::Describe(_) => "secretsmanager:DescribeSecret",
            #[cfg(feature = "full")]
            Doing::List => "secretsmanager:ListSecrets",
        }
    }

    fn resource(&self) -> &str {
        match self {
            Doing::Get(id) => id,
            #[cfg(feature = "full")]
            Doing::Describe(id) => id,
            _ => "*",
        }
    }
}

/// A reply that is not the expected one, as either half sees it.
pub(crate) struct Said<'a> {
    pub(crate) status: u16,
    /// What stands behind the last `#` of `__type`, and before a colon.
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    /// What its `Retry-After` asks for.
    pub(crate) wait: Option<Duration>,
}

impl Said<'_> {
    /// Whether the message says this, in any case of letters.
    fn says(&self, phrase: &str) -> bool {
        find(self.message.to_ascii_lowercase().as_bytes(), phrase).is_some()
    }

    /// Whether the credentials are over, or none: new ones may help.
    pub(crate) fn wants_credentials(&self) -> bool {
        is_one(
            "ExpiredToken UnrecognizedClient InvalidClientTokenId MissingAuthenticationToken RequestExpired",
            code(self.code),
        )
    }
}

/// Where that stands first. Not `str::find`, which is larger than all of this.
pub(crate) fn find(text: &[u8], part: &str) -> Option<usize> {
    (0..text.len()).find(|at| text.get(*at..).is_some_and(|rest| rest.starts_with(part.as_bytes())))
}

/// A code without what differs between services: a namespace, a colon and what follows, `Exception` at its end.
pub(crate) fn code(text: &str) -> &str {
    let text = text.split_once('#').map_or(text, |(_, text)| text);
    let text = text.split_once(':').map_or(text, |(text, _)| text);
    text.strip_suffix("Exception").unwrap_or(text)
}

const FAILING: ErrorKind = ErrorKind::Unavailable(Unavailable::Failing);
const THROTTLED: ErrorKind = ErrorKind::Throttled { retry_after: None };

#[cfg(feature = "full")]
/// The table: what a reply means that was not the expected one. Its codes, without what differs between services; what it is;
/// what to do.
const BY_CODE: [(&str, ErrorKind, &str); 17] = [
    (
        "DecryptionFailure",
        ErrorKind::Denied,
        "AWS cannot decrypt it: its KMS key is disabled, about to be deleted, or not usable from here. Look at the key: \
         `aws kms describe-key`",
    ),
    (
        "InvalidParameter Validation ValidationError Serialization",
        ErrorKind::Misconfigured,
        "AWS calls the request wrong: check the name, the version and the staging label that are asked for",
    ),
    ("InvalidNextToken", FAILING, "the list changed while it was read; it is tried again"),
    // as HTTP 400, all of them
    (
        "Throttling Throttled TooManyRequests RequestLimitExceeded RequestThrottled SlowDown LimitExceeded \
         BandwidthLimitExceeded PriorRequestNotComplete",
        THROTTLED,
        OVER_QUOTA,
    ),
    (
        "ExpiredToken RequestExpired",
        ErrorKind::Unauthenticated,
        "the credentials have expired; give a way to renew them: a role, and not a copy of its keys",
    ),
    (
        "UnrecognizedClient InvalidClientTokenId",
        ErrorKind::Unauthenticated,
        "AWS does not know this access key: check it, and that the session token that belongs to it is given too",
    ),
    (
        "InvalidSignature SignatureDoesNotMatch IncompleteSignature",
        ErrorKind::Unauthenticated,
        "the signature does not match: check the secret access key",
    ),
    ("RequestTimeTooSkewed", ErrorKind::Unauthenticated, "this machine's clock is wrong; set it by NTP"),
    (
        "MissingAuthenticationToken",
        ErrorKind::Unauthenticated,
        "something between here and AWS took the signature away; check proxies and the endpoint",
    ),
    (
        "OptInRequired SubscriptionRequired RegionDisabled",
        ErrorKind::Unauthenticated,
        "this account has not enabled the region or the service: `aws account list-regions`, or set `region`",
    ),
    (
        "InvalidIdentityToken IDPRejectedClaim",
        ErrorKind::Unauthenticated,
        "STS refuses the identity token: check the role's trust policy (issuer, audience, subject) and the account's \
         identity provider: `aws iam list-open-id-connect-providers`",
    ),
    ("IDPCommunicationError", FAILING, "AWS cannot reach the token's issuer; it is tried again"),
    (
        "MalformedPolicyDocument PackedPolicyTooLarge",
        ErrorKind::Misconfigured,
        "STS refuses the policy of the session; give none",
    ),
    (
        "UnknownOperation UnsupportedOperation",
        ErrorKind::Misconfigured,
        "what answers at this endpoint does not know this operation; check `endpoint`",
    ),
    (
        "InternalService InternalServiceError InternalFailure InternalError ServiceUnavailable Service Unavailable",
        FAILING,
        "AWS says that it fails; see health.aws.amazon.com",
    ),
    ("RequestTimeout RequestAborted", ErrorKind::Timeout, "AWS gave up on the request; it is tried again"),
    ("RequestEntityTooLarge", ErrorKind::TooLarge, SENT_TOO_LARGE),
];

/// The same in few words, for an edge package that must be small, of what can happen there and its status does not tell. A test holds it to the one above.
#[cfg(any(test, not(feature = "full")))]
const AT_THE_EDGE: [(&str, ErrorKind, &str); 8] = [
    (
        "DecryptionFailure",
        ErrorKind::Denied,
        "its KMS key is disabled, about to be deleted, or not usable from here",
    ),
    (
        "InvalidParameter Validation ValidationError",
        ErrorKind::Misconfigured,
        "AWS calls the request wrong: check the name",
    ),
    ("Throttling Throttled TooManyRequests RequestLimitExceeded LimitExceeded", THROTTLED, OVER_QUOTA),
    ("ExpiredToken RequestExpired", ErrorKind::Unauthenticated, "expired; load anew with others"),
    (
        "UnrecognizedClient InvalidClientTokenId MissingAuthenticationToken",
        ErrorKind::Unauthenticated,
        "AWS does not know this access key; temporary keys take their session token too",
    ),
    (
        "InvalidSignature SignatureDoesNotMatch",
        ErrorKind::Unauthenticated,
        "the signature does not match: check the secret access key, and the clock",
    ),
    (
        "InvalidIdentityToken IDPRejectedClaim",
        ErrorKind::Unauthenticated,
        "STS refuses the token: check the role's trust policy (issuer, audience, subject)",
    ),
    ("IDPCommunicationError InternalService", FAILING, FAILS),
];

#[cfg(not(feature = "full"))]
use AT_THE_EDGE as BY_CODE;

const OVER_QUOTA: &str = worded(
    "the account's quota of this region is used up; it is tried again. Look for whoever else asks so often: CloudTrail",
    "the account's quota of this region is used up",
);
const NOT_AWS: &str = "something answers, but not as AWS does; check the endpoint";
const FAILS: &str = "AWS, or something in front of it, fails";
const GAVE_UP: &str = "AWS, or a proxy, gave up on the request";
const SENT_TOO_LARGE: &str = "what was sent is larger than AWS takes";

/// In words for servers, or in fewer for an edge.
const fn worded<'a>(full: &'a str, edge: &'a str) -> &'a str {
    if cfg!(feature = "full") { full } else { edge }
}

/// What it is, and what to do, where no known code is told.
fn by_status(status: u16, signs_in: bool) -> (ErrorKind, &'static str) {
    let other = worded("the reply is none that AWS documents; check what answers at the endpoint", NOT_AWS);
    match status {
        200..300 => (
            ErrorKind::Malformed,
            worded("something answers, but not as Secrets Manager does; check `endpoint`", other),
        ),
        300..400 => (
            ErrorKind::Misconfigured,
            worded(
                "the endpoint answers with a redirect, which is not followed; check `endpoint` and `region`",
                "a redirect, which is not followed; check the endpoint",
            ),
        ),
        400 => (
            ErrorKind::Malformed,
            worded(
                "AWS refuses the request with a reason that it does not document; check what answers at the endpoint",
                other,
            ),
        ),
        // a body that names no code is a proxy's, or that of a server that answers in another language
        401 | 403 if signs_in && cfg!(feature = "full") => (
            ErrorKind::Unauthenticated,
            "STS, or something in front of it, refuses the sign-in; check the role and the endpoint",
        ),
        401 | 403 => (
            ErrorKind::Unauthenticated,
            worded(
                "the request was refused without a reason that AWS would give; check the keys, proxies and `endpoint`",
                "refused without a reason of AWS'; check the endpoint",
            ),
        ),
        404 => (
            ErrorKind::Malformed,
            worded("nothing answers here as Secrets Manager does; check `endpoint`", other),
        ),
        408 => (ErrorKind::Timeout, worded("a proxy gave up on AWS; check that it answers", GAVE_UP)),
        413 => (ErrorKind::TooLarge, SENT_TOO_LARGE),
        429 => (THROTTLED, OVER_QUOTA),
        500.. => {
            (FAILING, worded("AWS, or something in front of it, fails; see health.aws.amazon.com", FAILS))
        }
        _ => (ErrorKind::Malformed, other),
    }
}

/// What a reply means that was not the expected one.
pub(crate) fn refusal(said: &Said<'_>, doing: Doing<'_>) -> Refusal {
    let code = code(said.code);
    match code {
        "ResourceNotFound" => return absent(said, doing),
        "AccessDenied" | "NotAuthorized" | "UnauthorizedOperation" => return denied(said, doing),
        "InvalidRequest" => return invalid_request(said),
        _ => {}
    }
    let signs_in = matches!(doing, Doing::SignIn(_));
    let by_code = BY_CODE.iter().find(|(codes, ..)| is_one(codes, code));
    let (kind, hint) =
        by_code.map_or_else(|| by_status(said.status, signs_in), |(_, kind, hint)| (*kind, *hint));
    let kind = match kind {
        THROTTLED => ErrorKind::Throttled { retry_after: said.wait },
        kind => kind,
    };
    #[cfg(feature = "full")]
    let hint = match code {
        "ExpiredToken" | "RequestExpired" if signs_in => {
            "the identity token is over; whoever writes its file has stopped to renew it"
        }
        "InvalidSignature" | "SignatureDoesNotMatch" | "IncompleteSignature"
            if said.says("expired") || said.says("not yet current") =>
        {
            "this machine's clock is wrong by more than five minutes; set it by NTP"
        }
        _ => hint,
    };
    Refusal::new(kind, hint)
}

/// Whether a code is one of those.
fn is_one(codes: &str, code: &str) -> bool {
    codes.split(' ').any(|known| known == code)
}

fn absent(said: &Said<'_>, doing: Doing<'_>) -> Refusal {
    let versions = cfg!(feature = "full");
    let hint = if versions && said.says("staging label") {
        "the secret is there, and no version of it carries this staging label"
    } else if versions && said.says("versionid") {
        "the secret is there, and this version of it is not: `aws secretsmanager list-secret-version-ids`"
    } else {
        match doing {
            Doing::Get(id) if versions && id.starts_with("arn:") => {
                "there is no such secret: check the ARN, its region and its account"
            }
            _ => worded(
                "there is no such secret in this region and account; check the name, `region` and `prefix`, or create it",
                "there is no such secret in this region and account",
            ),
        }
    };
    Refusal::new(ErrorKind::Absent, hint)
}

fn invalid_request(said: &Said<'_>) -> Refusal {
    if said.says("marked for deletion") || said.says("marked deleted") || said.says("scheduled for deletion")
    {
        return Refusal::new(
            ErrorKind::Withdrawn(Withdrawn::Deleted),
            worded(
                "it is scheduled for deletion; bring it back: `aws secretsmanager restore-secret --secret-id …`",
                "it is scheduled for deletion; `aws secretsmanager restore-secret` brings it back",
            ),
        );
    }
    misconfigured(worded(
        "AWS does not do this with the secret as it is: check the version and the staging label together",
        "AWS does not do this with the secret as it is",
    ))
}

fn denied(said: &Said<'_>, doing: Doing<'_>) -> Refusal {
    let (action, resource) = (doing.action(), doing.resource());
    let (kind, hint) = match doing {
        Doing::SignIn(way) => (
            ErrorKind::Unauthenticated,
            ["STS refuses the sign-in by ", way, ": the role's trust policy does not name who asks", "", ""],
        ),
        _ if said.says("kms") => (
            ErrorKind::Denied,
            [
                worded(
                    "the secret may be read, but not decrypted: allow `kms:Decrypt` on its key, in the role's policy and in the key's own",
                    "allow `kms:Decrypt` on its key, in the role's policy and in the key's own",
                ),
                worded("; `aws secretsmanager describe-secret --secret-id ", ""),
                worded(resource, ""),
                worded("` names the key", ""),
                "",
            ],
        ),
        _ if said.says("explicit deny") => (
            ErrorKind::Denied,
            [
                "a policy forbids `",
                action,
                "` on `",
                resource,
                worded("`: look for a Deny in the role's, the secret's and the organisation's", "`"),
            ],
        ),
        _ => (
            ErrorKind::Denied,
            [
                "allow `",
                action,
                "` on `",
                resource,
                worded("`; `secretfig grants` prints the whole policy", "`"),
            ],
        ),
    };
    Refusal::new(kind, hint.concat())
}

#[cfg(test)]
mod tests;
