//! `load()`: freezes the layers, asks every source in one wave, assembles, and tells every fault at once.

use crate::assemble::{self, Have, place_of_secret};
use crate::config::{Builder, Config, Layer, LayerKind, Step, assembler};
use crate::decode;
use crate::env::{TextEnv, Variables};
use crate::file::TomlFile;
use crate::layers::{Data, Frozen, Given, Profile, Verb};
use crate::plan::{By, Draft, NamedSource, Plan, Secret, SecretId, Use};
use crate::publish::Publisher;
use crate::refresh::Asking;
use crate::report::{Fault, FaultKind, LoadError, Report};
use crate::runtime::{self, SystemClock};
use crate::settings::{self, Settings};
use crate::store::{Sets, State};
use crate::tree::{Beaten, KeyPath, Merged, Slot, Table, UseId};
use secretfig_source::{At, ErrorKind, Fetched, Revision, Source, SourceError, Tick};
use serde::de::DeserializeOwned;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

pub(crate) async fn load<T>(mut builder: Builder<T>) -> Result<Config<T>, LoadError>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let clock = builder.clock.take().unwrap_or_else(|| Arc::new(SystemClock::default()));
    let until = clock.tick().after(builder.deadline);
    let (freshness, validate) = (builder.freshness, builder.validate.take());
    let (attempt, deadline) = (builder.attempt, builder.deadline);
    let mut draft = Draft::new(builder.factories.keys().cloned().chain(schemes(&builder.sources)).collect());
    let plan = Arc::new(plan(builder, &mut draft));
    let mut asking = Asking {
        plan: plan.clone(),
        clock: clock.clone(),
        attempt,
        deadline,
        identities: Vec::new(),
        stamps: AtomicU64::new(0),
    };
    let mut wave = wave(&mut asking, until).await;
    draft.faults.append(&mut wave.faults);
    draft.remarks.append(&mut wave.remarks);
    let assemble = assembler::<T>(plan.clone(), validate);
    let mut made = assemble(&wave.have, Some(clock.wall()));
    if let (Ok(whole), true) = (&made, draft.faults.is_empty()) {
        let sets = Sets::new(&plan, &whole.lives);
        draft.faults.extend(previous_faults(&plan, &whole.lives));
        match rest(&asking, &sets, &mut wave, until).await {
            Ok(false) => {}
            Ok(true) => made = assemble(&wave.have, Some(clock.wall())),
            Err(torn) => draft.faults.extend(torn),
        }
    }
    let made = match made {
        Ok(made) if draft.faults.is_empty() => made,
        other => {
            if let Err(unmade) = other {
                draft.faults.extend(unmade.faults);
                draft.remarks.extend(unmade.remarks);
            }
            give_back(&plan, &wave.have, &mut draft.remarks).await;
            let report =
                Report { profile: plan.profile.to_string(), faults: draft.faults, remarks: draft.remarks };
            return Err(LoadError::new(report));
        }
    };
    let (parsed, _) = assemble::parse(&plan, &wave.have);
    draft.remarks.extend(assemble::remarks(&plan, &parsed));
    drop(parsed);
    unknown::<T>(&made.unknown, &mut draft.remarks);
    for remark in &draft.remarks {
        tracing::warn!(target: "secretfig", "{}", crate::tree::Clean(remark));
    }
    let now = clock.tick();
    let states = plan.secrets.iter().enumerate().map(|(n, secret)| {
        let id = SecretId(u32::try_from(n).unwrap_or(u32::MAX));
        let of_source = plan.sources.get(secret.source).and_then(|named| named.source.info().ttl);
        let mut state = State::new(&plan, id, &freshness, of_source);
        state.publish(wave.have.get(n).cloned().unwrap_or_default(), 1, now);
        state.previous = wave.previous.remove(&id);
        state.due = now.after(runtime::jittered(state.ttl, runtime::random()));
        state
    });
    let states = states.collect();
    let publisher = Publisher::new(plan, freshness, Some(assemble), states, Arc::new(made));
    Ok(Config::from_parts(publisher, asking, draft.remarks))
}

fn schemes(sources: &[Arc<dyn Source>]) -> Vec<String> {
    sources.iter().map(|source| source.info().scheme.into_owned()).collect()
}

/// What the first wave brought.
struct Wave {
    have: Vec<Have>,
    previous: BTreeMap<SecretId, Arc<Fetched>>,
    faults: Vec<Fault>,
    remarks: Vec<String>,
}

async fn wave(asking: &mut Asking, until: Tick) -> Wave {
    let plan = asking.plan.clone();
    let mut wave = Wave {
        have: vec![Have::Failed; plan.secrets.len()],
        previous: BTreeMap::new(),
        faults: Vec::new(),
        remarks: Vec::new(),
    };
    let mut out_of_reach = BTreeSet::new();
    for (n, signed) in asking.sign_in(until).await.into_iter().enumerate() {
        match signed {
            Ok(identity) => asking.identities.push(identity),
            Err(e) => {
                asking.identities.push(None);
                out_of_reach.insert(n);
                wave.faults.push(sign_in_fault(&plan, n, &e));
            }
        }
    }
    let all = (0..plan.secrets.len()).map(|n| SecretId(u32::try_from(n).unwrap_or(u32::MAX)));
    let wanted: Vec<SecretId> =
        all.filter(|id| !out_of_reach.contains(&plan.secrets[id.0 as usize].source)).collect();
    let (fetched, previous) =
        futures_util::future::join(asking.fetch(&wanted, until), previous(asking, &wanted, until)).await;
    for (id, result) in fetched {
        let optional = plan.uses.iter().filter(|used| used.secret == id).all(|used| used.wanted.optional);
        wave.have[id.0 as usize] = match result {
            Ok(fetched) => {
                for warning in &fetched.warnings {
                    let name = &plan.secrets[id.0 as usize].ask;
                    wave.remarks.push(format!("`{name}`: {warning}"));
                }
                Have::Got(Arc::new(fetched))
            }
            Err(e) if e.kind() == ErrorKind::Absent && optional => Have::Absent,
            Err(e) => {
                wave.faults.push(source_fault(&plan, id, &e));
                Have::Failed
            }
        };
    }
    for (id, result) in previous {
        match result {
            Ok(fetched) => {
                wave.previous.insert(id, Arc::new(fetched));
            }
            Err(e) if e.kind() == ErrorKind::Absent => {}
            Err(e) => wave.remarks.push(format!("the previous revision could not be had: {e}")),
        }
    }
    wave
}

/// The previous revisions, where an entry keeps them and the source has such a thing.
async fn previous(
    asking: &Asking,
    wanted: &[SecretId],
    until: Tick,
) -> Vec<(SecretId, Result<Fetched, SourceError>)> {
    let plan = &asking.plan;
    let each = wanted.iter().filter_map(|id| {
        let keep = plan.uses.iter().any(|used| used.secret == *id && used.wanted.keep_previous);
        let secret = plan.secrets.get(id.0 as usize)?;
        let named = plan.sources.get(secret.source)?;
        (keep && named.source.info().abilities.previous).then(|| async move {
            let ask = secret.ask.clone().at(At::Previous);
            let left = until.since(asking.clock.tick()).min(asking.attempt);
            let mut results = runtime::within(left, named.source.fetch(std::slice::from_ref(&ask))).await?;
            results.pop().map(|result| (*id, result))
        })
    });
    futures_util::future::join_all(each).await.into_iter().flatten().collect()
}

fn sign_in_fault(plan: &Plan, source: usize, e: &SourceError) -> Fault {
    let behind = plan.secrets.iter().filter(|secret| secret.source == source);
    let names = behind.map(|secret| secret.ask.to_string()).collect();
    let named = plan.sources.get(source);
    let origin = named.map(|named| named.source.info().origin).unwrap_or_default();
    let mut fault = Fault::new(KeyPath::root(), FaultKind::SignIn(e.kind(), names)).hint(e.what_to_do());
    fault.place.source = named.map(|named| format!("{} at {origin}", named.name));
    fault
}

fn source_fault(plan: &Plan, id: SecretId, e: &SourceError) -> Fault {
    let used = plan.uses.iter().find(|used| used.secret == id);
    let path = used.map(|used| used.path.clone()).unwrap_or_default();
    let origin = used.map_or(crate::tree::OriginId(0), |used| used.origin);
    Fault::new(path, FaultKind::Source(e.kind()))
        .at(place_of_secret(plan, id, origin, &[]))
        .hint(e.what_to_do())
}

/// Lets every set of more than one secret come to rest. `true`: something moved and was read again.
async fn rest(asking: &Asking, sets: &Sets, wave: &mut Wave, until: Tick) -> Result<bool, Vec<Fault>> {
    let all: BTreeSet<usize> =
        (0..wave.have.len()).map(|n| sets.of(SecretId(u32::try_from(n).unwrap_or(u32::MAX)))).collect();
    let members = all.into_iter().map(|set| sets.members(set)).collect();
    let mut read: BTreeMap<SecretId, Revision> = BTreeMap::new();
    for (n, have) in wave.have.iter().enumerate() {
        if let Have::Got(fetched) = have {
            read.insert(SecretId(u32::try_from(n).unwrap_or(u32::MAX)), fetched.revision.clone());
        }
    }
    let mut again = BTreeMap::new();
    let torn = asking.rest(members, &mut read, &mut again, until).await;
    if !torn.is_empty() {
        let fault = |id: &SecretId| {
            let e = SourceError::new(ErrorKind::Malformed, "").hint(
                "it kept changing while it was read together with the others of its section; try again",
            );
            source_fault(&asking.plan, *id, &e)
        };
        return Err(torn.iter().map(fault).collect());
    }
    let moved = !again.is_empty();
    let mut faults = Vec::new();
    for (id, result) in again {
        match result {
            Ok(fetched) => wave.have[id.0 as usize] = Have::Got(Arc::new(fetched)),
            Err(e) => faults.push(source_fault(&asking.plan, id, &e)),
        }
    }
    if faults.is_empty() { Ok(moved) } else { Err(faults) }
}

/// `keep_previous` needs a section that exactly one secret feeds.
fn previous_faults(plan: &Plan, lives: &[KeyPath]) -> Vec<Fault> {
    let keeping = plan.uses.iter().filter(|used| used.wanted.keep_previous);
    let faults = keeping.filter_map(|used| {
        let feeds = lives.iter().filter(|live| live.meets(&used.path));
        let alone = feeds.clone().all(|live| {
            let secrets: BTreeSet<SecretId> = plan.uses_at(live).map(|(_, used)| used.secret).collect();
            secrets.len() == 1
        });
        if feeds.count() > 0 && alone {
            return None;
        }
        let reason = "`keep_previous` is for a `Live` section that exactly one secret feeds";
        let fault = Fault::new(used.path.clone(), FaultKind::Setting(reason));
        Some(fault.at(place_of_secret(plan, used.secret, used.origin, &[])))
    });
    faults.collect()
}

/// A load that fails gives back what it minted, within two seconds.
async fn give_back(plan: &Plan, have: &[Have], remarks: &mut Vec<String>) {
    let leased = plan.secrets.iter().zip(have).filter_map(|(secret, have)| match have {
        Have::Got(fetched) => Some((secret, fetched.lease.clone()?)),
        _ => None,
    });
    let revoking = leased.filter_map(|(secret, lease)| {
        let named = plan.sources.get(secret.source)?;
        Some(async move {
            let limit = Duration::from_secs(2);
            let revoked = runtime::within(limit, named.source.revoke(&lease)).await;
            (!matches!(revoked, Some(Ok(()))))
                .then(|| format!("the lease of `{}` could not be given back", secret.ask))
        })
    });
    remarks.extend(futures_util::future::join_all(revoking).await.into_iter().flatten());
}

fn unknown<T: DeserializeOwned>(unknown: &[(KeyPath, String)], remarks: &mut Vec<String>) {
    if unknown.is_empty() {
        return;
    }
    let known = decode::key_paths::<T>();
    for (path, layer) in unknown {
        let parent = path.parent().unwrap_or_default();
        let beside = known.iter().filter(|key| key.parent().as_ref() == Some(&parent));
        let beside: Vec<&str> = beside.filter_map(KeyPath::last).collect();
        let near = path.last().and_then(|key| assemble::nearest(key, &beside));
        remarks.push(match near {
            Some(near) => {
                format!("no field takes `{path}` of {layer}: did you mean `{}`?", parent.child(near))
            }
            None => format!("no field takes `{path}` of {layer}"),
        });
    }
}

/// Freezes everything that is not a secret's value.
fn plan<T: DeserializeOwned>(builder: Builder<T>, draft: &mut Draft) -> Plan {
    let Builder { mut steps, standard, variables, relaxed, sources, factories, .. } = builder;
    let keys: OnceCell<BTreeSet<KeyPath>> = OnceCell::new();
    let is_key = |path: &KeyPath| keys.get_or_init(decode::key_paths::<T>).contains(path);
    let mut place_of_entries = None;
    if standard {
        let own = standard_steps(&variables, &steps, draft);
        place_of_entries = Some(own.len() - 1);
        steps.splice(0..0, own);
    }
    let mut profile = Profile::DEFAULT;
    let mut layers = Vec::new();
    let mut entries_at = None;
    for (n, step) in steps.into_iter().enumerate() {
        // `[secrets]` stands below the environment, which is the last of the standard layers
        if Some(n) == place_of_entries {
            entries_at = Some(layers.len());
        }
        match step {
            Step::Select(selected) => profile = selected,
            Step::Layer(verb, layer) => {
                if let Some(own) = layer.profile() {
                    if verb.new_wins() {
                        profile = own;
                    }
                }
                layers.push(freeze(layer, verb, draft, &variables, &is_key));
            }
        }
    }
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
            let origin = draft.origin(format!("SecretLayer at {place}"));
            let uses = layer.wanted.into_iter().map(|(path, wanted)| {
                let by = By::Source(layer.source.clone());
                let id = draft.wants(&profile, &path, origin, by, wanted);
                (path, id)
            });
            let uses = uses.collect();
            Data::Secrets { profile, origin, uses }
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
    built: BTreeMap<String, Result<Arc<dyn Source>, (FaultKind, String)>>,
}

impl Sourcing<'_> {
    fn build(&mut self, name: &str, files: &[String]) -> Result<Arc<dyn Source>, (FaultKind, String)> {
        let name = if name == "file-secret" { "files" } else { name };
        if let Some(built) = self.built.get(name) {
            return built.clone();
        }
        let built = settings::build(name, &self.factories, self.settings, self.variables, files);
        self.built.insert(name.to_owned(), built.clone());
        built
    }

    fn of_scheme(&mut self, scheme: &str, files: &[String]) -> Result<Arc<dyn Source>, (FaultKind, String)> {
        match self.given.iter().find(|source| source.info().scheme == scheme) {
            Some(source) => Ok(source.clone()),
            None => self.build(scheme, files),
        }
    }
}

/// The layer of the `[secrets]` entries.
fn entries(sourcing: &mut Sourcing<'_>, draft: &mut Draft) -> Frozen {
    let provider = sourcing.variables.setting("SECRET_PROVIDER").map(|name| name.to_lowercase());
    let origin = draft.origin("`[secrets]`");
    let mut uses = Vec::new();
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
    match source {
        Ok(source) => {
            for (path, wanted, layer) in &sourcing.settings.entries {
                let origin = draft.origin(layer.clone());
                let by = By::Source(source.clone());
                let id = draft.wants(&Profile::GLOBAL, path, origin, by, wanted.clone());
                uses.push((path.clone(), id));
            }
        }
        Err((kind, hint)) => {
            draft.faults.push(Fault::new(KeyPath::root(), kind).layer("SECRET_PROVIDER").hint(hint));
            for (path, wanted, layer) in &sourcing.settings.entries {
                let origin = draft.origin(layer.clone());
                let by = By::Nowhere;
                let id = draft.wants(&Profile::GLOBAL, path, origin, by, wanted.clone());
                uses.push((path.clone(), id));
            }
        }
    }
    Frozen { verb: Verb::Merge, data: Data::Secrets { profile: Profile::GLOBAL, origin, uses } }
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
        selected && !lost && !(inside && sourcing_is_standard(&reference.by))
    };
    let counting: Vec<bool> =
        references.iter().enumerate().map(|(n, reference)| counts(n, reference)).collect();
    // the sources of layers serve references of their scheme too
    for reference in &references {
        if let By::Source(source) = &reference.by {
            if !sourcing.given.iter().any(|given| Arc::ptr_eq(given, source)) {
                sourcing.given.push(source.clone());
            }
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

fn sourcing_is_standard(by: &By) -> bool {
    matches!(by, By::Scheme(_))
}

fn secret_of(plan: &mut Plan, source: Arc<dyn Source>, wanted: &crate::secrets::Wanted) -> SecretId {
    let source = match plan.sources.iter().position(|named| Arc::ptr_eq(&named.source, &source)) {
        Some(n) => n,
        None => {
            let scheme = source.info().scheme.into_owned();
            let same = plan.sources.iter().filter(|named| named.source.info().scheme == scheme).count();
            let name = if same == 0 { scheme } else { format!("{scheme} #{}", same + 1) };
            plan.sources.push(NamedSource { name, source });
            plan.sources.len() - 1
        }
    };
    let known = plan.secrets.iter().position(|secret| secret.source == source && secret.ask == wanted.ask);
    let n = known.unwrap_or_else(|| {
        plan.secrets.push(Secret { source, ask: wanted.ask.clone() });
        plan.secrets.len() - 1
    });
    SecretId(u32::try_from(n).unwrap_or(u32::MAX))
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

#[cfg(all(feature = "files", not(all(target_family = "wasm", target_os = "unknown"))))]
pub(crate) fn files(of: &settings::SourceSettings<'_>) -> Result<Arc<dyn Source>, (FaultKind, String)> {
    use secretfig_files::{Files, Settings, TrailingNewline};
    let failed = |e: SourceError| (FaultKind::Source(e.kind()), e.what_to_do().to_owned());
    let mut settings = Settings::from_env(of.variables()).map_err(failed)?;
    for key in of.keys() {
        let value = of.key(key).unwrap_or_default();
        let wrong = |what: &str| {
            let hint = format!("`[source.files]` {key}: {what}");
            (FaultKind::Setting("a setting of the source `files` is wrong"), hint)
        };
        settings = match key {
            "folder" => settings.folder(value),
            "max_bytes" => settings.max_bytes(value.parse().map_err(|_| wrong("a number of bytes"))?),
            "trailing_newline" => settings.trailing_newline(
                value.parse::<TrailingNewline>().map_err(|_| wrong("`strip-one` or `keep`"))?,
            ),
            _ => return Err(wrong("known are `folder`, `max_bytes`, `trailing_newline`")),
        };
    }
    for path in of.files() {
        settings = settings.allow(path);
    }
    Ok(Arc::new(Files::new(settings).map_err(failed)?))
}
