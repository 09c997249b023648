//! What is printed when all is well: `Debug`, `Display` and `Serialize` of every public type that holds a value or is
//! near one.

use crate::ground::Ground;
use crate::types::Plain;
use figment::providers::{Format as _, Serialized, Toml};
use secretfig::models::{Algorithm, DatabaseCredentials, JwtConfig};
use secretfig::source::{Ask, Document, Fetched, Identity, Lease, Reading, Revision, Sealed, Source as _};
use secretfig::testing::FakeSource;
use secretfig::{
    Config, ExposeSecret, Format, Layer, Live, Schema, SecretBytes, SecretLayer, SecretString, Strict,
    TextEnv,
};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
#[allow(dead_code)]
struct App {
    pin: Strict<SecretString>,
    seed: SecretBytes,
    password: SecretString,
    token_list: Vec<SecretString>,
    connection: String,
    #[serde(default)]
    part: Option<Live<Texts>>,
    live: Live<Texts>,
    database: Live<DatabaseCredentials>,
    jwt: Live<JwtConfig>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Texts {
    one: String,
    two: Vec<String>,
}

pub(crate) fn hunt(ground: &Ground) {
    for (shape, marker) in &ground.markers {
        values(ground, shape, marker.text());
        whole(ground, shape, marker.text());
    }
    ground.hunt.check_debug("schema", &Schema::of::<App>());
    ground.hunt.check_debug("schema of a plain type", &Schema::of::<Plain>());
}

fn values(ground: &Ground, shape: &str, text: &str) {
    let hunt = &ground.hunt;
    let see = |what: &str, value: &dyn std::fmt::Debug| hunt.check_debug(format!("{what} of {shape}"), value);
    see("Sealed", &Sealed::text(text));
    see("Sealed bytes", &Sealed::bytes(text.as_bytes()));
    see("SecretBytes", &SecretBytes::from(text.as_bytes().to_vec()));
    see("SecretString", &SecretString::from(text));
    see("Strict", &Strict::from(text.to_owned()));
    see("Live", &Live::from(text.to_owned()));
    see("Option<Live>", &Some(Live::from(Strict::from(text.to_owned()))));
    let json = serde_json::json!({ "a": text, "b": [text] }).to_string();
    let document = Document::from_text(&json);
    see("Document", &document);
    see("Document of parts", &Document::from_parts([("a".into(), document.clone())]));
    see("Node", &document.read(&Reading::default()).unwrap());
    see("Node of a leaf", &Document::from_text(text).read(&Reading::default()).unwrap());
    see("Fetched", &Fetched::new(document, Revision::new("1")));
    let lease = Lease::new(text, Duration::from_secs(1), true);
    see("Lease", &lease);
    see("Fetched with a lease", &Fetched::new(Document::from_text(text), Revision::new("1")).lease(lease));
    let database = DatabaseCredentials::new("host", text, text).with_database("main");
    see("DatabaseCredentials", &database);
    see("DatabaseCredentials::url", &database.url());
    hunt.check("DatabaseCredentials::endpoint", database.endpoint());
    if let Ok(jwt) = JwtConfig::new(Algorithm::Hs256, text) {
        see("JwtConfig", &jwt);
    } else {
        see("JwtConfig refused", &JwtConfig::new(Algorithm::Hs512, text).map(drop));
    }
    see("FakeSource", &FakeSource::new().with("a", text));
    see("TextEnv", &TextEnv::prefixed("APP_"));
    let toml = toml::to_string(&serde_json::json!({ "a": text })).unwrap();
    see("Layer of TOML", &Layer::from(Toml::string(&toml)));
    see("Layer of a value", &Layer::from(Serialized::global("a", text)));
    see("SecretLayer", &SecretLayer::from(FakeSource::new().with("a", text)).put("a", "a"));
    let builder = Config::<App>::builder().env([("APP_A", text)]).merge(Toml::string(&toml));
    see("Builder", &builder);
    see("fixed", &Config::fixed(text.to_owned()));
    see("Ask", &Ask::new("a"));
    see("Identity", &Identity::new("who"));
    for result in ground.run(FakeSource::new().with("a", text).fetch(&[Ask::new("a")])) {
        see("an answer", &result);
    }
    for format in [Format::Json, Format::Toml, Format::Dotenv] {
        let reading = Reading { format, field: Some("x".into()), ..Reading::default() };
        see("Malformed", &Document::from_text(text).read(&reading).map(drop));
    }
}

fn whole(ground: &Ground, shape: &str, text: &str) {
    let key = text.repeat(3);
    // a user's name and an issuer have no lines
    let line = text.replace(['\n', '\r', '\t'], "");
    let source = || {
        FakeSource::new()
            .with("live", &serde_json::json!({ "one": text, "two": [text, text] }).to_string())
            .with(
                "database",
                &serde_json::json!({ "host": "h", "username": line, "password": text, "extra": text })
                    .to_string(),
            )
            .with("jwt", &serde_json::json!({ "key": key, "issuer": line }).to_string())
    };
    let layers = |source: &FakeSource| {
        let secrets = SecretLayer::from(source.clone())
            .put("live", "live")
            .put("database", "database")
            .put("jwt", "jwt");
        let plain = serde_json::json!({
            "token_list": [text],
            "connection": format!("postgres://user:{text}@host/db"),
            "part": { "one": text, "two": [text] },
            "unknwon": text,
            "databsae": { "password": text },
        });
        Config::<App>::builder()
            .merge(Serialized::globals(plain))
            .env([("APP_PIN", text), ("APP_SEED", text), ("APP_PASSWORD", text), ("APP_LIVE__ONE", text)])
            .merge(TextEnv::prefixed("APP_"))
            .merge(secrets)
            .merge(Toml::string("live = { one = 'plain' }"))
    };
    let fake = source();
    let path = format!("all is well with {shape}");
    let config = ground.loads(&path, layers(&fake));
    // what was asked to be shown, and is a secret all the same
    let mut explain = config.explain();
    for pattern in
        ["*", "live.*", "database.*", "pin", "seed", "password", "connection", "token_list", "part.one"]
    {
        explain = explain.show(pattern);
    }
    ground.hunt.check_display(format!("{path}: explain, all shown"), &explain);
    ground.hunt.check(format!("{path}: explain, all shown, JSON"), explain.to_json());
    let (live, database) = (config.section(|app| &app.live), config.section(|app| &app.database));
    let see = |what: &str, value: &dyn std::fmt::Debug| {
        ground.hunt.check_debug(format!("{path}: {what}"), value);
    };
    see("section", &live);
    see("held", &live.get().unwrap());
    see("held, keyed", &database.clone().keyed::<u8>().latest());
    see("changes", &live.changes());
    see("previous", &live.previous());
    see("live", &config.snapshot().live);
    see("revisions", &live.latest().revisions());
    assert_eq!(database.latest().password().expose_secret(), text);
    // a revision that is refused
    fake.rotate("live", &serde_json::json!({ "one": [text], "two": text }).to_string());
    fake.rotate("database", text);
    fake.rotate("jwt", &serde_json::json!({ "key": "short", "algorithm": text }).to_string());
    let refreshed = ground.run(config.refresh());
    assert_eq!(refreshed.refused.len(), 3);
    see("refreshed", &refreshed);
    for (_, why) in &refreshed.refused {
        ground.hunt.check(format!("{path}: refused"), why);
    }
    ground.config(&format!("{path}, after a refusal"), &config);
    // withheld
    let fake = source();
    let builder = layers(&fake).max_stale(Duration::ZERO).revoked_grace(Duration::ZERO);
    let config = ground.loads(&format!("{path}, to be withheld"), builder);
    let section = config.section(|app| &app.live);
    fake.stop();
    see("refreshed, stopped", &ground.run(config.refresh()));
    if let Err(e) = section.get() {
        ground.hunt.check_error(format!("{path}: withheld"), &e);
    }
    ground.config(&format!("{path}, withheld"), &config);
}
