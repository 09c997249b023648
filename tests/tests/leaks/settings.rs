//! Settings that hold a value by mistake: references, `[secrets]`, `[source.*]`, and the variables that are read.

use crate::ground::Ground;
use crate::types::{Holder, Plain};
use figment::providers::{Format as _, Serialized, Toml};
use secretfig::models::DatabaseCredentials;
use secretfig::testing::FakeSource;
use secretfig::{Config, Invalid, SecretLayer, SecretString, Strict, TextEnv};
use serde::{Deserialize, Deserializer};
use std::panic;
use std::sync::{Arc, Mutex};

#[derive(Deserialize)]
#[allow(dead_code)]
struct App {
    a: Plain,
    password: Strict<SecretString>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Open {
    #[serde(default)]
    password: Option<SecretString>,
}

pub(crate) fn hunt(ground: &Ground) {
    for (shape, marker) in &ground.markers {
        let text = marker.text();
        references(ground, shape, text);
        entries(ground, shape, text);
        variables(ground, shape, text);
    }
    checks(ground);
    panics(ground);
}

fn references(ground: &Ground, shape: &str, text: &str) {
    for bad in [
        format!("fake://user:{text}@host/x"),
        format!("fake://{text} {text}"),
        format!("fake://x?format={text}"),
        format!("fake://x?at={text}"),
        format!("fake://x?optional={text}"),
        format!("fake://x?allow_empty={text}"),
        format!("fake://x?{text}=1"),
        format!("fake://x#%ff{text}"),
        format!("fake://%zz{text}"),
        format!("vault://x?{text}"),
        format!("aws-sm://a b{text}"),
    ] {
        let env = || [("APP_PASSWORD", bad.as_str())];
        let builder = Config::<App>::builder().env(env()).merge(TextEnv::prefixed("APP_"));
        ground
            .fails(&format!("a bad reference with {shape}, environment"), builder.source(FakeSource::new()));
        let quoted = toml::Value::String(bad.clone());
        let builder = Config::<App>::builder().merge(Toml::string(&format!("password = {quoted}")));
        ground.fails(&format!("a bad reference with {shape}, TOML"), builder.source(FakeSource::new()));
    }
}

fn entries(ground: &Ground, shape: &str, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let value = toml::Value::String(text.to_owned());
    for entry in [
        format!("x = {{ field = {value} }}"),
        format!("x = {{ name = 'n', ttl = {value} }}"),
        format!("x = {{ name = 'n', at = {value} }}"),
        format!("x = {{ name = 'n', format = {value} }}"),
        format!("x = {{ name = 'n', optional = {value} }}"),
        format!("x = {{ name = 'n', keep_previous = {value} }}"),
        format!("x = {{ name = 'n', max_secret_bytes = {value} }}"),
        format!("x = {{ name = 'n', nonsense = {value} }}"),
        format!("x = {{ name = [{value}] }}"),
        format!("x = [{value}]"),
        format!("x = {{ y = {value} }}"),
        format!("x = 'fake://{}'", text.replace(['\'', '\n', '\r', '\t'], "")),
    ] {
        for profile in ["default", "production"] {
            for provider in ["files", "vault", "fake"] {
                let path = folder.path().join("config.toml");
                std::fs::write(&path, format!("[secrets]\n{entry}\n")).unwrap();
                let env = [
                    ("APP_CONFIG_DIR", folder.path().as_os_str().to_owned()),
                    ("SECRET_PROVIDER", provider.into()),
                    ("APP_PROFILE", profile.into()),
                ];
                let builder = Config::<App>::standard().env(env).source(FakeSource::new());
                ground
                    .fails(&format!("an entry of `[secrets]` with {shape}, {profile}, {provider}"), builder);
            }
        }
    }
    for source in [
        format!("[source.files]\nmax_bytes = {value}"),
        format!("[source.files]\ntrailing_newline = {value}"),
        format!("[source.files]\nnonsense = {value}"),
        format!("[source.vault]\nsecret_id = {value}\ntoken = {value}"),
        format!("[source]\nvault = {value}"),
        format!("[source.fake]\ntoken = {value}"),
        format!("[source.files]\ntoken = 'fake://{}'", text.replace(['\'', '\n', '\r', '\t'], "")),
    ] {
        for provider in ["files", "vault", "fake"] {
            let file = format!("secrets = {{ password = 'p' }}\n{source}\n");
            std::fs::write(folder.path().join("config.toml"), file).unwrap();
            let env = [("APP_CONFIG_DIR", folder.path().as_os_str()), ("SECRET_PROVIDER", provider.as_ref())];
            let builder = Config::<App>::standard().env(env).register("fake", |settings| {
                let text = format!("{settings:?}");
                if text.is_empty() { Ok(Arc::new(FakeSource::new())) } else { Err(misconfigured()) }
            });
            ground.fails(&format!("`[source]` with {shape}, {provider}"), builder);
        }
    }
}

fn misconfigured() -> secretfig::SourceError {
    secretfig::SourceError::new(secretfig::source::ErrorKind::Misconfigured, "fake")
}

fn variables(ground: &Ground, shape: &str, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), "secrets = { password = 'p' }\n").unwrap();
    for (name, value) in [
        ("SECRET_PROVIDER", text.to_owned()),
        ("SECRETFIG_FILES_MAX_BYTES", text.to_owned()),
        ("SECRETFIG_FILES_TRAILING_NEWLINE", text.to_owned()),
        ("APP_PASSWORD", text.to_owned()),
        ("APP_PASSWORD__X", text.to_owned()),
        ("APP_A", text.to_owned()),
        ("APP_A____B", text.to_owned()),
        ("APP_SERVICE_HOST", text.to_owned()),
        ("APP_X_PORT", format!("tcp://{text}")),
        ("APP_UNKNOWN", text.to_owned()),
    ] {
        for profile in ["default", "production"] {
            let env = [
                ("APP_CONFIG_DIR".to_owned(), folder.path().as_os_str().to_owned()),
                ("APP_PROFILE".to_owned(), profile.into()),
                ("APP_PASSWORD".to_owned(), text.into()),
                (name.to_owned(), value.clone().into()),
            ];
            ground
                .fails(&format!("{name} is {shape}, {profile}"), Config::<App>::standard().env(env.clone()));
            // with nothing else that is wrong
            ground.load(&format!("{name} is {shape}, {profile}, open"), Config::<Open>::standard().env(env));
        }
    }
    let database =
        serde_json::json!({ "host": "h", "database": text, "username": "u", "password": text, "a": text });
    let source =
        FakeSource::new().with("a", &serde_json::json!({ "dbname": text, "pass": text }).to_string());
    let builder = Config::<Holder<DatabaseCredentials>>::builder()
        .merge(Serialized::global("field", database))
        .merge(SecretLayer::from(source).put("field", "a"));
    ground.fails(&format!("two spellings of {shape}"), builder);
    std::fs::remove_file(folder.path().join("config.toml")).unwrap();
    std::fs::create_dir(folder.path().join("config.toml")).unwrap();
    let env = [("APP_CONFIG_DIR", folder.path().as_os_str()), ("APP_PASSWORD", text.as_ref())];
    ground.fails(&format!("a file beside {shape} that cannot be read"), Config::<App>::standard().env(env));
    std::fs::remove_dir(folder.path().join("config.toml")).unwrap();
    let both = [("APP_A", text), ("app_a", text), ("APP_A__FIELD", text)];
    let builder = Config::<App>::builder().env(both).merge(TextEnv::prefixed("APP_"));
    ground.fails(&format!("two variables of {shape} for one key"), builder);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        let value = std::ffi::OsString::from_vec([text.as_bytes(), &[0xff]].concat());
        for name in ["APP_PASSWORD", "SECRET_PROVIDER", "SECRET_NAME_PASSWORD"] {
            let env = [("APP_CONFIG_DIR", folder.path().as_os_str()), (name, value.as_os_str())];
            ground.fails(&format!("{name} of {shape} is no UTF-8"), Config::<App>::standard().env(env));
        }
    }
}

/// The application's own checks see values, and cannot say them.
fn checks(ground: &Ground) {
    let source = FakeSource::new().with("password", ground.text());
    let layers =
        || Config::<Open>::builder().merge(SecretLayer::from(source.clone()).put("password", "password"));
    let check = |_: &Open| Err(Invalid { path: "password", reason: "too well known" });
    ground.fails("`validate` fails", layers().validate(check));
    let check = |_: &Open| Err(Invalid { path: "", reason: "as a whole" });
    ground.fails("`validate` fails at the root", layers().validate(check));
}

/// What the application's code panics with is its own, and goes to its panic hook; ours must not repeat it.
fn panics(ground: &Ground) {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Quoting {
        password: Panicking,
    }
    #[allow(dead_code)]
    struct Panicking;
    impl<'de> Deserialize<'de> for Panicking {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            panic!("I do not like {text}")
        }
    }
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let hook = panic::take_hook();
    panic::set_hook(Box::new({
        let said = said.clone();
        move |info| said.lock().unwrap().push(info.to_string())
    }));
    let source = FakeSource::new().with("password", ground.text());
    let secret = || SecretLayer::from(source.clone()).put("password", "password");
    ground.fails("a type panics", Config::<Quoting>::builder().merge(secret()));
    let value = ground.text().to_owned();
    let check = move |_: &Open| panic!("I do not like {value}");
    ground.fails("`validate` panics", Config::<Open>::builder().merge(secret()).validate(check));
    panic::set_hook(hook);
    // each of them said it in its own words, the type again when it was tried with stand-ins, and nobody else spoke
    let said = said.lock().unwrap();
    assert!((2..10).contains(&said.len()), "{}", said.len());
    assert!(said.iter().all(|said| said.contains("I do not like")));
}
