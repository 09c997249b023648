//! One configuration, from whatever way its secrets are cut.

use crate::scene::Scene;
use figment::providers::{Format, Toml};
use secretfig::models::DatabaseCredentials;
use secretfig::{Config, ExposeSecret, Live, SecretString};
use serde::Deserialize;
use serde_json::json;

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

#[tokio::test]
async fn one_json_secret_and_split_names_give_one_configuration() {
    let scene = Scene::start().await;
    let (password, api_key) = (scene.secret("the password"), scene.secret("the api_key"));
    // one JSON secret, one secret per section, and one per value
    let database =
        json!({ "host": "db", "port": 5432, "username": "app", "password": password, "dbname": "orders" });
    scene.put("whole", json!({ "database": database, "mail": { "api_key": api_key } })).await;
    scene.put("myapp/database", database.clone()).await;
    scene.put("myapp/mail", json!({ "api_key": api_key })).await;
    for (key, value) in database.as_object().unwrap() {
        scene.put(&format!("split/database/{key}"), json!({ "value": value })).await;
    }
    scene.put("split/mail/api_key", json!({ "value": api_key })).await;

    let each = |of: &str| {
        let keys = ["host", "port", "username", "password", "dbname"];
        let of_database = keys.iter().map(|key| format!("database.{key}"));
        let lines = of_database.chain(["mail.api_key".to_owned()]).map(|key| {
            let name = format!("secret/split/{}", key.replace('.', "/"));
            let line = of.replace("KEY", &key).replace("NAME", &name);
            format!("{line}\n")
        });
        lines.collect::<String>()
    };
    let ways = [
        (
            "one JSON secret",
            "[secrets]\ndatabase = { name = 'secret/whole', field = 'database' }\n\
             mail = { name = 'secret/whole', field = 'mail' }"
                .to_owned(),
        ),
        (
            "a secret per section",
            "[secrets]\ndatabase = 'secret/myapp/database'\nmail = 'myapp/mail'".to_owned(),
        ),
        ("a folder", "[secrets]\n\"\" = 'secret/myapp/*'".to_owned()),
        ("a reference per value", each("KEY = 'vault://NAME#value'")),
        ("a name per value", format!("[secrets]\n{}", each("\"KEY\" = { name = 'NAME', field = 'value' }"))),
    ];
    let ids = scene.approle("path \"secret/*\" { capabilities = [\"read\", \"list\"] }").await;
    let mut told = Vec::new();
    for (way, toml) in ways {
        let config = Config::<App>::standard()
            .env(scene.env(&ids))
            .select("production")
            .merge(Toml::string(&toml))
            .load()
            .await
            .unwrap_or_else(|e| panic!("{way}: {e}"));
        scene.hunt.check_debug(format!("{way}, its health"), &config.health());
        scene.hunt.check(format!("{way}, of its keys"), config.explain().to_json());
        told.push((way, config.snapshot().told()));
    }
    assert_eq!(told[0].1[0], "postgres://db:5432/orders");
    assert_eq!(told[0].1[2], api_key);
    for (way, told_by) in &told {
        assert!(*told_by == told[0].1, "{way} differs from {}", told[0].0);
    }
    scene.finish();
}
