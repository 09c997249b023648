//! Each way to sign in, against a server that knows who signs, or one that gives credentials.

use crate::shared::{Now, kinds, sdk, settings, text, transport};
use secretfig_aws::{Auth, Given, SecretsManager, Settings};
use secretfig_source::{Ask, At, ErrorKind, Source, SourceError};
use secretfig_test_servers::{Agent, Ministack, Moto, Relay};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:GetSecretValue","sts:*"],"Resource":"*"}]}"#;
/// May do nothing but become somebody else.
const ASSUME: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}"#;

/// As variables and a table say, at that server.
fn read(server: &str, vars: &[(&str, &str)]) -> Result<SecretsManager, SourceError> {
    let here = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", server), ("AWS_ENDPOINT_URL_STS", server)];
    let nowhere =
        [("AWS_CONFIG_FILE", "/nowhere/config"), ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")];
    let vars = here.into_iter().chain(nowhere).chain(vars.iter().copied());
    let settings = Settings::read(vars.collect::<BTreeMap<_, _>>(), &BTreeMap::new(), true)?;
    SecretsManager::over(settings, transport(), Now::clock())
}

async fn value(source: &SecretsManager) -> String {
    text(&source.fetch(&[Ask::new("app/db")]).await[0])
}

#[tokio::test]
async fn by_the_keys_of_the_environment() {
    let moto = Moto::start().await;
    moto.put("app/db", "v1").await;
    let (id, key) = (moto.access_key_id(), moto.secret_access_key());
    for auth in ["chain", "environment"] {
        let vars = [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", id), ("SECRETFIG_AWS_AUTH", auth)];
        let source = read(moto.address(), &[&vars[..], &[("AWS_SECRET_ACCESS_KEY", key)]].concat()).unwrap();
        assert_eq!(value(&source).await, "v1");
        let wrong =
            read(moto.address(), &[&vars[..], &[("AWS_SECRET_ACCESS_KEY", "another")]].concat()).unwrap();
        let answers = wrong.fetch(&[Ask::new("app/db")]).await;
        assert_eq!(kinds(&answers), [Some(ErrorKind::Unauthenticated)]);
    }
}

#[tokio::test]
async fn by_a_profile_that_assumes_a_role() {
    let moto = Moto::start().await;
    moto.put("app/db", "v1").await;
    let (user, role) = (moto.user(ASSUME).await, moto.role(READ).await);
    let folder = tempfile::tempdir().unwrap();
    let (config, credentials) = (folder.path().join("config"), folder.path().join("credentials"));
    let sts = moto.address();
    std::fs::write(
        &config,
        format!(
            "[profile app]\nrole_arn = {role}\nsource_profile = base\nregion = us-east-1\nservices = here\n\n[services here]\nsts \
             =\n  endpoint_url = {sts}\n"
        ),
    )
    .unwrap();
    let keys = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        user.access_key_id, user.secret_access_key
    );
    std::fs::write(&credentials, format!("[base]\n{keys}\n[default]\n{keys}")).unwrap();
    let files = [
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
    ];
    // the region is the profile's
    for auth in ["chain", "profile"] {
        let vars = [&files[..], &[("AWS_PROFILE", "app"), ("SECRETFIG_AWS_AUTH", auth)]].concat();
        let source = read(moto.address(), &vars).unwrap();
        assert_eq!(value(&source).await, "v1");
    }
    // whose profile it is may not read; and with that role on top of it, it may
    let plain = [&files[..], &[("AWS_REGION", "us-east-1")]].concat();
    let answers = read(moto.address(), &plain).unwrap().fetch(&[Ask::new("app/db")]).await;
    assert_eq!(kinds(&answers), [Some(ErrorKind::Denied)]);
    let assuming = [&plain[..], &[("SECRETFIG_AWS_ASSUME_ROLE", role.as_str())]].concat();
    assert_eq!(value(&read(moto.address(), &assuming).unwrap()).await, "v1");
    let missing = [&plain[..], &[("AWS_PROFILE", "none")]].concat();
    let error = read(moto.address(), &missing).unwrap().sign_in().await.unwrap_err();
    assert!(error.what_to_do().contains("the profile `none` is not there"), "{error}");
}

#[tokio::test]
async fn by_a_web_identity_token_that_is_read_anew() {
    let server = Moto::open().await;
    server.put("app/db", "v1").await;
    let hop = Relay::to(server.address(), Duration::ZERO).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "header.first.signature\n").unwrap();
    let token = Given::File(Path::new(&file).into());
    let role_arn = "arn:aws:iam::123456789012:role/app".to_owned();
    let source = sdk(settings(&hop.address(), Auth::WebIdentity { role_arn, session_name: None, token }));
    assert_eq!(value(&source).await, "v1");
    let bodies = || {
        hop.passed().into_iter().filter(|one| one.what == "POST /").map(|one| one.body).collect::<Vec<_>>()
    };
    assert!(bodies()[0].contains("WebIdentityToken=header.first.signature"));
    // the kubelet has written another one, and AWS says that the credentials are over
    std::fs::write(&file, "header.second.signature\n").unwrap();
    hop.answer(400, r#"{"__type":"ExpiredTokenException","message":"…"}"#);
    assert_eq!(value(&source).await, "v1");
    assert!(bodies()[0].contains("WebIdentityToken=header.second.signature"));
    std::fs::remove_file(&file).unwrap();
    hop.answer(400, r#"{"__type":"ExpiredTokenException","message":"…"}"#);
    let error = source.fetch(&[Ask::new("app/db")]).await.remove(0).unwrap_err();
    assert!(error.what_to_do().contains("it is not there; check the path"), "{error}");
}

#[tokio::test]
async fn by_the_endpoint_of_a_container_and_again_before_it_ends() {
    let moto = Moto::start().await;
    moto.put("app/db", "v1").await;
    let hop = Relay::to(moto.address(), Duration::ZERO).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a token of the pod").unwrap();
    let uri = format!("{}/v1/credentials", hop.address());
    let vars = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
    ];
    let give = |seconds: u64| {
        #[allow(clippy::disallowed_methods, reason = "what a server says is of now")]
        let until =
            humantime::format_rfc3339_seconds(SystemTime::now() + Duration::from_secs(seconds)).to_string();
        let body = json!({
            "AccessKeyId": moto.access_key_id(),
            "SecretAccessKey": moto.secret_access_key(),
            "Expiration": until,
        });
        hop.answer(200, &body.to_string());
    };
    give(3600);
    let source = read(moto.address(), &vars).unwrap();
    assert_eq!(value(&source).await, "v1");
    let asked = hop.passed();
    assert_eq!(asked.iter().map(|one| &*one.what).collect::<Vec<_>>(), ["GET /v1/credentials"]);
    assert_eq!(asked[0].authorization.as_deref(), Some("a token of the pod"));
    // credentials that end while we run are fetched anew before they do, and until then used on
    give(6);
    let source = read(moto.address(), &vars).unwrap();
    assert_eq!(value(&source).await, "v1");
    hop.passed();
    give(3600);
    let renewed = async {
        while hop.passed().is_empty() {
            assert_eq!(value(&source).await, "v1");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), renewed).await.unwrap();
    // one that is no endpoint of a container is not asked at all
    let other = [
        vars[0],
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/credentials"),
        ("SECRETFIG_AWS_AUTH", "container"),
    ];
    let error = read(moto.address(), &other).unwrap().sign_in().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn by_the_metadata_service_of_a_machine_and_of_a_container() {
    let server = Ministack::start().await;
    server.put("app/db", "v1").await;
    let machine = [("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.address())];
    for auth in ["instance", "chain"] {
        let source =
            read(server.address(), &[&machine[..], &[("SECRETFIG_AWS_AUTH", auth)]].concat()).unwrap();
        assert_eq!(value(&source).await, "v1");
        assert!(source.sign_in().await.unwrap().is_some_and(|who| who.as_str().starts_with("arn:aws:")));
    }
    // the region is the machine's
    assert_eq!(value(&read(server.address(), &machine[1..]).unwrap()).await, "v1");
    let uri = server.container_credentials();
    let container = [("AWS_REGION", "us-east-1"), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str())];
    assert_eq!(value(&read(server.address(), &container).unwrap()).await, "v1");
    let off =
        [&machine[..], &[("AWS_EC2_METADATA_DISABLED", "true"), ("SECRETFIG_AWS_AUTH", "instance")]].concat();
    let error = read(server.address(), &off).unwrap().sign_in().await.unwrap_err();
    assert!(error.what_to_do().contains("AWS_EC2_METADATA_DISABLED"), "{error}");
}

#[tokio::test]
async fn by_an_agent_that_is_told_when_its_value_failed() {
    let server = Ministack::start().await;
    let hop = Relay::to(server.address(), Duration::ZERO).await;
    let vars = [("SECRETFIG_AWS_AGENT", hop.address()), ("AWS_TOKEN", "a token of the agent".to_owned())];
    let vars: Vec<(&str, &str)> = vars.iter().map(|(name, value)| (*name, &**value)).collect();
    let source = read(server.address(), &vars).unwrap();
    let reply = json!({ "VersionId": "v1", "SecretString": "value", "CreatedDate": "1724173434.1" });
    let ask = Ask::new("app/db");
    for (distrusted, query) in [(false, ""), (true, "&refreshNow=true"), (false, "")] {
        if distrusted {
            source.distrust(&ask);
        }
        hop.answer(200, &reply.to_string());
        assert_eq!(value(&source).await, "value");
        let asked = hop.passed().remove(0);
        assert_eq!(
            asked.what,
            format!("GET /secretsmanager/get?secretId=app%2Fdb&versionStage=AWSCURRENT{query}")
        );
        assert_eq!(asked.token.as_deref(), Some("a token of the agent"));
    }
    for (status, body, kind) in [
        (403, "Token validation failed", ErrorKind::Unauthenticated),
        (400, r#"{"__type":"ResourceNotFoundException","message":"…"}"#, ErrorKind::Absent),
        (400, r#"{"__type":"AccessDeniedException","message":"…"}"#, ErrorKind::Denied),
    ] {
        hop.answer(status, body);
        assert_eq!(kinds(&source.fetch(std::slice::from_ref(&ask)).await), [Some(kind)]);
    }
    let folder = source.fetch(&[Ask::new("app/*")]).await;
    assert_eq!(kinds(&folder), [Some(ErrorKind::Misconfigured)]);
}

#[tokio::test]
async fn by_an_agent_that_keeps_values_and_checks_who_asks() {
    let server = Ministack::start().await;
    let agent = Agent::of(server.address(), "its token", Duration::from_secs(3_600)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "its token\n").unwrap();
    let token = format!("file://{}", file.display());
    let by = |token: &str| {
        let vars = [("SECRETFIG_AWS_AGENT", agent.address()), ("AWS_TOKEN", token.to_owned())];
        let vars: Vec<(&str, &str)> = vars.iter().map(|(name, value)| (*name, &**value)).collect();
        read(server.address(), &vars).unwrap()
    };
    let source = by(&token);
    let ask = Ask::new("app/db");
    let absent = source.fetch(std::slice::from_ref(&ask)).await;
    assert_eq!(kinds(&absent), [Some(ErrorKind::Absent)]);
    let (_, first) = server.put("app/db", "one").await;
    assert_eq!(value(&source).await, "one");
    server.put("app/db", "two").await;
    assert_eq!(value(&source).await, "one", "it is kept");
    let pinned = Ask::new("app/db").at(At::Version(first.as_str().into()));
    assert!(source.fetch(&[pinned]).await.iter().all(Result::is_ok));
    // whoever uses it found it wrong
    source.distrust(&ask);
    assert_eq!(value(&source).await, "two");
    agent.asked();
    assert_eq!(value(&source).await, "two");
    assert_eq!(agent.asked(), [""; 0], "the one fresh look is over");
    let refused = by("another token").fetch(std::slice::from_ref(&ask)).await;
    assert_eq!(kinds(&refused), [Some(ErrorKind::Unauthenticated)]);
}
