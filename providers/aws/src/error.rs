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
    Refusal::new(ErrorKind::Malformed, hint)
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
            Doing::SignIn(_) => "sts:AssumeRole",
            #[cfg(feature = "full")]
            Doing::WhoAmI => "sts:GetCallerIdentity",
            Doing::Get(_) => "secretsmanager:GetSecretValue",
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
        let phrase = phrase.as_bytes();
        self.message.as_bytes().windows(phrase.len()).any(|part| part.eq_ignore_ascii_case(phrase))
    }

    /// Whether the credentials are over, or none: new ones may help.
    pub(crate) fn wants_credentials(&self) -> bool {
        matches!(
            code(self.code),
            "ExpiredToken"
                | "UnrecognizedClient"
                | "InvalidClientTokenId"
                | "MissingAuthenticationToken"
                | "RequestExpired"
                | "ExpiredTokenException"
        )
    }
}

/// A code without what differs between services: a namespace, a colon and what follows, `Exception` at its end.
pub(crate) fn code(text: &str) -> &str {
    let text = text.rsplit('#').next().unwrap_or_default();
    let text = text.split(':').next().unwrap_or_default();
    text.strip_suffix("Exception").unwrap_or(text)
}

/// The table: what a reply means that was not the expected one.
pub(crate) fn refusal(said: &Said<'_>, doing: Doing<'_>) -> Refusal {
    let failing = |hint: &'static str| Refusal::new(ErrorKind::Unavailable(Unavailable::Failing), hint);
    let unsigned = |hint: &'static str| Refusal::new(ErrorKind::Unauthenticated, hint);
    match code(said.code) {
        "ResourceNotFound" => absent(said, doing),
        "AccessDenied" | "NotAuthorized" | "UnauthorizedOperation" => denied(said, doing),
        "InvalidRequest" => invalid_request(said),
        "DecryptionFailure" => Refusal::new(
            ErrorKind::Denied,
            "AWS cannot decrypt it: its KMS key is disabled, about to be deleted, or not usable from here. Look at the key: \
             `aws kms describe-key`",
        ),
        "InvalidParameter" | "Validation" | "ValidationError" | "Serialization" => misconfigured(
            "AWS calls the request wrong: check the name, the version and the staging label that are asked for",
        ),
        "InvalidNextToken" => failing("the list changed while it was read; it is tried again"),
        // as HTTP 400, all of them
        "Throttling"
        | "ThrottledException"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "SlowDown"
        | "LimitExceeded"
        | "BandwidthLimitExceeded"
        | "PriorRequestNotComplete" => throttled(said),
        "ExpiredToken" | "RequestExpired" => unsigned(match doing {
            Doing::SignIn(_) => "the identity token is over; whoever writes its file has stopped to renew it",
            _ => "the credentials have expired; give a way to renew them: a role, and not a copy of its keys",
        }),
        "UnrecognizedClient" | "InvalidClientTokenId" => unsigned(
            "AWS does not know this access key: check it, and that the session token that belongs to it is given too",
        ),
        "InvalidSignature" | "SignatureDoesNotMatch" | "IncompleteSignature"
            if said.says("expired") || said.says("not yet current") =>
        {
            unsigned("this machine's clock is wrong by more than five minutes; set it by NTP")
        }
        "InvalidSignature" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            unsigned("the signature does not match: check the secret access key")
        }
        "RequestTimeTooSkewed" => unsigned("this machine's clock is wrong; set it by NTP"),
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => {
            unsigned("something between here and AWS took the signature away; check proxies and the endpoint")
        }
        "OptInRequired" | "SubscriptionRequired" | "RegionDisabled" => unsigned(
            "this account has not enabled the region or the service: `aws account list-regions`, or set `region`",
        ),
        "InvalidIdentityToken" | "IDPRejectedClaim" => unsigned(
            "STS refuses the identity token: check the role's trust policy (issuer, audience, subject) and the account's \
             identity provider: `aws iam list-open-id-connect-providers`",
        ),
        "IDPCommunicationError" => failing("AWS cannot reach the token's issuer; it is tried again"),
        "MalformedPolicyDocument" | "PackedPolicyTooLarge" => {
            misconfigured("STS refuses the policy of the session; give none")
        }
        "UnknownOperation" | "UnsupportedOperation" => {
            misconfigured("what answers at this endpoint does not know this operation; check `endpoint`")
        }
        "InternalService"
        | "InternalServiceError"
        | "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable"
        | "ServiceException"
        | "Unavailable" => failing("AWS says that it fails; see health.aws.amazon.com"),
        "RequestTimeout" | "RequestAborted" => {
            Refusal::new(ErrorKind::Timeout, "AWS gave up on the request; it is tried again")
        }
        "RequestEntityTooLarge" => {
            Refusal::new(ErrorKind::TooLarge, "what was sent is larger than AWS takes")
        }
        _ => by_status(said, doing),
    }
}

fn by_status(said: &Said<'_>, doing: Doing<'_>) -> Refusal {
    match said.status {
        200..300 => malformed("something answers, but not as Secrets Manager does; check `endpoint`"),
        300..400 => misconfigured(
            "the endpoint answers with a redirect, which is not followed; check `endpoint` and `region`",
        ),
        400 => malformed(
            "AWS refuses the request with a reason that it does not document; check what answers at the endpoint",
        ),
        // a body that names no code is a proxy's, or that of a server that answers in another language
        401 | 403 => Refusal::new(
            ErrorKind::Unauthenticated,
            match doing {
                Doing::SignIn(_) => {
                    "STS, or something in front of it, refuses the sign-in; check the role and the endpoint"
                }
                _ => {
                    "the request was refused without a reason that AWS would give; check the keys, proxies and `endpoint`"
                }
            },
        ),
        404 => malformed("nothing answers here as Secrets Manager does; check `endpoint`"),
        408 => Refusal::new(ErrorKind::Timeout, "a proxy gave up on AWS; check that it answers"),
        413 => Refusal::new(ErrorKind::TooLarge, "what was sent is larger than AWS takes"),
        429 => throttled(said),
        500.. => Refusal::new(
            ErrorKind::Unavailable(Unavailable::Failing),
            "AWS, or something in front of it, fails; see health.aws.amazon.com",
        ),
        _ => malformed("the reply is none that AWS documents; check what answers at the endpoint"),
    }
}

fn throttled(said: &Said<'_>) -> Refusal {
    Refusal::new(
        ErrorKind::Throttled { retry_after: said.wait },
        "the account's quota of this region is used up; it is tried again. Look for whoever else asks so often: CloudTrail",
    )
}

fn absent(said: &Said<'_>, doing: Doing<'_>) -> Refusal {
    let hint = if said.says("staging label") {
        "the secret is there, and no version of it carries this staging label"
    } else if said.says("versionid") {
        "the secret is there, and this version of it is not: `aws secretsmanager list-secret-version-ids`"
    } else {
        match doing {
            Doing::Get(id) if id.starts_with("arn:") => {
                "there is no such secret: check the ARN, its region and its account"
            }
            _ => {
                "there is no such secret in this region and account; check the name, `region` and `prefix`, or create it"
            }
        }
    };
    Refusal::new(ErrorKind::Absent, hint)
}

fn invalid_request(said: &Said<'_>) -> Refusal {
    if said.says("marked for deletion") || said.says("marked deleted") || said.says("scheduled for deletion")
    {
        return Refusal::new(
            ErrorKind::Withdrawn(Withdrawn::Deleted),
            "it is scheduled for deletion; bring it back: `aws secretsmanager restore-secret --secret-id …`",
        );
    }
    misconfigured(
        "AWS does not do this with the secret as it is: check the version and the staging label together",
    )
}

fn denied(said: &Said<'_>, doing: Doing<'_>) -> Refusal {
    if let Doing::SignIn(way) = doing {
        return Refusal::new(
            ErrorKind::Unauthenticated,
            format!("STS refuses the sign-in by {way}: the role's trust policy does not name who asks"),
        );
    }
    let (action, resource) = (doing.action(), doing.resource());
    let hint = if said.says("kms") {
        format!(
            "the secret may be read, but not decrypted: allow `kms:Decrypt` on its key, in the role's policy and in the key's \
             own; `aws secretsmanager describe-secret --secret-id {resource}` names the key"
        )
    } else if said.says("explicit deny") {
        format!(
            "a policy forbids `{action}` on `{resource}`: look for a Deny in the role's, the secret's and the organisation's"
        )
    } else {
        format!("allow `{action}` on `{resource}`; `secretfig grants` prints the whole policy")
    };
    Refusal::new(ErrorKind::Denied, hint)
}

#[cfg(test)]
mod tests;
