//! AWS Secrets Manager under a whole configuration: `SECRET_PROVIDER=aws`, against moto and ministack.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use figment::providers::{Format, Toml};
use secretfig::models::DatabaseCredentials;
use secretfig::{Config, ExposeSecret, Live, LoadError, SecretString};
use secretfig_test_servers::{Keys, Ministack, Moto, Relay};
use secretfig_tests::{Hunt, Log, Marker};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct App {
    database: Live<DatabaseCredentials>,
    mail: Mail,
}

#[derive(Deserialize)]
struct Mail {
    api_key: SecretString,
}

impl App {
    fn told(&self) -> [String; 3] {
        let mail = self.mail.api_key.expose_secret();
        [self.database.endpoint(), self.database.url().expose_secret().to_owned(), mail.to_owned()]
    }
}

fn variables(server: &str, keys: &Keys) -> BTreeMap<String, String> {
    let all = [
        ("SECRET_PROVIDER", "aws"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", server),
        ("AWS_ENDPOINT_URL_STS", server),
        ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn anybody() -> Keys {
    let mut keys = Keys::default();
    (keys.access_key_id, keys.secret_access_key) = ("AKIAANY".to_owned(), "any".to_owned());
    keys
}

async fn load<T: serde::de::DeserializeOwned + Send + Sync + 'static>(
    variables: BTreeMap<String, String>,
    toml: &str,
) -> Result<Config<T>, LoadError> {
    Config::<T>::standard().env(variables).select("production").merge(Toml::string(toml)).load().await
}

#[tokio::test]
async fn one_json_secret_and_split_names_give_one_configuration() {
    let (moto, hunt) = (Moto::start().await, Hunt::new());
    let planted = |what: &str| hunt.plant(what, Marker::random()).text().to_owned();
    let (password, api_key) = (planted("the password"), planted("the api_key"));
    let database =
        json!({ "host": "db", "port": 5432, "username": "app", "password": password, "dbname": "orders" });
    let mail = json!({ "api_key": api_key });
    moto.put("whole", &json!({ "database": database, "mail": mail }).to_string()).await;
    let (arn, _) = moto.put("app/database", &database.to_string()).await;
    moto.put("app/mail", &mail.to_string()).await;
    for (key, value) in database.as_object().unwrap() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        moto.put(&format!("split/database/{key}"), &text).await;
    }
    moto.put("split/mail/api_key", &api_key).await;
    let keys = ["host", "port", "username", "password", "dbname"].map(|key| format!("database.{key}"));
    let each: String = keys
        .iter()
        .map(String::as_str)
        .chain(["mail.api_key"])
        .map(|key| format!("{key} = 'aws-sm://split/{}'\n", key.replace('.', "/")))
        .collect();
    let ways = [
        (
            "one JSON secret",
            "[secrets]\ndatabase = { name = 'whole', field = 'database' }\nmail = { name = 'whole', field = 'mail' }".to_owned(),
        ),
        ("a secret per section", format!("[secrets]\ndatabase = '{arn}'\nmail = 'app/mail'")),
        ("a folder", "[secrets]\n\"\" = 'app/*'".to_owned()),
        ("a prefix", "[source.aws]\nprefix = 'app'\n[secrets]\ndatabase = 'database'\nmail = 'mail'".to_owned()),
        ("a reference per value", each),
    ];
    let mut first: Option<[String; 3]> = None;
    for (way, toml) in ways {
        let config = load::<App>(variables(moto.address(), moto.keys()), &toml).await;
        let config = config.unwrap_or_else(|e| panic!("{way}: {e}"));
        let told = config.snapshot().told();
        assert_eq!((&*told[0], &told[2]), ("postgres://db:5432/orders", &api_key), "{way}");
        assert_eq!(*first.get_or_insert_with(|| told.clone()), told, "{way}");
        hunt.check_debug(format!("{way}, its health"), &config.health());
        hunt.check(format!("{way}, of its keys"), config.explain().to_json());
    }
    hunt.finish();
}

#[tokio::test]
async fn where_batches_are_denied_each_secret_is_read_by_itself() {
    let moto = Moto::start().await;
    let mut toml = "[secrets]\n".to_owned();
    for n in 0..15 {
        moto.put(&format!("app/{n}"), &format!("value {n}")).await;
        toml += &format!("k{n} = 'app/{n}'\n");
    }
    let single = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"#;
    let user = moto.user(single).await;
    let config = load::<BTreeMap<String, String>>(variables(moto.address(), &user), &toml).await.unwrap();
    assert_eq!(config.snapshot().len(), 15);
    let calls = moto.calls();
    let count = |what: &str| calls.iter().filter(|call| call.starts_with(what)).count();
    assert_eq!((count("BatchGetSecretValue"), count("GetSecretValue")), (1, 15));
}

#[tokio::test]
async fn every_fault_is_told_with_its_own_next_step() {
    let (moto, hunt) = (Moto::start().await, Hunt::new());
    let planted = |what: &str| hunt.plant(what, Marker::random()).text().to_owned();
    let value = planted("a value");
    for name in ["app/denied", "app/deleted", "app/wrong"] {
        moto.put(name, &value).await;
    }
    assert_eq!(moto.call("DeleteSecret", json!({ "SecretId": "app/deleted" })).await.0, 200);
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*" },
        { "Effect": "Deny", "Action": "secretsmanager:*", "Resource": "arn:aws:secretsmanager:*:*:secret:app/denied-??????" },
    ] });
    let user = moto.user(&policy.to_string()).await;
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "it is never made")]
    struct Broken {
        denied: SecretString,
        deleted: SecretString,
        absent: SecretString,
        wrong: u16,
        named: SecretString,
        elsewhere: SecretString,
    }
    let toml = "[secrets]\ndenied = 'app/denied'\ndeleted = 'app/deleted'\nabsent = 'app/absent'\nwrong = 'app/wrong'\n\
                named = 'no name'\nelsewhere = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/x-AbCdEf'";
    let error = load::<Broken>(variables(moto.address(), &user), toml).await.err().unwrap();
    let told = error.to_string();
    for part in [
        "allow `secretsmanager:GetSecretValue` on `app/denied`",
        "restore-secret",
        "there is no such secret in this region and account",
        "wrong type",
        "a name is made of ASCII letters",
        "the ARN lies in eu-west-1, and us-east-1 is asked",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    hunt.check_error("the report", &error);
    hunt.finish();
}

/// One value after another, by whatever moves AWSCURRENT.
#[tokio::test]
async fn a_rotation_is_seen_and_a_step_back_too() {
    const NAME: &str = "app/database";
    let (log, _heard) = Log::listen();
    let server = Ministack::start().await;
    let hop = Relay::to(server.address(), Duration::ZERO).await;
    let of = |password: &str| json!({ "host": "db", "username": "a", "password": password }).to_string();
    let (_, first) = server.put(NAME, &of("one")).await;
    server.put("app/mail", r#"{"api_key":"k"}"#).await;
    let toml = "[secrets]\ndatabase = { name = 'app/database', ttl = '1s' }\nmail = { name = 'app/mail', ttl = '1h' }";
    let config = load::<App>(variables(&hop.address(), &anybody()), toml).await.unwrap();
    let section = config.section(|app| &app.database);
    let mut changes = section.changes();
    let keeper = config.keep_fresh();
    let revision = || config.health().secret(NAME).unwrap().revision.clone().unwrap();
    let mut seen = async |password: &str, version: &str| {
        tokio::time::timeout(LIMIT, changes.next()).await.unwrap();
        assert!(section.get().unwrap().url().expose_secret().contains(password));
        assert_eq!(revision(), *version);
        // within one ttl: by the first look that began after the change, or by one that was under way
        hop.passed().iter().filter(|one| one.what.ends_with("DescribeSecret")).count()
    };
    let steps_back = || log.text().matches("went back to a revision served before").count();
    let moved = async |from: &str, to: &str| {
        let stage = json!({
            "SecretId": NAME, "VersionStage": "AWSCURRENT", "MoveToVersionId": to, "RemoveFromVersionId": from,
        });
        assert_eq!(server.call("UpdateSecretVersionStage", stage).await.0, 200);
    };

    hop.passed();
    let (_, second) = server.put(NAME, &of("two")).await;
    assert!(seen("two", &second).await <= 2);
    assert_eq!(steps_back(), 0);
    // an operator's undo, which is believed when a second look sees it too
    hop.passed();
    moved(&second, &first).await;
    assert!(seen("one", &first).await <= 3);
    assert_eq!(steps_back(), 1);
    // AWS keeps one version before the current one: what was stepped back from goes with the next
    hop.passed();
    let (_, third) = server.put(NAME, &of("three")).await;
    assert!(seen("three", &third).await <= 2);
    let (_, versions) =
        server.call("ListSecretVersionIds", json!({ "SecretId": NAME, "IncludeDeprecated": true })).await;
    assert!(!versions.to_string().contains(&second), "it is pruned: {versions}");
    assert!(config.health().secret(NAME).unwrap().is_ok());
    assert_eq!(steps_back(), 1);
    // deleted for good: served for a while, and said
    let gone = json!({ "SecretId": NAME, "ForceDeleteWithoutRecovery": true });
    assert_eq!(server.call("DeleteSecret", gone).await.0, 200);
    let told = async {
        while config.health().secret(NAME).unwrap().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, told).await.unwrap();
    assert!(section.get().unwrap().url().expose_secret().contains("three"));
    keeper.shutdown(LIMIT).await;
}

/// A version that somebody asks for by its id never changes; where AWS no longer has it, the next start says so.
#[tokio::test]
async fn a_version_that_is_pruned_is_served_on_and_the_next_load_says_what_is_missing() {
    let server = Ministack::start().await;
    let (_, first) = server.put("app/key", "one").await;
    let toml = format!("[secrets]\nkey = {{ name = 'app/key', version = '{first}' }}");
    type Keys = BTreeMap<String, String>;
    let config = load::<Keys>(variables(server.address(), &anybody()), &toml).await.unwrap();
    for value in ["two", "three"] {
        server.put("app/key", value).await;
    }
    config.refresh().await;
    assert_eq!(config.snapshot()["key"], "one");
    let told = load::<Keys>(variables(server.address(), &anybody()), &toml).await.err().unwrap().to_string();
    assert!(told.contains("app/key") && told.contains("version"), "{told}");
}
