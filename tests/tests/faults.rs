//! That one report tells every fault of a configuration, each once, in the order of the fields, and nothing
//! that only follows from another; and that values reach the application as they were written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use figment::providers::Format as _;
use figment::providers::{Env, Json, Serialized, Toml};
use secretfig::testing::FakeSource;
use secretfig::{
    Builder, Config, ExposeSecret, FaultKind, Live, Report, Schema, SecretBytes, SecretLayer, SecretString,
    Strict, TextEnv, Wanted,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::num::{NonZeroU8, NonZeroU16};
use std::time::Duration;
use url::Url;

async fn report<T: DeserializeOwned + Send + Sync + 'static>(builder: Builder<T>) -> Report {
    match builder.load().await {
        Ok(_) => Report::default(),
        Err(e) => e.report().clone(),
    }
}

/// `key: kind`, one per fault.
fn told(report: &Report) -> Vec<String> {
    report.faults().iter().map(|fault| format!("{}: {}", fault.key(), fault.kind().name())).collect()
}

async fn of_toml<T: DeserializeOwned + Send + Sync + 'static>(toml: &str) -> Vec<String> {
    told(&report(Config::<T>::builder().merge(Toml::string(toml))).await)
}

async fn of_secret<T: DeserializeOwned + Send + Sync + 'static>(json: &str) -> Vec<String> {
    let source = FakeSource::new().with("all", json);
    told(&report(Config::<T>::builder().merge(SecretLayer::from(source).put("", "all"))).await)
}

async fn of_env<T: DeserializeOwned + Send + Sync + 'static>(env: &[(&str, &str)]) -> Vec<String> {
    let builder = Config::<T>::builder().env(env.iter().copied()).merge(TextEnv::prefixed("APP_"));
    told(&report(builder).await)
}

async fn load<T: DeserializeOwned + Send + Sync + 'static>(builder: Builder<T>) -> Config<T> {
    builder.load().await.unwrap()
}

#[derive(Deserialize, Debug, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Slow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Limits {
    max: u32,
    #[serde(default)]
    burst: u32,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Database {
    host: String,
    #[serde(alias = "dbname")]
    database: String,
    password: SecretString,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Tls {
    cert: String,
    deep: Deeper,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Deeper {
    on: bool,
    level: u8,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Whole {
    home: Url,
    patience: Duration,
    #[serde(with = "humantime_serde")]
    pause: Duration,
    mode: Mode,
    #[serde(alias = "dbname", alias = "db")]
    database: String,
    count: NonZeroU16,
    address: std::net::IpAddr,
    bound: std::net::SocketAddr,
    deep: Deeper,
    triple: [u8; 3],
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Sixteen {
    name: String,
    port: u16,
    workers: NonZeroU8,
    mode: Mode,
    home: Url,
    patience: Duration,
    #[serde(with = "humantime_serde")]
    pause: Duration,
    ports: Vec<u16>,
    rgb: [u8; 3],
    limits: Limits,
    jwt: Live<secretfig::models::JwtConfig>,
    database: Live<Database>,
    tls: Tls,
    ratio: f32,
    token: SecretString,
    zone: char,
    rest: Whole,
    fine: String,
}

fn sixteen() -> Builder<Sixteen> {
    let source = FakeSource::named("vault")
        .with("myapp/jwt", r#"{"key": "too short", "algorithm": "HS256"}"#)
        .with("myapp/database", r#"{"host": "db", "dbname": "app", "password": "x"}"#);
    source.put_bytes("myapp/token", &[0xff, 0xfe]);
    Config::<Sixteen>::builder()
        .merge(Toml::string(
            r#"
            workers = 0
            mode = "medium"
            home = "no url"
            ports = [1, "x", 3]
            rgb = [1, 2]
            fine = "yes"
            [limits]
            max = 3
            bursts = 4
            [database]
            database = "main"
            [tls]
            cert = "c"
            deep = { on = "maybe", level = 1 }
            "#,
        ))
        .merge(
            SecretLayer::from(source)
                .put("jwt", "myapp/jwt")
                .put("database", "myapp/database")
                .put("token", "myapp/token"),
        )
        .env([
            ("APP_PORT", "eighty"),
            ("APP_PATIENCE", "soon"),
            ("APP_PAUSE", "later"),
            ("APP_RATIO", "much"),
            ("APP_ZONE", "ab"),
        ])
        .merge(TextEnv::prefixed("APP_"))
}

#[tokio::test]
async fn sixteen_faults_and_a_missing_table_in_one_report() {
    let report = report(sixteen()).await;
    assert_eq!(
        told(&report),
        [
            "name: missing",
            "port: wrong type",
            "workers: out of range",
            "mode: unknown variant",
            "home: refused",
            "patience: wrong type",
            "pause: out of range",
            "ports.1: wrong type",
            "rgb: wrong length",
            "limits.bursts: unknown key",
            "jwt.key: invalid",
            "database.dbname: two spellings",
            "tls.deep.on: wrong type",
            "ratio: wrong type",
            "token: not text",
            "zone: out of range",
            "rest: missing",
        ],
        "{report}"
    );
    assert!(report.remarks().is_empty(), "{report}");
}

/// The text is what people paste into chats: its wording is looked at as a whole, whenever it changes.
#[tokio::test]
async fn the_report_reads_like_this() {
    let text = report(sixteen()).await.to_string();
    // places in code move with every edit of this file
    let text: Vec<String> = text
        .lines()
        .map(|line| match line.split_once("faults.rs:") {
            Some((before, after)) => {
                let rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
                format!("{before}faults.rs{}{rest}", if rest.starts_with(' ') { ":" } else { "" })
            }
            None => line.to_owned(),
        })
        .collect();
    let want = r#"configuration refused (profile `default`)
  name: missing → set it in a file, in the environment, or in a secret
  port ← variable `APP_PORT`: wrong type, expected u16 → set the variable to a value of that type
  workers ← TOML source string at tests/tests/faults.rs: not accepted, expected a nonzero u8 → correct the value
  mode ← TOML source string at tests/tests/faults.rs: none of fast, slow → use one of these names
  home ← TOML source string at tests/tests/faults.rs: refused by its type → check the value against the field's type
  patience ← variable `APP_PATIENCE`: wrong type, expected a duration such as `90s` or `1h 30m` → set the variable to a value of that type
  pause ← variable `APP_PAUSE`: not accepted, expected a duration → set the variable to a value of that type
  ports.1 ← TOML source string at tests/tests/faults.rs: wrong type, expected u16 → correct the value
  rgb ← TOML source string at tests/tests/faults.rs: wrong length, expected an array of length 3 → correct the value
  limits.bursts ← TOML source string at tests/tests/faults.rs: no field takes this key → did you mean `burst`?
  jwt.key ← vault `myapp/jwt` 1 (by SecretLayer at tests/tests/faults.rs): an HS256 key needs at least 32 bytes: generate one with `openssl rand -base64 48` → correct the value
  database.dbname ← vault `myapp/database` 1 (by SecretLayer at tests/tests/faults.rs): a second spelling of `database`, which `database.database` gives already → keep one of the two
  tls.deep.on ← TOML source string at tests/tests/faults.rs: wrong type, expected a boolean → correct the value
  ratio ← variable `APP_RATIO`: wrong type, expected f32 → set the variable to a value of that type
  token ← vault `myapp/token` 1 (by SecretLayer at tests/tests/faults.rs): text is asked for, and it holds bytes → use `SecretBytes`, or store text
  zone ← variable `APP_ZONE`: not accepted, expected a character → set the variable to a value of that type
  rest: missing → set it in a file, in the environment, or in a secret
17 faults"#;
    assert_eq!(text.join("\n"), want, "\n{}", text.join("\n"));
}

#[tokio::test]
async fn a_missing_field_of_every_kind_is_one_fault_each() {
    let got = of_toml::<Whole>("").await;
    let names =
        ["home", "patience", "pause", "mode", "database", "count", "address", "bound", "deep", "triple"];
    assert_eq!(got, names.map(|name| format!("{name}: missing")));
}

mod shapes {
    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Common {
        region: String,
        retries: u8,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Flat {
        port: u16,
        #[serde(flatten)]
        common: Common,
        last: bool,
    }

    #[tokio::test]
    async fn flatten() {
        let all = ["port: missing", "region: missing", "retries: missing", "last: missing"];
        let mut got = of_toml::<Flat>("").await;
        got.sort();
        let mut want = all.to_vec();
        want.sort_unstable();
        assert_eq!(got, want);
        let got = of_toml::<Flat>("port = 'x'\nregion = 'r'\nretries = 'many'\nlast = 3").await;
        // serde does not tell the fields of a struct with a flattened part: they come by name
        assert_eq!(got, ["last: wrong type", "port: wrong type", "retries: wrong type"]);
        let got = of_toml::<Flat>("port = 'x'\nretries = 'many'\nlast = true").await;
        assert_eq!(got.len(), 3, "{got:?}");
        let got = of_env::<Flat>(&[("APP_REGION", "r"), ("APP_RETRIES", "7"), ("APP_LAST", "true")]).await;
        assert_eq!(got, ["port: missing"]);
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    #[allow(dead_code)]
    enum Loose {
        Number(u16),
        Pair { a: u8, b: u8 },
    }

    #[derive(Deserialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    #[allow(dead_code)]
    enum Tagged {
        File { path: String, mode: u16 },
        Net { url: Url },
    }

    #[derive(Deserialize)]
    #[serde(tag = "t", content = "c", rename_all = "lowercase")]
    #[allow(dead_code)]
    enum Adjacent {
        One(u8),
        Two { x: bool },
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Enums {
        loose: Loose,
        tagged: Tagged,
        adjacent: Adjacent,
        mode: Mode,
        after: u8,
    }

    #[tokio::test]
    async fn enums_of_every_representation() {
        let want = ["loose", "tagged", "adjacent", "mode", "after"].map(|name| format!("{name}: missing"));
        assert_eq!(of_toml::<Enums>("").await, want);
        let toml = "after = 'x'\nloose = 'x'\nmode = 'x'\n\
                    tagged = { kind = 'file', path = 3, mode = 'x' }\nadjacent = { t = 'one', c = 'x' }";
        let got = of_toml::<Enums>(toml).await;
        let keys: Vec<&str> = got.iter().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(keys, ["loose", "tagged.mode", "tagged.path", "adjacent.c", "mode", "after"], "{got:?}");
        let toml = "after = 1\nloose = { a = 1, b = 2 }\nmode = 'fast'\n\
                    tagged = { kind = 'nope' }\nadjacent = { t = 'two', c = { x = 1 } }";
        let got = of_toml::<Enums>(toml).await;
        let keys: Vec<&str> = got.iter().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(keys, ["tagged.kind", "adjacent.c.x"], "{got:?}");
    }

    #[tokio::test]
    async fn keys_that_nobody_can_look_at_are_counted() {
        let toml = "after = 'x'\nloose = { a = 'x', b = 'y' }\nmode = 'fast'\n\
                    tagged = { kind = 'nope', path = 3, mode = 'x' }\nadjacent = { t = 'one', c = 1 }";
        let report = report(Config::<Enums>::builder().merge(Toml::string(toml))).await;
        assert_eq!(
            told(&report),
            ["loose: refused", "tagged.kind: unknown variant", "after: wrong type"],
            "{report}"
        );
        let mut remarks = report.remarks().to_vec();
        remarks.sort();
        assert_eq!(remarks, ["2 keys under `loose` not checked", "2 keys under `tagged` not checked"]);
        let toml = "after = 'x'\nloose = { a = 1, b = 'y' }\nmode = 'fast'\n\
                    tagged = { path = 'p', mode = 1 }\nadjacent = { t = 'one', c = 1 }";
        let report = super::report(Config::<Enums>::builder().merge(Toml::string(toml))).await;
        assert_eq!(
            told(&report),
            ["loose.b: refused", "tagged.kind: missing", "after: wrong type"],
            "{report}"
        );
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Wrapped(u8);
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Point(f32, u8);
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Unit;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Odd {
        wrapped: Wrapped,
        point: Point,
        pair: (String, NonZeroU8),
        unit: Option<Unit>,
        map: HashMap<String, Deeper>,
        ordered: BTreeMap<u16, bool>,
        option: Option<Deeper>,
        list: Vec<Deeper>,
        nested: Vec<Vec<u8>>,
        boxed: Box<Deeper>,
        #[serde(default)]
        defaulted: u8,
        last: Strict<u8>,
    }

    #[tokio::test]
    async fn tuples_newtypes_maps_options_and_lists() {
        let got = of_toml::<Odd>("").await;
        let want = ["wrapped", "point", "pair", "map", "ordered", "list", "nested", "boxed", "last"];
        assert_eq!(got, want.map(|name| format!("{name}: missing")));
        let toml = "wrapped = 300\npoint = [1.0, 'x']\npair = [1, 0]\ndefaulted = 'x'\nlast = 'x'\n\
                    map = { one = { on = 1, level = 1 }, two = { on = true } }\n\
                    ordered = { 1 = true, 2 = 'no' }\n\
                    option = { on = true, level = 'x' }\nnested = [[1], [2, 'x'], ['y']]\n\
                    list = [{ on = true, level = 1 }, { on = true }, { on = 'x', level = 999 }]\n\
                    boxed = { on = 1, level = 'x' }";
        assert_eq!(
            of_toml::<Odd>(toml).await,
            [
                "wrapped: out of range",
                "point.1: wrong type",
                "pair.0: wrong type",
                "pair.1: out of range",
                "map.one.on: wrong type",
                "map.two.level: missing",
                "ordered.2: wrong type",
                "option.level: wrong type",
                "list.1.level: missing",
                "list.2.on: wrong type",
                "list.2.level: out of range",
                "nested.1.1: wrong type",
                "nested.2.0: wrong type",
                "boxed.on: wrong type",
                "boxed.level: wrong type",
                "defaulted: wrong type",
                "last: wrong type",
            ]
        );
    }

    /// Validated by its own code, in words that are not shown.
    #[derive(Deserialize, Clone)]
    #[serde(try_from = "String")]
    #[allow(dead_code)]
    struct Host(String);

    impl TryFrom<String> for Host {
        type Error = String;
        fn try_from(text: String) -> Result<Self, String> {
            match text.ends_with(".example.org") {
                true => Ok(Self(text)),
                false => Err(format!("{text} is no host of ours")),
            }
        }
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Pair<A, B> {
        left: A,
        right: B,
    }

    #[derive(Deserialize)]
    #[serde(try_from = "Pair<u8, u8>")]
    #[allow(dead_code)]
    struct Ordered(u8, u8);

    impl TryFrom<Pair<u8, u8>> for Ordered {
        type Error = &'static str;
        fn try_from(pair: Pair<u8, u8>) -> Result<Self, &'static str> {
            if pair.left < pair.right { Ok(Self(pair.left, pair.right)) } else { Err("not in order") }
        }
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Choosy {
        first: u8,
        host: Host,
        ordered: Ordered,
        both: Pair<Host, Ordered>,
        last: u8,
    }

    #[tokio::test]
    async fn types_that_refuse_every_stand_in_hide_no_siblings() {
        let toml = "first = 'x'\nhost = 'h'\nlast = 'x'\n[ordered]\nleft = 3\nright = 2\n\
                    [both]\nleft = 'y'\nright = { left = 'x', right = 1 }";
        let report = report(Config::<Choosy>::builder().merge(Toml::string(toml))).await;
        let got = told(&report);
        for wanted in [
            "first: wrong type",
            "host: refused",
            "ordered: refused",
            "both.left: refused",
            "both.right.left: wrong type",
            "last: wrong type",
        ] {
            assert!(got.iter().any(|line| line == wanted), "{wanted} is not in\n{report}");
        }
        assert_eq!(got.len(), 6, "{report}");
    }

    #[tokio::test]
    async fn what_lies_under_a_refusing_type_is_counted() {
        #[derive(Deserialize)]
        #[serde(try_from = "Pair<Deeper, Host>")]
        struct Never;
        impl TryFrom<Pair<Deeper, Host>> for Never {
            type Error = &'static str;
            fn try_from(_: Pair<Deeper, Host>) -> Result<Self, &'static str> {
                Err("never")
            }
        }
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct App {
            a: u8,
            never: Never,
            z: u8,
        }
        let toml = "a = 'x'\nz = 'x'\n[never]\nright = 'h.example.org'\n[never.left]\non = true\nlevel = 1";
        let report = report(Config::<App>::builder().merge(Toml::string(toml))).await;
        assert_eq!(told(&report), ["a: wrong type", "never: refused", "z: wrong type"], "{report}");
        let beside = "what is missing beside or above `never` is not told: no stand-in satisfied its type";
        assert_eq!(report.remarks(), [beside], "{report}");
        let missing = "a = 'x'\nz = 'x'";
        let report = super::report(Config::<App>::builder().merge(Toml::string(missing))).await;
        assert_eq!(told(&report), ["a: wrong type", "never: missing", "z: wrong type"], "{report}");
    }

    #[tokio::test]
    async fn no_more_than_sixty_four_faults() {
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct Many {
            list: Vec<u8>,
            last: u8,
        }
        let list = vec!["'x'"; 100].join(",");
        let report = report(Config::<Many>::builder().merge(Toml::string(&format!("list = [{list}]")))).await;
        assert_eq!(report.faults().len(), 64);
        assert!(report.remarks().iter().any(|r| r.contains("there may be more")), "{report}");
        let list = vec!["'x'"; 63].join(",");
        let got = of_toml::<Many>(&format!("list = [{list}]")).await;
        assert_eq!(got.len(), 64);
        assert_eq!(got[63], "last: missing");
    }

    /// Code that is only right for real values meets stand-ins here; what it panics over hides nothing else.
    #[tokio::test]
    async fn types_that_panic_over_a_stand_in_or_a_value() {
        #[derive(Deserialize)]
        #[serde(from = "String")]
        #[allow(dead_code)]
        struct First(char);
        impl From<String> for First {
            fn from(text: String) -> Self {
                Self(text.chars().next().unwrap())
            }
        }
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct App {
            a: u8,
            first: First,
            second: First,
            z: u8,
            last: u8,
        }
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let over_standin = of_toml::<App>("a = 'x'\nsecond = 'fine'\nz = 'x'").await;
        let over_value = of_toml::<App>("a = 1\nfirst = ''\nsecond = 'x'\nz = 'x'").await;
        let over_both = of_toml::<App>("second = ''").await;
        std::panic::set_hook(hook);
        assert_eq!(over_standin, ["a: wrong type", "first: missing", "z: wrong type", "last: missing"]);
        assert_eq!(over_value, ["first: panicked", "z: wrong type", "last: missing"]);
        assert_eq!(
            over_both,
            ["a: missing", "first: missing", "second: panicked", "z: missing", "last: missing"]
        );
        assert!(Schema::of::<App>().keys().iter().any(|key| key.path.to_string() == "last"));
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Tree {
        name: String,
        child: Option<Box<Tree>>,
        #[serde(default)]
        more: Vec<Tree>,
    }

    #[tokio::test]
    async fn recursive_types() {
        let toml =
            "name = 1\nchild = { name = 'a', child = { name = 2 } }\nmore = [{ child = { name = 3 } }]";
        assert_eq!(
            of_toml::<Tree>(toml).await,
            [
                "name: wrong type",
                "child.child.name: wrong type",
                "more.0.name: missing",
                "more.0.child.name: wrong type"
            ]
        );
        assert!(!Schema::of::<Tree>().keys().is_empty());
    }

    #[test]
    fn the_schema_of_every_shape_ends() {
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct All {
            flat: Flat,
            enums: Enums,
            odd: Odd,
            choosy: Choosy,
            whole: Whole,
            live: Live<Database>,
        }
        let schema = Schema::of::<All>();
        let keys: Vec<String> = schema.keys().iter().map(|key| key.path.to_string()).collect();
        for wanted in [
            "flat.port",
            "flat.last",
            "odd.wrapped",
            "odd.option.level",
            "odd.boxed.on",
            "choosy.first",
            "choosy.last",
            "whole.home",
            "whole.patience",
            "whole.database",
            "whole.deep.on",
            "live.password",
        ] {
            assert!(keys.iter().any(|key| key == wanted), "{wanted} is not in {keys:?}");
        }
        assert!(schema.keys().iter().any(|key| key.live && key.path.to_string() == "live.host"));
    }
}

mod noise {
    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct App {
        port: u16,
        database: Live<Database>,
        mail: Live<Mail>,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Mail {
        host: String,
        port: u16,
        auth: Deeper,
    }

    fn layers(source: &FakeSource) -> Builder<App> {
        Config::<App>::builder()
            .merge(Toml::string("port = 'x'\n[mail]\nport = 'y'"))
            .merge(SecretLayer::from(source.clone()).put("database", "db").put("mail", "mail"))
    }

    #[tokio::test]
    async fn a_secret_that_fails_is_one_fault() {
        let source = FakeSource::new().with("db", r#"{"host": "h", "database": "d", "password": "p"}"#);
        source.put("mail", r#"{"host": "h", "auth": {"on": true, "level": 1}}"#);
        source.deny("db");
        let report = report(layers(&source)).await;
        assert_eq!(
            told(&report),
            ["database: denied", "port: wrong type", "mail.port: wrong type"],
            "{report}"
        );
        for (document, kind) in [("", "document"), ("text", "wrong type"), ("{", "wrong type")] {
            source.allow("db");
            source.put("db", document);
            let got = told(&super::report(layers(&source)).await);
            assert_eq!(got.iter().filter(|line| line.starts_with("database")).count(), 1, "{got:?}");
            assert!(got.contains(&format!("database: {kind}")), "{got:?}");
        }
    }

    #[tokio::test]
    async fn a_sign_in_that_fails_is_one_fault_and_names_its_secrets() {
        let source = FakeSource::named("vault").with("db", "{}").with("mail", "{}");
        source.refuse_sign_in();
        let report = report(layers(&source)).await;
        assert_eq!(
            told(&report),
            ["(root): sign-in", "port: wrong type", "mail.port: wrong type"],
            "{report}"
        );
        let FaultKind::SignIn(_, secrets) = report.faults()[0].kind() else { panic!("{report}") };
        assert_eq!(secrets, &["db", "mail"]);
    }

    #[tokio::test]
    async fn a_root_secret_that_fails_is_one_fault() {
        let source = FakeSource::new();
        let builder = Config::<App>::builder()
            .merge(Toml::string("port = 'x'"))
            .merge(SecretLayer::from(source).put("", "everything"));
        let report = report(builder).await;
        assert_eq!(told(&report), ["(root): absent", "port: wrong type"], "{report}");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_parsed_is_one_fault() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), "port = 1\nnonsense nonsense\n").unwrap();
        let builder = Config::<App>::standard()
            .env([("APP_CONFIG_DIR", folder.path().as_os_str().to_owned()), ("APP_MAIL__PORT", "y".into())]);
        let report = report(builder).await;
        assert_eq!(told(&report), ["(root): syntax", "mail.port: wrong type"], "{report}");
        let broken = Config::<App>::builder().merge(Toml::string("port = = 3"));
        assert_eq!(told(&super::report(broken).await), ["(root): provider"]);
    }

    #[tokio::test]
    async fn unknown_plain_keys_are_remarks_with_the_nearest_key() {
        let source = FakeSource::new()
            .with("db", r#"{"host": "h", "database": "d", "password": "p", "passwrod": "q"}"#)
            .with("mail", r#"{"host": "h", "auth": {"on": true, "level": 1}}"#);
        let config = load(layers(&source).merge(Toml::string(
            "port = 1\nprot = 2\nother = 3\n[mail]\nport = 4\nhots = 'x'\n[mail.auth]\nlevle = 1",
        )))
        .await;
        let remarks = config.remarks();
        for wanted in [
            "`prot`",
            "did you mean `port`?",
            "`other`",
            "did you mean `mail.host`?",
            "did you mean `mail.auth.level`?",
        ] {
            assert!(remarks.iter().any(|remark| remark.contains(wanted)), "{wanted} is not in {remarks:?}");
        }
        assert_eq!(remarks.len(), 4, "{remarks:?}");
    }

    #[tokio::test]
    async fn a_misspelt_key_is_told_beside_the_missing_one() {
        let source = FakeSource::new().with("db", "{}").with("mail", r#"{"auth": {"on": true, "level": 1}}"#);
        let report =
            report(layers(&source).merge(Toml::string("prot = 2\nfar = 3\n[mail]\nhots = 'x'"))).await;
        assert!(told(&report).contains(&"mail.host: missing".to_owned()), "{report}");
        for wanted in ["did you mean `port`?", "`far`", "did you mean `mail.host`?"] {
            assert!(report.remarks().iter().any(|remark| remark.contains(wanted)), "{wanted}: {report}");
        }
    }

    #[tokio::test]
    async fn checks_across_sections_run_only_on_a_whole_configuration() {
        let source = FakeSource::new();
        let builder = layers(&source).validate(|_| panic!("not to be called"));
        let report = report(builder).await;
        assert!(report.remarks().iter().any(|remark| remark == "cross-checks were not run"), "{report}");
    }
}

mod values {
    use super::*;

    #[derive(Deserialize)]
    struct Texts {
        a: SecretString,
        b: SecretBytes,
        c: String,
        d: Strict<SecretString>,
    }

    const ODD: [&str; 14] = [
        "00123",
        " padded ",
        "true",
        "\"quoted\"",
        "{x=1}",
        "[1, 2]",
        "🔑",
        "1e3",
        "-0",
        "null",
        "'x'",
        "a=b#c",
        "C:\\new\\table",
        "\t",
    ];

    fn check(config: &Config<Texts>, want: &str) {
        let snapshot = config.snapshot();
        assert_eq!(snapshot.a.expose_secret(), want);
        assert_eq!(snapshot.b.expose_secret(), want.as_bytes());
        assert_eq!(snapshot.c, want);
        assert_eq!(snapshot.d.expose_secret(), want);
    }

    #[tokio::test]
    async fn text_arrives_as_it_was_written_from_files_and_environment() {
        let long: String = "0123456789abcdef".repeat(60 * 64);
        for want in ODD.into_iter().chain([long.as_str()]) {
            let env = ["APP_A", "APP_B", "APP_C", "APP_D"].map(|name| (name, want));
            check(&load(Config::<Texts>::builder().env(env).merge(TextEnv::prefixed("APP_"))).await, want);
            let folder = tempfile::tempdir().unwrap();
            let mut settings = secretfig_files::Settings::new().folder(folder.path());
            for name in ["a", "b", "c", "d"] {
                std::fs::write(folder.path().join(name), want).unwrap();
            }
            settings = settings.max_bytes(1 << 20);
            let files = secretfig_files::Files::new(settings).unwrap();
            let layer = ["a", "b", "c", "d"]
                .into_iter()
                .fold(SecretLayer::from(files), |layer, name| layer.put(name, Wanted::new(name)));
            check(&load(Config::<Texts>::builder().merge(layer)).await, want);
            let fake = FakeSource::new();
            let quoted = serde_json::to_string(want).unwrap();
            fake.put("all", &format!(r#"{{"a": {quoted}, "b": {quoted}, "c": {quoted}, "d": {quoted}}}"#));
            check(
                &load(Config::<Texts>::builder().merge(SecretLayer::from(fake).put("", "all"))).await,
                want,
            );
        }
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_arrive_and_nul_bytes_too() {
        #[derive(Deserialize)]
        struct Two {
            a: SecretBytes,
            b: SecretString,
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), [0, 0xff, 0, 10]).unwrap();
        std::fs::write(folder.path().join("b"), "x\0y\0").unwrap();
        let files =
            secretfig_files::Files::new(secretfig_files::Settings::new().folder(folder.path())).unwrap();
        let config =
            load(Config::<Two>::builder().merge(SecretLayer::from(files).put("a", "a").put("b", "b"))).await;
        assert_eq!(config.snapshot().a.expose_secret(), [0, 0xff, 0, 10]);
        assert_eq!(config.snapshot().b.expose_secret(), "x\0y\0");
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct Typed {
        list: Vec<String>,
        numbers: Vec<i16>,
        flags: Vec<bool>,
        modes: Vec<Mode>,
        pair: (u8, String),
        on: bool,
        ratio: f64,
        big: u128,
        negative: i8,
        patience: Duration,
        #[serde(with = "humantime_serde")]
        pause: Duration,
        waits: Vec<Duration>,
        mode: Mode,
        optional: Option<u16>,
        letter: char,
        home: Url,
    }

    #[tokio::test]
    async fn environment_text_becomes_what_the_type_asks_for() {
        let env = [
            ("APP_LIST", r#"[a, "b, c", 003]"#),
            ("APP_NUMBERS", "[1, -2]"),
            ("APP_FLAGS", "[true,false]"),
            ("APP_MODES", "[fast, slow]"),
            ("APP_PAIR", "[7, x]"),
            ("APP_ON", "true"),
            ("APP_RATIO", "0.5"),
            ("APP_BIG", "340282366920938463463374607431768211455"),
            ("APP_NEGATIVE", "-128"),
            ("APP_PATIENCE", "1h 30m"),
            ("APP_PAUSE", "90s"),
            ("APP_WAITS", "[1s, 2m]"),
            ("APP_MODE", "slow"),
            ("APP_OPTIONAL", "8080"),
            ("APP_LETTER", "x"),
            ("APP_HOME", "https://example.org/"),
        ];
        let config = load(Config::<Typed>::builder().env(env).merge(TextEnv::prefixed("APP_"))).await;
        let want = Typed {
            list: vec!["a".into(), "b, c".into(), "003".into()],
            numbers: vec![1, -2],
            flags: vec![true, false],
            modes: vec![Mode::Fast, Mode::Slow],
            pair: (7, "x".into()),
            on: true,
            ratio: 0.5,
            big: u128::MAX,
            negative: -128,
            patience: Duration::from_secs(5400),
            pause: Duration::from_secs(90),
            waits: vec![Duration::from_secs(1), Duration::from_secs(120)],
            mode: Mode::Slow,
            optional: Some(8080),
            letter: 'x',
            home: Url::parse("https://example.org/").unwrap(),
        };
        assert_eq!(*config.snapshot(), want);
    }

    #[tokio::test]
    async fn elements_of_a_list_in_text_have_faults_of_their_own() {
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct Lists {
            numbers: Vec<u8>,
            modes: Vec<Mode>,
            fixed: [u8; 2],
            last: u8,
        }
        let got = of_env::<Lists>(&[
            ("APP_NUMBERS", "[1, x, 300, 4]"),
            ("APP_MODES", "[fast, medium]"),
            ("APP_FIXED", "[1]"),
            ("APP_LAST", "x"),
        ])
        .await;
        assert_eq!(
            got,
            [
                "numbers.1: wrong type",
                "numbers.2: wrong type",
                "modes.1: unknown variant",
                "fixed: wrong length",
                "last: wrong type"
            ]
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_variable_that_is_no_text_is_a_fault_that_names_it() {
        use std::os::unix::ffi::OsStringExt;
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct App {
            a: Option<String>,
            b: u8,
        }
        let value = std::ffi::OsString::from_vec(vec![b'x', 0xff]);
        let report =
            report(Config::<App>::builder().env([("APP_A", value)]).merge(TextEnv::prefixed("APP_"))).await;
        assert_eq!(told(&report), ["a: not utf-8", "b: missing"]);
        assert_eq!(report.faults()[0].layer_name(), Some("variable `APP_A`"));
    }

    #[tokio::test]
    async fn figments_own_env_is_told_apart() {
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct App {
            zip: String,
            port: u16,
        }
        // a name of this test's own: the process environment is one for all tests
        let name = "SECRETFIG_FAULTS_GUESSED_";
        let env = Serialized::default("zip", 123).profile("default");
        let _ = (Env::prefixed(name), Json::string("{}"));
        let got = told(&report(Config::<App>::builder().merge(env)).await);
        assert_eq!(got, ["zip: wrong type", "port: missing"]);
    }

    #[tokio::test]
    async fn sealed_text_is_never_split_and_numbers_keep_their_digits() {
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct App {
            list: Vec<String>,
            zip: SecretString,
            price: SecretString,
            on: SecretString,
            n: u64,
        }
        let json =
            r#"{"list": "[a, b]", "zip": 12345678901234567890123, "price": 1.10, "on": true, "n": "7"}"#;
        assert_eq!(of_secret::<App>(json).await, ["list: wrong type"]);
        let source = FakeSource::new().with("all", &json.replace("\"[a, b]\"", "[\"a\"]"));
        let config = load(Config::<App>::builder().merge(SecretLayer::from(source).put("", "all"))).await;
        let snapshot = config.snapshot();
        assert_eq!(snapshot.zip.expose_secret(), "12345678901234567890123");
        assert_eq!(snapshot.price.expose_secret(), "1.10");
        assert_eq!(snapshot.on.expose_secret(), "true");
        assert_eq!(snapshot.n, 7);
    }
}
