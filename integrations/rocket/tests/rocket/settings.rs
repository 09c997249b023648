//! Rocket's own settings from secrets, tried by launching.

use super::{LIMIT, launch, local};
use rocket::figment::Figment;
use rocket::figment::providers::Serialized;
use rocket::http::{Cookie, CookieJar};
use rocket::local::asynchronous::Client;
use rocket::{get, routes};
use secretfig::testing::FakeSource;
use secretfig::{Config, ExposeSecret, SecretLayer, SecretString};
use secretfig_rocket::figment;
use secretfig_tests::integrations::Ear;
use secretfig_tests::{Hunt, Marker};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

#[derive(Deserialize)]
struct Settings {
    #[allow(dead_code, reason = "for Rocket")]
    secret_key: SecretString,
    #[serde(default)]
    databases: BTreeMap<String, Database>,
    #[serde(default)]
    #[allow(dead_code, reason = "for Rocket")]
    tls: Option<BTreeMap<String, SecretString>>,
    #[serde(default)]
    #[allow(dead_code, reason = "for Rocket")]
    port: Option<SecretString>,
}

#[derive(Deserialize)]
struct Database {
    url: SecretString,
}

/// 88 letters of base64, as Rocket has its key. (All `A` were zeros, which is what Rocket has for none.)
fn key(letter: char) -> String {
    format!("{}==", letter.to_string().repeat(86))
}

fn source() -> FakeSource {
    FakeSource::new().with("app/key", &key('Q')).with("app/main", "postgres://app:s3cret@db/main")
}

fn layer(source: &FakeSource) -> SecretLayer {
    SecretLayer::from(source.clone()).put("secret_key", "app/key").put("databases.main.url", "app/main")
}

async fn load(layer: SecretLayer) -> Config<Settings> {
    Config::<Settings>::builder().select("production").merge(layer).load().await.unwrap()
}

/// For a launch of a test.
fn here(figment: Figment) -> Figment {
    let local = local();
    figment
        .merge(Serialized::global("port", local.port))
        .merge(Serialized::global("log_level", local.log_level))
        .merge(Serialized::global("shutdown", local.shutdown))
}

#[get("/set")]
fn set(cookies: &CookieJar<'_>) {
    cookies.add_private(Cookie::new("who", "me"));
}

#[get("/get")]
fn get_back(cookies: &CookieJar<'_>) -> String {
    cookies.get_private("who").map_or_else(|| "nobody".to_owned(), |cookie| cookie.value().to_owned())
}

async fn client(figment: Figment) -> Client {
    Client::untracked(rocket::custom(here(figment)).mount("/", routes![set, get_back])).await.unwrap()
}

#[tokio::test]
async fn the_key_of_private_cookies_is_the_secret() {
    let source = source();
    let config = load(layer(&source)).await;
    let first = client(figment(&config, ["secret_key"]).unwrap()).await;
    assert!(first.rocket().config().secret_key.is_provided());
    let response = first.get("/set").dispatch().await;
    let cookie = response.cookies().get("who").expect("a cookie").clone().into_owned();
    assert_ne!(cookie.value(), "me");
    let back = async |client: &Client| {
        client.get("/get").cookie(cookie.clone()).dispatch().await.into_string().await
    };
    // another instance with the same secret reads it, one with the next revision does not
    let second = client(figment(&config, ["secret_key"]).unwrap()).await;
    assert_eq!(back(&second).await.as_deref(), Some("me"));
    source.rotate("app/key", &key('g'));
    config.refresh().await;
    let third = client(figment(&config, ["secret_key"]).unwrap()).await;
    assert_eq!(back(&third).await.as_deref(), Some("nobody"));
    assert_eq!(back(&first).await.as_deref(), Some("me"), "what runs keeps what it was given");
}

/// Rocket launches in no other profile but `debug` without a key.
#[tokio::test]
async fn a_key_lets_rocket_launch_in_release() {
    let config = load(layer(&source())).await;
    let with = figment(&config, ["secret_key"]).unwrap().select("release");
    launch(rocket::custom(here(with))).await.land().await;
    let without = figment(&config, [""; 0]).unwrap().select("release");
    let refused = rocket::custom(here(without)).ignite().await.expect_err("no key");
    assert!(matches!(refused.kind(), rocket::error::ErrorKind::InsecureSecretKey(_)));
}

#[tokio::test]
async fn the_profile_stays_rockets_and_the_rest_is_there() {
    let config = load(layer(&source())).await;
    assert_eq!(config.expose(["secret_key"]).profile(), "production");
    let figment = figment(&config, ["databases.*.url"]).unwrap();
    assert_eq!(figment.profile(), rocket::Config::figment().profile());
    // as rocket_db_pools and rocket_sync_db_pools look for it, in every profile
    for profile in ["debug", "release", "anything"] {
        let url: String = figment.clone().select(profile).extract_inner("databases.main.url").unwrap();
        assert_eq!(url, config.snapshot().databases["main"].url.expose_secret());
    }
    assert!(!rocket::Config::try_from(&figment).unwrap().secret_key.is_provided(), "it was not named");
}

#[tokio::test]
async fn a_rotation_is_a_note_that_names_no_value() {
    let hunt = Hunt::new();
    let urls = ["first", "second"].map(|name| hunt.plant(name, Marker::random()));
    let source = source();
    source.put("app/main", urls[0].text());
    let config = load(layer(&source)).await;
    drop(figment(&config, ["secret_key", "databases.*"]).unwrap());
    source.rotate("app/main", urls[1].text());
    config.refresh().await;
    let health = config.health();
    let [needed] = health.restart_needed() else { panic!("{health}") };
    assert_eq!((&*needed.keys[0], &*needed.secret), ("databases.main.url", "app/main"));
    hunt.check_display("the health", &needed.to_string().as_str());
    hunt.check("the health, Display", health.to_string());
    hunt.check_debug("the health", &health);
    hunt.check("the health, JSON", serde_json::to_string(&health).unwrap());
    hunt.finish();
}

/// Rocket prints what it refuses, value and all. This does not.
#[tokio::test]
async fn what_rocket_would_refuse_is_told_by_key() {
    let hunt = Hunt::new();
    for (what, [key, port]) in
        [("text", [Marker::random(), Marker::random()]), ("number", [Marker::number(), Marker::number()])]
    {
        let key = hunt.plant(format!("{what}: key"), key);
        let port = hunt.plant(format!("{what}: port"), port);
        let source = source().with("app/port", port.text());
        source.put("app/key", key.text());
        let config = load(layer(&source).put("port", "app/port")).await;
        let exposed = config.expose(["secret_key", "port"]);
        let rockets_own = rocket::Config::try_from(rocket::Config::figment().merge(exposed)).unwrap_err();
        assert!(
            key.find(rockets_own.to_string().as_bytes())
                .or(port.find(rockets_own.to_string().as_bytes()))
                .is_some(),
            "no need for all this any more"
        );
        let e = figment(&config, ["secret_key", "port", "databases.*"]).unwrap_err();
        let mut keys: Vec<_> = e.keys().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["port", "secret_key"], "{e}");
        assert!(std::error::Error::source(&e).is_none());
        hunt.check_error(what, &e);
    }
    hunt.finish();
}

/// At its most talkative, from launch to landing.
#[tokio::test]
async fn rocket_logs_nothing_of_what_it_was_given() {
    let (certs, tls_key, _) = certificate();
    let hunt = Hunt::new();
    let url = hunt.plant("url", Marker::random());
    let letters = format!("{}q7Rt9Q==", "q7Rt9xKw2LbVz5Nc".repeat(5));
    let secret_key = hunt.plant("secret_key", Marker::new(letters));
    hunt.plant("tls.key", Marker::new(tls_key.lines().nth(1).expect("a line of base64")));
    let source = source().with("app/certs", &certs).with("app/tls-key", &tls_key);
    source.put("app/main", url.text());
    source.put("app/key", secret_key.text());
    let config = load(layer(&source).put("tls.certs", "app/certs").put("tls.key", "app/tls-key")).await;
    let ear = Ear::new();
    let figment = here(figment(&config, ["secret_key", "databases.*", "tls.*"]).unwrap())
        .merge(Serialized::global("log_level", rocket::config::LogLevel::Debug))
        .select("release");
    launch(rocket::custom(figment).mount("/", routes![hello])).await.land().await;
    let logged = ear.logged();
    assert!(logged.contains("Rocket has launched from"), "Rocket went unheard: {logged}");
    hunt.check("what Rocket logged", &logged);
    hunt.check("what we traced", format!("-{}", ear.traced()));
    hunt.finish();
}

fn certificate() -> (String, String, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem(), roots)
}

#[get("/")]
fn hello() -> &'static str {
    "over TLS"
}

#[tokio::test]
async fn pem_in_a_secret_is_served_without_a_file() {
    let (certs, key, roots) = certificate();
    let source = source().with("app/certs", &certs).with("app/tls-key", &key);
    let config = load(layer(&source).put("tls.certs", "app/certs").put("tls.key", "app/tls-key")).await;
    let figment = figment(&config, ["tls.*"]).unwrap();
    let flight = launch(rocket::custom(here(figment)).mount("/", routes![hello])).await;

    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let asking = async {
        let stream = TcpStream::connect(("127.0.0.1", flight.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream =
            TlsConnector::from(Arc::new(client)).connect(name, stream).await.expect("our certificate");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    };
    let answer = tokio::time::timeout(LIMIT, asking).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("over TLS"), "{answer}");
    flight.land().await;
}

/// Only PEM is taken for PEM: a path is a path, also beside it.
#[tokio::test]
async fn a_path_stays_a_path() {
    let (_, key, _) = certificate();
    let source = source().with("app/certs", "/etc/tls/tls.crt").with("app/tls-key", &format!("\n{key}"));
    let config = load(layer(&source).put("tls.certs", "app/certs").put("tls.key", "app/tls-key")).await;
    let figment = figment(&config, ["tls.*"]).unwrap();
    let tls = rocket::Config::try_from(&figment).unwrap().tls.expect("there is TLS");
    assert_eq!(tls.certs().left().as_deref(), Some(std::path::Path::new("/etc/tls/tls.crt")));
    assert_eq!(tls.key().right(), Some(format!("\n{key}").as_bytes()));
}
