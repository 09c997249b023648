//! `template`: a commented `config.toml` with every key of the application's type.
//!
//! Each line stands by itself, with the whole path of its key (`server.port = 0`), as reports and `explain` name it: so
//! that any one can be taken over without a table's header, whose mere presence would ask for the whole table.

use super::say::{self, Ended, Failure};
use crate::decode::{Example, KeyKind, Outline};
use crate::tree::KeyPath;
use serde::de::DeserializeOwned;
use std::fmt::Write;

/// The arguments of `template`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A setting is commented out by `#` without a blank; take it away and put in a
value. What an enum's later variants, a map's keys or a list's elements would
ask for is not seen.

Only an application's own binary knows its type (secretfig::cli::run); the
program `secretfig` does not.

Examples:
  secretfig template > config.toml
  secretfig template --secrets")]
pub struct Template {
    /// Write what each secret holds in its place: a table per secret, in the shape of a local store
    #[arg(long)]
    secrets: bool,
}

pub(super) fn run<T: DeserializeOwned + 'static>(command: &Template) -> Ended {
    if super::is_untyped::<T>() {
        return Err(Failure::Usage(
            "a template is made of the application's type, which this program does not know: use the commands of the \
             application's own binary (secretfig::cli::run)"
                .to_owned(),
        ));
    }
    let outline = Outline::of::<T>();
    say::out(&if command.secrets { secrets(&outline) } else { config(&outline) })
}

const HOW: &str =
    "# Take away the `#` of a line and put in a value. Without a line its default holds, if it has one.\n";
const UNSURE: &str = "# The examples could not be tried: the type refused them all.\n";

/// What stands under a prefix, in the order of the fields.
#[derive(Default)]
struct Found {
    plain: Vec<KeyPath>,
    secrets: Vec<KeyPath>,
}

fn config(outline: &Outline) -> String {
    let mut text = format!("# Every key of the configuration.\n{HOW}");
    if !outline.whole {
        text.push_str(UNSURE);
    }
    let found = found(outline);
    let mut table = None;
    for path in &found.plain {
        if table.replace(path.parent()) != Some(path.parent()) {
            text.push('\n');
        }
        setting(outline, path, path, &mut text);
    }
    let (sure, maybe) = (found.secrets, found.plain.into_iter().filter(crate::explain::is_secret_by_name));
    let maybe: Vec<KeyPath> = maybe.collect();
    if sure.is_empty() && maybe.is_empty() {
        return text;
    }
    text.push_str(
        "\n# What is secret: the key, and the name that its secret has where SECRET_PROVIDER keeps it.\n[secrets]\n",
    );
    for path in &sure {
        let holds: Vec<String> = leaves(outline, path)
            .iter()
            .map(|leaf| leaf.iter().skip(path.len()).collect::<Vec<_>>().join("."))
            .filter(|key| !key.is_empty())
            .collect();
        let about = match holds.is_empty() {
            true => kind(outline, path),
            false => format!("a document with {}", holds.join(", ")),
        };
        let _ = writeln!(text, "# {about}{}", need(outline, path));
        let _ = writeln!(text, "#{} = {}", bare(&path.to_string()), quoted(&name(path)));
    }
    for path in &maybe {
        let _ = writeln!(text, "# it sounds like a secret: then this in place of its line above");
        let _ = writeln!(text, "#{} = {}", bare(&path.to_string()), quoted(&name(path)));
    }
    text
}

fn secrets(outline: &Outline) -> String {
    let mut text = format!("# What each secret holds.\n{HOW}");
    for path in found(outline).secrets {
        let _ = write!(text, "\n# secret `{}`, for `{path}`\n", name(&path));
        let inside = leaves(outline, &path);
        for leaf in &inside {
            let stored: Vec<&str> = name_keys(&path).chain(leaf.iter().skip(path.len())).collect();
            setting(outline, leaf, &KeyPath::of(stored), &mut text);
        }
    }
    text
}

fn found(outline: &Outline) -> Found {
    fn walk(outline: &Outline, place: &KeyPath, into: &mut Found) {
        if outline.is_secret(place) && !place.is_root() {
            into.secrets.push(place.clone());
        } else if is_group(outline, place) {
            outline.under(place).into_iter().for_each(|key| walk(outline, key, into));
        } else if !place.is_root() {
            into.plain.push(place.clone());
        }
    }
    let mut found = Found::default();
    walk(outline, &KeyPath::root(), &mut found);
    // a table's own keys stand together, those of the root first
    let mut tables: Vec<Option<KeyPath>> = vec![Some(KeyPath::root())];
    found.plain.iter().for_each(|path| match path.parent() {
        parent if tables.contains(&parent) => {}
        parent => tables.push(parent),
    });
    found.plain.sort_by_key(|path| tables.iter().position(|table| *table == path.parent()));
    found
}

/// Whether its keys stand on lines of their own.
fn is_group(outline: &Outline, place: &KeyPath) -> bool {
    outline.kind(place) == Some(KeyKind::Table)
        && outline.has_fields(place)
        && !outline.under(place).is_empty()
}

fn leaves(outline: &Outline, place: &KeyPath) -> Vec<KeyPath> {
    if !is_group(outline, place) {
        return vec![place.clone()];
    }
    outline.under(place).into_iter().flat_map(|key| leaves(outline, key)).collect()
}

fn setting(outline: &Outline, of: &KeyPath, path: &KeyPath, text: &mut String) {
    let _ = writeln!(text, "# {}{}", kind(outline, of), need(outline, of));
    let keys: Vec<String> = path.iter().map(bare).collect();
    let _ = match literal(outline, of) {
        Some(value) => writeln!(text, "#{} = {value}", keys.join(".")),
        None => writeln!(text, "# {}: no example", keys.join(".")),
    };
}

fn kind(outline: &Outline, place: &KeyPath) -> String {
    match outline.kind(place) {
        Some(KeyKind::Table) if !outline.has_fields(place) => "a table of keys of your own".to_owned(),
        Some(kind) => kind.to_string(),
        None => KeyKind::Any.to_string(),
    }
}

fn need(outline: &Outline, place: &KeyPath) -> &'static str {
    let mut at = Some(place.clone());
    let mut first = true;
    while let Some(here) = at.filter(|here| !here.is_root()) {
        match (outline.is_spare(&here), first) {
            (true, true) => return "; may be left out",
            (true, false) => return "; may be left out together with its table",
            _ => {}
        }
        first = false;
        at = here.parent();
    }
    ""
}

/// A value that the type accepts, in TOML.
fn literal(outline: &Outline, place: &KeyPath) -> Option<String> {
    let inside = || outline.under(place).into_iter().map(|key| literal(outline, key));
    Some(match outline.example(place)? {
        Example::Text(text) => quoted(text),
        Example::Number(n) => n.to_string(),
        Example::Bool(yes) => yes.to_string(),
        Example::List => format!("[{}]", inside().collect::<Option<Vec<_>>>()?.join(", ")),
        Example::Table => {
            let keys = outline.under(place).into_iter().map(|key| bare(key.last().unwrap_or_default()));
            let entries = keys.zip(inside()).map(|(key, value)| Some(format!("{key} = {}", value?)));
            match entries.collect::<Option<Vec<_>>>()? {
                entries if entries.is_empty() => "{}".to_owned(),
                entries => format!("{{ {} }}", entries.join(", ")),
            }
        }
        Example::Variant(name) => match inside().next() {
            Some(content) => format!("{{ {} = {} }}", bare(name), content?),
            None => quoted(name),
        },
        Example::Null => return None,
    })
}

/// `database.password` → `myapp/database/password`: an example, which is as good as any.
fn name(path: &KeyPath) -> String {
    name_keys(path).collect::<Vec<_>>().join("/")
}

fn name_keys(path: &KeyPath) -> impl Iterator<Item = &str> {
    std::iter::once("myapp").chain(path.iter())
}

/// A key of TOML, in quotes where it needs them.
fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(plain) { key.to_owned() } else { quoted(key) }
}

/// A string of TOML, which takes JSON's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Live, Schema, SecretBytes, SecretString};
    use secretfig_source::testing::FakeSource;
    use serde::Deserialize;
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::time::Duration;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct App {
        name: String,
        workers: std::num::NonZeroU16,
        #[serde(default)]
        verbose: bool,
        ratio: f64,
        mode: Mode,
        shape: Shape,
        server: Server,
        tls: Option<Tls>,
        database: Live<Database>,
        signing: SecretBytes,
        smtp_password: SecretString,
        labels: BTreeMap<String, String>,
        tags: Vec<String>,
        pair: (u8, String),
        #[serde(rename = "odd name")]
        odd: char,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        #[allow(dead_code)]
        Safe,
    }

    #[derive(Deserialize)]
    #[serde(tag = "kind")]
    #[allow(dead_code)]
    enum Shape {
        Round { radius: u32 },
        Flat,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Server {
        listen: SocketAddr,
        patience: Duration,
        #[serde(default)]
        limits: Limits,
    }

    #[derive(Default, Deserialize)]
    #[allow(dead_code)]
    struct Limits {
        body: u64,
        at_most: Option<u64>,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Tls {
        home: url::Url,
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Database {
        host: String,
        port: u16,
        password: SecretString,
    }

    /// The settings without the mark that makes comments of them.
    fn filled_in(template: &str) -> String {
        let lines = template.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && !setting.is_empty() => setting,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    async fn load(toml: &str, source: FakeSource) -> Result<Config<App>, crate::LoadError> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), toml).unwrap();
        let folder = folder.path().to_str().unwrap();
        Config::<App>::standard()
            .env([("APP_CONFIG_DIR", folder), ("SECRET_PROVIDER", "fake")])
            .register("fake", move |_| Ok(Arc::new(source.clone())))
            .load()
            .await
    }

    #[tokio::test]
    async fn what_is_written_is_toml_and_filled_in_it_is_the_type() {
        let text = config(&Outline::of::<App>());
        let blank: toml::de::DeTable<'_> = toml::de::DeTable::parse(&text).unwrap().into_inner();
        assert_eq!(blank.keys().map(|key| &**key.get_ref()).collect::<Vec<_>>(), ["secrets"]);

        // a secret in place of the plain line that the template advises against
        let filled: String = filled_in(&text)
            .lines()
            .filter(|line| !line.starts_with("smtp_password = \"\""))
            .collect::<Vec<_>>()
            .join("\n");
        let source = FakeSource::new()
            .with("myapp/database", r#"{"host": "db", "port": 5432, "password": "p"}"#)
            .with("myapp/signing", "k")
            .with("myapp/smtp_password", "q");
        let config = load(&filled, source).await.unwrap_or_else(|e| panic!("{e}\n{filled}"));
        let app = config.snapshot();
        assert_eq!((app.workers.get(), app.database.port, app.server.patience.as_secs()), (1, 5432, 1));
        assert_eq!(config.remarks(), [""; 0]);
    }

    #[test]
    fn every_key_of_the_type_is_there() {
        let outline = Outline::of::<App>();
        let (all, schema) = (config(&outline) + &secrets(&outline), Schema::of::<App>());
        assert!(outline.whole && schema.keys().len() >= 18);
        for key in schema.keys() {
            let name = key.path.iter().next_back().unwrap();
            let inside = key.path.iter().any(|key| ["pair", "shape", "labels"].contains(&key));
            assert!(inside || all.contains(&bare(name)), "{} is not in\n{all}", key.path);
        }
    }

    #[test]
    fn a_line_tells_its_kind_and_whether_it_may_be_left_out() {
        let text = config(&Outline::of::<App>());
        for line in [
            "# text\n#name = \"\"",
            "# a number\n#workers = 1",
            "# true or false; may be left out\n#verbose = false",
            "# one of fast, safe\n#mode = \"fast\"",
            "# text\n#server.patience = \"1s\"",
            "# a number; may be left out together with its table\n#server.limits.body = 0",
            "# text; may be left out together with its table\n#tls.home = \"http://localhost/\"",
            "# a document with host, port, password\n#database = \"myapp/database\"",
            "#\"odd name\" = \"0\"",
        ] {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn what_secrets_hold_is_toml_in_the_shape_of_a_local_store() {
        let text = secrets(&Outline::of::<App>());
        let filled = filled_in(&text);
        let store = toml::de::DeTable::parse(&filled).unwrap().into_inner();
        let myapp = store.get("myapp").unwrap().get_ref().as_table().unwrap();
        let database = myapp.get("database").unwrap().get_ref().as_table().unwrap();
        let keys: Vec<&str> = database.keys().map(|key| &**key.get_ref()).collect();
        assert_eq!(keys, ["host", "password", "port"], "{text}");
        assert!(myapp.contains_key("signing"), "{text}");
    }

    #[test]
    fn a_type_that_refuses_every_example_says_so() {
        #[derive(Deserialize)]
        #[allow(dead_code)]
        struct Picky {
            port: u16,
            id: Never,
        }
        struct Never;
        impl<'de> Deserialize<'de> for Never {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?;
                Err(serde::de::Error::custom("never"))
            }
        }
        let text = config(&Outline::of::<Picky>());
        assert!(text.contains(UNSURE) && text.contains("port"), "{text}");
    }
}
