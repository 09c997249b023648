//! The ready-made models over every layout that they promise to read, through our decoder and through others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(all(feature = "testing", feature = "models"))]

use secretfig::models::{Algorithm, DatabaseCredentials, Engine, JwtConfig, OpenAiConfig, SslMode};
use secretfig::testing::FakeSource;
use secretfig::{
    Config, ExposeSecret, FaultKind, Format, Live, LoadError, Schema, SecretLayer, TextEnv, Wanted,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

const KEY: &str = "pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2";

#[derive(Deserialize)]
#[serde(bound = "M: DeserializeOwned")]
struct App<M> {
    it: Live<M>,
}

async fn load<M: DeserializeOwned + Send + Sync + 'static>(
    document: &str,
) -> Result<Config<App<M>>, LoadError> {
    let source = FakeSource::new().with("secret", document);
    Config::builder().merge(SecretLayer::from(source).put("it", "secret")).load().await
}

/// The model of a document, the same by our decoder and by serde_json.
async fn read<M: DeserializeOwned + Clone + Send + Sync + 'static, R: PartialEq + std::fmt::Debug>(
    document: &Value,
    look: impl Fn(&M) -> R,
) -> R {
    let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
    let ours = look(&load::<M>(&text).await.unwrap().snapshot().it);
    let theirs = look(&serde_json::from_value::<M>(document.clone()).unwrap());
    let streamed = look(&serde_json::from_str::<M>(&document.to_string()).unwrap());
    assert_eq!(ours, theirs, "{text}");
    assert_eq!(ours, streamed, "{text}");
    ours
}

async fn url(document: &Value) -> String {
    read(document, |database: &DatabaseCredentials| database.url().expose_secret().to_owned()).await
}

/// Key, kind and message of every fault.
fn told(error: &LoadError) -> Vec<(String, String)> {
    error.report().faults().iter().map(|fault| (fault.key().to_string(), fault.kind().to_string())).collect()
}

async fn faults<M: DeserializeOwned + Send + Sync + 'static>(document: &str) -> Vec<(String, String)> {
    told(&load::<M>(document).await.map(drop).unwrap_err())
}

/// The document is refused for one thing, at that key, in words with that part; by serde_json too.
async fn refused<M: DeserializeOwned + Send + Sync + 'static>(document: &Value, key: &str, part: &str) {
    let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
    let faults = faults::<M>(&text).await;
    assert_eq!(faults.len(), 1, "{text}: {faults:?}");
    assert_eq!(faults[0].0, key, "{text}: {faults:?}");
    assert!(faults[0].1.contains(part), "{text}: {faults:?}");
    assert!(serde_json::from_value::<M>(document.clone()).is_err(), "{text}");
}

#[tokio::test]
async fn databases_come_in_every_spelling() {
    let all = "postgres://app:pw@db:6543/orders?sslmode=require";
    for document in [
        json!({"engine": "postgres", "host": "db", "port": 6543, "username": "app", "password": "pw", "dbname": "orders", "sslmode": "require"}),
        json!({"host": "db", "port": "6543", "user": "app", "password": "pw", "databaseName": "orders", "ssl": true}),
        json!({"hostname": "db", "port": 6543, "username": "app", "password": "pw", "database": "orders", "ssl_mode": "Required"}),
        json!({"server": "db", "port": 6543, "username": "app", "password": "pw", "database_name": "orders", "sslMode": "require"}),
        json!({"Host": "db", "Port": 6543, "Username": "app", "Password": "pw", "DatabaseName": "orders", "SslMode": "Require"}),
        json!({"driver": "postgresql+psycopg2", "host": "db", "port": " 6543 ", "username": "app", "password": "pw", "db": "orders", "ssl": "true"}),
        json!({"scheme": "postgresql", "host": "db", "port": 6543, "username": "app", "password": "pw", "db_name": "orders", "ssl": "yes"}),
        // what Amazon RDS and its rotation add
        json!({"engine": "aurora-postgresql", "host": "db", "port": 6543, "username": "app", "password": "pw", "dbname": "orders",
            "ssl": true, "dbClusterIdentifier": "c", "dbInstanceIdentifier": "i", "masterarn": "arn:aws:…", "masterUserSecret": {"a": [1]}}),
        // null is none
        json!({"engine": null, "host": "db", "port": 6543, "username": "app", "password": "pw", "dbname": "orders", "ssl": "on", "url": null}),
        json!("postgres://app:pw@db:6543/orders?sslmode=require"),
        json!("  postgresql://db:6543/orders?user=app&password=pw&ssl=true\n"),
        json!("jdbc:postgresql://db:6543/orders?ssl=true&user=app&password=pw&sslmode=prefer"),
        json!("Host=db;Port=6543;Database=orders;Username=app;Password=pw;SSL Mode=Require"),
        json!({"url": "jdbc:postgresql://db:6543/orders", "username": "app", "password": "pw", "ssl": true}),
        json!({"connectionString": "postgres://app:pw@db:6543/orders?sslmode=require", "host": "db", "port": "6543", "dbname": "orders"}),
    ] {
        assert_eq!(url(&document).await, all, "{document}");
    }
}

#[tokio::test]
async fn engines_bring_their_port_their_scheme_and_their_word_for_tls() {
    for (engine, expected) in [
        (json!(null), "postgres://u:p@h:5432?sslmode=verify-full"),
        (json!("mysql"), "mysql://u:p@h:3306?ssl-mode=VERIFY_IDENTITY"),
        (json!("aurora"), "mysql://u:p@h:3306?ssl-mode=VERIFY_IDENTITY"),
        (json!("MariaDB"), "mariadb://u:p@h:3306?ssl-mode=VERIFY_IDENTITY"),
        (json!("mssql"), "sqlserver://u:p@h:1433?encrypt=true"),
        (json!("sqlserver-ex"), "sqlserver://u:p@h:1433?encrypt=true"),
        (json!("custom-oracle-ee"), "oracle://u:p@h:1521?sslmode=verify-full"),
        (json!("mongo"), "mongodb://u:p@h:27017?tls=true"),
        (json!("redshift"), "postgres://u:p@h:5439?sslmode=verify-full"),
    ] {
        let document = json!({"engine": engine, "host": "h", "username": "u", "password": "p", "sslmode": "verify-full"});
        assert_eq!(url(&document).await, expected);
    }
    let other = json!({"engine": "cockroach", "host": "h", "port": 26257, "username": "u", "password": "p"});
    assert_eq!(url(&other).await, "cockroach://u:p@h:26257");
    let portless = json!({"engine": "cockroach", "host": "h", "username": "u", "password": "p"});
    refused::<DatabaseCredentials>(&portless, "it.port", "missing").await;
}

#[tokio::test]
async fn connection_strings_of_other_worlds() {
    for (text, expected) in [
        (
            "Server=tcp:x.database.windows.net,1434;Initial Catalog=orders;User ID=app;Password=\"p;\"\"w=\";Encrypt=True;Connection Timeout=30;",
            "sqlserver://app:p%3B%22w%3D@x.database.windows.net:1434/orders?encrypt=true",
        ),
        ("Data Source=h; Uid = app ;pwd= p w ; Application Name=x", "sqlserver://app:p%20w@h:1433"),
        (
            "Driver={MySQL ODBC 8.0 Driver};Server=h;Database='o''s';User=app;Password={p}}};Option=3",
            "mysql://app:p%7D@h:3306/o%27s",
        ),
        (
            "jdbc:sqlserver://h:1444;databaseName=o;user=app;password={p;w};encrypt=false",
            "sqlserver://app:p%3Bw@h:1444/o?encrypt=false",
        ),
        (
            "mysql://app:p@h/o?ssl-mode=VERIFY_CA&charset=utf8&x=%20",
            "mysql://app:p@h:3306/o?ssl-mode=VERIFY_CA&charset=utf8&x=%20",
        ),
        ("mongodb://app:p@h/o?replicaSet=rs0", "mongodb://app:p@h:27017/o?replicaSet=rs0"),
        ("postgres://app:p@[2001:db8::1]:5433/o", "postgres://app:p@[2001:db8::1]:5433/o"),
        ("postgres://app:p@%2Fvar%2Frun%2Fpostgresql/o", "postgres://app:p@%2Fvar%2Frun%2Fpostgresql:5432/o"),
        ("postgresql+asyncpg://a%40b:%C3%A9%25@h/", "postgres://a%40b:%C3%A9%25@h:5432"),
    ] {
        assert_eq!(url(&json!(text)).await, expected, "{text}");
    }
    let oracle = json!({"jdbcUrl": "jdbc:oracle:thin:@//h:1522/service", "username": "app", "password": "p"});
    assert_eq!(url(&oracle).await, "oracle://app:p@h:1522/service");
    let mysql = json!({"dsn": "Server=h;Uid=a;Pwd=p", "engine": "mysql"});
    assert_eq!(url(&mysql).await, "mysql://a:p@h:3306");
    let time =
        "Host=h;Username=a;Password=p;Timeout=5".parse::<DatabaseCredentials>().unwrap().connect_timeout();
    assert_eq!(time, Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn times_are_seconds_or_say_their_unit() {
    for (timeout, expected) in
        [(json!(5), 5_000), (json!("5"), 5_000), (json!("1500ms"), 1_500), (json!("1m"), 60_000)]
    {
        for key in ["connection_timeout", "connectionTimeout", "connect_timeout", "ConnectionTimeout"] {
            let document = json!({"host": "h", "username": "u", "password": "p", key: timeout});
            let time = read(&document, DatabaseCredentials::connect_timeout).await;
            assert_eq!(time, Some(Duration::from_millis(expected)));
        }
    }
    for timeout in
        [json!(0), json!(30_000), json!(-1), json!(1.5), json!("soon"), json!(true), json!([]), json!({})]
    {
        let document = json!({"host": "h", "username": "u", "password": "p", "connectionTimeout": timeout});
        refused::<DatabaseCredentials>(&document, "it.connectionTimeout", "from 1 to 3600 seconds").await;
    }
}

#[tokio::test]
async fn a_secret_with_half_of_it_joins_a_file_with_the_rest() {
    let source = FakeSource::new()
        .with("both", r#"{"username": "app", "password": "pw"}"#)
        .with("name", "app")
        .with("word", "pw");
    let environment = || TextEnv::prefixed("APP_");
    let half = [("APP_IT__HOST", "db"), ("APP_IT__PORT", "6543"), ("APP_IT__SSL", "true")];
    let whole = "postgres://app:pw@db:6543?sslmode=require";

    let both = SecretLayer::from(source.clone()).put("it", "both");
    let config =
        Config::<App<DatabaseCredentials>>::builder().env(half).merge(environment()).merge(both.clone());
    assert_eq!(config.load().await.unwrap().snapshot().it.url().expose_secret(), whole);

    let split = SecretLayer::from(source).put("it.username", "name").put("it.password", "word");
    let config = Config::<App<DatabaseCredentials>>::builder().env(half).merge(environment()).merge(split);
    assert_eq!(config.load().await.unwrap().snapshot().it.url().expose_secret(), whole);

    let config =
        Config::<App<DatabaseCredentials>>::builder().merge(both).load().await.map(drop).unwrap_err();
    assert_eq!(told(&config), [("it.host".to_owned(), "missing".to_owned())]);
    assert_eq!(config.report().faults()[0].secret_name(), Some("both"));
}

#[tokio::test]
async fn what_cannot_be_had_is_told_once_and_no_lack_is_made_of_it() {
    let source = FakeSource::new().with("word", "pw");
    source.deny("name");
    let layer = SecretLayer::from(source).put("it.username", "name").put("it.password", "word");
    let host = [("APP_IT__HOST", "db")];
    let config =
        Config::<App<DatabaseCredentials>>::builder().env(host).merge(TextEnv::prefixed("APP_")).merge(layer);
    let told = told(&config.load().await.map(drop).unwrap_err());
    assert_eq!(told.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["it.username"], "{told:?}");
}

#[tokio::test]
async fn plain_layers_read_alike() {
    #[cfg(feature = "figment")]
    {
        use figment::providers::{Format, Toml};
        let toml = |port: &str| {
            format!("[it]\nhost = 'h'\nport = {port}\nusername = 'u'\npassword = 'p'\nssl = true")
        };
        for port in ["6543", "'6543'"] {
            let config =
                Config::<App<DatabaseCredentials>>::builder().merge(Toml::string(&toml(port))).load().await;
            assert_eq!(config.unwrap().snapshot().it.port(), 6543);
        }
    }
    let config = Config::<App<DatabaseCredentials>>::builder()
        .env([("APP_IT", "mysql://u:p@h/o")])
        .merge(TextEnv::prefixed("APP_"))
        .load()
        .await;
    assert_eq!(config.unwrap().snapshot().it.endpoint(), "mysql://h:3306/o");
}

#[tokio::test]
async fn databases_that_are_wrong_are_refused_at_their_key() {
    let with = |key: &str, value: Value| {
        let mut document = json!({"host": "h", "username": "u", "password": "p"});
        document.as_object_mut().unwrap().insert(key.to_owned(), value);
        document
    };
    for (key, value, part) in [
        ("host", json!(""), "a host name"),
        ("host", json!("h\nx"), "a host name"),
        ("host", json!("h:5432"), "a host name"),
        ("host", json!("u@h"), "a host name"),
        ("port", json!(0), "a port from 1 to 65535"),
        ("port", json!("0"), "a port from 1 to 65535"),
        ("port", json!(70_000), "a port from 1 to 65535"),
        ("port", json!("db"), "a port from 1 to 65535"),
        ("port", json!(1.5), "a port from 1 to 65535"),
        ("port", json!([1]), "a port from 1 to 65535"),
        ("username", json!(""), "a string that is not empty"),
        ("username", json!("a\u{0}b"), "without control characters"),
        ("password", json!(""), "a string that is not empty"),
        ("password", json!({"a": 1}), "wrong type"),
        ("dbname", json!(""), "a string that is not empty"),
        ("engine", json!("?"), "an engine such as"),
        ("engine", json!("mongodb+srv"), "an engine such as"),
        ("ssl_mode", json!("sometimes"), "verify-full"),
        ("ssl", json!([true]), "a TLS mode such as"),
        ("url", json!("nowhere"), "a connection string reads"),
        ("uri", json!("postgres://u:p@ss@h/"), "percent-encode the user name"),
        ("url", json!("postgres://u:p#x@h/"), "percent-encode the user name"),
        ("url", json!("postgres://u:p@ss/word@h/d"), "percent-encode the user name"),
        ("url", json!("postgres://u:12/3@h/d"), "percent-encode the user name"),
        ("url", json!("postgres://u:12?3@h/d"), "percent-encode the user name"),
        ("dsn", json!("Server=h;Password=a;b;User Id=u"), "has to stand in quotes"),
        ("url", json!("postgres://u:p@h:0/"), "its port"),
        ("url", json!("postgres://u:p@h:70000/"), "its port"),
        ("url", json!("postgres://u:p@h1,h2/"), "its host"),
        ("url", json!("mongodb+srv://u:p@h/"), "its scheme"),
        ("url", json!("postgres://u:%ff@h/"), "no UTF-8"),
        ("url", json!("postgres://u:p@h/?sslmode=maybe"), "its TLS mode"),
        ("url", json!("postgres://u:p@h/?password=q"), "one thing twice"),
        ("dsn", json!("Server=h;Password=\"p"), "not closed"),
        ("dsn", json!("Server=h;Password"), "a connection string reads"),
        ("jdbcUrl", json!("jdbc:oracle:thin:@h:1521:SID"), "Oracle"),
    ] {
        refused::<DatabaseCredentials>(&with(key, value), &format!("it.{key}"), part).await;
    }
    let differing = json!({"url": "postgres://u:p@h/d", "password": "q", "dbname": "d"});
    refused::<DatabaseCredentials>(&differing, "it.password", "says something else").await;
    for (document, part) in [
        ("postgres:///d", "its host"),
        ("postgres://h/d", "names no user"),
        ("postgres://u@h/d", "no password"),
        ("cockroach://u:p@h/d", "names no port"),
        ("hunter2", "a connection string reads"),
    ] {
        refused::<DatabaseCredentials>(&json!(document), "it", part).await;
    }
    for document in ["[1]", "7", "true"] {
        assert!(serde_json::from_str::<DatabaseCredentials>(document).is_err());
    }
}

#[tokio::test]
async fn two_spellings_name_both() {
    let document =
        r#"{"host": "h", "user": "u", "username": "v", "password": "p", "dbname": "d", "databaseName": "e"}"#;
    let error = load::<DatabaseCredentials>(document).await.map(drop).unwrap_err();
    let faults: Vec<_> =
        error.report().faults().iter().map(|fault| (fault.key().to_string(), fault.kind().clone())).collect();
    assert_eq!(faults.len(), 2, "{error}");
    for (_, kind) in &faults {
        assert!(matches!(kind, FaultKind::TwoSpellings { other: Some(_), .. }), "{error}");
    }
    let document = format!(r#"{{"secret": "{KEY}", "expiry_hours": 1, "access_token_ttl_minutes": 60}}"#);
    let error = load::<JwtConfig>(&document).await.map(drop).unwrap_err();
    let FaultKind::TwoSpellings { other: Some(_), .. } = error.report().faults()[0].kind() else {
        panic!("{error}")
    };
    assert_eq!(error.report().faults().len(), 1, "{error}");
    let document =
        format!(r#"{{"api_key": "{KEY}", "apiKey": "{KEY}", "model": "a", "default_model": "b"}}"#);
    let error = load::<OpenAiConfig>(&document).await.map(drop).unwrap_err();
    assert_eq!(error.report().faults().len(), 2, "{error}");
    for fault in error.report().faults() {
        assert!(matches!(fault.kind(), FaultKind::TwoSpellings { other: Some(_), .. }), "{error}");
    }
}

#[tokio::test]
async fn all_faults_of_a_section_are_in_one_report() {
    let document = r#"{"hostname": "", "port": "x", "password": "", "sslmode": "?", "connect_timeout": "never", "engine": "?"}"#;
    let keys =
        faults::<DatabaseCredentials>(document).await.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(
        keys,
        [
            "it.engine",
            "it.hostname",
            "it.port",
            "it.username",
            "it.password",
            "it.sslmode",
            "it.connect_timeout"
        ]
    );
    let document = r#"{"signingKey": "short", "public_key": "x", "iss": ""}"#;
    assert_eq!(faults::<JwtConfig>(document).await.len(), 1, "the key is not judged by a wrong section");
    let document = r#"{"signingKey": "short", "publicKey": "x"}"#;
    let keys = faults::<JwtConfig>(document).await.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys, ["it.signingKey", "it.publicKey"]);
}

#[tokio::test]
async fn tokens_come_in_every_spelling() {
    let look = |jwt: &JwtConfig| {
        assert_eq!(jwt.signing_key().expose_secret(), KEY.as_bytes());
        assert_eq!(jwt.algorithm(), Algorithm::Hs256);
        (jwt.access_ttl().as_secs(), jwt.refresh_ttl().as_secs(), jwt.issuer().map(str::to_owned))
    };
    let default = (900, 604_800, None);
    for key in ["secret_key", "secretKey", "SecretKey", "signing_key", "signingKey", "key", "secret"] {
        assert_eq!(read(&json!({key: KEY, "alg": "hs256", "other": [1]}), look).await, default);
    }
    assert_eq!(read(&json!(KEY), look).await, default);
    for (key, value, seconds) in [
        ("access_token_ttl_minutes", json!(30), 1_800),
        ("access_token_ttl_minutes", json!("30"), 1_800),
        ("expiresIn", json!("15m"), 900),
        ("expiresIn", json!(3600), 3_600),
        ("expiryHours", json!(8), 28_800),
        ("expiry_hours", json!("1"), 3_600),
        ("ExpiryMinutes", json!(5), 300),
        ("expiry_minutes", json!(5), 300),
        ("token_expiry_min", json!(20), 1_200),
        ("access_ttl", json!("1h 30m"), 5_400),
        ("access_ttl", json!("366days"), 31_622_400),
    ] {
        assert_eq!(read(&json!({"secret": KEY, key: value}), look).await.0, seconds, "{key}");
    }
    for (key, value, seconds) in [
        ("refresh_token_ttl_days", json!(30), 2_592_000),
        ("refresh_expiry_h", json!("24"), 86_400),
        ("refresh_ttl", json!("14d"), 1_209_600),
    ] {
        assert_eq!(read(&json!({"secret": KEY, key: value}), look).await.1, seconds, "{key}");
    }
    for (issuer, audience) in [("issuer", "audience"), ("iss", "aud")] {
        let document = json!({"secret": KEY, issuer: "me", audience: "you", "kid": "k1"});
        let names =
            |jwt: &JwtConfig| [jwt.issuer(), jwt.audience(), jwt.kid()].map(|name| name.unwrap().to_owned());
        assert_eq!(read(&document, names).await, ["me", "you", "k1"]);
    }
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
    let public = pem.replace("PRIVATE", "PUBLIC");
    let document = json!({"private_key": pem, "public_key": public, "algorithm": "EdDSA"});
    let look = |jwt: &JwtConfig| (jwt.algorithm(), jwt.public_key().unwrap().expose_secret().to_vec());
    assert_eq!(read(&document, look).await, (Algorithm::EdDsa, public.into_bytes()));
}

#[tokio::test]
async fn a_key_may_be_bytes() {
    let source = FakeSource::new().with("secret", KEY);
    let bytes = || Wanted::new("secret").format(Format::Bytes);
    let layer = || SecretLayer::from(source.clone());
    let config = Config::<App<JwtConfig>>::builder().merge(layer().put("it", bytes())).load().await.unwrap();
    assert_eq!(config.snapshot().it.signing_key().expose_secret(), KEY.as_bytes());
    let config =
        Config::<App<JwtConfig>>::builder().merge(layer().put("it.key", bytes())).load().await.unwrap();
    assert_eq!(config.snapshot().it.signing_key().expose_secret(), KEY.as_bytes());
    let error = Config::<App<DatabaseCredentials>>::builder().merge(layer().put("it", bytes())).load().await;
    assert!(error.map(drop).unwrap_err().to_string().contains("bytes, where a table"));
}

#[tokio::test]
async fn tokens_that_are_wrong_are_refused_at_their_key() {
    let pem = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----";
    for (document, key, part) in [
        (json!({"alg": "HS256"}), "it.secret_key", "missing"),
        (json!({"secret": KEY, "alg": "none"}), "it.alg", "anyone can forge"),
        (json!({"secret": KEY, "algorithm": "NoNe"}), "it.algorithm", "anyone can forge"),
        (json!({"secret": KEY, "algorithm": "MD5"}), "it.algorithm", "none of HS256, HS384"),
        (
            json!({"SecretKey": &KEY[1..]}),
            "it.SecretKey",
            "an HS256 key needs at least 32 bytes: generate one with `openssl rand",
        ),
        (json!({"secret": KEY, "alg": "HS384"}), "it.secret", "at least 48 bytes"),
        (json!({"secret": KEY, "alg": "HS512"}), "it.secret", "at least 64 bytes"),
        (json!({"secret": "change-me-change-me-change-me-change-me"}), "it.secret", "a placeholder"),
        (json!({"secret": pem}), "it.secret", "no HMAC key"),
        (json!({"secret": KEY, "alg": "RS256"}), "it.secret", "-----BEGIN"),
        (json!({"secret": pem, "alg": "RS256", "public_key": pem}), "it.public_key", "a private key"),
        (
            json!({"secret": KEY, "public_key": "-----BEGIN PUBLIC KEY-----"}),
            "it.public_key",
            "HMAC has no public key",
        ),
        (json!({"secret": KEY, "expiryHours": 0}), "it.expiryHours", "whole number of hours"),
        (json!({"secret": KEY, "expiryHours": 8785}), "it.expiryHours", "at most 366 days"),
        (json!({"secret": KEY, "expiryHours": "15m"}), "it.expiryHours", "whole number of hours"),
        (json!({"secret": KEY, "expiry_hours": 0.5}), "it.expiry_hours", "whole number of hours"),
        (json!({"secret": KEY, "refresh_token_ttl_days": 367}), "it.refresh_token_ttl_days", "from 1 to 366"),
        (json!({"secret": KEY, "expiresIn": "0s"}), "it.expiresIn", "at least a second"),
        (json!({"secret": KEY, "refresh_ttl": "2y"}), "it.refresh_ttl", "at most 366 days"),
        (json!({"secret": KEY, "kid": ""}), "it.kid", "not empty"),
        (json!("hunter2"), "it", "at least 32 bytes"),
    ] {
        refused::<JwtConfig>(&document, key, part).await;
    }
}

#[tokio::test]
async fn openai_comes_in_every_spelling() {
    let look = |openai: &OpenAiConfig| {
        assert_eq!(openai.api_key().expose_secret(), KEY);
        let names = [openai.model(), openai.organization(), openai.project()];
        (names.map(|name| name.map(str::to_owned)), openai.max_tokens(), openai.endpoint().to_owned())
    };
    let own = "https://api.openai.com/v1";
    let default = ([None, None, None], 4096, own.to_owned());
    for key in ["api_key", "apiKey", "ApiKey", "key"] {
        assert_eq!(
            read(&json!({key: KEY, "model": null, "endpoint": null, "other": [1]}), look).await,
            default
        );
    }
    assert_eq!(read(&json!(KEY), look).await, default);
    let names = [
        ["model", "Model", "default_model", "defaultModel", "DefaultModel"].as_slice(),
        &["organization", "Organization", "organization_id", "organizationId", "OrganizationId", "org_id"],
        &["project", "Project", "project_id", "projectId", "ProjectId"],
    ];
    for (which, keys) in names.into_iter().enumerate() {
        for key in keys {
            let mut expected = default.clone();
            expected.0[which] = Some("it".to_owned());
            assert_eq!(read(&json!({"api_key": KEY, *key: "it"}), look).await, expected, "{key}");
        }
    }
    for key in ["max_tokens", "maxTokens", "MaxTokens"] {
        for (value, tokens) in [(json!(1), 1), (json!("8192"), 8192), (json!(128_000), 128_000)] {
            assert_eq!(read(&json!({"api_key": KEY, key: value}), look).await.1, tokens);
        }
    }
    for key in ["endpoint", "Endpoint", "base_url", "baseUrl", "BaseUrl"] {
        for (value, endpoint) in [
            ("https://eu.api.openai.com/v1/", "https://eu.api.openai.com/v1"),
            (" https://x.openai.azure.com/openai/v1\n", "https://x.openai.azure.com/openai/v1"),
            ("HTTPS://h:8443", "HTTPS://h:8443"),
            ("http://localhost:11434/v1", "http://localhost:11434/v1"),
            ("http://127.0.0.2/v1", "http://127.0.0.2/v1"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            assert_eq!(read(&json!({"api_key": KEY, key: value}), look).await.2, endpoint);
        }
    }
    let source = FakeSource::new().with("secret", KEY);
    let layer = SecretLayer::from(source).put("it", Wanted::new("secret").format(Format::Bytes));
    let config = Config::<App<OpenAiConfig>>::builder().merge(layer).load().await.unwrap();
    assert_eq!(config.snapshot().it.api_key().expose_secret(), KEY);
}

#[tokio::test]
async fn openai_that_is_wrong_is_refused_at_its_key() {
    let with = |key: &str, value: Value| {
        let mut document = json!({"apiKey": KEY});
        document.as_object_mut().unwrap().insert(key.to_owned(), value);
        document
    };
    for (key, value, part) in [
        ("apiKey", json!(&KEY[13..]), "at least 20 characters"),
        ("apiKey", json!(""), "a placeholder"),
        ("apiKey", json!("sk-your-api-key-goes-here"), "a placeholder"),
        ("apiKey", json!("sk-proj-xxxxxxxxxxxxxxxxxxxxxxxx"), "a placeholder"),
        ("apiKey", json!(format!("{KEY}\n")), "without blanks and line ends"),
        ("apiKey", json!(format!("{KEY}é")), "printable ASCII"),
        ("apiKey", json!([KEY]), "wrong type"),
        ("model", json!(""), "not empty"),
        ("organization_id", json!("a\nb"), "without control characters"),
        ("project", json!({"a": 1}), "wrong type"),
        ("maxTokens", json!(0), "from 1 to 128000"),
        ("maxTokens", json!(128_001), "from 1 to 128000"),
        ("maxTokens", json!("many"), "from 1 to 128000"),
        ("maxTokens", json!(-1), "from 1 to 128000"),
        ("maxTokens", json!(1.5), "from 1 to 128000"),
        ("maxTokens", json!(true), "from 1 to 128000"),
        ("endpoint", json!("api.openai.com"), "no URL"),
        ("endpoint", json!(""), "no URL"),
        ("endpoint", json!("https:///v1"), "names no host"),
        ("endpoint", json!("https:v1"), "names no host"),
        ("endpoint", json!("http://api.openai.com/v1"), "plain http"),
        ("endpoint", json!("http://127.0.0.1.evil.example/v1"), "plain http"),
        ("endpoint", json!("ftp://h/"), "no https URL"),
        ("endpoint", json!("https://h:70000/"), "1 to 65535"),
        ("endpoint", json!("https://u:p@h/"), "no user, query or fragment"),
        ("base_url", json!("https://h/?api-key=k"), "no user, query or fragment"),
        ("base_url", json!("https://h/#k"), "no user, query or fragment"),
        ("base_url", json!(["https://h"]), "wrong type"),
    ] {
        refused::<OpenAiConfig>(&with(key, value), &format!("it.{key}"), part).await;
    }
    refused::<OpenAiConfig>(&json!({"model": "m"}), "it.api_key", "missing").await;
    refused::<OpenAiConfig>(&json!("hunter2"), "it", "at least 20 characters").await;
    for document in ["[1]", "true", "null"] {
        assert!(serde_json::from_str::<OpenAiConfig>(document).is_err());
    }
    let all = r#"{"key": "short", "baseUrl": "http://h"}"#;
    let keys: Vec<_> = faults::<OpenAiConfig>(all).await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["it.key", "it.baseUrl"]);
    let wrong = r#"{"maxTokens": "x", "model": "", "org_id": [], "projectId": ""}"#;
    let keys: Vec<_> = faults::<OpenAiConfig>(wrong).await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["it.api_key", "it.model", "it.org_id", "it.projectId", "it.maxTokens"]);
}

/// No window of eight bytes of it.
fn holds_none_of(text: &str, marker: &str) {
    for part in marker.as_bytes().windows(8) {
        let found = text.as_bytes().windows(8).any(|window| window == part);
        assert!(!found, "{text} holds a part of {marker}");
    }
}

#[tokio::test]
async fn nothing_that_speaks_holds_a_value() {
    let marker = r#"MARK"7f\3a%20 x&9c;d1=b2@e5/f6'g7{h8}"#;
    let ours = [
        json!({"host": marker, "port": marker, "username": marker, "password": marker, "dbname": marker, "engine": marker,
            "sslmode": marker, "connect_timeout": marker, "url": marker, "alg": marker, "secret": marker, "aud": marker,
            "expiresIn": marker, "refresh_token_ttl_days": marker, "public_key": marker}),
        json!({"host": marker, "username": {marker: marker}, "password": [marker], "secret": {marker: marker}, "iss": [marker]}),
        json!({"user": marker, "username": marker, "secret": marker, "key": marker, "alg": "none"}),
        json!({"url": format!("postgres://u:{marker}@h/{marker}"), "secret": format!("changeme{marker}")}),
        json!({"dsn": format!("Server={marker};Password=\"{marker}"), "secret": marker, "alg": "HS512"}),
        json!(marker),
        json!(format!("postgres://{marker}:{marker}@{marker}/?sslmode={marker}")),
        json!([marker]),
        json!({"api_key": marker, "model": marker, "organization": marker, "project": [marker], "max_tokens": marker, "endpoint": marker}),
        json!({"api_key": {marker: marker}, "model": {marker: 1}, "max_tokens": [marker], "base_url": format!("http://{marker}@h/?{marker}")}),
        json!({"apiKey": marker.replace(' ', "_"), "model": marker, "org_id": marker, "project": marker}),
        json!({"apiKey": KEY, "baseUrl": format!("http://u:{}@h/", marker.replace(['"', '\\', ' ', '{', '}', '/', '%'], "_"))}),
        json!({"key": 7_777_777_777u64, "max_tokens": 7_777_777_777u64, "model": -7_777_777_777i64}),
        json!({"host": 7_777_777_777u64, "port": 7_777_777_777u64, "password": 1.5, "secret": 7_777_777_777u64, "access_ttl": -7_777_777_777i64}),
    ];
    async fn speech<M: DeserializeOwned + std::fmt::Debug + Send + Sync + 'static>(
        document: &Value,
    ) -> String {
        let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
        let mut said = match load::<M>(&text).await {
            Ok(config) => format!("{:?}", *config.snapshot().it),
            Err(error) => format!("{error}{error:?}{}", error.to_json()),
        };
        said += &serde_json::from_str::<M>(&document.to_string())
            .map_or_else(|e| format!("{e}{e:?}"), |m| format!("{m:?}"));
        said += &serde_json::from_value::<M>(document.clone())
            .map_or_else(|e| format!("{e}{e:?}"), |m| format!("{m:?}"));
        if let Some(text) = document.as_str() {
            let bare = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(text);
            said += &M::deserialize(bare).map_or_else(|e| format!("{e}{e:?}"), |m| format!("{m:?}"));
        }
        said
    }
    for document in &ours {
        let said = speech::<DatabaseCredentials>(document).await
            + &speech::<JwtConfig>(document).await
            + &speech::<OpenAiConfig>(document).await;
        holds_none_of(&said, marker);
        holds_none_of(&said, &marker.replace(['"', '\\', ' ', '{', '}', '/', '%'], "_"));
        holds_none_of(&said, "7777777777");
    }
    let number = serde::de::value::U64Deserializer::<serde::de::value::Error>::new(7_777_777_777);
    holds_none_of(&JwtConfig::deserialize(number).unwrap_err().to_string(), "7777777777");

    let database = DatabaseCredentials::new("db", marker, marker)
        .with_database("orders")
        .with_ssl_mode(SslMode::Require);
    holds_none_of(&format!("{database:?}{}", database.endpoint()), marker);
    assert!(format!("{database:?}").contains("orders") && !format!("{database:?}").contains("MARK"));
    let jwt = JwtConfig::new(Algorithm::Hs256, format!("{marker}{marker}")).unwrap();
    holds_none_of(&format!("{jwt:?}{:?}", jwt.clone().with_kid("k").signing_key()), marker);
    holds_none_of(&format!("{:?}", marker.parse::<DatabaseCredentials>().unwrap_err()), marker);
    let openai =
        OpenAiConfig::new(marker.replace(' ', "_")).unwrap().with_model(marker).with_endpoint(marker);
    let openai = openai.with_organization(marker).with_project(marker).with_max_tokens(7);
    holds_none_of(&format!("{openai:?}{openai:#?}{:?}", openai.api_key()), marker);
    assert_eq!(format!("{openai:?}"), "OpenAiConfig { max_tokens: 7, .. }");
    holds_none_of(&format!("{:?}", OpenAiConfig::new(marker).unwrap_err()), marker);
}

#[test]
fn urls_come_back_as_they_went() {
    let texts = [
        "p@ss",
        "a:b/c?d#e",
        "100%",
        "%41",
        "é🔑\u{a0}",
        r#"q"u\o'te"#,
        " lead and trail ",
        "[x]{y}|^`<>",
        "+&=;,$!*()",
        "~-._",
        "\n\t",
    ];
    for user in texts.iter().filter(|text| !text.contains('\n')) {
        for password in texts {
            for host in ["db.internal", "127.0.0.1", "2001:db8::1"] {
                let database =
                    DatabaseCredentials::new(host, *user, password).with_database(*user).with_port(6543);
                let text = database.url();
                let url = url::Url::parse(text.expose_secret()).unwrap();
                let plain = |text: &str| percent_decode(text);
                assert_eq!(
                    (plain(url.username()), plain(url.password().unwrap())),
                    ((*user).to_owned(), password.to_owned())
                );
                assert_eq!(plain(&url.path()[1..]), *user);
                assert_eq!(
                    (url.host_str().unwrap().trim_matches(['[', ']']), url.port()),
                    (host, Some(6543))
                );
                let back: DatabaseCredentials = text.expose_secret().parse().unwrap();
                assert_eq!(back.url().expose_secret(), text.expose_secret());
                assert_eq!(back.password().expose_secret(), password);
                assert!(url::Url::parse(&database.endpoint()).unwrap().username().is_empty());
            }
        }
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_schema_lists_fields_and_not_every_spelling() {
    let keys = |schema: &Schema| schema.keys().iter().map(|key| key.path.to_string()).collect::<Vec<_>>();
    assert_eq!(
        keys(&Schema::of::<App<DatabaseCredentials>>()),
        [
            "it.engine",
            "it.host",
            "it.port",
            "it.username",
            "it.password",
            "it.database",
            "it.sslmode",
            "it.connection_timeout",
            "it.url"
        ]
    );
    assert_eq!(
        keys(&Schema::of::<JwtConfig>()),
        ["secret_key", "algorithm", "public_key", "access_ttl", "refresh_ttl", "issuer", "audience", "kid"]
    );
    assert_eq!(
        keys(&Schema::of::<OpenAiConfig>()),
        ["api_key", "model", "organization", "project", "max_tokens", "endpoint"]
    );
    assert_eq!("pg".parse::<Engine>().unwrap(), Engine::Postgres);
}

#[tokio::test]
async fn a_model_may_stand_in_an_option_a_list_and_a_flattened_struct() {
    #[derive(Deserialize)]
    struct Outer {
        none: Option<DatabaseCredentials>,
        some: Option<Live<JwtConfig>>,
        shards: Vec<DatabaseCredentials>,
        #[serde(flatten)]
        flat: Flat,
    }
    #[derive(Deserialize)]
    struct Flat {
        main: DatabaseCredentials,
    }
    let document = json!({"some": KEY, "shards": ["mysql://u:p@a/", {"host": "b", "user": "u", "password": "p"}],
        "main": {"host": "c", "port": "6543", "user": "u", "password": "p", "ssl": true}});
    let source = FakeSource::new().with("all", &document.to_string());
    let config =
        Config::<Outer>::builder().merge(SecretLayer::from(source).put("", "all")).load().await.unwrap();
    let all = config.snapshot();
    assert!(all.none.is_none() && all.some.is_some());
    let ends: Vec<_> = all.shards.iter().chain([&all.flat.main]).map(DatabaseCredentials::endpoint).collect();
    assert_eq!(ends, ["mysql://a:3306", "postgres://b:5432", "postgres://c:6543"]);

    let document = json!({"shards": ["mysql://u@a/", {"host": "b", "port": 0, "user": "u"}], "main": "postgres://u:p@h"});
    let source = FakeSource::new().with("all", &document.to_string());
    let error = Config::<Outer>::builder().merge(SecretLayer::from(source).put("", "all")).load().await;
    let told = told(&error.map(drop).unwrap_err());
    let keys: Vec<_> = told.iter().map(|(key, _)| &**key).collect();
    assert_eq!(keys, ["shards.0", "shards.1.port", "shards.1.password"], "{told:?}");
}
