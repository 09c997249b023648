//! Freezes everything that is not a secret's value: reads the plain layers, takes the settings out of them, and
//! finds out which secrets are wanted of which source.

use crate::builder::{Builder, Layer, LayerKind, Step};
use crate::decode;
use crate::env::{TextEnv, Variables};
use crate::file::TomlFile;
use crate::guarded::{Guarded, UNNAMED, info_of};
use crate::layers::{Data, Frozen, Given, Profile, Verb};
use crate::plan::{By, Draft, NamedSource, Plan, Secret, SecretId, Use};
use crate::report::{Fault, FaultKind};
use crate::settings::{self, Settings};
use crate::tree::{Beaten, KeyPath, Merged, Slot, Table, UseId};
use secretfig_source::Source;
use serde::de::DeserializeOwned;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Freezes everything that is not a secret's value.
pub(crate) fn plan<T: DeserializeOwned>(builder: Builder<T>, draft: &mut Draft) -> Plan {
    let Builder { steps, standard, variables, relaxed, sources, factories, .. } = builder;
    let keys: OnceCell<BTreeSet<KeyPath>> = OnceCell::new();
    let is_key = |path: &KeyPath| keys.get_or_init(decode::key_paths::<T>).contains(path);
    let Plain { mut layers, profile, entries_at } = plain(steps, standard, &variables, draft, &is_key);
    let strict = !relaxed.contains(&profile);
    let settings =
        if standard { reserved(&mut layers, &profile, draft, &variables) } else { Settings::default() };
    let broken = draft.faults.iter().any(|fault| {
        matches!(fault.kind(), FaultKind::Syntax { .. } | FaultKind::Unreadable(_) | FaultKind::Provider(_))
            || (fault.key().is_root() && *fault.kind() == FaultKind::NotUtf8)
    });
    let mut sourcing = Sourcing {
        given: sources,
        factories,
        settings: &settings,
        variables: &variables,
        strict,
        built: BTreeMap::new(),
    };
    if !settings.entries.is_empty() {
        let layer = entries(&mut sourcing, draft);
        layers.insert(entries_at.unwrap_or(layers.len()), layer);
    }
    resolve(draft, layers, profile, strict, broken, sourcing)
}

/// What the layers of a builder say of sources, for a command that changes what a source reads.
#[cfg(feature = "cli")]
pub(crate) struct Told {
    pub(crate) settings: Settings,
    pub(crate) variables: Variables,
    pub(crate) profile: Profile,
    pub(crate) strict: bool,
}

/// Reads the plain layers, and fetches nothing.
#[cfg(feature = "cli")]
pub(crate) fn told<T>(builder: Builder<T>, draft: &mut Draft) -> Told {
    let Builder { steps, standard, variables, relaxed, .. } = builder;
    let Plain { mut layers, profile, .. } = plain(steps, standard, &variables, draft, &|_| false);
    let settings =
        if standard { reserved(&mut layers, &profile, draft, &variables) } else { Settings::default() };
    let strict = !relaxed.contains(&profile);
    Told { settings, variables, profile, strict }
}

/// The plain layers, frozen.
struct Plain {
    layers: Vec<Frozen>,
    profile: Profile,
    /// Where the layer of `[secrets]` belongs.
    entries_at: Option<usize>,
}

fn plain(
    mut steps: Vec<Step>,
    standard: bool,
    variables: &Variables,
    draft: &mut Draft,
    is_key: &dyn Fn(&KeyPath) -> bool,
) -> Plain {
    let mut place_of_entries = None;
    if standard {
        let own = standard_steps(variables, &steps, draft);
        place_of_entries = Some(own.len() - 1);
        steps.splice(0..0, own);
    }
    let mut frozen = Plain { layers: Vec::new(), profile: Profile::DEFAULT, entries_at: None };
    for (n, step) in steps.into_iter().enumerate() {
        // `[secrets]` stands below the environment, which is the last of the standard layers
        if Some(n) == place_of_entries {
            frozen.entries_at = Some(frozen.layers.len());
        }
        match step {
            Step::Select(selected) => frozen.profile = selected,
            Step::Layer(verb, layer) => {
                if let Some(own) = layer.profile()
                    && verb.new_wins()
                {
                    frozen.profile = own;
                }
                frozen.layers.push(freeze(layer, verb, draft, variables, is_key));
            }
        }
    }
    frozen
}

impl Layer {
    fn profile(&self) -> Option<Profile> {
        match &self.0 {
            #[cfg(feature = "figment")]
            LayerKind::Figment(_, profile, _) => profile.clone(),
            _ => None,
        }
    }
}

/// `config.toml`, `config.<profile>.toml`, and `APP_*`, lowest first.
fn standard_steps<'s>(
    variables: &Variables,
    steps: impl IntoIterator<Item = &'s Step>,
    draft: &mut Draft,
) -> Vec<Step> {
    let prefix = variables.setting("SECRETFIG_ENV_PREFIX").unwrap_or_else(|| "APP_".to_owned());
    let reserved = ["PROFILE", "ENV", "CONFIG_DIR"].map(|name| format!("{prefix}{name}"));
    let [profile, env, folder] = &reserved;
    let from_env = variables.setting(profile).or_else(|| variables.setting(env)).map(Profile::from);
    let chosen = steps.into_iter().filter_map(|step| match step {
        Step::Select(profile) => Some(profile.clone()),
        Step::Layer(..) => None,
    });
    let profile = chosen.last().or_else(|| from_env.clone()).unwrap_or(Profile::DEFAULT);
    // files may be missing, a folder that someone named may not
    let named = variables.setting(folder).map(PathBuf::from);
    if let Some(Err(e)) = named.as_ref().map(std::fs::read_dir) {
        let fault = Fault::new(KeyPath::root(), FaultKind::Unreadable(e.kind()))
            .layer(format!("variable `{folder}`"));
        draft.faults.push(fault.hint("name the folder that holds `config.toml`, or unset the variable"));
    }
    let folder = named.unwrap_or_default();
    let file = |name: String| {
        let layer = Layer(LayerKind::File(TomlFile { path: folder.join(name), optional: true }));
        Step::Layer(Verb::Merge, layer)
    };
    let mut own = vec![file("config.toml".to_owned())];
    if profile.is_custom() {
        own.push(file(format!("config.{profile}.toml")));
    }
    own.extend(from_env.map(Step::Select));
    let env = TextEnv::prefixed(prefix).ignore(reserved);
    own.push(Step::Layer(Verb::Merge, Layer::from(env)));
    own
}

fn freeze(
    layer: Layer,
    verb: Verb,
    draft: &mut Draft,
    variables: &Variables,
    is_key: &dyn Fn(&KeyPath) -> bool,
) -> Frozen {
    let usual = if verb.new_wins() { Profile::GLOBAL } else { Profile::DEFAULT };
    let data = match layer.0 {
        LayerKind::Env(env) => {
            let profile = env.profile.clone().unwrap_or(usual);
            Data::Plain(env.freeze(draft, variables, &profile, is_key))
        }
        LayerKind::File(file) => Data::Plain(file.freeze(draft)),
        #[cfg(feature = "figment")]
        LayerKind::Figment(layer, _, place) => Data::Plain(layer.freeze(draft, place)),
        LayerKind::Secrets(layer, place) => {
            let profile = layer.profile.clone().unwrap_or(usual);
            let origin = draft.origin(layer.called.unwrap_or_else(|| format!("SecretLayer at {place}")));
            let uses = layer.wanted.into_iter().map(|(path, wanted)| {
                let by = By::Source(layer.source.clone());
                let id = draft.wants(&profile, &path, origin, by, wanted);
                (path, id, origin)
            });
            let uses = uses.collect();
            Data::Secrets { profile, uses }
        }
    };
    Frozen { verb, data }
}

/// Takes the root tables `secrets` and `source` out of all plain layers, and reads them.
fn reserved(layers: &mut [Frozen], profile: &Profile, draft: &mut Draft, variables: &Variables) -> Settings {
    let mut taken = Vec::new();
    for layer in layers {
        if let Data::Plain(profiles) = &mut layer.data {
            let mut own: BTreeMap<Profile, Table> = BTreeMap::new();
            for (profile, table) in profiles.iter_mut() {
                for root in ["secrets", "source"] {
                    if let Some(value) = table.remove(root) {
                        own.entry(profile.clone()).or_default().insert(root.into(), value);
                    }
                }
            }
            taken.push(Frozen { verb: layer.verb, data: Data::Plain(own) });
        }
    }
    let inside = |path: &KeyPath| matches!(path.iter().next(), Some("secrets" | "source"));
    for reference in draft.references.iter().filter(|reference| inside(&reference.path)) {
        let reason = "a reference cannot stand here: all secrets are fetched in one wave";
        let layer = crate::env::origin_of(draft, reference.origin).unwrap_or_default().to_owned();
        let fault = Fault::new(reference.path.clone(), FaultKind::Setting(reason)).layer(layer);
        draft.faults.push(fault.hint("use the source's own variables, their `*_FILE` forms, or a file"));
    }
    settings::read(&taken, profile, draft, variables)
}

/// Finds and builds sources, each once.
struct Sourcing<'s> {
    given: Vec<Arc<dyn Source>>,
    factories: BTreeMap<String, settings::Factory>,
    settings: &'s Settings,
    variables: &'s Variables,
    strict: bool,
    built: BTreeMap<String, settings::Built>,
}

impl Sourcing<'_> {
    fn build(&mut self, name: &str, files: &[String]) -> settings::Built {
        let name = match name {
            "file-secret" => "files",
            "age" => "local",
            name => name,
        };
        if let Some(built) = self.built.get(name) {
            return built.clone();
        }
        let built = settings::build(name, &self.factories, self.settings, self.variables, files, self.strict);
        self.built.insert(name.to_owned(), built.clone());
        built
    }

    fn of_scheme(&mut self, scheme: &str, files: &[String]) -> settings::Built {
        match self.given.iter().find(|source| info_of(&***source).is_some_and(|info| info.scheme == scheme)) {
            Some(source) => Ok(source.clone()),
            None => self.build(scheme, files),
        }
    }
}

/// The layer of the `[secrets]` entries.
fn entries(sourcing: &mut Sourcing<'_>, draft: &mut Draft) -> Frozen {
    let provider = sourcing.variables.setting("SECRET_PROVIDER").map(|name| name.to_lowercase());
    let source = match provider {
        Some(name) => sourcing.build(&name, &absolute(draft)),
        None if sourcing.strict => Err((
            FaultKind::Setting("`[secrets]` needs a source, and SECRET_PROVIDER is not set"),
            "set SECRET_PROVIDER to the source's name, such as `files`".to_owned(),
        )),
        None => {
            draft.remarks.push("SECRET_PROVIDER is not set: secrets are read by `files`".to_owned());
            sourcing.build("files", &absolute(draft))
        }
    };
    if let Err((kind, hint)) = &source {
        let fault = Fault::new(KeyPath::root(), kind.clone()).layer("SECRET_PROVIDER");
        draft.faults.push(fault.hint(hint.clone()));
    }
    let uses = sourcing.settings.entries.iter().map(|(path, wanted, layer)| {
        let origin = draft.origin(layer.clone());
        let by = match &source {
            Ok(source) => By::Source(source.clone()),
            Err(_) => By::Nowhere,
        };
        let id = draft.wants(&Profile::GLOBAL, path, origin, by, wanted.clone());
        (path.clone(), id, origin)
    });
    let uses = uses.collect();
    Frozen { verb: Verb::Merge, data: Data::Secrets { profile: Profile::GLOBAL, uses } }
}

/// The files that references of the operator name in whole.
fn absolute(draft: &Draft) -> Vec<String> {
    let references = draft.references.iter().filter(|reference| reference.wanted.name().starts_with('/'));
    references.map(|reference| reference.wanted.name().to_owned()).collect()
}

/// Gives every use its source, leaves out what cannot count, and makes one secret per source and ask.
fn resolve(
    draft: &mut Draft,
    layers: Vec<Frozen>,
    profile: Profile,
    strict: bool,
    broken: bool,
    mut sourcing: Sourcing<'_>,
) -> Plan {
    let references = std::mem::take(&mut draft.references);
    let mut plan = Plan {
        layers,
        strict,
        broken,
        origins: std::mem::take(&mut draft.origins).into(),
        uses: Vec::new(),
        secrets: Vec::new(),
        sources: Vec::new(),
        profile,
    };
    let beaten = beaten(&plan, references.len());
    let counts = |n: usize, reference: &crate::plan::Reference| {
        let selected = [&Profile::DEFAULT, &Profile::GLOBAL, &plan.profile].contains(&&reference.profile);
        let inside = matches!(reference.path.iter().next(), Some("secrets" | "source"));
        let lost = matches!(reference.by, By::Scheme(_))
            && beaten.contains(&UseId(u32::try_from(n).unwrap_or(u32::MAX)));
        selected && !lost && !(inside && matches!(reference.by, By::Scheme(_)))
    };
    let counting: Vec<bool> =
        references.iter().enumerate().map(|(n, reference)| counts(n, reference)).collect();
    // the sources of layers serve references of their scheme too
    for reference in &references {
        if let By::Source(source) = &reference.by
            && !sourcing.given.iter().any(|given| Arc::ptr_eq(given, source))
        {
            sourcing.given.push(source.clone());
        }
    }
    let files: Vec<String> = references
        .iter()
        .filter(|reference| matches!(&reference.by, By::Scheme(scheme) if scheme == "file-secret"))
        .map(|reference| reference.wanted.name().to_owned())
        .filter(|name| name.starts_with('/'))
        .collect();
    for (reference, counts) in references.into_iter().zip(counting) {
        let source = match reference.by {
            _ if !counts => None,
            By::Source(source) => Some(source),
            By::Nowhere => None,
            By::Scheme(scheme) => match sourcing.of_scheme(&scheme, &files) {
                Ok(source) => Some(source),
                Err((kind, hint)) => {
                    let layer =
                        plan.origin(reference.origin).map(|info| info.name.clone()).unwrap_or_default();
                    draft.faults.push(Fault::new(reference.path.clone(), kind).layer(layer).hint(hint));
                    None
                }
            },
        };
        let secret = match source {
            Some(source) => secret_of(&mut plan, source, &reference.wanted),
            None if counts => SecretId::FAILED,
            None => SecretId::UNUSED,
        };
        plan.uses.push(Use {
            path: reference.path,
            wanted: reference.wanted,
            secret,
            origin: reference.origin,
        });
    }
    plan
}

fn secret_of(plan: &mut Plan, source: Arc<dyn Source>, wanted: &crate::secrets::Wanted) -> SecretId {
    let source = match plan.sources.iter().position(|named| named.source.is(&source)) {
        Some(n) => n,
        None => {
            let info = info_of(&*source);
            let scheme =
                info.as_ref().map_or_else(|| UNNAMED.to_owned(), |info| info.scheme.clone().into_owned());
            let same = plan.sources.iter().filter(|named| named.source.info().scheme == scheme).count();
            let name = if same == 0 { scheme } else { format!("{scheme} #{}", same + 1) };
            let source = Arc::new(Guarded::new(name.clone(), source, info));
            plan.sources.push(NamedSource { name, source });
            plan.sources.len() - 1
        }
    };
    let known = plan.secrets.iter().position(|secret| secret.source == source && secret.ask == wanted.ask);
    let n = known.unwrap_or_else(|| {
        plan.secrets.push(Secret { source, ask: wanted.ask.clone() });
        plan.secrets.len() - 1
    });
    SecretId::nth(n)
}

/// References that a higher layer beats whatever they hold: they need not be fetched.
fn beaten(plan: &Plan, uses: usize) -> BTreeSet<UseId> {
    fn walk(slot: &Slot<'_>, into: &mut BTreeSet<UseId>) {
        into.extend(slot.beaten.iter().filter_map(|Beaten { origin, .. }| origin.secret));
        match &slot.node {
            Merged::Table(table, _) => table.values().for_each(|slot| walk(slot, into)),
            Merged::List(items) => items.iter().for_each(|slot| walk(slot, into)),
            _ => {}
        }
    }
    let given = vec![Given::Hole; uses];
    let root = crate::layers::merge(&plan.layers, &plan.profile, plan.strict, true, &given);
    let mut into = BTreeSet::new();
    walk(&root, &mut into);
    into
}
