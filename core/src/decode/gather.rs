//! Decodes again and again until every fault is known.
//!
//! serde stops at the first fault. So at a fault its path is noted, a stand-in put there, and everything
//! decoded anew; a stand-in that the type refuses is exchanged for its next candidate. Faults come out in the
//! order of the fields. All this happens only when the first walk has failed.

use super::error::{Error, Parts, What};
use super::standin::{Copies, Entry, StandIn};
use super::{De, Notes, Walk, has_hole, screen};
use crate::plan::OriginInfo;
use crate::tree::{KeyPath, Merged, Slot};
use serde::de::DeserializeOwned;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What decoding gave.
pub(crate) struct Decoded<T> {
    /// The value: there only if nothing at all was wrong.
    pub(crate) value: Option<T>,
    pub(crate) faults: Vec<Found>,
    /// The paths of `Live` parts.
    pub(crate) lives: Vec<KeyPath>,
    /// The places whose type says that it holds a secret.
    pub(crate) sealed: Vec<KeyPath>,
    /// Keys that no field took.
    pub(crate) unknown: Vec<KeyPath>,
    /// What was not looked at.
    pub(crate) unchecked: Vec<Unchecked>,
}

/// One fault of decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: KeyPath,
    pub(crate) what: What,
    /// The other key, where two spellings of one field met.
    pub(crate) other: Option<KeyPath>,
    /// Whether the place was read by `flatten` or `untagged`.
    pub(crate) any: bool,
}

/// What may hold more faults than are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unchecked {
    /// So many keys, under a place of which nothing can be told before its own fault is gone.
    Under(KeyPath, usize),
    /// No stand-in satisfied the type there, so that the tables around it never came to their end.
    Beside(KeyPath),
    /// Everything after the last fault of a report.
    Rest,
}

/// The most faults in one report.
const FAULTS: usize = 64;
/// The most walks: a bound for types that refuse everything.
pub(super) const WALKS: usize = 4_000;

pub(crate) fn decode<T: DeserializeOwned>(
    root: &Slot<'_>,
    strict: bool,
    origins: &Arc<[OriginInfo]>,
) -> Decoded<T> {
    let mut walk = Walk { strict, origins: origins.clone(), ..Walk::default() };
    if let Some(Ok(value)) = caught(|| T::deserialize(De::root(root, &walk)))
        && walk.used_standin.get() == 0
        && walk.notes.borrow().invalid.is_empty()
    {
        let notes = walk.notes.into_inner();
        return Decoded {
            value: Some(value),
            faults: Vec::new(),
            lives: notes.lives,
            sealed: notes.sealed,
            unknown: notes.unknown,
            unchecked: Vec::new(),
        };
    }
    walk.thorough = true;
    walk.copies = Copies::new();
    let mut gather = Gather { root, walk, faults: Vec::new(), unchecked: Vec::new(), walks: 0 };
    gather.run::<T>();
    let notes = gather.walk.notes.into_inner();
    let mut faults = gather.faults;
    let invalid = notes.invalid.into_iter();
    faults.extend(invalid.map(|(path, reason)| Found::new(path, What::Invalid(reason))));
    faults.sort_by(|a, b| by_field(&notes.fields, &a.path, &b.path));
    let Notes { lives, sealed, unknown, .. } = notes;
    Decoded { value: None, faults, lives, sealed, unknown, unchecked: gather.unchecked }
}

/// Decodes the part at a path alone; `None` where that does not succeed.
pub(crate) fn decode_at<S: DeserializeOwned>(
    root: &Slot<'_>,
    path: &KeyPath,
    strict: bool,
    origins: &Arc<[OriginInfo]>,
) -> Option<S> {
    let slot = root.at(path)?;
    let walk = Walk { strict, origins: origins.clone(), ..Walk::default() };
    let value = caught(|| S::deserialize(De::root(slot, &walk)))?.ok()?;
    (walk.used_standin.get() == 0 && walk.notes.borrow().invalid.is_empty()).then_some(value)
}

/// Sorts paths as their fields are declared; keys of no struct by name.
pub(super) fn by_field(
    fields: &BTreeMap<KeyPath, &'static [&'static str]>,
    a: &KeyPath,
    b: &KeyPath,
) -> Ordering {
    let mut above = KeyPath::root();
    for (x, y) in a.iter().zip(b.iter()) {
        if x != y {
            let rank = |key: &str| {
                fields
                    .get(&above)
                    .and_then(|names| names.iter().position(|n| *n == key))
                    .unwrap_or(usize::MAX)
            };
            let numbers = || x.parse::<usize>().ok().zip(y.parse::<usize>().ok()).map(|(x, y)| x.cmp(&y));
            return rank(x).cmp(&rank(y)).then_with(|| numbers().unwrap_or_else(|| x.cmp(y)));
        }
        above = above.child(x);
    }
    a.len().cmp(&b.len())
}

impl Found {
    pub(super) fn new(path: KeyPath, what: What) -> Self {
        Self { path, what, other: None, any: false }
    }
}

pub(super) struct Gather<'g> {
    pub(super) root: &'g Slot<'g>,
    pub(super) walk: Walk,
    pub(super) faults: Vec<Found>,
    pub(super) unchecked: Vec<Unchecked>,
    pub(super) walks: usize,
}

impl Gather<'_> {
    fn run<T: DeserializeOwned>(&mut self) {
        let mut seen = BTreeSet::new();
        while self.walks < WALKS {
            let Err(parts) = self.once::<T>() else { return };
            if self.faults.len() >= FAULTS {
                self.unchecked.push(Unchecked::Rest);
                return;
            }
            let path = parts.path.clone();
            // a stand-in that was here before leads nowhere
            if !self.settle::<T>(parts) || !seen.insert(self.walk.overlay.clone()) {
                self.unchecked.push(Unchecked::Beside(self.outermost_zone(&path)));
                return;
            }
        }
        self.unchecked.push(Unchecked::Rest);
    }

    pub(super) fn once<T: DeserializeOwned>(&mut self) -> Result<(), Parts> {
        self.walks += 1;
        self.walk.used_standin.set(0);
        self.walk.notes.replace(Notes::default());
        match caught(|| T::deserialize(De::root(self.root, &self.walk)).map(drop)) {
            Some(result) => result.map_err(Error::into_parts),
            None => {
                // over what it read last: a value, or a stand-in that it did not expect
                let notes = self.walk.notes.borrow();
                let key = notes.last_key.clone().unwrap_or_default();
                let path = notes.handed.last().filter(|at| at.starts_with(&key)).cloned().unwrap_or(key);
                Err(Parts { path, what: What::Panicked, culprit: None, own: false })
            }
        }
    }

    /// Makes the next walk get past this error. `false`: there is no way past it.
    pub(super) fn settle<T: DeserializeOwned>(&mut self, parts: Parts) -> bool {
        let place = self.place_of(&parts);
        let Parts { path, what, culprit, own } = parts;
        match what {
            What::Duplicate(field) => return self.two_spellings::<T>(&path, field),
            What::Missing(name) => {
                if self.walk.overlay.contains_key(&path) && self.lies_deeper::<T>(&path, name) {
                    return true;
                }
                self.walk.missing.insert(path.clone(), name);
            }
            _ => {}
        }
        if place == path && culprit.is_none() && what != What::Panicked && self.blame::<T>(&path, &what) {
            return true;
        }
        if let Some(zone) = self.zone(&place) {
            return self.next_candidate(&zone, &place, &what);
        }
        match what {
            // of a key; a value that says so is refused like any other
            What::UnknownField(_) if !self.walk.notes.borrow().kinds.contains_key(&place) => {
                self.faults.push(Found::new(place.clone(), what));
                self.walk.overlay.insert(place, Entry::Dropped);
            }
            What::UnknownField(_) => {
                self.found(&place, What::Refused, own);
                self.replace(place);
            }
            What::Missing(_) => {
                // the fault is the secret's that could not be had, and is told there
                if !self.short_of_secret(path.parent()) {
                    self.faults.push(Found::new(path.clone(), what));
                }
                self.walk.overlay.insert(path, Entry::StandIn(StandIn::default()));
            }
            _ => {
                // with a stand-in under it, it may be that stand-in which it refuses
                if self.below(&place).next().is_none() {
                    self.found(&place, what, own);
                    if culprit.is_none() && self.is_buffered(&place) {
                        self.under(&place, 0);
                    }
                }
                self.replace(place);
            }
        }
        true
    }

    /// A fault that is certain.
    pub(super) fn found(&mut self, place: &KeyPath, mut what: What, own: bool) {
        if let What::WrongType(text) | What::OutOfRange(text) | What::WrongLength(text) = &mut what
            && screen::quotes(text, own, self.root)
        {
            *text = screen::INSTEAD.into();
        }
        let any = self.walk.notes.borrow().any.contains(place);
        self.faults.push(Found { any, ..Found::new(place.clone(), what) });
    }

    /// Whether a table, or one around it, is short of something that could not be had.
    fn short_of_secret(&self, table: Option<KeyPath>) -> bool {
        let mut at = table;
        while let Some(here) = at {
            if self.root.at(&here).is_some_and(has_hole) {
                return true;
            }
            at = here.parent();
        }
        false
    }

    pub(super) fn below<'s>(&'s self, path: &'s KeyPath) -> impl Iterator<Item = &'s KeyPath> + 's {
        let from = self.walk.overlay.range(path.clone()..);
        from.map(|(key, _)| key).take_while(move |key| key.starts_with(path)).filter(move |key| *key != path)
    }

    /// Puts a stand-in for everything at and below a path. A value that is the tag of a table goes with that table:
    /// what else stands there belongs to a variant that nobody knows.
    fn replace(&mut self, mut path: KeyPath) {
        if self.walk.notes.borrow().tags.contains(&path)
            && let Some(table) = path.parent()
        {
            self.under(&table, 1);
            path = table;
        }
        let below: Vec<KeyPath> = self.below(&path).cloned().collect();
        for key in below {
            self.walk.overlay.remove(&key);
        }
        self.walk.overlay.insert(path, Entry::StandIn(StandIn::default()));
    }

    /// Notes that the keys of a table, all but so many, could not be looked at one by one.
    fn under(&mut self, table: &KeyPath, but: usize) {
        let keys = match self.root.at(table) {
            Some(slot) if matches!(slot.node, Merged::Table(..) | Merged::List(_)) => {
                leaves(slot).saturating_sub(but)
            }
            _ => 0,
        };
        if keys > 0 {
            self.unchecked.push(Unchecked::Under(table.clone(), keys));
        }
    }

    fn outermost_zone(&self, path: &KeyPath) -> KeyPath {
        let mut zone = path.clone();
        while let Some(outer) = self.zone(&zone).and_then(|here| self.zone(&here.parent()?)) {
            zone = outer;
        }
        self.zone(&zone).unwrap_or(zone)
    }

    /// The stand-in or hole that a path lies in.
    pub(super) fn zone(&self, path: &KeyPath) -> Option<KeyPath> {
        let mut at = Some(path.clone());
        while let Some(here) = at {
            let overlaid = self.walk.overlay.get(&here).is_some_and(|entry| *entry != Entry::Dropped);
            let hole = self.root.at(&here).is_some_and(|slot| matches!(slot.node, Merged::Hole));
            if overlaid || hole {
                return Some(here);
            }
            at = here.parent();
        }
        None
    }

    pub(super) fn next_candidate(&mut self, zone: &KeyPath, place: &KeyPath, what: &What) -> bool {
        let standin = |path: &KeyPath| self.walk.overlay.get(path).and_then(|entry| entry.standin());
        let (now, inherited) = (standin(place), standin(zone).unwrap_or_default());
        let count = self.walk.notes.borrow().asked.get(place).copied();
        let next = now.unwrap_or(inherited).number + 1;
        match (what, count) {
            _ if matches!(self.walk.overlay.get(zone), Some(Entry::Refused(_))) => return false,
            // a tag that was missing: its table is of no variant that anyone knows
            (What::UnknownVariant(_), _) if zone == place && self.is_tag_of_real(place) => {
                self.replace(place.clone());
            }
            // one name after the other, and no more than that
            (What::UnknownVariant(names), _) => {
                match next_name(names, now.and_then(|now| now.name)) {
                    Some(name) => {
                        let entry = Entry::StandIn(StandIn::named(name));
                        self.walk.overlay.insert(place.clone(), entry)
                    }
                    None => self.walk.overlay.insert(zone.clone(), Entry::Refused(StandIn::default())),
                };
            }
            // each panic is a line in the application's log
            _ if now.is_some_and(|now| now.name.is_some()) || *what == What::Panicked && next > 2 => {
                self.walk.overlay.insert(zone.clone(), Entry::Refused(StandIn::default()));
            }
            // a key of a flattened struct, not offered so far
            (_, None) if now.is_none() => {
                self.walk.overlay.insert(place.clone(), Entry::StandIn(StandIn::default()));
            }
            (_, Some(count)) if next < count => {
                let below: Vec<KeyPath> = self.below(place).cloned().collect();
                for key in below {
                    if let Some(Entry::StandIn(standin)) = self.walk.overlay.get_mut(&key) {
                        *standin = StandIn::number(next);
                    }
                }
                self.walk.overlay.insert(place.clone(), Entry::StandIn(StandIn::number(next)));
            }
            _ => {
                self.walk.overlay.insert(zone.clone(), Entry::Refused(StandIn::default()));
            }
        }
        true
    }

    /// Whether a place is the tag of a table that stands as it came.
    fn is_tag_of_real(&self, place: &KeyPath) -> bool {
        let real = |table: KeyPath| self.root.at(&table).is_some() && self.zone(&table).is_none();
        self.walk.notes.borrow().tags.contains(place) && place.parent().is_some_and(real)
    }

    pub(super) fn put_back(&mut self, key: &KeyPath, before: Option<Entry>) {
        match before {
            Some(entry) => self.walk.overlay.insert(key.clone(), entry),
            None => self.walk.overlay.remove(key),
        };
    }
}

/// Lets a walk from nothing but stand-ins come to its end, for the schema: notes what `T` asks for.
pub(super) fn asked_for<T: DeserializeOwned>() -> Notes {
    let (gather, _) = from_nothing::<T>();
    gather.walk.notes.into_inner()
}

/// As `asked_for`; and whether the stand-ins satisfy `T`, and which keys it can do without.
#[cfg(feature = "cli")]
pub(super) fn asked_in_full<T: DeserializeOwned>() -> (Notes, bool, BTreeSet<KeyPath>) {
    let (mut gather, whole) = from_nothing::<T>();
    let notes = gather.walk.notes.take();
    let mut spare = BTreeSet::new();
    for key in notes.kinds.keys().filter(|key| whole && !key.is_root()) {
        let before = gather.walk.overlay.clone();
        gather.walk.overlay.retain(|path, _| !path.starts_with(key));
        gather.walk.overlay.insert(key.clone(), Entry::Dropped);
        if gather.once::<T>().is_ok() {
            spare.insert(key.clone());
        }
        gather.walk.overlay = before;
    }
    (notes, whole, spare)
}

fn from_nothing<T: DeserializeOwned>() -> (Gather<'static>, bool) {
    static NOTHING: Slot<'static> = Slot {
        node: Merged::Hole,
        origin: crate::tree::Origin { layer: crate::tree::OriginId(0), secret: None },
        beaten: Vec::new(),
    };
    let walk = Walk { thorough: true, into_options: true, copies: Copies::new(), ..Walk::default() };
    let mut gather = Gather { root: &NOTHING, walk, faults: Vec::new(), unchecked: Vec::new(), walks: 0 };
    gather.walk.overlay.insert(KeyPath::root(), Entry::StandIn(StandIn::default()));
    while gather.walks < WALKS {
        let Err(parts) = gather.once::<T>() else { return (gather, true) };
        if !gather.settle::<T>(parts) {
            break;
        }
    }
    (gather, false)
}

/// The application's types are its own code: `None` where that panics.
fn caught<R>(run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

fn next_name(names: &'static [&'static str], now: Option<&str>) -> Option<&'static str> {
    let next = now.map_or(0, |now| names.iter().position(|name| *name == now).map_or(names.len(), |n| n + 1));
    names.get(next).copied()
}

fn leaves(slot: &Slot<'_>) -> usize {
    match &slot.node {
        Merged::Table(table, _) => table.values().map(leaves).sum(),
        Merged::List(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}
