//! The Azure SDK against a strict Key Vault and Entra of our own, over TLS, with its check of challenges on.

use crate::azure::{Adapter, fetch};
use crate::ear::{Ear, text_of, word};
use crate::hop::Fault;
use crate::key_vault::{KeyVault, LOGIN, State, VAULT, json};
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::Secret;
use azure_core::http::{ClientOptions, RetryOptions, Transport as AzureTransport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use secretfig_source::protocol::Limits;
use secretfig_source::{ErrorKind, Unavailable, Withdrawn};
use secretfig_tests::Hunt;
use secretfig_transport::{Settings, Transport};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

const WALL: SystemTime = SystemTime::UNIX_EPOCH;
const AMPLE: Limits = Limits { deadline: Duration::from_secs(20), max_bytes: 1 << 20 };

fn client(server: &KeyVault, limits: Limits, secret: &str) -> SecretClient {
    let settings = Settings::default().extra_ca_pem(server.ca.as_bytes()).unwrap();
    let settings = settings.resolve(VAULT, server.address).resolve(LOGIN, server.address);
    let adapter = Arc::new(Adapter { transport: Transport::new(settings).unwrap(), limits });
    let options = || {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = format!("https://{LOGIN}");
        ClientOptions {
            transport: Some(AzureTransport::new(adapter.clone())),
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..Default::default()
        }
    };
    let credential = ClientSecretCredential::new(
        "tenant",
        "app".to_owned(),
        Secret::new(secret.to_owned()),
        Some(ClientSecretCredentialOptions { client_options: options() }),
    )
    .unwrap();
    let options = SecretClientOptions { client_options: options(), ..Default::default() };
    SecretClient::new(&format!("https://{VAULT}"), credential, Some(options)).unwrap()
}

async fn server(hunt: &Hunt) -> KeyVault {
    KeyVault::start(State {
        client_secret: word(hunt, "client secret"),
        token: word(hunt, "token"),
        value: word(hunt, "value"),
        ..Default::default()
    })
    .await
}

#[tokio::test]
async fn a_secret_comes_and_faults_are_told_by_their_kinds() {
    let (ear, hunt) = (Ear::get(), Hunt::new());
    let server = server(&hunt).await;
    let (secret, value) = server.state(|state| (state.client_secret.clone(), state.value.clone()));
    let app = client(&server, AMPLE, &secret);
    let document = fetch(&app, "db", WALL).await.unwrap();
    assert_eq!(text_of(&document, Some("value")), value);
    // a challenge, a token, and the read
    assert_eq!(server.state(|state| (state.reads, state.logins)), (2, 1));

    let quoting = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"{value}"}}}}"#);
    let disabled = r#"{"error":{"code":"Forbidden","message":"x","innererror":{"code":"SecretDisabled"}}}"#;
    for (name, fault, kind) in [
        ("a 429", json(429, "retry-after: 7\r\n", &quoting("Throttled")), throttled(7)),
        (
            "a 429 with a date",
            json(429, "retry-after: Thu, 01 Jan 1970 00:00:09 GMT\r\n", "{}"),
            throttled(9),
        ),
        ("denied", json(403, "", &quoting("Forbidden")), ErrorKind::Denied),
        ("failing", json(503, "", &quoting("X")), ErrorKind::Unavailable(Unavailable::Failing)),
        (
            "broken off",
            Fault::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nx".to_vec()),
            ErrorKind::Transport,
        ),
    ] {
        let before = server.state(|state| {
            state.faults.push_back(fault);
            state.reads
        });
        let error = fetch(&app, "db", WALL).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
        assert_eq!(server.state(|state| state.reads) - before, 1, "{name}: the SDK has retried");
        hunt.check_error(name, &error);
        assert!(fetch(&app, "db", WALL).await.is_ok(), "{name}");
    }
    server.state(|state| state.faults.push_back(json(403, "", disabled)));
    let kind = fetch(&app, "db", WALL).await.unwrap_err().kind();
    assert!(matches!(kind, ErrorKind::Denied | ErrorKind::Withdrawn(Withdrawn::Disabled)), "{kind:?}");
    assert_eq!(fetch(&app, "gone", WALL).await.unwrap_err().kind(), ErrorKind::Absent);
    assert_eq!(fetch(&app, "../db", WALL).await.unwrap_err().kind(), ErrorKind::Misconfigured);
    assert_eq!(server.state(|state| state.logins), 1);

    let stranger = client(&server, AMPLE, &word(&hunt, "wrong secret"));
    let error = fetch(&stranger, "db", WALL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    hunt.check_error("wrong secret", &error);
    assert_eq!(server.state(|state| state.logins), 2);
    let said = ear.heard();
    assert!(String::from_utf8_lossy(&said).contains("reqwest"), "the transport was not heard");
    hunt.check("log", said);
    hunt.finish();
}

#[tokio::test]
async fn an_expired_token_is_told_and_a_new_credential_heals_it() {
    let (ear, hunt) = (Ear::get(), Hunt::new());
    let server = server(&hunt).await;
    let secret = server.state(|state| state.client_secret.clone());
    let app = client(&server, AMPLE, &secret);
    assert!(fetch(&app, "db", WALL).await.is_ok());
    // the server takes it back, an hour before its time
    let before = server.state(|state| {
        state.serial += 1;
        (state.reads, state.logins)
    });
    let answer = fetch(&app, "db", WALL).await.map(|_| ()).map_err(|error| error.kind());
    let after = server.state(|state| (state.reads, state.logins));
    // the read, a challenge, and the read again with the same token: the SDK's credential keeps what it has until its
    // time is over, so whoever wants to sign in anew makes a new credential
    assert_eq!(answer, Err(ErrorKind::Unauthenticated));
    assert_eq!(after, (before.0 + 2, before.1));
    // which heals it, by one login
    assert!(fetch(&client(&server, AMPLE, &secret), "db", WALL).await.is_ok());
    assert_eq!(server.state(|state| state.logins), before.1 + 1);
    hunt.check("log", ear.heard());
    hunt.finish();
}

#[tokio::test]
async fn the_deadline_and_the_cap_hold_through_the_sdk() {
    let (ear, hunt) = (Ear::get(), Hunt::new());
    let server = server(&hunt).await;
    let secret = server.state(|state| state.client_secret.clone());
    let deadline = Duration::from_millis(1500);
    let app = client(&server, Limits { deadline, max_bytes: 1000 }, &secret);
    assert!(fetch(&app, "db", WALL).await.is_ok());
    server.state(|state| state.faults.push_back(Fault::Silence));
    let before = Instant::now();
    assert_eq!(fetch(&app, "db", WALL).await.unwrap_err().kind(), ErrorKind::Timeout);
    let took = before.elapsed();
    assert!(took >= deadline && took < deadline + Duration::from_secs(2), "{took:?}");
    server.state(|state| state.faults.push_back(json(200, "", &"x".repeat(1001))));
    let reads = server.state(|state| state.reads);
    assert_eq!(fetch(&app, "db", WALL).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(server.state(|state| state.reads) - reads, 1);
    hunt.check("log", ear.heard());
    hunt.finish();
}

fn throttled(seconds: u64) -> ErrorKind {
    ErrorKind::Throttled { retry_after: Some(Duration::from_secs(seconds)) }
}
