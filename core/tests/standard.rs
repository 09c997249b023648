//! `Config::standard()`: files, profiles, `[secrets]`, `SECRET_PROVIDER`, references, strictness.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(all(feature = "testing", feature = "files"))]

use secretfig::testing::FakeSource;
use secretfig::{
    Builder, Config, ExposeSecret, FaultKind, Live, SecretLayer, SecretString, Source, SourceError, Strict,
    Wanted,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Deserialize)]
struct App {
    #[serde(default)]
    port: u16,
    database: Live<Database>,
}

#[derive(Deserialize)]
struct Database {
    host: String,
    password: SecretString,
}

struct Folder(tempfile::TempDir, BTreeMap<String, String>);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        let variables = [("APP_CONFIG_DIR", ""), ("SECRETFIG_FILES_DIR", "secrets")];
        let variables = variables
            .map(|(name, sub)| (name.to_owned(), folder.path().join(sub).to_str().unwrap().to_owned()));
        Self(folder, BTreeMap::from(variables))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(self, name: &str, text: &str) -> Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.1.insert(name.to_owned(), value.to_owned());
        self
    }

    fn builder<T: serde::de::DeserializeOwned + Send + Sync + 'static>(&self) -> Builder<T> {
        Config::<T>::standard().env(self.1.clone())
    }
}

fn usual() -> Folder {
    Folder::new()
        .write(
            "config.toml",
            "port = 80\n[database]\nhost = 'db'\n[secrets]\n'database.password' = 'db-password'\n",
        )
        .write("secrets/db-password", "pw-1\n")
}

fn password(config: &Config<App>) -> String {
    config.snapshot().database.password.expose_secret().to_owned()
}

fn only_fault<T>(result: Result<Config<T>, secretfig::LoadError>) -> (String, FaultKind, String) {
    let e = result.expect_err("a fault");
    let [fault] = e.report().faults() else { panic!("one fault, not: {e}") };
    (fault.key().to_string(), fault.kind().clone(), fault.to_string())
}

#[tokio::test]
async fn files_secrets_and_the_environment_in_this_order() {
    let config: Config<App> = usual().builder().load().await.unwrap();
    assert_eq!((config.snapshot().port, password(&config).as_str()), (80, "pw-1"));
    assert!(
        config.remarks().iter().any(|r| r.contains("SECRET_PROVIDER is not set")),
        "{:?}",
        config.remarks()
    );
    let folder =
        usual().var("APP_PORT", "81").var("APP_DATABASE__PASSWORD", "env").var("SECRET_PROVIDER", " Files ");
    let config: Config<App> = folder.builder().load().await.unwrap();
    assert_eq!((config.snapshot().port, password(&config).as_str()), (81, "env"));
    let explain = config.explain();
    let beaten: Vec<String> = explain.key("database.password").unwrap().beaten().collect();
    assert_eq!(beaten.len(), 1, "{explain}");
    assert!(beaten[0].contains("rotation has no effect"), "{explain}");
    assert!(config.health().notes.iter().any(|note| note.contains("rotation has no effect")));
}

#[tokio::test]
async fn a_strict_profile_lets_no_plain_value_beat_a_secret() {
    let folder = usual()
        .write("config.production.toml", "port = 443\n")
        .var("APP_PROFILE", "Production")
        .var("SECRET_PROVIDER", "files")
        .var("APP_DATABASE__PASSWORD", "env");
    let config: Config<App> = folder.builder().load().await.unwrap();
    assert_eq!((config.snapshot().port, password(&config).as_str()), (443, "pw-1"));
    assert!(config.remarks().iter().any(|r| r.contains("passed over")), "{:?}", config.remarks());
}

#[tokio::test]
async fn a_strict_profile_needs_a_named_source() {
    let folder = usual().var("APP_ENV", "production");
    let (_, kind, said) = only_fault(folder.builder::<App>().load().await);
    assert!(matches!(kind, FaultKind::Setting(_)) && said.contains("SECRET_PROVIDER"), "{said}");
}

#[tokio::test]
async fn an_unknown_source_lists_the_known_ones() {
    let folder = usual().var("SECRET_PROVIDER", "gcp");
    let builder = folder.builder::<App>().register("other", |_| Ok(Arc::new(FakeSource::new())));
    let (_, _, said) = only_fault(builder.load().await);
    assert!(said.contains("known are: other, files"), "{said}");
    let (_, _, said) = only_fault(usual().var("SECRET_PROVIDER", "azure").builder::<App>().load().await);
    assert!(said.contains("no such source yet"), "{said}");
}

#[tokio::test]
async fn a_third_partys_source_is_built_once_for_entries_and_references() {
    let built = Arc::new(AtomicUsize::new(0));
    let fake = FakeSource::named("gcp").with("db-password", "from gcp").with("host", r#"{"name": "h"}"#);
    let (count, given) = (built.clone(), fake.clone());
    let folder = Folder::new()
        .write(
            "config.toml",
            "[database]\nhost = 'gcp://host#name'\n[secrets]\n'database.password' = 'db-password'\n[source.gcp]\nproject = 'p'\n",
        )
        .var("SECRET_PROVIDER", "gcp");
    let builder = folder.builder::<App>().register("gcp", move |settings| {
        assert_eq!(settings.key("project"), Some("p"));
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<Arc<dyn Source>, SourceError>(Arc::new(given.clone()))
    });
    let config = builder.load().await.unwrap();
    assert_eq!((config.snapshot().database.host.as_str(), password(&config).as_str()), ("h", "from gcp"));
    assert_eq!(built.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn entries_say_how_they_are_read() {
    #[derive(Deserialize)]
    struct All {
        field: SecretString,
        optional: Option<SecretString>,
        text: SecretString,
        root: u8,
        renamed: SecretString,
        nested: Nested,
    }
    #[derive(Deserialize)]
    struct Nested {
        deep: SecretString,
    }
    let folder = Folder::new()
        .write(
            "config.toml",
            "[secrets]\n\
             field = { name = 'doc', field = 'a.b' }\n\
             optional = { name = 'nope', optional = true }\n\
             text = { name = 'doc', format = 'text', ttl = '1h' }\n\
             '' = 'root'\n\
             renamed = 'other'\n\
             'nested.deep' = 'deep'\n",
        )
        .write("secrets/doc", r#"{"a": {"b": "x"}}"#)
        .write("secrets/root", r#"{"root": 7}"#)
        .write("secrets/real", "real")
        .write("secrets/deep2", "deep")
        .var("SECRET_NAME_RENAMED", "real")
        .var("SECRET_NAME_NESTED__DEEP", "deep2");
    let config: Config<All> = folder.builder().load().await.unwrap();
    let all = config.snapshot();
    assert_eq!(all.field.expose_secret(), "x");
    assert!(all.optional.is_none());
    assert_eq!(all.text.expose_secret(), r#"{"a": {"b": "x"}}"#);
    assert_eq!((all.root, all.renamed.expose_secret(), all.nested.deep.expose_secret()), (7, "real", "deep"));
}

#[tokio::test]
async fn broken_entries_are_faults_that_say_how_to_write_them() {
    for (entry, said) in [
        ("[secrets.database]\npassword = 'x'", "needs a `name`"),
        ("[secrets]\ndatabase = 5", "is a name, or a table"),
        ("[secrets]\ndatabase = { name = 'x', ttl = 'soon' }", "`ttl` is a duration"),
        ("[secrets]\ndatabase = { name = 'x', nope = 1 }", "no `[secrets]` entry has"),
        ("[secrets]\ndatabase = { name = 'x', format = 'xml' }", "`format` is auto"),
        ("secrets = 'x'", "is no table"),
        ("[secrets]\ndatabase = 'file-secret://x'", "one wave"),
        ("[source.files]\nfolder = 'vault://x'\n[secrets]\ndatabase = 'x'", "one wave"),
    ] {
        let folder =
            Folder::new().write("config.toml", entry).write("secrets/x", r#"{"host": "h", "password": "p"}"#);
        let e = folder.builder::<App>().load().await.unwrap_err().to_string();
        assert!(e.contains(said), "{entry}: {e}");
    }
}

#[tokio::test]
async fn a_variable_of_a_source_stands_above_its_table() {
    let keep = "port = 80\n[database]\nhost = 'db'\n[secrets]\n'database.password' = 'db-password'\n\
                [source.files]\ntrailing_newline = 'keep'\nmax_bytes = 100\n";
    let folder = usual().write("config.toml", keep);
    assert_eq!(password(&folder.builder().load().await.unwrap()), "pw-1\n");
    let folder = folder.var("SECRETFIG_FILES_TRAILING_NEWLINE", "strip-one");
    assert_eq!(password(&folder.builder().load().await.unwrap()), "pw-1");
    let (_, kind, _) = only_fault(folder.var("SECRETFIG_FILES_MAX_BYTES", "2").builder::<App>().load().await);
    assert_eq!(kind, FaultKind::Source(secretfig::source::ErrorKind::TooLarge));
}

#[tokio::test]
async fn references_are_honoured_in_plain_layers_only() {
    let folder = Folder::new()
        .write("config.toml", "[database]\nhost = 'h'\npassword = 'file-secret://db/password'\n")
        .write("secrets/db/password", "file-secret://other")
        .write("secrets/other", "reached");
    let config: Config<App> = folder.builder().load().await.unwrap();
    assert_eq!(password(&config), "file-secret://other", "a fetched document is opaque");
    let line = config.explain().key("database.password").cloned().unwrap();
    assert_eq!(line.secret_name(), Some("db/password"));
    assert!(line.layer_name().unwrap().ends_with("config.toml:3"), "{line:?}");
}

#[tokio::test]
async fn a_reference_that_a_higher_layer_beats_is_not_fetched() {
    let folder = Folder::new()
        .write("config.toml", "[database]\nhost = 'h'\npassword = 'azure-kv://far/away'\n")
        .var("APP_DATABASE__PASSWORD", "local");
    let config: Config<App> = folder.builder().load().await.unwrap();
    assert_eq!(password(&config), "local");
    let strict = folder.var("APP_PROFILE", "production");
    let (key, _, said) = only_fault(strict.builder::<App>().load().await);
    assert_eq!(key, "database.password");
    assert!(said.contains("no such source yet"), "{said}");
}

#[tokio::test]
async fn a_file_variable_gives_a_key_the_content_of_that_file() {
    let folder =
        Folder::new().write("config.toml", "[database]\nhost = 'h'\n").write("elsewhere/pw", "from a file\n");
    let path = folder.path().join("elsewhere/pw").to_str().unwrap().to_owned();
    let folder = folder.var("APP_DATABASE__PASSWORD_FILE", &path);
    let config: Config<App> = folder.builder().load().await.unwrap();
    assert_eq!(password(&config), "from a file");
    let whole = Folder::new().write("db.json", r#"{"host": "h", "password": "p"}"#);
    let path = whole.path().join("db.json").to_str().unwrap().to_owned();
    let config: Config<App> = whole.var("APP_DATABASE_FILE", &path).builder().load().await.unwrap();
    assert_eq!(password(&config), "p");
}

#[tokio::test]
async fn strict_leaves_refuse_plain_layers_in_strict_profiles() {
    #[derive(Deserialize)]
    struct Keys {
        api: Strict<SecretString>,
    }
    let folder = Folder::new().write("config.toml", "api = 'plain'\n");
    let config: Config<Keys> = folder.builder().load().await.unwrap();
    assert_eq!(config.snapshot().api.expose_secret(), "plain");
    let folder = folder.var("APP_PROFILE", "production");
    let (key, kind, _) = only_fault(folder.builder::<Keys>().load().await);
    assert_eq!((key.as_str(), kind), ("api", FaultKind::NotSecret));
    let folder = folder.write("secrets/api", "sealed").write("config.toml", "api = 'file-secret://api'\n");
    let config: Config<Keys> = folder.builder().load().await.unwrap();
    assert_eq!(config.snapshot().api.expose_secret(), "sealed");
}

#[tokio::test]
async fn a_broken_file_is_one_fault_and_no_missing_keys() {
    let folder = usual().write("config.toml", "port = 80\n[database\nhost = 'x'\n");
    let (_, kind, said) = only_fault(folder.builder::<App>().load().await);
    assert!(matches!(kind, FaultKind::Syntax { line: 2, .. }), "{said}");
}

#[tokio::test]
async fn a_named_folder_that_is_not_there_is_a_fault() {
    let folder = usual().var("APP_CONFIG_DIR", "/nowhere/at/all");
    let (_, kind, said) = only_fault(folder.builder::<App>().load().await);
    assert_eq!(kind, FaultKind::Unreadable(std::io::ErrorKind::NotFound));
    assert!(said.contains("`APP_CONFIG_DIR`"), "{said}");
}

#[tokio::test]
async fn an_absent_secret_is_one_fault_with_its_name_and_no_missing_keys() {
    let folder = Folder::new().write("config.toml", "[secrets]\ndatabase = 'myapp/db'\n");
    let (key, kind, said) = only_fault(folder.builder::<App>().load().await);
    assert_eq!((key.as_str(), kind.name()), ("database", "absent"));
    assert!(said.contains("`myapp/db`"), "{said}");
}

#[tokio::test]
async fn unknown_keys_of_plain_layers_are_remarked_with_the_nearest() {
    let folder = usual().var("APP_DATABSE__HOST", "x").var("APP_PROT", "1");
    let config: Config<App> = folder.builder().load().await.unwrap();
    let remarks = config.remarks().join("\n");
    assert!(
        remarks.contains("did you mean `database`?") && remarks.contains("did you mean `port`?"),
        "{remarks}"
    );
}

#[tokio::test]
async fn many_variables_that_no_field_takes_are_one_remark() {
    let names = ["APP_ONE", "APP_TWO", "APP_THREE", "APP_FOUR", "APP_FIVE", "APP_PROT"];
    let folder = names.iter().fold(usual(), |folder, name| folder.var(name, "1"));
    let config: Config<App> = folder.builder().load().await.unwrap();
    let about: Vec<_> = config.remarks().iter().filter(|r| r.contains("no field takes")).collect();
    assert_eq!(about.len(), 2, "{about:?}");
    assert!(about[0].contains("did you mean `port`?") && about[1].contains("and 2 more keys"), "{about:?}");
}

#[tokio::test]
async fn what_is_exposed_keeps_the_profile() {
    let folder = usual().var("APP_PROFILE", "production").var("SECRET_PROVIDER", "files");
    let config: Config<App> = folder.builder().load().await.unwrap();
    let exposed = figment::Figment::new().merge(config.expose(["database.*"]));
    assert_eq!(exposed.profile(), "production");
    assert_eq!(exposed.extract_inner::<String>("database.password").unwrap(), "pw-1");
    assert!(exposed.extract_inner::<u16>("port").is_err(), "not asked for");
}

#[tokio::test]
async fn a_load_error_prints_as_its_report_everywhere() {
    let e = usual().var("APP_PORT", "x").builder::<App>().load().await.unwrap_err();
    let report = e.report().to_string();
    assert!(report.ends_with("1 fault"), "{report}");
    assert_eq!(
        (format!("{e}"), format!("{e:?}"), format!("{e:#?}")),
        (report.clone(), report.clone(), report)
    );
    assert!(std::error::Error::source(&e).is_none());
    assert!(figment::Error::from(e).to_string().contains("port"));
}

#[tokio::test]
async fn one_secret_in_two_places_is_fetched_once() {
    #[derive(Deserialize)]
    struct Two {
        a: SecretString,
        b: SecretString,
    }
    let source = FakeSource::new().with("pair", r#"{"a": "1", "b": "2"}"#);
    let layer = SecretLayer::from(source.clone())
        .put("a", Wanted::new("pair").field("a"))
        .put("b", Wanted::new("pair").field("b"));
    let config = Config::<Two>::builder().merge(layer).load().await.unwrap();
    assert_eq!((config.snapshot().a.expose_secret(), config.snapshot().b.expose_secret()), ("1", "2"));
    assert_eq!(source.fetches("pair"), 1);
}

#[tokio::test]
async fn what_is_added_to_standard_stands_above_it() {
    let folder = usual().var("APP_PORT", "81");
    let builder = folder.builder::<App>().merge(secretfig::TextEnv::prefixed("OVER_"));
    let variables = folder.1.clone().into_iter().chain([("OVER_PORT".to_owned(), "82".to_owned())]);
    let config = builder.env(variables).load().await.unwrap();
    assert_eq!(config.snapshot().port, 82);
}
