//! That layers merge by figment's own rules: generated stacks of layers are given to figment and to us, and what
//! comes out must be the same, but for the two deviations that the documentation names. And that the doors to
//! figment hold: its providers, its errors, its `Jail`, its paths, and values handed out to it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests, too")]

use figment::error::{Actual, Kind};
use figment::providers::{Env, Format as _, Json, Serialized, Toml};
use figment::value::magic::RelativePathBuf;
use figment::value::{Dict, Map, Value};
use figment::{Figment, Jail, Metadata, Profile, Provider};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config as Cases, TestCaseError, TestRunner};
use secretfig::testing::FakeSource;
use secretfig::{Builder, Config, ExposeSecret, FaultKind, SecretLayer, SecretString, TextEnv};
use secretfig_tests::{Hunt, Marker};
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Loads on a runtime of its own: figment's `Jail` is no place for `await`.
fn load<T: DeserializeOwned + Send + Sync + 'static>(builder: Builder<T>) -> Config<T> {
    runtime().block_on(builder.load()).unwrap()
}

// ---- the property -------------------------------------------------------------------------------------------

/// Whatever there is, as it is.
#[derive(Clone, Debug, PartialEq)]
enum V {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    /// Text of a secret: it is decoded to `Text`.
    Sealed(String),
    List(Vec<V>),
    Table(BTreeMap<String, V>),
}

impl<'de> Deserialize<'de> for V {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = V;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_unit<E: de::Error>(self) -> Result<V, E> {
                Ok(V::Null)
            }
            fn visit_none<E: de::Error>(self) -> Result<V, E> {
                Ok(V::Null)
            }
            fn visit_bool<E: de::Error>(self, yes: bool) -> Result<V, E> {
                Ok(V::Bool(yes))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<V, E> {
                Ok(V::Int(n.into()))
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<V, E> {
                Ok(V::Int(n.into()))
            }
            fn visit_f64<E: de::Error>(self, n: f64) -> Result<V, E> {
                Ok(V::Float(n))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<V, E> {
                Ok(V::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<V, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(V::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<V, A::Error> {
                let mut table = BTreeMap::new();
                while let Some((key, value)) = entries.next_entry()? {
                    table.insert(key, value);
                }
                Ok(V::Table(table))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl V {
    fn to_figment(&self) -> Value {
        match self {
            V::Null => Value::serialize(()).unwrap(),
            V::Bool(yes) => Value::from(*yes),
            // of the narrow types too: figment has one variant for each
            V::Int(n) => match (u8::try_from(*n), i64::try_from(*n)) {
                (Ok(n), _) => Value::from(n),
                (_, Ok(n)) => Value::from(n),
                _ => Value::from(u64::try_from(*n).unwrap()),
            },
            V::Float(n) => Value::from(*n),
            V::Text(text) | V::Sealed(text) => Value::from(text.as_str()),
            V::List(items) => Value::from(items.iter().map(V::to_figment).collect::<Vec<_>>()),
            V::Table(table) => Value::from(dict(table)),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        match self {
            V::Null => serde_json::Value::Null,
            V::Bool(yes) => (*yes).into(),
            V::Int(n) => match i64::try_from(*n) {
                Ok(n) => n.into(),
                Err(_) => u64::try_from(*n).unwrap().into(),
            },
            V::Float(n) => (*n).into(),
            V::Text(text) | V::Sealed(text) => text.as_str().into(),
            V::List(items) => items.iter().map(V::to_json).collect(),
            V::Table(table) => table.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        }
    }

    fn holds_secret(&self) -> bool {
        match self {
            V::Sealed(_) => true,
            V::List(items) => items.iter().any(V::holds_secret),
            V::Table(table) => table.values().any(V::holds_secret),
            _ => false,
        }
    }

    /// All text a secret's.
    fn sealed(self) -> V {
        match self {
            V::Text(text) => V::Sealed(text),
            V::List(items) => V::List(items.into_iter().map(V::sealed).collect()),
            V::Table(table) => V::Table(table.into_iter().map(|(key, v)| (key, v.sealed())).collect()),
            other => other,
        }
    }

    /// As the decoder gives it.
    fn opened(self) -> V {
        match self {
            V::Sealed(text) => V::Text(text),
            V::List(items) => V::List(items.into_iter().map(V::opened).collect()),
            V::Table(table) => V::Table(table.into_iter().map(|(key, v)| (key, v.opened())).collect()),
            other => other,
        }
    }
}

fn dict(table: &BTreeMap<String, V>) -> Dict {
    table.iter().map(|(key, value)| (key.clone(), value.to_figment())).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Merge,
    Join,
    Adjoin,
    Admerge,
}

impl Verb {
    fn new_wins(self) -> bool {
        matches!(self, Verb::Merge | Verb::Admerge)
    }
}

/// How a layer reaches figment and us.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// By a provider of our own.
    Own,
    /// By figment's JSON, nested by profile.
    Json,
    /// In a `Figment` of its own, which brings its profile along.
    Figment,
    /// From a source: figment has no such thing.
    Secret,
}

#[derive(Clone, Debug)]
struct Given {
    verb: Verb,
    form: Form,
    profiles: BTreeMap<&'static str, BTreeMap<String, V>>,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named("generated")
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Ok(self.profiles.iter().map(|(profile, table)| (Profile::from(*profile), dict(table))).collect())
    }
}

impl Given {
    fn json(&self) -> figment::providers::Data<Json> {
        let json = |table: &BTreeMap<String, V>| V::Table(table.clone()).to_json();
        let profiles = self.profiles.iter().map(|(profile, table)| ((*profile).to_owned(), json(table)));
        Json::string(&profiles.collect::<serde_json::Value>().to_string()).nested()
    }

    fn onto_figment(&self, onto: Figment) -> Figment {
        fn provide<P: Provider>(onto: Figment, verb: Verb, provider: P) -> Figment {
            match verb {
                Verb::Merge => onto.merge(provider),
                Verb::Join => onto.join(provider),
                Verb::Adjoin => onto.adjoin(provider),
                Verb::Admerge => onto.admerge(provider),
            }
        }
        match self.form {
            Form::Own => provide(onto, self.verb, self),
            Form::Json => provide(onto, self.verb, self.json()),
            Form::Figment => provide(onto, self.verb, Figment::from(self)),
            Form::Secret => onto,
        }
    }

    fn onto_ours(&self, onto: Builder<V>, source: &FakeSource, n: usize) -> Builder<V> {
        let layer = match self.form {
            Form::Own => secretfig::Layer::from(self),
            Form::Json => secretfig::Layer::from(self.json()),
            Form::Figment => secretfig::Layer::from(Figment::from(self)),
            Form::Secret => {
                let (profile, table) = self.profiles.iter().next().unwrap();
                let name = format!("secret-{n}");
                source.put(&name, &V::Table(table.clone()).to_json().to_string());
                SecretLayer::from(source.clone()).put("", name).profile(*profile).into()
            }
        };
        match self.verb {
            Verb::Merge => onto.merge(layer),
            Verb::Join => onto.join(layer),
            Verb::Adjoin => onto.adjoin(layer),
            Verb::Admerge => onto.admerge(layer),
        }
    }
}

#[derive(Clone, Debug)]
struct Stack {
    layers: Vec<Given>,
    selected: &'static str,
    /// After how many layers the profile is selected: a whole `Figment` merged later selects its own again.
    select_after: usize,
}

/// Which of the two deviations a model has.
#[derive(Clone, Copy)]
struct Deviations {
    nulls: bool,
    strict: bool,
}

const FIGMENTS: Deviations = Deviations { nulls: false, strict: false };

/// figment's `coalesce`, and the deviations.
fn coalesce(old: V, new: V, verb: Verb, deviations: Deviations) -> V {
    match (old, new) {
        (V::Table(mut a), V::Table(b)) => {
            for (key, new) in b {
                let value = match a.remove(&key) {
                    Some(old) => coalesce(old, new, verb, deviations),
                    None => new,
                };
                a.insert(key, value);
            }
            V::Table(a)
        }
        (V::List(mut a), V::List(b)) if matches!(verb, Verb::Adjoin | Verb::Admerge) => {
            a.extend(b);
            V::List(a)
        }
        (old, new) => {
            let (winner, loser) = if verb.new_wins() { (new, old) } else { (old, new) };
            let null = deviations.nulls && winner == V::Null;
            let plain = deviations.strict && !winner.holds_secret() && loser.holds_secret();
            if null || plain { loser } else { winner }
        }
    }
}

impl Stack {
    fn figment(&self) -> Figment {
        let mut figment = Figment::new();
        for (n, layer) in self.layers.iter().enumerate() {
            if n == self.select_after {
                figment = figment.select(self.selected);
            }
            figment = layer.onto_figment(figment);
        }
        if self.select_after >= self.layers.len() { figment.select(self.selected) } else { figment }
    }

    fn ours(&self, source: &FakeSource) -> Builder<V> {
        let mut builder = Config::<V>::builder();
        for (n, layer) in self.layers.iter().enumerate() {
            if n == self.select_after {
                builder = builder.select(self.selected);
            }
            builder = layer.onto_ours(builder, source, n);
        }
        if self.select_after >= self.layers.len() { builder.select(self.selected) } else { builder }
    }

    /// The profile in force in the end.
    fn profile(&self) -> &'static str {
        let later = self.layers.iter().skip(self.select_after);
        let reset = later.clone().any(|layer| layer.form == Form::Figment && layer.verb.new_wins());
        if reset { "default" } else { self.selected }
    }

    /// What must come out, by the rules: `layers` for merging layers, `profiles` for merging the profiles after it.
    fn model(&self, layers: Deviations, profiles: Deviations) -> V {
        let custom = Some(self.profile()).filter(|profile| *profile == "staging");
        let mut merged = V::Table(BTreeMap::new());
        for profile in ["default"].into_iter().chain(custom).chain(["global"]) {
            let mut folded: Option<V> = None;
            for layer in &self.layers {
                if let Some(table) = layer.profiles.get(profile) {
                    let new = V::Table(table.clone());
                    folded = Some(match folded {
                        None => new,
                        Some(old) => coalesce(old, new, layer.verb, layers),
                    });
                }
            }
            if let Some(new) = folded {
                merged = coalesce(merged, new, Verb::Merge, profiles);
            }
        }
        merged
    }

    /// Whether two layers have a key in common, in profiles that count.
    fn meets(&self) -> bool {
        let counting = ["default", "global", self.profile()];
        let keys = |layer: &Given| -> Vec<String> {
            let counting = layer.profiles.iter().filter(|(profile, _)| counting.contains(profile));
            counting.flat_map(|(_, table)| table.keys().cloned()).collect()
        };
        let all: Vec<Vec<String>> = self.layers.iter().map(keys).collect();
        all.iter().enumerate().any(|(n, a)| all[n + 1..].iter().any(|b| a.iter().any(|key| b.contains(key))))
    }
}

/// So few that layers meet.
fn key() -> impl Strategy<Value = String> + Clone {
    select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = V> + Clone {
    let texts = vec!["", "x", "null", "true", "00123", " padded ", "{x=1}", "[1, 2]", "a.b", "é"];
    select(texts).prop_map(|text| V::Text(text.to_owned()))
}

fn plain() -> impl Strategy<Value = V> + Clone {
    let leaf = prop_oneof![
        2 => Just(V::Null),
        1 => any::<bool>().prop_map(V::Bool),
        2 => select(vec![0, 1, -1, 255, 256, i128::from(i64::MIN), i128::from(u64::MAX)]).prop_map(V::Int),
        1 => select(vec![0.0, -0.5, 1.0, 1e300]).prop_map(V::Float),
        2 => text(),
    ];
    nested(leaf)
}

fn nested(leaf: impl Strategy<Value = V> + 'static) -> impl Strategy<Value = V> + Clone {
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..3).prop_map(V::List),
            3 => btree_map(key(), inner, 0..3).prop_map(V::Table),
        ]
    })
}

fn verb() -> impl Strategy<Value = Verb> + Clone {
    select(vec![Verb::Merge, Verb::Join, Verb::Adjoin, Verb::Admerge])
}

fn profile() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![3 => Just("default"), 3 => Just("staging"), 2 => Just("global"), 1 => Just("other")]
}

fn plain_layer() -> impl Strategy<Value = Given> + Clone {
    let form = select(vec![Form::Own, Form::Json, Form::Figment]);
    let profiles = btree_map(profile(), btree_map(key(), plain(), 0..4), 1..4);
    (verb(), form, profiles).prop_map(|(verb, form, profiles)| Given { verb, form, profiles })
}

fn secret_layer() -> impl Strategy<Value = Given> + Clone {
    // an empty document would be refused
    let table = btree_map(key(), nested(text()).prop_map(V::sealed), 1..4);
    (verb(), profile(), table).prop_map(|(verb, profile, table)| Given {
        verb,
        form: Form::Secret,
        profiles: BTreeMap::from([(profile, table)]),
    })
}

fn stack(layer: impl Strategy<Value = Given> + Clone) -> impl Strategy<Value = Stack> {
    let selected = prop_oneof![4 => Just("staging"), 1 => Just("default"), 1 => Just("global")];
    // most often last, as in figment's own examples
    let select_after = prop_oneof![2 => Just(6_usize), 1 => 0..6_usize];
    // a stack of one has nothing to merge but its profiles
    let layers = prop_oneof![1 => vec(layer.clone(), 1..=2), 3 => vec(layer, 3..=6)];
    (layers, selected, select_after).prop_map(|(layers, selected, select_after)| Stack {
        layers,
        selected,
        select_after,
    })
}

/// 10,000 stacks, or as many as `PROPTEST_CASES` says; a part of it for the second property.
fn runner(part: u32) -> TestRunner {
    let mut cases = Cases { failure_persistence: None, ..Cases::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        cases.cases = 10_000;
    }
    cases.cases = (cases.cases / part).max(1);
    TestRunner::new(cases)
}

#[test]
fn generated_stacks_merge_as_figment_merges_them() {
    let runtime = runtime();
    let (stacks, meeting, with_nulls) = (Cell::new(0_u32), Cell::new(0_u32), Cell::new(0_u32));
    let source = FakeSource::new();
    let ours = |builder: Builder<V>| -> Result<V, TestCaseError> {
        let loaded = runtime.block_on(builder.load());
        let config = loaded.map_err(|e| TestCaseError::fail(e.to_string()))?;
        Ok(V::clone(&config.snapshot()))
    };
    let deviating = Deviations { nulls: true, strict: false };
    let result = runner(1).run(&stack(plain_layer()), |stack| {
        let figment = stack.figment();
        prop_assert_eq!(figment.profile(), stack.profile());
        let figments: V = figment.extract().map_err(|e| TestCaseError::fail(e.to_string()))?;
        // the model is figment's, so that the deviation is all that can tell it from figment's result
        prop_assert_eq!(&stack.model(FIGMENTS, FIGMENTS), &figments);
        let expected = stack.model(deviating, deviating);
        prop_assert_eq!(&ours(stack.ours(&source))?, &expected, "layer by layer");
        let whole = Config::<V>::builder().merge(figment);
        prop_assert_eq!(ours(whole)?, stack.model(FIGMENTS, deviating), "as one Figment");
        stacks.set(stacks.get() + 1);
        meeting.set(meeting.get() + u32::from(stack.meets()));
        with_nulls.set(with_nulls.get() + u32::from(expected != figments));
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
    let share = f64::from(meeting.get()) / f64::from(stacks.get());
    println!(
        "{} stacks; in {:.0} % two layers meet on a key; in {:.0} % a null would have won in figment",
        stacks.get(),
        share * 100.0,
        f64::from(with_nulls.get()) / f64::from(stacks.get()) * 100.0,
    );
    assert!(share >= 0.5 || stacks.get() < 100, "too few stacks meet for this to prove anything: {share}");
}

#[test]
fn generated_stacks_with_secrets_keep_them_in_strict_profiles_only() {
    let runtime = runtime();
    let (stacks, kept) = (Cell::new(0_u32), Cell::new(0_u32));
    let layer = prop_oneof![1 => secret_layer(), 1 => plain_layer()];
    let result = runner(5).run(&stack(layer), |stack| {
        let strict = stack.profile() != "default";
        let relaxed = Deviations { nulls: true, strict: false };
        let deviating = Deviations { nulls: true, strict };
        let expected = stack.model(deviating, deviating);
        let loaded = runtime.block_on(stack.ours(&FakeSource::new()).load());
        let config = loaded.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(V::clone(&config.snapshot()), expected.clone().opened());
        stacks.set(stacks.get() + 1);
        kept.set(kept.get() + u32::from(expected != stack.model(relaxed, relaxed)));
        Ok(())
    });
    if let Err(e) = result {
        panic!("{e}");
    }
    println!("{} stacks with secrets; in {} a strict profile kept one", stacks.get(), kept.get());
    assert!(kept.get() > 0 || stacks.get() < 100);
}

// ---- the two deviations, each on its own --------------------------------------------------------------------

#[test]
fn a_null_in_a_higher_layer_is_ignored_and_told() {
    let [low, high] = [r#"{"port": 80, "db": {"host": "x"}, "n": null}"#, r#"{"port": null, "db": null}"#]
        .map(Json::string);
    let figment = Figment::new().merge(&low).merge(&high);
    let config = load(Config::<V>::builder().merge(low).merge(high));
    let port = |v: &V| match v {
        V::Table(table) => (table["port"].clone(), table["db"].clone(), table["n"].clone()),
        _ => panic!("no table"),
    };
    assert_eq!(port(&figment.extract().unwrap()), (V::Null, V::Null, V::Null));
    let db = V::Table(BTreeMap::from([("host".to_owned(), V::Text("x".to_owned()))]));
    // one that beats nothing stays
    assert_eq!(port(&config.snapshot()), (V::Int(80), db, V::Null));
    for key in ["port", "db"] {
        let said = format!("`{key}`: a null in JSON source string");
        assert!(config.remarks().iter().any(|r| r.starts_with(&said) && r.ends_with("is ignored")), "{said}");
    }
    assert!(config.explain().key("port").unwrap().beaten().next().unwrap().ends_with("(null, ignored)"));
}

#[test]
fn in_a_strict_profile_a_plain_value_never_beats_a_secret() {
    #[derive(Deserialize)]
    struct App {
        token: String,
        db: BTreeMap<String, String>,
    }
    for (profile, token) in [("staging", "sealed"), ("development", "plain")] {
        let source = FakeSource::new().with("all", r#"{"token": "sealed", "db": {"password": "p"}}"#);
        let builder = Config::<App>::builder()
            .merge(SecretLayer::from(source).put("", "all"))
            .merge(Serialized::global("token", "plain"))
            .merge(Serialized::global("db.host", "h"))
            .select(profile);
        let config = load(builder);
        assert_eq!(config.snapshot().token, token, "{profile}");
        // tables of both kinds unite
        assert_eq!(config.snapshot().db.keys().collect::<Vec<_>>(), ["host", "password"]);
        let about = config.remarks().iter().filter(|remark| remark.starts_with("`token`")).count();
        assert_eq!(about, 1, "{:?}", config.remarks());
    }
}

// ---- the doors ----------------------------------------------------------------------------------------------

#[derive(Debug, Deserialize, Serialize, PartialEq, Clone)]
struct Typed {
    name: String,
    port: u16,
    ratio: f64,
    tags: Vec<String>,
    mode: Mode,
    db: Db,
    limit: Option<u32>,
    #[serde(default)]
    debug: bool,
}

#[derive(Debug, Deserialize, Serialize, PartialEq, Clone)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Slow,
}

#[derive(Debug, Deserialize, Serialize, PartialEq, Clone)]
struct Db {
    host: String,
    replicas: BTreeMap<String, u16>,
}

const TOML: &str = r#"
name = "app"
port = 80
ratio = 0.5
tags = ["a", "b"]
mode = "fast"
[db]
host = "localhost"
replicas = { r1 = 1, r2 = 2 }
"#;

#[test]
#[allow(clippy::result_large_err, reason = "figment's own error")]
fn a_jail_with_a_file_and_the_environment_gives_what_figment_gives() {
    Jail::expect_with(|jail| {
        jail.create_file("App.toml", TOML)?;
        jail.set_env("JAIL_PORT", 8080);
        jail.set_env("JAIL_DEBUG", true);
        jail.set_env("JAIL_TAGS", "[x, \"y, z\"]");
        jail.set_env("JAIL_MODE", "slow");
        jail.set_env("JAIL_DB__HOST", "db.example");
        jail.set_env("JAIL_DB__REPLICAS", "{r2=22,r3=3}");
        let layers = || (Toml::file("App.toml"), Env::prefixed("JAIL_").split("__"));
        let (file, env) = layers();
        let theirs: Typed = Figment::new().merge(file).merge(env).extract()?;
        let (file, env) = layers();
        let ours = load(Config::<Typed>::builder().merge(file).merge(env));
        assert_eq!(*ours.snapshot(), theirs);
        assert_eq!((theirs.port, &*theirs.db.host, theirs.db.replicas.len()), (8080, "db.example", 3));
        let (file, env) = layers();
        let whole = load(Config::<Typed>::builder().merge(Figment::new().merge(file).merge(env)));
        assert_eq!(*whole.snapshot(), theirs);

        let explain = ours.explain();
        let by = |key: &str| explain.key(key).unwrap().layer_name().unwrap().to_owned();
        assert_eq!(by("port"), "`JAIL_` environment variable(s) PORT");
        let file = format!("TOML file {}", jail.directory().join("App.toml").display());
        assert_eq!(by("ratio"), file);
        let told = |config: &Config<Typed>| -> Vec<(String, String)> {
            let explain = config.explain();
            let keys = explain.keys().iter();
            keys.map(|k| (k.key.to_string(), k.layer_name().unwrap_or_default().to_owned())).collect()
        };
        assert_eq!(told(&whole), told(&ours));
        assert_eq!(explain.key("port").unwrap().beaten().collect::<Vec<_>>(), [file]);
        Ok(())
    });
}

#[test]
#[allow(clippy::result_large_err, reason = "figment's own error")]
fn text_that_figments_env_took_for_a_number_is_refused_and_ours_is_named() {
    #[derive(Debug, Deserialize)]
    struct App {
        zip: String,
    }
    Jail::expect_with(|jail| {
        jail.set_env("JAIL_ZIP", "00123");
        let error = runtime().block_on(Config::<App>::builder().merge(Env::prefixed("JAIL_")).load());
        let error = error.unwrap_err();
        let [fault] = error.report().faults() else { panic!("{error}") };
        assert_eq!(*fault.kind(), FaultKind::Guessed);
        assert!(fault.what_to_do().contains("TextEnv"), "{error}");
        assert!(!error.to_string().contains("123"), "{error}");
        assert_eq!(format!("{error:?}"), error.to_string());
        assert_eq!(fault.layer_name(), Some("`JAIL_` environment variable(s) ZIP"));
        let config = load(Config::<App>::builder().merge(TextEnv::prefixed("JAIL_")));
        assert_eq!(config.snapshot().zip, "00123");
        Ok(())
    });
}

#[test]
fn metadata_of_figments_providers_is_told() {
    let serialized = Serialized::global("debug", true);
    let serialized_at = line!() - 1;
    let figment = Figment::new().merge(Toml::string(TOML)).merge(serialized);
    let figment_at = line!() - 1;
    let place = |line: u32| format!("{}:{line}:", file!());
    let config = load(Config::<Typed>::builder().join(figment).merge(("port", 1)));
    let port_at = line!() - 1;
    let explain = config.explain();
    for (key, name, line) in [
        ("ratio", "TOML source string at ", figment_at),
        ("debug", "bool at ", serialized_at),
        ("port", "(&str, i32) at ", port_at),
    ] {
        let layer = explain.key(key).unwrap().layer_name().unwrap();
        assert!(layer.contains(name) && layer.contains(&place(line)), "{key}: {layer}, not {}", place(line));
    }
}

struct Broken(figment::Error);

impl Provider for Broken {
    fn metadata(&self) -> Metadata {
        Metadata::named("broken").source(Path::new("/etc/broken.conf"))
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Err(self.0.clone())
    }
}

#[test]
fn errors_of_providers_never_show_values() {
    let hunt = Hunt::new();
    let runtime = runtime();
    let refused = |layer: secretfig::Layer| {
        runtime.block_on(Config::<V>::builder().merge(layer).load()).map(drop).unwrap_err()
    };
    for (shape, marker) in Marker::shapes() {
        let marker = hunt.plant(format!("password, {shape}"), marker);
        let text = || marker.text().to_owned();
        for kind in [
            Kind::Message(text()),
            Kind::InvalidType(Actual::Str(text()), "a number".to_owned()),
            Kind::InvalidValue(Actual::Bytes(text().into_bytes()), text()),
            Kind::InvalidLength(3, text()),
            Kind::UnknownVariant(text(), &["a"]),
            Kind::UnknownField(text(), &["a"]),
            Kind::MissingField(text().into()),
            Kind::Unsupported(Actual::Other(text())),
            Kind::UnsupportedKey(Actual::Str(text()), text().into()),
        ] {
            let error = refused(Broken(figment::Error::from(kind).with_path("db.password")).into());
            hunt.check_error("a provider's error", &error);
            hunt.check("its JSON", error.to_json());
            let [fault] = error.report().faults() else { panic!("{error}") };
            assert!(matches!(fault.kind(), FaultKind::Provider(_)), "{error}");
            assert_eq!(fault.key().to_string(), "db.password");
            assert_eq!(fault.layer_name(), Some("broken /etc/broken.conf"));
        }
        let toml = format!("password = = {}", marker.text());
        hunt.check_error("broken TOML", &refused(Toml::string(&toml).into()));
        let json = format!("{{\"password\": {:?} {}", marker.text(), marker.text());
        hunt.check_error("broken JSON", &refused(Json::string(&json).into()));
        let wrong = Figment::new().merge(("port", marker.text()));
        let error = runtime.block_on(Config::<Typed>::builder().merge(wrong).load()).unwrap_err();
        hunt.check_error("a value of the wrong type", &error);
    }
    hunt.finish();
}

#[test]
#[allow(clippy::result_large_err, reason = "figment's own error")]
fn a_whole_figment_tells_which_of_its_layers_failed() {
    Jail::expect_with(|jail| {
        jail.create_file("one.toml", "port = ")?;
        jail.create_file("two.toml", "= 2")?;
        let figment = Figment::new().merge(Toml::file("one.toml")).merge(Toml::file("two.toml"));
        let error = runtime().block_on(Config::<V>::builder().merge(figment).load()).map(drop).unwrap_err();
        let mut layers: Vec<_> = error.report().faults().iter().filter_map(|f| f.layer_name()).collect();
        layers.sort_unstable();
        let file = |name| format!("TOML file {}", jail.directory().join(name).display());
        assert_eq!(layers, [file("one.toml"), file("two.toml")]);
        Ok(())
    });
}

#[test]
#[allow(clippy::result_large_err, reason = "figment's own error")]
fn paths_are_relative_to_the_file_they_stand_in() {
    #[derive(Debug, Deserialize, Serialize)]
    struct App {
        path: RelativePathBuf,
    }
    #[track_caller]
    fn same(figment: Figment, file: Option<&Path>) {
        let theirs: App = figment.extract().unwrap();
        let ours = load(Config::<App>::builder().merge(figment));
        assert_eq!(ours.snapshot().path.original(), theirs.path.original());
        assert_eq!(ours.snapshot().path.metadata_path(), theirs.path.metadata_path());
        assert_eq!(ours.snapshot().path.relative(), theirs.path.relative());
        assert_eq!(theirs.path.metadata_path(), file);
    }
    Jail::expect_with(|jail| {
        jail.create_dir("conf")?;
        jail.create_file("conf/App.toml", r#"path = "a/b.html""#)?;
        jail.create_file("conf/absolute.toml", r#"path = "/var/b.html""#)?;
        jail.set_env("JAIL_PATH", "b.html");
        let file = jail.directory().join("conf/App.toml");
        let toml = || Figment::new().merge(Toml::file("conf/App.toml"));
        same(toml(), Some(&file));
        same(Figment::from(Toml::file("conf/absolute.toml")), Some(&file.with_file_name("absolute.toml")));
        same(toml().merge(Env::prefixed("JAIL_")), None);
        same(Figment::from(Serialized::defaults(App { path: "some/default".into() })), None);
        // once known, the file stays with the path
        same(Figment::from(Serialized::defaults(toml().extract::<App>()?)), Some(&file));
        let config = load(Config::<App>::builder().merge(Toml::file("conf/App.toml")));
        assert_eq!(config.snapshot().path.relative(), jail.directory().join("conf/a/b.html"));

        // config.toml of the standard layers likewise
        jail.create_file("conf/config.toml", r#"path = "own.html""#)?;
        let standard = Config::<App>::standard().env([("APP_CONFIG_DIR", jail.directory().join("conf"))]);
        let config = load(standard);
        assert_eq!(config.snapshot().path.relative(), jail.directory().join("conf/own.html"));

        // what a secret says has nothing to do with the file that names the secret
        jail.create_file("conf/named.toml", r#"path = "fake://where""#)?;
        let source = FakeSource::new().with("where", "sealed.html");
        let config = load(Config::<App>::builder().source(source).merge(Toml::file("conf/named.toml")));
        assert_eq!(config.snapshot().path.metadata_path(), None);
        assert_eq!(config.snapshot().path.relative(), Path::new("sealed.html"));
        Ok(())
    });
}

#[test]
fn what_is_exposed_serves_rocket_and_is_all_that_is_exposed() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct App {
        port: u16,
        secret_key: SecretString,
        database: SecretString,
        databases: BTreeMap<String, Pool>,
        mail: BTreeMap<String, SecretString>,
    }
    #[derive(Deserialize, Debug, PartialEq)]
    struct Pool {
        url: String,
        max_connections: u32,
        timeout: Option<u8>,
    }
    #[derive(Deserialize)]
    struct Rocket {
        secret_key: String,
        port: u16,
        databases: BTreeMap<String, Pool>,
    }
    let hunt = Hunt::new();
    let key = hunt.plant("secret_key", Marker::random());
    let [database, password] = ["database", "mail.password"].map(|name| hunt.plant(name, Marker::random()));
    let source = FakeSource::new()
        .with("key", key.text())
        .with("database", database.text())
        .with("mail", &serde_json::json!({"password": password.text()}).to_string())
        .with("db", r#"{"url": "postgres://main", "max_connections": "10", "timeout": 5}"#);
    let secrets = SecretLayer::from(source)
        .put("secret_key", "key")
        .put("database", "database")
        .put("mail", "mail")
        .put("databases.main", "db");
    let plain = Serialized::default("databases.logs", serde_json::json!({"url": "x", "max_connections": 1}));
    let builder = Config::<App>::builder()
        .env([("APP_PORT", "8000"), ("APP_DATABASES__LOGS__TIMEOUT", "7")])
        .merge(plain)
        .merge(secrets)
        .merge(TextEnv::prefixed("APP_"));
    let config = load(builder);
    assert_eq!(config.snapshot().secret_key.expose_secret(), key.text());

    let figment = config.expose(["port", "secret_key", "databases.*"]);
    let rocket: Rocket = figment.extract_lossy().unwrap();
    assert_eq!((rocket.port, rocket.secret_key.as_str()), (8000, key.text()));
    let main = Pool { url: "postgres://main".to_owned(), max_connections: 10, timeout: Some(5) };
    assert_eq!(rocket.databases["main"], main);
    assert_eq!((rocket.databases["logs"].max_connections, rocket.databases["logs"].timeout), (1, Some(7)));
    // in whichever profile Rocket runs
    assert_eq!(figment.select("release").extract_inner::<u16>("port").unwrap(), 8000);

    let some = config.expose(["databases.*.url", "port", "nothing.here"]);
    let expected = serde_json::json!({
        "databases": {"logs": {"url": "x"}, "main": {"url": "postgres://main"}},
        "port": 8000,
    });
    assert_eq!(some.extract::<V>().unwrap().to_json(), expected);
    assert_eq!(some.profiles().map(|p| p.as_str().as_str()).collect::<Vec<_>>(), ["global"]);
    hunt.check("what was not asked for", format!("{some:?}"));
    hunt.finish();
}
