//! The shapes that RDS and its rotation functions give a secret
//! (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use figment::providers::{Format, Toml};
use secretfig::models::DatabaseCredentials;
use secretfig::testing::FakeSource;
use secretfig::{Config, ExposeSecret, Live, SecretLayer, Wanted};
use serde::Deserialize;

#[derive(Deserialize)]
struct App {
    database: Live<DatabaseCredentials>,
}

async fn load(source: &FakeSource, plain: &str) -> Config<App> {
    let secrets = SecretLayer::from(source.clone()).put("database", Wanted::new("rds").keep_previous(true));
    Config::builder().merge(Toml::string(plain)).merge(secrets).select("production").load().await.unwrap()
}

fn url(config: &Config<App>) -> String {
    config.snapshot().database.url().expose_secret().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_rds_manages_has_user_and_password_and_the_rest_is_plain() {
    let source = FakeSource::new().with("rds", r#"{"username":"admin","password":"one"}"#);
    let plain =
        "[global.database]\nengine = 'postgres'\nhost = 'db.internal'\nport = 5433\ndatabase = 'orders'";
    let layered = plain.replace("global.", "");
    let config = load(&source, &layered).await;
    assert_eq!(url(&config), "postgres://admin:one@db.internal:5433/orders");
    // it is rotated every seven days, and the rest stays
    source.rotate("rds", r#"{"username":"admin","password":"two"}"#);
    config.refresh().await;
    assert_eq!(url(&config), "postgres://admin:two@db.internal:5433/orders");
}

#[tokio::test(start_paused = true)]
async fn the_rotation_functions_own_shape_is_read_as_it_is() {
    let whole = r#"{"engine":"postgres","host":"db","username":"app","password":"p","port":5432,"dbname":"orders",
                    "masterarn":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:master-AbCdEf","dbClusterIdentifier":"c"}"#;
    let config = load(&FakeSource::new().with("rds", whole), "").await;
    assert_eq!(url(&config), "postgres://app:p@db:5432/orders");
    // which database, and at which port, they leave out where it is the usual one
    let least = r#"{"engine":"postgres","host":"db","username":"app","password":"p","masterarn":"arn:x"}"#;
    let config = load(&FakeSource::new().with("rds", least), "").await;
    assert_eq!(config.snapshot().database.endpoint(), "postgres://db:5432");
}

#[tokio::test(start_paused = true)]
async fn where_two_users_take_turns_name_and_password_are_of_one_revision() {
    let pair = |user: &str, password: &str| {
        format!(
            r#"{{"engine":"postgres","host":"db","dbname":"orders","username":"{user}","password":"{password}"}}"#
        )
    };
    let source = FakeSource::new().with("rds", &pair("app", "p1"));
    let config = load(&source, "").await;
    let section = config.section(|app| &app.database);
    let turns = [("app_clone", "p2"), ("app", "p3"), ("app_clone", "p4")];
    let mut before = ("app", "p1");
    for (user, password) in turns {
        let held = section.get().unwrap();
        source.rotate("rds", &pair(user, password));
        config.refresh().await;
        let url = |(user, password): (&str, &str)| format!("postgres://{user}:{password}@db:5432/orders");
        assert_eq!(section.get().unwrap().url().expose_secret(), url((user, password)));
        // who holds the pair before goes on with it: it is good for another turn
        assert_eq!(held.url().expose_secret(), url(before));
        assert_eq!(section.previous().unwrap().url().expose_secret(), url(before));
        before = (user, password);
    }
}
