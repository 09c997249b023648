//! The root tables `secrets` and `source`, and `SECRET_PROVIDER`: which source, and which secrets.

use crate::env::Variables;
use crate::layers::{Frozen, Profile};
use crate::plan::{Draft, Plan};
use crate::report::{Fault, FaultKind};
use crate::secrets::Wanted;
use crate::tree::{KeyPath, Keys, LeafText, Merged, Plain, Slot};
use secretfig_source::{At, Format, Source, SourceError};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Makes a source.
pub(crate) type Factory =
    Arc<dyn Fn(&SourceSettings<'_>) -> Result<Arc<dyn Source>, SourceError> + Send + Sync>;

/// A source, or why there is none and what to do.
pub(crate) type Built = Result<Arc<dyn Source>, (FaultKind, String)>;

/// What a factory may look at: its `[source.<name>]` table, and the environment.
pub struct SourceSettings<'s> {
    table: BTreeMap<String, String>,
    variables: &'s Variables,
    files: &'s [String],
}

impl SourceSettings<'_> {
    /// A key of its `[source.<name>]` table: text, number or boolean as text.
    pub fn key(&self, key: &str) -> Option<&str> {
        self.table.get(key).map(String::as_str)
    }

    /// The keys of its table.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(String::as_str)
    }

    /// The environment variables of wanted names. No others are copied.
    pub fn variables(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, std::ffi::OsString)> {
        self.variables.all(wanted)
    }

    /// Files that references of the configuration name by their absolute paths.
    pub fn files(&self) -> &[String] {
        self.files
    }

    /// An environment variable.
    pub fn var(&self, name: &str) -> Option<std::ffi::OsString> {
        self.variables.get(name)
    }
}

impl fmt::Debug for SourceSettings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSettings").field("keys", &self.table.keys()).finish_non_exhaustive()
    }
}

/// What the reserved tables say.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) entries: Vec<(KeyPath, Wanted, String)>,
    pub(crate) sources: BTreeMap<String, BTreeMap<String, String>>,
}

/// Reads the reserved tables of the plain layers, merged as everything else.
pub(crate) fn read(
    reserved: &[Frozen],
    profile: &Profile,
    draft: &mut Draft,
    variables: &Variables,
) -> Settings {
    let root = crate::layers::merge(reserved, profile, false, false, &[]);
    let mut settings = Settings::default();
    let names = names_from(variables);
    let Merged::Table(tables, _) = &root.node else { return settings };
    if let Some(secrets) = tables.get("secrets") {
        entries(secrets, draft, &mut settings);
    }
    for (path, name) in names {
        // names of variables have no case of their own
        let same = |at: &KeyPath| at.to_string().to_lowercase() == path.to_string();
        match settings.entries.iter_mut().find(|(at, ..)| same(at)) {
            Some((_, wanted, _)) => {
                let mut ask = secretfig_source::Ask::new(name);
                ask = ask.at(wanted.ask.point().clone());
                wanted.ask = ask;
            }
            None => {
                let variable = format!("SECRET_NAME_{}", path.to_string().to_uppercase().replace('.', "__"));
                settings.entries.push((path, Wanted::new(name), format!("variable `{variable}`")));
            }
        }
    }
    if let Some(sources) = tables.get("source") {
        of_sources(sources, draft, &mut settings);
    }
    settings
}

/// The tables `[source.<name>]`. What is dropped would leave its default in force, such as another store.
fn of_sources(source: &Slot<'_>, draft: &mut Draft, settings: &mut Settings) {
    let mut wrong = |path: KeyPath, slot: &Slot<'_>, reason| {
        // a reference was told as one
        if !matches!(slot.node, Merged::Hole) {
            let fault = Fault::new(path, FaultKind::Setting(reason)).layer(layer(draft, slot));
            draft.faults.push(fault);
        }
    };
    let Merged::Table(sources, _) = &source.node else {
        return wrong(KeyPath::of(["source"]), source, "`[source]` holds a table for each source");
    };
    for (name, slot) in sources {
        let Merged::Table(table, _) = &slot.node else {
            wrong(KeyPath::of(["source", name]), slot, "the settings of a source are a table");
            continue;
        };
        let own = settings.sources.entry(name.to_lowercase()).or_default();
        for (key, slot) in table {
            match scalar(slot) {
                Some(value) => {
                    own.insert((*key).to_owned(), value);
                }
                None => wrong(
                    KeyPath::of(["source", name, key]),
                    slot,
                    "a setting of a source is text, a whole number or a boolean",
                ),
            }
        }
    }
}

/// `SECRET_NAME_DATABASE=…`, nesting by `__`.
fn names_from(variables: &Variables) -> Vec<(KeyPath, String)> {
    let mut names: Vec<(KeyPath, String)> = variables
        .all(|name| name.to_uppercase().starts_with("SECRET_NAME_"))
        .into_iter()
        .filter_map(|(variable, value)| {
            let rest = variable.to_uppercase().strip_prefix("SECRET_NAME_")?.to_lowercase();
            let value = value.into_string().ok()?;
            let value = value.trim();
            let keys: Vec<&str> = rest.split("__").collect();
            let whole = !value.is_empty() && keys.iter().all(|key| !key.is_empty());
            whole.then(|| (KeyPath::of(keys), value.to_owned()))
        })
        .collect();
    names.sort();
    names
}

fn scalar(slot: &Slot<'_>) -> Option<String> {
    match (&slot.node, slot.node.leaf_text()) {
        (_, Some(LeafText::Parsed(text) | LeafText::Strict(text))) => Some(text.to_owned()),
        (Merged::Plain(Plain::Bool(yes)), _) => Some(yes.to_string()),
        (Merged::Plain(Plain::Number(crate::tree::Number::Unsigned(n))), _) => Some(n.to_string()),
        (Merged::Plain(Plain::Number(crate::tree::Number::Signed(n))), _) => Some(n.to_string()),
        _ => None,
    }
}

fn entries(secrets: &Slot<'_>, draft: &mut Draft, settings: &mut Settings) {
    let Merged::Table(table, _) = &secrets.node else {
        let fault = Fault::new(KeyPath::of(["secrets"]), FaultKind::Setting("`[secrets]` is no table"));
        draft.faults.push(fault.layer(layer(draft, secrets)));
        return;
    };
    for (key, slot) in table {
        let path = KeyPath::parse(key);
        let from = layer(draft, slot);
        let wanted = match (&slot.node, slot.node.leaf_text()) {
            (_, Some(LeafText::Parsed(name) | LeafText::Strict(name))) if !name.is_empty() => {
                Ok(Wanted::new(name))
            }
            (Merged::Table(options, _), _) => wanted(options),
            _ => Err("an entry of `[secrets]` is a name, or a table with `name`"),
        };
        match wanted {
            Ok(wanted) => settings.entries.push((path, wanted, from)),
            Err(reason) => {
                let fault = Fault::new(KeyPath::of(["secrets", key]), FaultKind::Setting(reason));
                let hint =
                    "quote nested key paths: `\"a.b\" = \"name\"`, or `{ name = \"…\", field = \"…\" }`";
                draft.faults.push(fault.layer(from).hint(hint));
            }
        }
    }
}

fn layer(draft: &Draft, slot: &Slot<'_>) -> String {
    crate::env::origin_of(draft, slot.origin.layer).unwrap_or("a plain layer").to_owned()
}

fn wanted(options: &Keys<'_>) -> Result<Wanted, &'static str> {
    let name = options.get("name").and_then(scalar).filter(|name| !name.is_empty());
    let mut wanted = Wanted::new(name.ok_or("an entry of `[secrets]` that is a table needs a `name`")?);
    for (option, slot) in options {
        let value = scalar(slot).ok_or("an option of a `[secrets]` entry is text, a number or a boolean")?;
        let flag =
            || value.parse::<bool>().map_err(|_| "this option of a `[secrets]` entry is true or false");
        wanted = match *option {
            "name" => wanted,
            "field" => wanted.field(value),
            "optional" => wanted.optional(flag()?),
            "allow_empty" => wanted.allow_empty(flag()?),
            "keep_previous" => wanted.keep_previous(flag()?),
            "ttl" => wanted.ttl(
                humantime::parse_duration(&value).map_err(|_| "`ttl` is a duration such as `1h` or `90s`")?,
            ),
            "at" => wanted.at(match value.as_str() {
                "current" => At::Current,
                "previous" => At::Previous,
                _ => return Err("`at` is `current` or `previous`; a version is `version = \"…\"`"),
            }),
            "version" => wanted.at(At::Version(value.into())),
            "stage" => wanted.at(At::Stage(value.into())),
            "max_secret_bytes" => {
                let max_bytes = value.parse().map_err(|_| "`max_secret_bytes` is a number of bytes")?;
                let limits = secretfig_source::Limits { max_bytes, ..wanted.reading.limits };
                wanted.limits(limits)
            }
            "format" => match Format::NAMES.iter().find(|(name, _)| *name == value) {
                Some((_, format)) => wanted.format(*format),
                None => return Err("`format` is auto, json, toml, dotenv, text or bytes"),
            },
            _ => return Err("an option that no `[secrets]` entry has"),
        };
    }
    Ok(wanted)
}

/// Builds the source of a name, once; what is not built in says which feature to add.
pub(crate) fn build(
    name: &str,
    factories: &BTreeMap<String, Factory>,
    settings: &Settings,
    variables: &Variables,
    files: &[String],
    strict: bool,
) -> Built {
    let table = settings.sources.get(name).cloned().unwrap_or_default();
    let of = SourceSettings { table, variables, files };
    if let Some(factory) = factories.get(name) {
        return factory(&of).map_err(|e| (FaultKind::Source(e.kind()), e.what_to_do().to_owned()));
    }
    match name {
        "files" | "file-secret" => self::files(&of),
        "local" | "age" => self::local(&of, strict),
        "vault" => self::vault(&of, strict),
        "aws" | "aws-sm" => self::aws(&of, strict),
        "azure" | "azure-kv" => Err((
            FaultKind::Setting("this version has no such source yet"),
            "use `aws`, `vault`, `files` or `local`, or register a source of your own by `Builder::register`"
                .to_owned(),
        )),
        _ => {
            let mut known: Vec<&str> = factories.keys().map(String::as_str).collect();
            known.extend(["files", "local", "vault", "aws"]);
            Err((FaultKind::Setting("no such secret source"), format!("known are: {}", known.join(", "))))
        }
    }
}

#[cfg(all(feature = "files", not(all(target_family = "wasm", target_os = "unknown"))))]
fn files(of: &SourceSettings<'_>) -> Built {
    use secretfig_files::{Files, TrailingNewline};
    let failed = |e: SourceError| (FaultKind::Source(e.kind()), e.what_to_do().to_owned());
    let mut settings = secretfig_files::Settings::from_env(of.variables(|name| {
        ["SECRETFIG_FILES_", "SECRET_FILE_"].iter().any(|prefix| name.starts_with(prefix))
            || name == "CREDENTIALS_DIRECTORY"
    }))
    .map_err(failed)?;
    for key in of.keys() {
        let value = of.key(key).unwrap_or_default();
        let wrong = |what: &str| {
            let hint = format!("`[source.files]` {key}: {what}");
            (FaultKind::Setting("a setting of the source `files` is wrong"), hint)
        };
        // a variable stands above the file, as everywhere
        let beaten =
            of.var(&format!("SECRETFIG_FILES_{}", key.to_uppercase())).is_some_and(|v| !v.is_empty());
        settings = match key {
            "folder" => settings.folder(value),
            "max_bytes" => {
                let bytes = value.parse().map_err(|_| wrong("a number of bytes"))?;
                if beaten { settings } else { settings.max_bytes(bytes) }
            }
            "trailing_newline" => {
                let rule = value.parse::<TrailingNewline>().map_err(|_| wrong("`strip-one` or `keep`"))?;
                if beaten { settings } else { settings.trailing_newline(rule) }
            }
            _ => return Err(wrong("known are `folder`, `max_bytes`, `trailing_newline`")),
        };
    }
    for path in of.files() {
        settings = settings.allow(path);
    }
    Ok(Arc::new(Files::new(settings).map_err(failed)?))
}

#[cfg(not(all(feature = "files", not(all(target_family = "wasm", target_os = "unknown")))))]
fn files(_: &SourceSettings<'_>) -> Built {
    let hint = "add the feature `files` to the dependency `secretfig`";
    Err((FaultKind::Setting("the source `files` is not built in"), hint.to_owned()))
}

#[cfg(all(feature = "local", not(all(target_family = "wasm", target_os = "unknown"))))]
fn local(of: &SourceSettings<'_>, strict: bool) -> Built {
    let local = secretfig_local::Local::new(store(&of.table, of.variables, strict)?);
    Ok(Arc::new(local.map_err(|e| (FaultKind::Source(e.kind()), e.what_to_do().to_owned()))?))
}

/// The settings of the age store: `[source.local]`, and above it the variables. Relative paths lie in
/// the folder of the configuration.
#[cfg(all(feature = "local", not(all(target_family = "wasm", target_os = "unknown"))))]
pub(crate) fn store(
    table: &BTreeMap<String, String>,
    variables: &Variables,
    strict: bool,
) -> Result<secretfig_local::Settings, (FaultKind, String)> {
    use secretfig_local::Settings as Store;
    let failed = |e: SourceError| (FaultKind::Source(e.kind()), e.what_to_do().to_owned());
    let mut settings = Store::from_env(variables.all(Store::reads)).map_err(failed)?;
    let set = |names: &[&str]| {
        names
            .iter()
            .any(|name| variables.get(&format!("SECRETFIG_AGE_{name}")).is_some_and(|v| !v.is_empty()))
    };
    for (one, other) in [("identity", "identity_file"), ("passphrase", "passphrase_file")] {
        if table.contains_key(one) && table.contains_key(other) {
            let hint = format!("`[source.local]` has `{one}` and `{other}`: take one of them out");
            return Err((FaultKind::Setting("two settings of the source `local` say the same"), hint));
        }
    }
    for (key, value) in table {
        let wrong = |what: &str| {
            let hint = format!("`[source.local]` {key}: {what}");
            (FaultKind::Setting("a setting of the source `local` is wrong"), hint)
        };
        let holds_key = Store::is_identity(value) || Store::holds_key(value);
        let inline = key == "passphrase" || holds_key;
        if strict && inline {
            let name = key.strip_suffix("_file").unwrap_or(key);
            let name = if name == "passphrase" { name } else { "identity" };
            let hint = format!(
                "`[source.local]` {key}: put it into a file that `{name}_file` names, or into \
                 SECRETFIG_AGE_{}; a plain file may hold it in relaxed profiles only",
                name.to_uppercase()
            );
            return Err((
                FaultKind::Setting("a secret stands among the settings of the source `local`"),
                hint,
            ));
        }
        let beaten = match key.as_str() {
            "identity" | "identity_file" => set(&["IDENTITY", "IDENTITY_FILE"]),
            "passphrase" | "passphrase_file" => set(&["PASSPHRASE", "PASSPHRASE_FILE"]),
            key => set(&[&key.to_uppercase()]),
        };
        // a path is shown, and becomes a file's name
        if holds_key && (key != "identity" || !Store::is_identity(value)) && key != "passphrase" {
            return Err(wrong(
                "it is a key with quotes or other text around it, or stands where a path belongs; \
                 give the key alone, as `identity`, or the path of its file",
            ));
        }
        let max_bytes = || value.parse().map_err(|_| wrong("a number of bytes"));
        settings = match key.as_str() {
            "max_bytes" if beaten => max_bytes().map(|_: usize| settings)?,
            "max_bytes" => settings.max_bytes(max_bytes()?),
            "file" | "identity" | "identity_file" | "passphrase" | "passphrase_file" if beaten => settings,
            "file" => settings.file(value),
            "identity" if inline => settings.identity(value.as_str().into()),
            "identity" | "identity_file" => settings.identity_file(value),
            "passphrase" => settings.passphrase(value.as_str().into()),
            "passphrase_file" => settings.passphrase_file(value),
            _ => {
                return Err(wrong(
                    "known are `file`, `identity`, `identity_file`, `passphrase`, `passphrase_file`, `max_bytes`",
                ));
            }
        };
    }
    let prefix = variables.setting("SECRETFIG_ENV_PREFIX").unwrap_or_else(|| "APP_".to_owned());
    let folder = variables.setting(&format!("{prefix}CONFIG_DIR")).unwrap_or_default();
    Ok(settings.below(folder.as_ref()))
}

#[cfg(not(all(feature = "local", not(all(target_family = "wasm", target_os = "unknown")))))]
fn local(_: &SourceSettings<'_>, _: bool) -> Built {
    let hint = "add the feature `local` to the dependency `secretfig`";
    Err((FaultKind::Setting("the source `local` is not built in"), hint.to_owned()))
}

#[cfg(all(feature = "aws", not(all(target_family = "wasm", target_os = "unknown"))))]
fn aws(of: &SourceSettings<'_>, strict: bool) -> Built {
    use secretfig_aws::{SecretsManager, Settings};
    let failed = |e: SourceError| (FaultKind::Source(e.kind()), e.what_to_do().to_owned());
    let settings = Settings::read(of.variables(Settings::reads), &of.table, strict).map_err(failed)?;
    let clock = Arc::new(crate::SystemClock::default());
    Ok(Arc::new(SecretsManager::new(settings, clock).map_err(failed)?))
}

#[cfg(not(all(feature = "aws", not(all(target_family = "wasm", target_os = "unknown")))))]
fn aws(_: &SourceSettings<'_>, _: bool) -> Built {
    let hint = "add the feature `aws` to the dependency `secretfig`";
    Err((FaultKind::Setting("the source `aws` is not built in"), hint.to_owned()))
}

#[cfg(all(feature = "vault", not(all(target_family = "wasm", target_os = "unknown"))))]
fn vault(of: &SourceSettings<'_>, strict: bool) -> Built {
    use secretfig_vault::{Settings, Vault};
    let failed = |e: SourceError| (FaultKind::Source(e.kind()), e.what_to_do().to_owned());
    let settings = Settings::read(of.variables(Settings::reads), &of.table, strict).map_err(failed)?;
    let clock = Arc::new(crate::SystemClock::default());
    Ok(Arc::new(Vault::new(settings, clock).map_err(failed)?))
}

#[cfg(not(all(feature = "vault", not(all(target_family = "wasm", target_os = "unknown")))))]
fn vault(_: &SourceSettings<'_>, _: bool) -> Built {
    let hint = "add the feature `vault` to the dependency `secretfig`";
    Err((FaultKind::Setting("the source `vault` is not built in"), hint.to_owned()))
}

impl Plan {
    pub(crate) fn empty() -> Self {
        Self {
            layers: Vec::new(),
            profile: Profile::DEFAULT,
            strict: false,
            broken: false,
            origins: Arc::default(),
            uses: Vec::new(),
            secrets: Vec::new(),
            sources: Vec::new(),
        }
    }
}
