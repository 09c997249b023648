//! The AWS SDK against moto, which checks signatures, with a hop in between.

use crate::aws::{Adapter, fetch};
use crate::ear::{Ear, text_of, word};
use crate::hop::{Fault, Hop, json};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Credentials;
use secretfig_source::protocol::Limits;
use secretfig_source::{ErrorKind, Unavailable};
use secretfig_test_servers::Moto;
use secretfig_tests::Hunt;
use secretfig_transport::{Settings, Transport};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

const WALL: SystemTime = SystemTime::UNIX_EPOCH;

async fn client(hop: &Hop, limits: Limits, id: &str, secret: &str, session: Option<&str>) -> Client {
    let transport = Transport::new(Settings::default()).unwrap();
    let credentials = Credentials::new(id, secret, session.map(str::to_owned), None, "test");
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(Adapter { transport, limits })
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(format!("http://{}", hop.address))
        .credentials_provider(credentials)
        .load()
        .await;
    Client::new(&config)
}

#[tokio::test]
async fn a_secret_comes_and_faults_are_told_by_their_kinds() {
    let (ear, hunt) = (Ear::get(), Hunt::new());
    let value = word(&hunt, "value");
    // what a server says in an error the SDK prints at TRACE; ours never shows it (core/docs/threat-model.md)
    let errors = Hunt::new();
    let quoted = word(&errors, "a server's words");
    let moto = Moto::start().await;
    hunt.plant("key", secretfig_tests::Marker::new(moto.secret_access_key()));
    let hop = Hop::to(moto.address().strip_prefix("http://").unwrap()).await;
    let limits = Limits { deadline: Duration::from_secs(20), max_bytes: 1 << 20 };
    let app = client(&hop, limits, moto.access_key_id(), moto.secret_access_key(), None).await;
    let made = app.create_secret().name("myapp/db").secret_string(&value).send().await;
    made.map_err(|e| e.into_service_error()).unwrap();
    hop.requests();

    let document = fetch(&app, "myapp/db", WALL).await.unwrap();
    assert_eq!(text_of(&document, None), value);
    assert_eq!(hop.requests(), 1);

    let body = |code: &str| format!(r#"{{"__type":"{code}","message":"{quoted}"}}"#);
    let cases = [
        ("a 429", json(429, "retry-after: 7\r\n", &body("X")), throttled(Some(7))),
        (
            "a 429 with a date",
            json(429, "retry-after: Thu, 01 Jan 1970 00:00:09 GMT\r\n", "{}"),
            throttled(Some(9)),
        ),
        ("a 400 that throttles", json(400, "", &body("ThrottlingException")), throttled(None)),
        ("an expired token", json(400, "", &body("ExpiredTokenException")), ErrorKind::Unauthenticated),
        ("a wrong key", json(400, "", &body("InvalidSignatureException")), ErrorKind::Unauthenticated),
        ("denied", json(400, "", &body("AccessDeniedException")), ErrorKind::Denied),
        (
            "failing",
            json(500, "", &body("InternalServiceError")),
            ErrorKind::Unavailable(Unavailable::Failing),
        ),
        ("a page of a proxy", json(200, "", &format!("<html>{quoted}</html>")), ErrorKind::Malformed),
        (
            "broken off",
            Fault::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nx".to_vec()),
            ErrorKind::Transport,
        ),
    ];
    for (name, fault, kind) in cases {
        hop.next(fault);
        let error = fetch(&app, "myapp/db", WALL).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
        assert_eq!(hop.requests(), 1, "{name}: the SDK has retried");
        errors.check_error(name, &error);
        hunt.check_error(name, &error);
        // and the next one is well again
        assert!(fetch(&app, "myapp/db", WALL).await.is_ok(), "{name}");
        hop.requests();
    }
    assert_eq!(fetch(&app, "no/such", WALL).await.unwrap_err().kind(), ErrorKind::Absent);
    let stranger = client(&hop, limits, moto.access_key_id(), "another-key-altogether", None).await;
    assert_eq!(fetch(&stranger, "myapp/db", WALL).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_eq!(hop.requests(), 2);
    let said = ear.heard();
    assert!(String::from_utf8_lossy(&said).contains("aws_smithy_runtime"), "the SDK was not heard");
    hunt.check("log", said);
    hunt.finish();
    errors.finish();
}

#[tokio::test]
async fn the_deadline_and_the_cap_hold_through_the_sdk() {
    let (ear, hunt) = (Ear::get(), Hunt::new());
    let (session, secret) = (word(&hunt, "session token"), word(&hunt, "key"));
    let hop = Hop::to("127.0.0.1:1").await;
    let deadline = Duration::from_millis(400);
    let app = client(&hop, Limits { deadline, max_bytes: 1000 }, "AKIDTEST", &secret, Some(&session)).await;
    hop.next(Fault::Silence);
    let before = Instant::now();
    let error = fetch(&app, "x", WALL).await.unwrap_err();
    assert_eq!((error.kind(), hop.requests()), (ErrorKind::Timeout, 1));
    let took = before.elapsed();
    assert!(took >= deadline && took < deadline + Duration::from_secs(2), "{took:?}");

    hop.next(json(200, "", &"x".repeat(1001)));
    let error = fetch(&app, "x", WALL).await.unwrap_err();
    assert_eq!((error.kind(), hop.requests()), (ErrorKind::TooLarge, 1));
    hunt.check("log", ear.heard());
    hunt.finish();
}

fn throttled(seconds: Option<u64>) -> ErrorKind {
    ErrorKind::Throttled { retry_after: seconds.map(Duration::from_secs) }
}
