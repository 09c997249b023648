//! No block that we allocate for a value is freed unwiped: after load, rotation and drop, for loads that succeed and
//! loads that fail, with escapes, `flatten` and `untagged` in the way. An allocator looks at every freed block.
//!
//! The canaries stand in the binary itself, so that this test makes no copy of its own. One canary per test, since
//! the tests of a binary run at the same time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use secretfig::models::{DatabaseCredentials, JwtConfig};
use secretfig::testing::FakeSource;
use secretfig::{
    Config, ExposeSecret, Format, Live, SecretBytes, SecretLayer, SecretString, Strict, TextEnv, Wanted,
};
use secretfig_tests::ScanAlloc;
use serde::Deserialize;
use std::future::Future;
use std::time::Duration;

#[global_allocator]
static ALLOC: ScanAlloc = ScanAlloc;

/// Watches before anything is made, and looks after everything is gone, the runtime included.
fn holds_for<F: Future<Output = ()>>(canaries: &[&'static str], run: impl FnOnce() -> F) {
    for canary in canaries {
        ScanAlloc::watch(canary.as_bytes());
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(run());
    drop(runtime);
    for (n, canary) in canaries.iter().enumerate() {
        assert_eq!(
            ScanAlloc::hits_of(canary.as_bytes()),
            0,
            "canary {n} was freed unwiped: {:?}",
            ScanAlloc::list()
        );
    }
}

#[derive(Deserialize)]
struct Plain {
    part: Live<Part>,
}

#[derive(Deserialize)]
struct Part {
    user: String,
    password: SecretString,
    bytes: SecretBytes,
    strict: Strict<SecretString>,
    list: Vec<SecretString>,
    #[serde(default)]
    none: Option<SecretString>,
}

/// A document of [`Part`], with a canary in each place and escapes around it.
macro_rules! part {
    ($canary:literal) => {
        concat!(
            r#"{"user": "app", "password": "\"\u00e9\\ "#,
            $canary,
            r#" \n\t\ud83d\udd11", "bytes": ""#,
            $canary,
            r#"", "strict": ""#,
            $canary,
            r#"", "list": [""#,
            $canary,
            r#"", "\u0041"#,
            $canary,
            r#""], "ignored": {"deep": ["#,
            "\"",
            $canary,
            "\"",
            r#"]}}"#
        )
    };
}

#[test]
fn load_rotation_and_drop_with_escapes() {
    const OLD: &str = "kQ7vXz2mWp9rLt4yHs8dNb3f";
    const NEW: &str = "Jc5gUe1xTo6aRi0wKl9pSv2z";
    holds_for(&[OLD, NEW], || async {
        let source = FakeSource::new().with("part", part!("kQ7vXz2mWp9rLt4yHs8dNb3f"));
        let layer = SecretLayer::from(source.clone()).put("part", Wanted::new("part").keep_previous(true));
        let config = Config::<Plain>::builder().merge(layer).load().await.unwrap();
        let part = config.section(|plain| &plain.part);
        let held = part.get().unwrap();
        assert!(
            held.password.expose_secret().contains(OLD) && held.password.expose_secret().starts_with("\"é\\")
        );
        assert_eq!((held.bytes.expose_secret(), held.strict.expose_secret()), (OLD.as_bytes(), OLD));
        assert!(held.user == "app" && held.list.len() == 2 && held.none.is_none());
        source.rotate("part", part!("Jc5gUe1xTo6aRi0wKl9pSv2z"));
        let keeper = config.keep_fresh();
        config.refresh().await;
        assert_eq!(part.get().unwrap().strict.expose_secret(), NEW);
        assert_eq!(part.previous().unwrap().strict.expose_secret(), OLD);
        // what is told while values are loaded
        let told = [config.explain().to_string(), config.explain().to_json(), config.health().to_string()];
        assert!(told.iter().all(|text| !text.contains(NEW)));
        drop(held);
        keeper.shutdown(Duration::from_secs(1)).await;
    });
}

/// The old value is gone once its last holder is: nothing keeps it for later.
#[test]
fn an_old_value_is_gone_with_its_last_holder() {
    const OLD: &str = "Yb4nMq8jZr1uDx6hWc3tGe7k";
    ScanAlloc::watch(OLD.as_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let source = FakeSource::new().with("part", part!("Yb4nMq8jZr1uDx6hWc3tGe7k"));
        let layer = SecretLayer::from(source.clone()).put("part", "part");
        let config = Config::<Plain>::builder().merge(layer).load().await.unwrap();
        let part = config.section(|plain| &plain.part);
        let weak = {
            let held = part.get().unwrap();
            source.rotate("part", part!("another-value-altogether"));
            config.refresh().await;
            held.strict.expose_secret().as_ptr()
        };
        assert_ne!(part.get().unwrap().strict.expose_secret().as_ptr(), weak);
        assert!(part.previous().is_none());
    });
    assert_eq!(ScanAlloc::hits_of(OLD.as_bytes()), 0);
}

#[derive(Deserialize)]
struct Shapes {
    #[serde(flatten)]
    flat: Flat,
    either: Either,
    tagged: Tagged,
    database: DatabaseCredentials,
    jwt: JwtConfig,
}

#[derive(Deserialize)]
struct Flat {
    token: SecretString,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Pair { left: SecretString, right: SecretString },
    Text(SecretString),
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Tagged {
    Basic { password: SecretString },
}

#[test]
fn flatten_untagged_tagged_and_models() {
    const CANARY: &str = "Vf9sEo3yKp7wXa2iBm5cQh8r";
    holds_for(&[CANARY], || async {
        let source = FakeSource::new().with(
            "all",
            concat!(
                r#"{"token": "Vf9sEo3yKp7wXa2iBm5cQh8r\"\\", "either": {"left": "\u0020Vf9sEo3yKp7wXa2iBm5cQh8r","#,
                r#" "right": "Vf9sEo3yKp7wXa2iBm5cQh8r"}, "tagged": {"kind": "basic", "password":"#,
                r#" "Vf9sEo3yKp7wXa2iBm5cQh8r"}, "database": {"host": "db", "username":"#,
                r#" "Vf9sEo3yKp7wXa2iBm5cQh8r", "password": "p@ss Vf9sEo3yKp7wXa2iBm5cQh8r"}, "jwt":"#,
                r#" {"secret_key": "Vf9sEo3yKp7wXa2iBm5cQh8r-0123456789-abcdef"}}"#
            ),
        );
        let layer = SecretLayer::from(source.clone()).put("", "all");
        let config = Config::<Shapes>::builder().merge(layer).load().await.unwrap();
        let all = config.snapshot();
        assert_eq!(all.flat.token.expose_secret(), format_is(&all, CANARY));
        assert!(all.database.url().expose_secret().contains(CANARY));
        assert!(all.jwt.signing_key().expose_secret().starts_with(CANARY.as_bytes()));
        config.refresh().await;
    });
}

/// Compares without making a copy, and hands the text back.
fn format_is<'a>(all: &'a Shapes, canary: &str) -> &'a str {
    let Either::Pair { left, right } = &all.either else { panic!("a pair") };
    let Tagged::Basic { password } = &all.tagged;
    assert!([left, right, password].iter().all(|text| text.expose_secret().contains(canary)));
    all.flat.token.expose_secret()
}

/// A variant that is not taken is tried and given up: what it had read is wiped.
#[test]
fn an_untagged_variant_that_is_given_up() {
    const CANARY: &str = "Gz6kTn1dUj8eLw4bRy9oPq5x";
    #[derive(Deserialize)]
    struct One {
        either: Either,
    }
    holds_for(&[CANARY], || async {
        let source = FakeSource::new().with("either", r#""Gz6kTn1dUj8eLw4bRy9oPq5x""#);
        let wanted = Wanted::new("either").format(Format::Json);
        let config = Config::<One>::builder()
            .merge(SecretLayer::from(source).put("either", wanted))
            .load()
            .await
            .unwrap();
        assert!(matches!(&config.snapshot().either, Either::Text(text) if text.expose_secret() == CANARY));
    });
}

#[test]
fn every_format_of_a_document() {
    const CANARY: &str = "Hw2pCx7vMf4tYs9nZk1jAo6q";
    #[derive(Deserialize)]
    struct All {
        toml: Pw,
        dotenv: Pw,
        text: SecretString,
        bytes: SecretBytes,
        field: SecretString,
    }
    #[derive(Deserialize)]
    struct Pw {
        pw: SecretString,
    }
    holds_for(&[CANARY], || async {
        let source = FakeSource::new()
            .with("toml", "pw = 'Hw2pCx7vMf4tYs9nZk1jAo6q'\nother = [\"Hw2pCx7vMf4tYs9nZk1jAo6q\"]\n")
            .with("dotenv", "# x\npw=\"Hw2pCx7vMf4tYs9nZk1jAo6q\\n$\"\nOTHER='Hw2pCx7vMf4tYs9nZk1jAo6q'\n")
            .with("text", "Hw2pCx7vMf4tYs9nZk1jAo6q")
            .with("field", r#"{"a": {"b": "Hw2pCx7vMf4tYs9nZk1jAo6q"}, "c": "Hw2pCx7vMf4tYs9nZk1jAo6q"}"#);
        source.put_bytes("bytes", b"\xff\x00Hw2pCx7vMf4tYs9nZk1jAo6q");
        let layer = SecretLayer::from(source.clone())
            .put("toml", Wanted::new("toml").format(Format::Toml))
            .put("dotenv", Wanted::new("dotenv").format(Format::Dotenv))
            .put("text", Wanted::new("text").format(Format::Text))
            .put("bytes", Wanted::new("bytes").format(Format::Bytes))
            .put("field", Wanted::new("field").field("a.b"));
        let config = Config::<All>::builder().merge(layer).load().await.unwrap();
        let all = config.snapshot();
        assert_eq!(
            (all.toml.pw.expose_secret(), all.text.expose_secret(), all.field.expose_secret()),
            (CANARY, CANARY, CANARY)
        );
        assert!(
            all.dotenv.pw.expose_secret().starts_with(CANARY)
                && all.bytes.expose_secret().ends_with(CANARY.as_bytes())
        );
    });
}

/// Loads that fail: with faults everywhere, with documents that cannot be read, and their reports.
#[test]
fn loads_that_fail() {
    const CANARY: &str = "Xr8yBd3gNu6mQv1eJz5hTk9w";
    #[derive(Deserialize)]
    #[allow(dead_code, reason = "never made")]
    struct Wrong {
        part: Part,
        number: u16,
        on: bool,
        mode: Mode,
        jwt: JwtConfig,
        either: Either,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
    }
    const ALL: &str = concat!(
        r#"{"part": {"user": "a String is the application's", "password": ["\"Xr8yBd3gNu6mQv1eJz5hTk9w"], "bytes":"#,
        r#" "Xr8yBd3gNu6mQv1eJz5hTk9w", "list": "Xr8yBd3gNu6mQv1eJz5hTk9w"}, "number": "Xr8yBd3gNu6mQv1eJz5hTk9w","#,
        r#" "on": "Xr8yBd3gNu6mQv1eJz5hTk9w", "mode": "Xr8yBd3gNu6mQv1eJz5hTk9w", "jwt": {"key": "Xr8yBd3gNu6mQv1eJz5hTk9w"}, "either": {"left":"#,
        r#" "Xr8yBd3gNu6mQv1eJz5hTk9w"}}"#
    );
    holds_for(&[CANARY], || async {
        for text in [ALL, &ALL[..ALL.len() / 2], &ALL[..ALL.len() - 1], &ALL[1..]] {
            // not TOML: its parser copies a text that does not parse into its error (core/docs/threat-model.md)
            for format in [Format::Auto, Format::Json, Format::Dotenv] {
                let source = FakeSource::new().with("all", text);
                let layer = SecretLayer::from(source).put("", Wanted::new("all").format(format));
                let e = Config::<Wrong>::builder().merge(layer).load().await.unwrap_err();
                let (said, json) = (e.to_string(), e.to_json());
                assert!(!said.contains(CANARY) && !json.contains(CANARY), "{said}");
            }
        }
    });
}

/// A rotation that is refused: the new value goes as it came.
#[test]
fn a_refused_rotation() {
    const CANARY: &str = "Lm4wOz9cSi2xFv7pEt6yGb1n";
    holds_for(&[CANARY], || async {
        let source = FakeSource::new().with("part", part!("a-first-value-that-is-fine"));
        let layer = SecretLayer::from(source.clone()).put("part", "part");
        let config = Config::<Plain>::builder().merge(layer).load().await.unwrap();
        source.rotate(
            "part",
            r#"{"password": "\"Lm4wOz9cSi2xFv7pEt6yGb1n", "user": ["Lm4wOz9cSi2xFv7pEt6yGb1n"]}"#,
        );
        assert_eq!(config.refresh().await.refused.len(), 1);
        assert!(config.health().is_degraded());
    });
}

#[test]
fn mounted_files_and_a_file_of_settings() {
    const CANARY: &str = "Ua7hKr5jDq1vNx8sWf3oYe9z";
    #[derive(Deserialize)]
    struct Filed {
        one: SecretString,
        folder: Part2,
        plain: SecretString,
    }
    #[derive(Deserialize)]
    struct Part2 {
        user: SecretString,
        password: SecretBytes,
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let write = |name: &str, text: &'static str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("pair")).unwrap();
    write("one", "Ua7hKr5jDq1vNx8sWf3oYe9z\n");
    write("pair/user", "Ua7hKr5jDq1vNx8sWf3oYe9z\r\n");
    write("pair/password", "Ua7hKr5jDq1vNx8sWf3oYe9z\0");
    write(
        "config.toml",
        "plain = 'Ua7hKr5jDq1vNx8sWf3oYe9z'\nextra = \"Ua7hKr5jDq1vNx8sWf3oYe9z\"\n[secrets]\none = 'one'\nfolder = 'pair'\n",
    );
    ScanAlloc::watch(CANARY.as_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let variables = [("APP_CONFIG_DIR", path.clone()), ("SECRETFIG_FILES_DIR", path.clone())];
        let config = Config::<Filed>::standard().env(variables).load().await.unwrap();
        let filed = config.snapshot();
        assert_eq!((filed.one.expose_secret(), filed.plain.expose_secret()), (CANARY, CANARY));
        assert_eq!(
            (filed.folder.user.expose_secret(), filed.folder.password.expose_secret().len()),
            (CANARY, 25)
        );
        config.refresh().await;
        drop(config.explain().to_string());
    });
    drop(runtime);
    assert_eq!(ScanAlloc::hits_of(CANARY.as_bytes()), 0, "{:?}", ScanAlloc::list());
}

/// From the environment of a process: this test runs itself again with one more variable.
#[test]
fn the_process_environment() {
    const CANARY: &str = "Bt5eVy2kHi9qZo4mXu7rCn1g";
    const CHILD: &str = "SECRETFIG_MEMORY_CHILD";
    #[derive(Deserialize)]
    struct Env {
        password: SecretString,
        #[serde(default)]
        list: Vec<SecretString>,
    }
    if std::env::var_os(CHILD).is_none() {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process_environment", "--nocapture"])
            .env(CHILD, "1")
            .env("MEMAPP_PASSWORD", "Bt5eVy2kHi9qZo4mXu7rCn1g")
            .env("MEMAPP_LIST", "[\"Bt5eVy2kHi9qZo4mXu7rCn1g\\\"\", Bt5eVy2kHi9qZo4mXu7rCn1g]")
            .env("MEMAPP_WRONG__", "Bt5eVy2kHi9qZo4mXu7rCn1g")
            .env("OTHER_SECRET", "Bt5eVy2kHi9qZo4mXu7rCn1g")
            .status()
            .unwrap();
        assert!(status.success(), "the child failed: its output says why");
        return;
    }
    holds_for(&[CANARY], || async {
        let config = Config::<Env>::builder().merge(TextEnv::prefixed("MEMAPP_")).load().await.unwrap();
        let env = config.snapshot();
        assert_eq!((env.password.expose_secret(), env.list.len()), (CANARY, 2));
        assert_eq!(env.list[1].expose_secret(), CANARY);
        drop(config.explain().to_string());
        // the standard layers look for their own variables among all of them
        let standard = Config::<Env>::standard().merge(TextEnv::prefixed("MEMAPP_")).load().await.unwrap();
        assert_eq!(standard.snapshot().password.expose_secret(), CANARY);
    });
}
