//! The heart: layers and documents in, the application's own struct or a report out. Pure: no I/O, no clock.

use crate::decode::{self, Found, Unchecked, What};
use crate::layers::{self, Given};
use crate::plan::{Plan, SecretId};
use crate::report::{Fault, FaultKind, Place};
use crate::tree::{Beaten, Hole, KeyPath, LeafText, Merged, Slot, Why};
use secretfig_source::{ErrorKind, Fetched, Node, Validity};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::SystemTime;

/// What the store has of one secret.
#[derive(Clone, Default)]
pub(crate) enum Have {
    Got(Arc<Fetched>),
    /// There is no such secret, and every use of it is optional.
    Absent,
    /// It could not be had; that is told elsewhere.
    #[default]
    Failed,
}

/// The cross-checks of the application.
pub(crate) type Validate<T> = Arc<dyn Fn(&T) -> Result<(), Invalid> + Send + Sync>;

/// What an application's own check over the whole configuration found wrong.
///
/// ```
/// use secretfig::Invalid;
/// let invalid = Invalid { path: "pool.max", reason: "must not be below pool.min" };
/// assert_eq!(invalid.path, "pool.max");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The key it is about.
    pub path: &'static str,
    /// Why, in static words: no value can get in.
    pub reason: &'static str,
}

/// A configuration that came out whole.
pub(crate) struct Made<T> {
    pub(crate) value: T,
    pub(crate) lives: Vec<KeyPath>,
    /// The places whose type says that it holds a secret.
    pub(crate) sealed: Vec<KeyPath>,
    /// Keys of plain layers that no field took.
    pub(crate) unknown: Vec<Unknown>,
    /// Held with it: a lease is given back when the last of these is gone.
    pub(crate) leases: Vec<Arc<crate::leases::LeaseGuard>>,
}

/// A key of a plain layer that no field took.
#[derive(Debug)]
pub(crate) struct Unknown {
    pub(crate) path: KeyPath,
    pub(crate) layer: String,
    pub(crate) environment: bool,
}

impl<T> Made<T> {
    /// Whether a value there must not be shown, whatever layer it is from: its type holds secrets, or no field took
    /// it, so that it may be a secret under a misspelt name.
    pub(crate) fn guards(&self, path: &KeyPath) -> bool {
        let mut guarded =
            self.lives.iter().chain(&self.sealed).chain(self.unknown.iter().map(|unknown| &unknown.path));
        guarded.any(|guarded| path.starts_with(guarded))
    }
}

/// One that did not.
#[derive(Debug, Default)]
pub(crate) struct Unmade {
    pub(crate) faults: Vec<Fault>,
    pub(crate) remarks: Vec<String>,
    /// Keys of plain layers that no field took.
    pub(crate) unknown: Vec<Unknown>,
}

impl Unmade {
    fn of(fault: Fault) -> Self {
        Self { faults: vec![fault], ..Self::default() }
    }
}

/// Assembles. At start-up `now` is given, and a secret that is not valid at that time is a fault.
pub(crate) fn assemble<T: DeserializeOwned>(
    plan: &Plan,
    have: &[Have],
    validate: Option<&Validate<T>>,
    now: Option<SystemTime>,
) -> Result<Made<T>, Unmade> {
    let (parsed, mut faults) = parse(plan, have);
    if let Some(now) = now {
        faults.extend(out_of_time(plan, have, now));
    }
    let refused = !faults.is_empty();
    let result = merged(plan, &parsed, false, |root| {
        let decoded =
            catch_unwind(AssertUnwindSafe(|| decode::decode::<T>(root, plan.strict, &plan.origins)));
        let Ok(decoded) = decoded else {
            return Err(Unmade::of(Fault::new(KeyPath::root(), FaultKind::Panicked)));
        };
        let unknown = unknown_plain(plan, root, &decoded.unknown);
        match decoded.value {
            Some(value) => {
                Ok(Made { value, lives: decoded.lives, sealed: decoded.sealed, unknown, leases: Vec::new() })
            }
            None => {
                let faults = decoded.faults.iter().map(|found| fault(plan, have, root, found)).collect();
                let remarks = decoded.unchecked.iter().map(|unchecked| match unchecked {
                    Unchecked::Under(path, 1) => format!("1 key under `{path}` not checked"),
                    Unchecked::Under(path, keys) => format!("{keys} keys under `{path}` not checked"),
                    Unchecked::Beside(path) => {
                        format!("what is missing beside or above `{path}` is not told: no stand-in satisfied its type")
                    }
                    Unchecked::Rest => "there may be more: a report ends here".to_owned(),
                });
                Err(Unmade { faults, remarks: remarks.collect(), unknown })
            }
        }
    });
    match result {
        Ok(made) if !refused => {
            match validate.map(|check| catch_unwind(AssertUnwindSafe(|| check(&made.value)))) {
                None | Some(Ok(Ok(()))) => Ok(made),
                Some(Ok(Err(invalid))) => {
                    let kind = FaultKind::Invalid(invalid.reason);
                    let fault = Fault::new(KeyPath::parse(invalid.path), kind);
                    let place = place_at(plan, have, &fault.key);
                    Err(Unmade { unknown: made.unknown, ..Unmade::of(fault.at(place)) })
                }
                Some(Err(_)) => {
                    let fault = Fault::new(KeyPath::root(), FaultKind::Panicked);
                    Err(Unmade::of(fault.layer("the application's `validate`")))
                }
            }
        }
        other => {
            let mut unmade = match other {
                Ok(made) => Unmade { unknown: made.unknown, ..Unmade::default() },
                Err(unmade) => unmade,
            };
            faults.append(&mut unmade.faults);
            if validate.is_some() {
                unmade.remarks.push("cross-checks were not run".to_owned());
            }
            Err(Unmade { faults, ..unmade })
        }
    }
}

/// One parsed document per use.
pub(crate) enum Parsed {
    Node(Node),
    Hole,
    Absent,
}

/// Reads every use's document. What cannot be read is a fault and a hole.
pub(crate) fn parse(plan: &Plan, have: &[Have]) -> (Vec<Parsed>, Vec<Fault>) {
    let mut faults = Vec::new();
    let parsed = plan.uses.iter().map(|used| match have.get(used.secret.0 as usize) {
        _ if used.secret == SecretId::UNUSED => Parsed::Absent,
        None | Some(Have::Failed) => Parsed::Hole,
        Some(Have::Absent) => Parsed::Absent,
        Some(Have::Got(fetched)) => match fetched.document.read(&used.wanted.reading) {
            Ok(node) => Parsed::Node(node),
            Err(malformed) => {
                let path = malformed.path().fold(used.path.clone(), |path, key| path.child(key));
                let place = place_of_secret(plan, used.secret, used.origin, have);
                faults.push(Fault::new(path, FaultKind::Document(malformed.reason())).at(place));
                Parsed::Hole
            }
        },
    });
    (parsed.collect(), faults)
}

/// Merges, and runs on the result.
pub(crate) fn merged<R>(
    plan: &Plan,
    parsed: &[Parsed],
    keep_beaten: bool,
    run: impl FnOnce(&Slot<'_>) -> R,
) -> R {
    let given: Vec<Given<'_>> = parsed
        .iter()
        .map(|parsed| match parsed {
            Parsed::Node(node) => Given::Node(node),
            Parsed::Hole => Given::Hole,
            Parsed::Absent => Given::Absent,
        })
        .collect();
    let mut root = layers::merge(&plan.layers, &plan.profile, plan.strict, keep_beaten, &given);
    if let (true, Merged::Table(_, hole)) = (plan.broken, &mut root.node) {
        *hole = Hole::Yes;
    }
    run(&root)
}

/// Secrets whose time is over or has not come: faults at start-up.
fn out_of_time(plan: &Plan, have: &[Have], now: SystemTime) -> Vec<Fault> {
    let uses = plan.uses.iter().filter_map(|used| {
        let Have::Got(fetched) = have.get(used.secret.0 as usize)? else { return None };
        let why = if fetched.expires.is_some_and(|at| at <= now) {
            Validity::Expired
        } else if fetched.not_before.is_some_and(|at| at > now) {
            Validity::NotYetValid
        } else {
            return None;
        };
        let place = place_of_secret(plan, used.secret, used.origin, have);
        let kind = FaultKind::Source(ErrorKind::Validity(why));
        Some(Fault::new(used.path.clone(), kind).at(place).hint("write a revision that is valid now"))
    });
    uses.collect()
}

pub(crate) fn place_of_secret(
    plan: &Plan,
    secret: SecretId,
    origin: crate::tree::OriginId,
    have: &[Have],
) -> Place {
    let of = plan.secrets.get(secret.0 as usize);
    let revision = match have.get(secret.0 as usize) {
        Some(Have::Got(fetched)) => Some(fetched.revision.clone()),
        _ => None,
    };
    Place {
        layer: plan.origin(origin).map(|info| info.name.clone()),
        source: of.and_then(|s| plan.sources.get(s.source)).map(|source| source.name.clone()),
        secret: of.map(|s| s.ask.to_string()),
        revision,
    }
}

/// The place of a slot, with the revision of its secret.
pub(crate) fn place_in(plan: &Plan, have: &[Have], slot: &Slot<'_>) -> Place {
    let mut place = plan.place_of(slot);
    if let Some((used, ..)) = slot.origin.secret.and_then(|id| plan.secret_of(id)) {
        place = place_of_secret(plan, used.secret, slot.origin.layer, have);
    }
    place
}

/// The place of a key by the secrets that feed it, for faults that have no slot.
fn place_at(plan: &Plan, have: &[Have], path: &KeyPath) -> Place {
    let mut at = Some(path.clone());
    while let Some(here) = at.filter(|path| !path.is_root()) {
        let mut uses = plan.uses.iter().filter(|used| !used.path.is_root() && here.starts_with(&used.path));
        if let Some(used) = uses.next_back() {
            return place_of_secret(plan, used.secret, used.origin, have);
        }
        at = here.parent();
    }
    Place::default()
}

fn fault(plan: &Plan, have: &[Have], root: &Slot<'_>, found: &Found) -> Fault {
    let slot = root.at(&found.path);
    let place = match slot {
        Some(slot) => place_in(plan, have, slot),
        None => place_at(plan, have, &found.path),
    };
    let environment =
        slot.and_then(|slot| plan.origin(slot.origin.layer)).is_some_and(|info| info.environment);
    let secret = place.secret.is_some();
    let plain_number =
        slot.is_some_and(|slot| matches!(slot.node, Merged::Plain(crate::tree::Plain::Number(_))));
    let (kind, hint) = match found.what.clone() {
        What::Missing(_) if secret => {
            (FaultKind::Missing, Some("add this key to the secret, or set it in another layer"))
        }
        What::Missing(_) => (FaultKind::Missing, None),
        What::WrongType(expected) if slot.is_some_and(looks_like_json) => (
            FaultKind::WrongType(expected),
            Some(
                "it begins as JSON does and cannot be parsed: look at what is stored there, or set `format = \"json\"`",
            ),
        ),
        What::WrongType(expected) if found.any && secret => (
            FaultKind::WrongType(expected),
            Some(
                "a secret's value is text inside `flatten` and `untagged`: name the field in the struct itself",
            ),
        ),
        What::WrongType(expected) if plain_number && expected.contains("string") => {
            (FaultKind::WrongType(expected), Some("put it in quotes"))
        }
        What::WrongType(expected) => (FaultKind::WrongType(expected), wrong(secret, environment)),
        What::OutOfRange(expected) => (FaultKind::OutOfRange(expected), wrong(secret, environment)),
        What::WrongLength(expected) => (FaultKind::WrongLength(expected), wrong(secret, environment)),
        What::UnknownVariant(names) => (FaultKind::UnknownVariant(names), None),
        What::UnknownField(known) => {
            let near = found.path.last().and_then(|key| nearest(key, known));
            let fault = Fault::new(found.path.clone(), FaultKind::UnknownKey).at(place);
            return match near {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault,
            };
        }
        What::Duplicate(field) => (FaultKind::TwoSpellings { field, other: found.other.clone() }, None),
        What::Refused => (FaultKind::Refused, None),
        What::Panicked => (FaultKind::Panicked, None),
        What::Plain => (FaultKind::NotSecret, None),
        What::Guessed => (FaultKind::Guessed, None),
        What::Bytes => (FaultKind::NotText, None),
        What::Invalid(reason) => (FaultKind::Invalid(reason), None),
    };
    let fault = Fault::new(found.path.clone(), kind).at(place);
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

fn wrong(secret: bool, environment: bool) -> Option<&'static str> {
    if secret {
        Some("store a value of that type, or name the right `field`")
    } else if environment {
        Some("set the variable to a value of that type")
    } else {
        None
    }
}

/// Whether a secret was taken for one text because its JSON is broken.
fn looks_like_json(slot: &Slot<'_>) -> bool {
    let text = matches!(slot.node, Merged::Sealed(_)).then(|| slot.node.leaf_text()).flatten();
    matches!(text, Some(LeafText::Parsed(text)) if text.trim_start().starts_with('{'))
}

/// The known name that is nearest to a misspelt one.
pub(crate) fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|name| (strsim::damerau_levenshtein(key, name), *name));
    near.filter(|(distance, name)| *distance <= 1 + name.len().min(key.len()) / 4).min().map(|(_, name)| name)
}

/// Keys of plain layers that no field took. In sealed documents they are silent: a secret may hold more than one
/// application wants.
fn unknown_plain(plan: &Plan, root: &Slot<'_>, unknown: &[KeyPath]) -> Vec<Unknown> {
    let plain = unknown.iter().filter_map(|path| {
        let slot = root.at(path).filter(|slot| !slot.is_secret())?;
        let environment = plan.origin(slot.origin.layer).is_some_and(|info| info.environment);
        Some(Unknown { path: path.clone(), layer: plan.place_of(slot).to_string(), environment })
    });
    plain.collect()
}

/// Remarks on merging: where a plain value was passed over, a `null` ignored, a secret overridden.
pub(crate) fn remarks(plan: &Plan, parsed: &[Parsed], wanted: fn(Why) -> bool) -> Vec<String> {
    fn walk(
        plan: &Plan,
        slot: &Slot<'_>,
        path: &KeyPath,
        wanted: fn(Why) -> bool,
        into: &mut BTreeMap<KeyPath, Vec<String>>,
    ) {
        for Beaten { origin, why } in slot.beaten.iter().filter(|beaten| wanted(beaten.why)) {
            let text = match why {
                Why::Lower => continue,
                Why::Null => format!("`{path}`: a null in {} is ignored", plan.place(*origin)),
                Why::PlainUnderSecret => {
                    format!(
                        "`{path}`: {} is passed over: a plain value never beats a secret in a strict profile",
                        plan.place(*origin)
                    )
                }
                Why::Overridden => format!(
                    "`{path}`: {} is overridden by {}: rotation has no effect",
                    plan.place(*origin),
                    plan.place_of(slot)
                ),
            };
            into.entry(path.clone()).or_default().push(text);
        }
        match &slot.node {
            Merged::Table(table, _) => {
                table.iter().for_each(|(key, slot)| walk(plan, slot, &path.child(key), wanted, into));
            }
            Merged::List(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(n, slot)| walk(plan, slot, &path.child(&n.to_string()), wanted, into));
            }
            _ => {}
        }
    }
    merged(plan, parsed, true, |root| {
        let mut into = BTreeMap::new();
        walk(plan, root, &KeyPath::root(), wanted, &mut into);
        into.into_values().flatten().collect()
    })
}
