//! How many copies of a value live, and that the last is gone when its time is over: after a rotation, a refusal, a
//! load that fails, the end. An allocator looks into all blocks, freed or not.
//!
//! Values stand in the binary itself, so that no test makes a copy of its own. A canary of its own for each test, since
//! they run at the same time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use secretfig::models::{DatabaseCredentials, JwtConfig};
use secretfig::testing::FakeSource;
use secretfig::{
    Config, ExposeSecret, Format, Live, SecretBytes, SecretLayer, SecretString, Strict, TextEnv, Wanted,
};
use secretfig_tests::ScanAlloc;
use serde::Deserialize;
use std::future::Future;

#[global_allocator]
static ALLOC: ScanAlloc = ScanAlloc;

/// Watches before anything is made; afterwards no block may hold a canary, whether it is freed or not.
fn leaves_nothing<F: Future<Output = ()>>(canaries: &[&'static str], run: impl FnOnce() -> F) {
    ScanAlloc::track();
    for canary in canaries {
        ScanAlloc::watch(canary.as_bytes());
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(run());
    drop(runtime);
    for (n, canary) in canaries.iter().enumerate() {
        let (freed, live) = (ScanAlloc::hits_of(canary.as_bytes()), live(canary));
        assert_eq!((freed, live), (0, 0), "canary {n}, freed unwiped and living: {:?}", ScanAlloc::list());
    }
}

fn live(canary: &'static str) -> usize {
    ScanAlloc::live_of(canary.as_bytes())
}

/// The manager forgets what it had: then all copies are ours.
fn replace(source: &FakeSource, name: &str, text: &str) {
    source.remove(name);
    source.put(name, text);
}

#[derive(Deserialize)]
struct App {
    db: Live<Db>,
}

#[derive(Deserialize)]
struct Db {
    port: u16,
    password: SecretString,
}

#[test]
fn one_copy_in_the_store_and_one_in_the_snapshot() {
    leaves_nothing(
        &["kNZbW3CfswyBaAtvtnVeZJL7", "MHptUiqQrZwkMgjeC0OaWacS", "KZwoyDi89QzxmUVrVLL1V76z"],
        || async {
            let source =
                FakeSource::new().with("db", r#"{"port": 1, "password": "kNZbW3CfswyBaAtvtnVeZJL7"}"#);
            let layer = SecretLayer::from(source.clone()).put("db", "db");
            let config = Config::<App>::builder().merge(layer).load().await.unwrap();
            assert_eq!(live("kNZbW3CfswyBaAtvtnVeZJL7"), 2, "what the store has, and what was made of it");
            let section = config.section(|app| &app.db);
            let (held, snapshot) = (section.get().unwrap(), config.snapshot());
            assert_eq!(held.port, 1);
            assert_eq!(live("kNZbW3CfswyBaAtvtnVeZJL7"), 2, "handles share it");
            // rotation: the old value lives as long as someone holds it, and no longer
            replace(&source, "db", r#"{"port": 2, "password": "MHptUiqQrZwkMgjeC0OaWacS"}"#);
            config.refresh().await;
            assert_eq!((live("kNZbW3CfswyBaAtvtnVeZJL7"), live("MHptUiqQrZwkMgjeC0OaWacS")), (1, 2));
            drop(held);
            assert_eq!(live("kNZbW3CfswyBaAtvtnVeZJL7"), 1, "a snapshot holds it");
            drop(snapshot);
            assert_eq!(live("kNZbW3CfswyBaAtvtnVeZJL7"), 0);
            // a refused one: the manager alone keeps it
            replace(
                &source,
                "db",
                r#"{"port": "KZwoyDi89QzxmUVrVLL1V76z", "password": "KZwoyDi89QzxmUVrVLL1V76z"}"#,
            );
            assert_eq!(config.refresh().await.refused.len(), 1);
            assert_eq!((live("MHptUiqQrZwkMgjeC0OaWacS"), live("KZwoyDi89QzxmUVrVLL1V76z")), (2, 1));
            drop((config.explain(), config.health().to_string()));
            assert_eq!((live("MHptUiqQrZwkMgjeC0OaWacS"), live("KZwoyDi89QzxmUVrVLL1V76z")), (2, 1));
            source.remove("db");
            assert_eq!(live("KZwoyDi89QzxmUVrVLL1V76z"), 0);
            drop(config);
            assert_eq!(live("MHptUiqQrZwkMgjeC0OaWacS"), 1, "a section outlives its configuration");
            drop(section);
            assert_eq!(live("MHptUiqQrZwkMgjeC0OaWacS"), 0);
        },
    );
}

#[test]
fn the_previous_revision_goes_when_it_is_the_one_before() {
    leaves_nothing(&["1jGPmmxQBAybX3J7hGhUP3Uc", "o2EkzD0P91xXJBeNEsx93WHR"], || async {
        let source = FakeSource::new().with("db", r#"{"port": 1, "password": "1jGPmmxQBAybX3J7hGhUP3Uc"}"#);
        let layer = SecretLayer::from(source.clone()).put("db", Wanted::new("db").keep_previous(true));
        let config = Config::<App>::builder().merge(layer).load().await.unwrap();
        let section = config.section(|app| &app.db);
        source.rotate("db", r#"{"port": 2, "password": "o2EkzD0P91xXJBeNEsx93WHR"}"#);
        config.refresh().await;
        assert_eq!(section.previous().unwrap().password.expose_secret(), "1jGPmmxQBAybX3J7hGhUP3Uc");
        source.rotate("db", r#"{"port": 3, "password": "one that nobody looks for"}"#);
        config.refresh().await;
        assert_eq!(section.previous().unwrap().password.expose_secret(), "o2EkzD0P91xXJBeNEsx93WHR");
        assert_eq!(live("1jGPmmxQBAybX3J7hGhUP3Uc"), 1, "the manager has it, and nobody else");
    });
}

/// A report tells of sixteen faults, and no value is left while it is read.
#[test]
fn a_load_that_fails() {
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "never made")]
    struct Sixteen {
        a: u8,
        b: bool,
        c: f64,
        d: Vec<u8>,
        e: std::collections::BTreeMap<String, u8>,
        f: char,
        g: std::net::IpAddr,
        h: std::time::Duration,
        i: Mode,
        j: Strict<Db>,
        k: Live<Db>,
        l: Either,
        m: DatabaseCredentials,
        n: JwtConfig,
        o: [u8; 2],
        #[serde(flatten)]
        p: Db,
        fine: Strict<SecretString>,
        bytes: SecretBytes,
    }
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "never made")]
    enum Mode {
        Fast,
        With(Db),
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code, reason = "never made")]
    enum Either {
        Db(Db),
        Number(u8),
    }
    leaves_nothing(&["pvzO9P27EVc7sqUsqBxSl4hJ", "LNPrQK5C7KbE8L7dYL5vN1Na"], || async {
        let source = FakeSource::new().with(
            "all",
            concat!(
                r#"{"a": "pvzO9P27EVc7sqUsqBxSl4hJ", "b": "pvzO9P27EVc7sqUsqBxSl4hJ\n", "c": "pvzO9P27EVc7sqUsqBxSl4hJ", "d": ["pvzO9P27EVc7sqUsqBxSl4hJ"], "e": {"x": "pvzO9P27EVc7sqUsqBxSl4hJ"}, "f": "pvzO9P27EVc7sqUsqBxSl4hJ", "g": "pvzO9P27EVc7sqUsqBxSl4hJ", "#,
                r#""h": "pvzO9P27EVc7sqUsqBxSl4hJ", "i": {"With": {"port": 1, "password": {"x": "pvzO9P27EVc7sqUsqBxSl4hJ"}}}, "#,
                r#""j": {"port": "pvzO9P27EVc7sqUsqBxSl4hJ", "password": "pvzO9P27EVc7sqUsqBxSl4hJ"}, "k": {"port": 1, "password": ["\"pvzO9P27EVc7sqUsqBxSl4hJ"]}, "#,
                r#""l": {"port": "pvzO9P27EVc7sqUsqBxSl4hJ", "password": "pvzO9P27EVc7sqUsqBxSl4hJ"}, "m": {"host": "h", "username": "u", "password": "pvzO9P27EVc7sqUsqBxSl4hJ", "#,
                r#""port": "pvzO9P27EVc7sqUsqBxSl4hJ", "url": "postgres://u:pvzO9P27EVc7sqUsqBxSl4hJ@h/d"}, "n": {"key": "pvzO9P27EVc7sqUsqBxSl4hJ", "algorithm": "pvzO9P27EVc7sqUsqBxSl4hJ"}, "#,
                r#""o": ["pvzO9P27EVc7sqUsqBxSl4hJ"], "port": "pvzO9P27EVc7sqUsqBxSl4hJ", "password": "pvzO9P27EVc7sqUsqBxSl4hJ", "fine": "pvzO9P27EVc7sqUsqBxSl4hJ", "bytes": "pvzO9P27EVc7sqUsqBxSl4hJ"}"#
            ),
        );
        let layer = SecretLayer::from(source.clone()).put("", "all");
        let environment = [
            ("APP_A", "LNPrQK5C7KbE8L7dYL5vN1Na"),
            ("APP_I", "LNPrQK5C7KbE8L7dYL5vN1Na"),
            ("APP_D", "[1, \"LNPrQK5C7KbE8L7dYL5vN1Na\\\"\", LNPrQK5C7KbE8L7dYL5vN1Na]"),
            ("APP_F", "LNPrQK5C7KbE8L7dYL5vN1Na"),
        ];
        let loading =
            Config::<Sixteen>::builder().merge(layer).env(environment).merge(TextEnv::prefixed("APP_"));
        let error = loading.load().await.unwrap_err();
        assert!(error.report().faults().len() >= 16, "{error}");
        source.remove("all");
        let told = (error.to_string(), error.to_json(), error.summary());
        assert_eq!(
            (live("pvzO9P27EVc7sqUsqBxSl4hJ"), live("LNPrQK5C7KbE8L7dYL5vN1Na")),
            (0, 0),
            "while the report is read"
        );
        drop((told, error));
    });
}

/// What the builder was given is its own: a map of variables too.
#[test]
fn variables_that_were_handed_over() {
    #[derive(Deserialize)]
    struct Env {
        colour: SecretString,
        list: Vec<SecretString>,
        #[serde(flatten)]
        flat: Flat,
        either: Either,
    }
    #[derive(Deserialize)]
    struct Flat {
        number: SecretString,
        text: SecretString,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(SecretString),
    }
    leaves_nothing(&["uiBQ3qqR7cdsbdcClhHVOy84", "920517386401927465"], || async {
        let variables = [
            ("APP_COLOUR", "uiBQ3qqR7cdsbdcClhHVOy84"),
            ("APP_LIST", "[\"uiBQ3qqR7cdsbdcClhHVOy84 \\\\ \\\"\", uiBQ3qqR7cdsbdcClhHVOy84]"),
            ("APP_NUMBER", "0920517386401927465"),
            ("APP_TEXT", "uiBQ3qqR7cdsbdcClhHVOy84"),
            ("APP_EITHER", "uiBQ3qqR7cdsbdcClhHVOy84"),
            ("APP_UNKNOWN", "uiBQ3qqR7cdsbdcClhHVOy84"),
            ("OTHER", "uiBQ3qqR7cdsbdcClhHVOy84"),
        ];
        let layers = || Config::<Env>::builder().env(variables).merge(TextEnv::prefixed("APP_"));
        let config = layers().load().await.unwrap();
        let env = config.snapshot();
        assert_eq!(
            (env.colour.expose_secret(), env.flat.text.expose_secret()),
            ("uiBQ3qqR7cdsbdcClhHVOy84", "uiBQ3qqR7cdsbdcClhHVOy84")
        );
        assert_eq!(env.flat.number.expose_secret(), "0920517386401927465");
        assert_eq!(env.list.len(), 2);
        let Either::Text(text) = &env.either;
        assert_eq!(text.expose_secret(), "uiBQ3qqR7cdsbdcClhHVOy84");
        drop(config.explain().to_json());
        // a builder that is given up
        drop(layers());
        // a number that prints back the same is offered as one, which no text takes
        let number = [
            ("APP_COLOUR", "uiBQ3qqR7cdsbdcClhHVOy84"),
            ("APP_LIST", "[]"),
            ("APP_NUMBER", "920517386401927465"),
        ];
        let failing = Config::<Env>::builder().env(number).merge(TextEnv::prefixed("APP_")).load().await;
        assert!(failing.is_err());
    });
}

/// Files of settings, in the spellings of TOML's strings.
#[test]
fn a_file_of_settings_in_every_spelling() {
    #[derive(Deserialize)]
    struct Filed {
        literal: SecretString,
        lines: SecretString,
        nested: Vec<Db>,
        inline: Db,
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(
        &file,
        "literal = 'dQHQr67lPEfQBk0KfyrCVl6k'\nlines = '''\ndQHQr67lPEfQBk0KfyrCVl6k\ndQHQr67lPEfQBk0KfyrCVl6k'''\ninline = { port = 1, password = 'dQHQr67lPEfQBk0KfyrCVl6k' }\nunknown = \"dQHQr67lPEfQBk0KfyrCVl6k\"\n\
         [[nested]]\nport = 1\npassword = \"dQHQr67lPEfQBk0KfyrCVl6k\"\n[[nested]]\nport = 2\npassword = \"\"\"dQHQr67lPEfQBk0KfyrCVl6k\"\"\"\n",
    )
    .unwrap();
    let variables = [("APP_CONFIG_DIR", folder.path().as_os_str().to_owned())];
    leaves_nothing(&["dQHQr67lPEfQBk0KfyrCVl6k"], || async {
        let config = Config::<Filed>::standard().env(variables.clone()).load().await.unwrap();
        let filed = config.snapshot();
        assert_eq!(
            (filed.literal.expose_secret(), filed.inline.password.expose_secret()),
            ("dQHQr67lPEfQBk0KfyrCVl6k", "dQHQr67lPEfQBk0KfyrCVl6k")
        );
        assert_eq!((filed.lines.expose_secret().len(), filed.nested.len()), (49, 2));
        assert_eq!(filed.nested[0].port + filed.nested[1].port + filed.inline.port, 4);
        assert!(filed.nested.iter().all(|db| db.password.expose_secret() == "dQHQr67lPEfQBk0KfyrCVl6k"));
        drop(config.explain().show("*").key("literal").cloned());
    });
}

#[test]
fn documents_in_every_format() {
    #[derive(Deserialize)]
    struct All {
        toml: Pair,
        dotenv: Pair,
        json: Pair,
    }
    #[derive(Deserialize)]
    struct Pair {
        a: SecretString,
        b: SecretBytes,
    }
    leaves_nothing(&["2HhrFPzCKVH5n0Wu4Gpt2rli"], || async {
        let source = FakeSource::new()
            .with("toml", "a = '2HhrFPzCKVH5n0Wu4Gpt2rli'\nb = \"\"\"\n2HhrFPzCKVH5n0Wu4Gpt2rli\"\"\"\nc = { d = [\"2HhrFPzCKVH5n0Wu4Gpt2rli\"] }\n")
            .with("dotenv", "a=\"\\\"2HhrFPzCKVH5n0Wu4Gpt2rli\\n\"\nexport b='2HhrFPzCKVH5n0Wu4Gpt2rli'\nC=2HhrFPzCKVH5n0Wu4Gpt2rli # 2HhrFPzCKVH5n0Wu4Gpt2rli\n")
            .with("json", r#"{"a": "\u00412HhrFPzCKVH5n0Wu4Gpt2rli\ud83d\udd11", "b": "2HhrFPzCKVH5n0Wu4Gpt2rli", "c": {"C": [["\t2HhrFPzCKVH5n0Wu4Gpt2rli"]]}}"#);
        let layer = SecretLayer::from(source.clone())
            .put("toml", Wanted::new("toml").format(Format::Toml))
            .put("dotenv", Wanted::new("dotenv").format(Format::Dotenv))
            .put("json", Wanted::new("json").format(Format::Json));
        let config = Config::<All>::builder().merge(layer).load().await.unwrap();
        let all = config.snapshot();
        assert_eq!(
            (all.toml.a.expose_secret(), all.dotenv.b.expose_secret()),
            ("2HhrFPzCKVH5n0Wu4Gpt2rli", "2HhrFPzCKVH5n0Wu4Gpt2rli".as_bytes())
        );
        assert!(
            all.json.a.expose_secret().starts_with("A2HhrFPzCKVH5n0Wu4Gpt2rli")
                && all.dotenv.a.expose_secret().ends_with('\n')
        );
        assert_eq!(all.toml.b.expose_secret(), all.json.b.expose_secret());
    });
}

/// Models take connection strings apart and put them together again.
#[test]
fn connection_strings() {
    #[derive(Deserialize)]
    struct Models {
        url: DatabaseCredentials,
        jdbc: DatabaseCredentials,
        ado: DatabaseCredentials,
        parts: DatabaseCredentials,
        jwt: JwtConfig,
        key: JwtConfig,
    }
    leaves_nothing(&["fd3gaqeCQm4CDg8yaCIcJKux"], || async {
        let source = FakeSource::new().with(
            "all",
            concat!(
                r#"{"url": "postgres://app:p%40fd3gaqeCQm4CDg8yaCIcJKux%2Fx@host:5432/db?sslmode=require", "#,
                r#""jdbc": {"jdbcUrl": "jdbc:postgresql://host/db?user=app&password=%2Bfd3gaqeCQm4CDg8yaCIcJKux"}, "#,
                r#""ado": {"ConnectionString": "Server=host;Database=db;User Id=app;Password=\"a;fd3gaqeCQm4CDg8yaCIcJKux\""}, "#,
                r#""parts": {"host": "h", "username": "fd3gaqeCQm4CDg8yaCIcJKux", "password": "%fd3gaqeCQm4CDg8yaCIcJKux/"}, "#,
                r#""jwt": {"key": "fd3gaqeCQm4CDg8yaCIcJKux-and-some-more-of-it", "issuer": "me"}, "key": "fd3gaqeCQm4CDg8yaCIcJKux-and-more-of-the-same"}"#
            ),
        );
        let layer = SecretLayer::from(source.clone()).put("", "all");
        let config = Config::<Models>::builder().merge(layer).load().await.unwrap();
        let models = config.snapshot();
        for model in [&models.url, &models.jdbc, &models.ado, &models.parts] {
            assert!(model.password().expose_secret().contains("fd3gaqeCQm4CDg8yaCIcJKux"));
            assert!(model.url().expose_secret().contains("fd3gaqeCQm4CDg8yaCIcJKux"));
            let _ = (model.endpoint(), format!("{model:?}"));
        }
        for jwt in [&models.jwt, &models.key] {
            assert!(jwt.signing_key().expose_secret().starts_with("fd3gaqeCQm4CDg8yaCIcJKux".as_bytes()));
        }
        source.rotate("all", r#"{"url": "postgres://app:fd3gaqeCQm4CDg8yaCIcJKux@[/", "jdbc": "fd3gaqeCQm4CDg8yaCIcJKux", "ado": "Password=\"fd3gaqeCQm4CDg8yaCIcJKux", "jwt": "fd3gaqeCQm4CDg8yaCIcJKux"}"#);
        assert_eq!(config.refresh().await.refused.len(), 1);
    });
}
