//! All that is said while secrets are fetched and while it fails, at TRACE and by every error: no value, no key and no token.

use crate::shared::{Now, kinds, settings, text, transport};
use secretfig_aws::{Auth, Given, Keys, SecretsManager, Settings};
use secretfig_source::{Ask, At, ErrorKind, Source};
use secretfig_test_servers::{Moto, Relay};
use secretfig_tests::{Hunt, Log, Marker};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

fn planted(hunt: &Hunt, what: &str) -> String {
    hunt.plant(what, Marker::random()).text().to_owned()
}

#[tokio::test]
async fn nothing_secret_is_said() {
    let (log, _heard) = Log::listen();
    let hunt = Hunt::new();
    // what a server says in an error, the SDK prints at TRACE; ours never shows it (core/docs/threat-model.md)
    let words = Hunt::new();
    let quoted = planted(&words, "a server's words");
    let moto = Moto::open().await;
    hunt.plant("key", Marker::new(moto.secret_access_key()));
    let (value, other) = (planted(&hunt, "value"), planted(&hunt, "another value"));
    moto.put("app/db", &value).await;
    moto.put("app/db", &other).await;
    moto.put("app/mail", &json!({ "password": value }).to_string()).await;
    let hop = Relay::to(moto.address(), Duration::ZERO).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, planted(&hunt, "web identity token")).unwrap();
    let session = planted(&hunt, "session token");
    let given = Keys::new("AKIAEXAMPLE", moto.secret_access_key().into()).session_token(session.into());
    let role_arn = "arn:aws:iam::123456789012:role/app".to_owned();
    let by_token =
        Auth::WebIdentity { role_arn, session_name: None, token: Given::File(Path::new(&file).into()) };
    for auth in [Auth::Keys(given), by_token] {
        let way = auth.way();
        let source = SecretsManager::over(settings(&hop.address(), auth), transport(), Now::clock()).unwrap();
        let asks = [
            Ask::new("app/db"),
            Ask::new("app/mail"),
            Ask::new("app/db").at(At::Previous),
            Ask::new("app/none"),
        ];
        let got = source.fetch(&asks).await;
        assert_eq!(text(&got[0]), other);
        assert!(source.fetch(&[Ask::new("app/*")]).await[0].is_ok());
        hunt.check(
            format!("{way}: Debug"),
            format!("{source:?} {got:?} {:?}", source.probe(&asks).await).into_bytes(),
        );
        let error = |code: &str| json!({ "__type": code, "message": quoted, "Code": quoted }).to_string();
        for (status, body, kind) in [
            (400, error("AccessDeniedException"), ErrorKind::Denied),
            (400, error("ThrottlingException"), ErrorKind::Throttled { retry_after: None }),
            (400, error("InvalidRequestException"), ErrorKind::Misconfigured),
            (400, error("InvalidParameterException"), ErrorKind::Misconfigured),
            (
                500,
                error("InternalServiceError"),
                ErrorKind::Unavailable(secretfig_source::Unavailable::Failing),
            ),
            (400, error(&quoted), ErrorKind::Malformed),
            (200, format!("<html>{quoted}</html>"), ErrorKind::Malformed),
            (200, json!({ "VersionId": "v", "SecretBinary": quoted }).to_string(), ErrorKind::Malformed),
        ] {
            hop.answer(status, &body);
            let answers = source.fetch(&[Ask::new("app/db")]).await;
            assert_eq!(kinds(&answers), [Some(kind)], "{way}: {status} {body}");
            let told = answers[0].as_ref().unwrap_err();
            hunt.check_error(format!("{way}: {kind:?}"), told);
            words.check_error(format!("{way}: {kind:?}"), told);
        }
    }
    let said = log.text();
    assert!(said.contains("aws_smithy_runtime"), "the SDK was not heard");
    hunt.check("log", said);
    hunt.finish();
    words.finish();
}

#[test]
fn what_makes_the_sdk_print_bodies_is_refused_at_the_start() {
    for value in ["true", "1", "TRUE"] {
        let vars = [("AWS_REGION", "us-east-1"), ("LOG_SENSITIVE_BODIES", value)];
        let error = Settings::read(vars, &BTreeMap::new(), true).unwrap_err();
        assert!(error.what_to_do().contains("LOG_SENSITIVE_BODIES is refused"), "{error}");
    }
}
