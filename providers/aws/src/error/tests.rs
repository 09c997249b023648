use super::*;
use secretfig_tests::{Hunt, Marker};

fn told(status: u16, code: &str, message: &str, doing: Doing<'_>) -> Refusal {
    refusal(&Said { status, code, message, wait: Some(Duration::from_secs(7)) }, doing)
}

#[test]
fn the_table() {
    use ErrorKind as K;
    let get = Doing::Get("app/db");
    let arn = Doing::Get("arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/db-AbCdEf");
    let sign_in = Doing::SignIn("web_identity");
    let failing = K::Unavailable(Unavailable::Failing);
    let throttled = K::Throttled { retry_after: Some(Duration::from_secs(7)) };
    for (status, code, message, doing, kind, hint) in [
        (
            400,
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
            get,
            K::Absent,
            "no such secret",
        ),
        (404, "com.amazonaws.secretsmanager#ResourceNotFoundException", "", arn, K::Absent, "check the ARN"),
        (
            400,
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret value for staging label: AWSPREVIOUS",
            get,
            K::Absent,
            "staging label",
        ),
        (
            400,
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret value for VersionId: x",
            get,
            K::Absent,
            "list-secret-version-ids",
        ),
        (
            400,
            "AccessDeniedException",
            "User: x is not authorized to perform: secretsmanager:GetSecretValue",
            get,
            K::Denied,
            "allow `secretsmanager:GetSecretValue` on `app/db`",
        ),
        (400, "AccessDeniedException", "Access to KMS is not allowed", get, K::Denied, "kms:Decrypt"),
        (
            400,
            "AccessDeniedException",
            "… with an explicit deny in a resource-based policy",
            get,
            K::Denied,
            "look for a Deny",
        ),
        (
            400,
            "AccessDeniedException",
            "",
            Doing::Batch,
            K::Denied,
            "secretsmanager:BatchGetSecretValue` on `*`",
        ),
        (
            403,
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            sign_in,
            K::Unauthenticated,
            "trust policy",
        ),
        (
            400,
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
            get,
            K::Withdrawn(Withdrawn::Deleted),
            "restore-secret",
        ),
        (
            400,
            "InvalidRequestException",
            "You provided a VersionStage that is not associated to the provided VersionId.",
            get,
            K::Misconfigured,
            "together",
        ),
        (400, "DecryptionFailure", "", get, K::Denied, "describe-key"),
        (400, "DecryptionFailureException", "", get, K::Denied, "describe-key"),
        (400, "InvalidParameterException", "", get, K::Misconfigured, "check the name"),
        (400, "ValidationException", "", get, K::Misconfigured, "check the name"),
        (400, "InvalidNextTokenException", "", get, failing, "changed"),
        (400, "ThrottlingException", "Rate exceeded", get, throttled, "quota"),
        (400, "Throttling", "", get, throttled, "quota"),
        (400, "LimitExceededException", "", get, throttled, "quota"),
        (429, "", "", get, throttled, "quota"),
        (
            400,
            "ExpiredTokenException",
            "The security token included in the request is expired",
            get,
            K::Unauthenticated,
            "have expired",
        ),
        (
            400,
            "ExpiredTokenException",
            "Token expired",
            sign_in,
            K::Unauthenticated,
            "identity token is over",
        ),
        (400, "UnrecognizedClientException", "", get, K::Unauthenticated, "does not know this access key"),
        (403, "InvalidClientTokenId", "", get, K::Unauthenticated, "does not know this access key"),
        (
            400,
            "InvalidSignatureException",
            "The request signature we calculated does not match",
            get,
            K::Unauthenticated,
            "secret access key",
        ),
        (
            400,
            "InvalidSignatureException",
            "Signature expired: 20261124T000000Z is now earlier than …",
            get,
            K::Unauthenticated,
            "clock",
        ),
        (400, "InvalidSignatureException", "Signature not yet current: …", get, K::Unauthenticated, "clock"),
        (403, "RequestTimeTooSkewed", "", get, K::Unauthenticated, "clock"),
        (403, "MissingAuthenticationTokenException", "", get, K::Unauthenticated, "took the signature away"),
        (403, "OptInRequired", "", get, K::Unauthenticated, "has not enabled"),
        (400, "InvalidIdentityToken", "", sign_in, K::Unauthenticated, "identity provider"),
        (403, "IDPRejectedClaim", "", sign_in, K::Unauthenticated, "trust policy"),
        (400, "IDPCommunicationError", "", sign_in, failing, "issuer"),
        (400, "UnknownOperationException", "", get, K::Misconfigured, "endpoint"),
        (500, "InternalServiceError", "", get, failing, "health.aws"),
        (500, "InternalServiceErrorException", "", get, failing, "health.aws"),
        (503, "ServiceUnavailable", "", get, failing, "health.aws"),
        (400, "RequestTimeout", "", get, K::Timeout, "tried again"),
        (413, "", "", get, K::TooLarge, "larger"),
        (200, "", "", get, K::Malformed, "endpoint"),
        (302, "", "", get, K::Misconfigured, "redirect"),
        (400, "", "", get, K::Malformed, "endpoint"),
        (403, "", "", get, K::Unauthenticated, "without a reason"),
        (403, "", "", sign_in, K::Unauthenticated, "STS"),
        (404, "", "", get, K::Malformed, "endpoint"),
        (408, "", "", get, K::Timeout, "proxy"),
        (502, "", "", get, failing, "in front"),
        (599, "NoSuchCode", "", get, failing, "in front"),
        (418, "NoSuchCode", "", get, K::Malformed, "documents"),
    ] {
        let told = told(status, code, message, doing);
        assert_eq!(told.kind, kind, "{status} {code} {message}");
        assert!(told.hint().contains(hint), "{status} {code} {message}: {}", told.hint());
    }
}

#[test]
fn denied_is_never_absent() {
    for status in 200..600 {
        for code in ["AccessDeniedException", "AccessDenied", "NotAuthorized", "x#AccessDeniedException:http"]
        {
            assert_eq!(
                told(status, code, "can't find the specified secret", Doing::Get("x")).kind,
                ErrorKind::Denied
            );
        }
    }
}

#[test]
fn no_word_of_a_reply_is_passed_on() {
    let hunt = Hunt::new();
    let marker = hunt.plant("a server's words", Marker::random());
    let codes = [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "InvalidRequestException",
        "ThrottlingException",
        "InvalidSignatureException",
        "ExpiredTokenException",
        "",
        marker.text(),
    ];
    let messages = [
        marker.text().to_owned(),
        format!("kms {}", marker.text()),
        format!("marked for deletion {}", marker.text()),
    ];
    for status in [200, 302, 400, 401, 403, 404, 418, 429, 500, 503] {
        for code in codes {
            for message in &messages {
                #[allow(unused_mut, reason = "there are more with all features")]
                let mut all = vec![Doing::SignIn("keys"), Doing::Get("app/db"), Doing::Batch];
                #[cfg(feature = "full")]
                all.extend([Doing::WhoAmI, Doing::Describe("app/db"), Doing::List]);
                for doing in all {
                    hunt.check_error("a refused request", &told(status, code, message, doing).of("app/db"));
                }
            }
        }
    }
    hunt.finish();
}

#[test]
fn the_edge_calls_everything_what_the_others_do() {
    for (codes, kind, _) in AT_THE_EDGE {
        for code in codes.split(' ') {
            let same = BY_CODE.iter().find(|(codes, ..)| codes.split(' ').any(|known| known == code));
            assert_eq!(same.map(|(_, kind, _)| *kind), Some(kind), "{code}");
        }
    }
}
