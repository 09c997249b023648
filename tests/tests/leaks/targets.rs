//! Every kind of value, in every kind of layer, for every kind of target.

use crate::ground::Ground;
use crate::types::{CHOICE, CHOICES, Choice, Holder};
use figment::providers::{Env, Format as _, Json, Serialized, Toml};
use secretfig::source::Document;
use secretfig::testing::FakeSource;
use secretfig::{Config, Format, SecretLayer, TextEnv, Wanted};
use serde_json::{Value, json};

pub(crate) fn hunt(ground: &Ground) {
    for (n, name) in CHOICES.iter().enumerate() {
        CHOICE.set(n);
        every_layer(ground, name);
    }
}

/// The marker as a value of each shape. What is not text is not for the markers of several lines.
fn values(text: &str) -> Vec<(&'static str, Value)> {
    let mut values = vec![
        ("text", json!(text)),
        ("a list", json!([text, text])),
        ("a table", json!({ "field": text, "list": [text], "a": text, "x": text, "known": text })),
        ("a tagged table", json!({ "field": "One", "x": text, "c": text })),
        ("a variant", json!({ "Slow": { "by": text } })),
        (
            "credentials",
            json!({ "host": text, "port": text, "username": text, "password": text, "engine": text, "ssl": text }),
        ),
        ("a connection string", json!({ "url": format!("postgres://u:{text}@h:{text}/d?sslmode={text}") })),
        ("a key", json!({ "key": text, "algorithm": text, "access_ttl": text, "public_key": text })),
    ];
    if let Ok(number) = text.parse::<u64>() {
        values.push(("a number", json!(number)));
        values.push(("numbers", json!({ "field": number, "list": [number], "a": number, "port": number })));
    }
    values
}

fn every_layer(ground: &Ground, name: &str) {
    for (shape, marker) in &ground.markers {
        for (kind, value) in values(marker.text()) {
            let path = |layer: &str| format!("{name} of {shape} as {kind} from {layer}");
            let whole = json!({ "field": value });
            let toml = toml::to_string(&whole).unwrap();
            let all = || Config::<Holder<Choice>>::builder();
            ground.fails(&path("TOML"), all().merge(Toml::string(&toml)));
            ground.fails(&path("JSON"), all().merge(Json::string(&whole.to_string())));
            ground.fails(&path("a serialized value"), all().merge(Serialized::globals(&whole)));
            let source = || FakeSource::new().with("json", &whole.to_string()).with("toml", &toml);
            for format in [Format::Json, Format::Toml] {
                let of = if format == Format::Json { "json" } else { "toml" };
                let layer = SecretLayer::from(source()).put("", Wanted::new(of).format(format));
                ground.fails(&path(&format!("a {of} secret")), all().merge(layer).select("production"));
            }
            if kind != "text" {
                continue;
            }
            let env = || [("APP_FIELD", marker.text())];
            ground.fails(&path("the environment"), all().env(env()).merge(TextEnv::prefixed("APP_")));
            let strict = all().env(env()).merge(TextEnv::prefixed("APP_")).select("production");
            ground.fails(&path("the environment, strict"), strict);
            let list = [("APP_FIELD", format!("[{0}, \"{0}\", 1]", marker.text().replace(['"', '\\'], "_")))];
            ground
                .fails(&path("a list in the environment"), all().env(list).merge(TextEnv::prefixed("APP_")));
            let reading = [("text", Format::Text), ("bytes", Format::Bytes), ("auto", Format::Auto)];
            for (format, reading) in reading {
                let source = FakeSource::new().with("all", marker.text());
                let layer = SecretLayer::from(source).put("field", Wanted::new("all").format(reading));
                ground.fails(&path(&format!("a secret as {format}")), all().merge(layer));
            }
            let source = FakeSource::new();
            let quoted = format!("field=\"{}\"", marker.text().replace('\\', "\\\\").replace('"', "\\\""));
            source.put("env", &quoted);
            let layer = SecretLayer::from(source).put("", Wanted::new("env").format(Format::Dotenv));
            ground.fails(&path("a dotenv secret"), all().merge(layer));
            let bytes = [marker.text().as_bytes(), &[0xff]].concat();
            let source = FakeSource::new();
            source.put_document("all", Document::from_bytes(bytes.clone()));
            ground.fails(&path("bytes"), all().merge(SecretLayer::from(source).put("field", "all")));
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("all"), bytes).unwrap();
            let files = secretfig_files::Settings::new().folder(folder.path());
            let files = SecretLayer::from(secretfig_files::Files::new(files).unwrap());
            ground.fails(&path("a file"), all().merge(files.put("field", "all")));
            std::fs::write(folder.path().join("config.toml"), &toml).unwrap();
            let env = [("APP_CONFIG_DIR", folder.path().as_os_str())];
            ground.fails(&path("config.toml"), Config::<Holder<Choice>>::standard().env(env));
        }
    }
    figments_env(ground, name);
}

/// figment reads the process environment itself.
fn figments_env(ground: &Ground, name: &str) {
    #[allow(clippy::result_large_err, reason = "figment's own error")]
    figment::Jail::expect_with(|jail| {
        for (shape, marker) in &ground.markers {
            for (kind, value) in [
                ("text", marker.text().to_owned()),
                ("a list", format!("[{0},{0}]", marker.text())),
                ("a table", format!("{{field={0},a={0}}}", marker.text())),
                ("an open table", format!("{{field=\"{0}", marker.text())),
            ] {
                jail.set_env("LEAKS_FIELD", value);
                let path = format!("{name} of {shape} as {kind} from figment's environment");
                ground.fails(&path, Config::<Holder<Choice>>::builder().merge(Env::prefixed("LEAKS_")));
            }
        }
        Ok(())
    });
}
