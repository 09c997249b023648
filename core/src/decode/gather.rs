//! Decodes again and again until every fault is known.
//!
//! serde stops at the first fault. So at a fault its path is noted, a stand-in put there, and everything
//! decoded anew; a stand-in that the type refuses is exchanged for its next candidate. Faults come out in the
//! order of the fields. All this happens only when the first walk has failed.

use super::error::{Error, What};
use super::standin::Entry;
use super::{De, Notes, Walk, has_hole, standin};
use crate::plan::OriginInfo;
use crate::tree::{KeyPath, Merged, Slot};
use serde::de::DeserializeOwned;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What decoding gave.
pub(crate) struct Decoded<T> {
    /// The value: there only if nothing at all was wrong.
    pub(crate) value: Option<T>,
    pub(crate) faults: Vec<Found>,
    /// The paths of `Live` parts.
    pub(crate) lives: Vec<KeyPath>,
    /// Keys that no field took.
    pub(crate) unknown: Vec<KeyPath>,
    /// Places that no stand-in satisfied, and how many keys lie under each unchecked.
    pub(crate) unchecked: Vec<(KeyPath, usize)>,
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

/// The most faults in one report.
const FAULTS: usize = 64;
/// The most walks: a bound for types that refuse everything.
const WALKS: usize = 4_000;

pub(crate) fn decode<T: DeserializeOwned>(
    root: &Slot<'_>,
    strict: bool,
    origins: &Arc<[OriginInfo]>,
) -> Decoded<T> {
    let mut walk = Walk { strict, origins: origins.clone(), ..Walk::default() };
    if let Ok(value) = T::deserialize(De::root(root, &walk))
        && walk.used_standin.get() == 0
        && walk.notes.borrow().invalid.is_empty()
    {
        let notes = walk.notes.into_inner();
        return Decoded {
            value: Some(value),
            faults: Vec::new(),
            lives: notes.lives,
            unknown: notes.unknown,
            unchecked: Vec::new(),
        };
    }
    walk.thorough = true;
    let mut gather = Gather { root, walk, faults: Vec::new(), unchecked: Vec::new(), walks: 0 };
    gather.run::<T>();
    let notes = gather.walk.notes.into_inner();
    let mut faults = gather.faults;
    let invalid = notes.invalid.into_iter();
    faults.extend(invalid.map(|(path, reason)| Found::new(path, What::Invalid(reason))));
    faults.sort_by(|a, b| by_field(&notes.fields, &a.path, &b.path));
    Decoded { value: None, faults, lives: notes.lives, unknown: notes.unknown, unchecked: gather.unchecked }
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
    let value = S::deserialize(De::root(slot, &walk)).ok()?;
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
    fn new(path: KeyPath, what: What) -> Self {
        Self { path, what, other: None, any: false }
    }
}

struct Gather<'g> {
    root: &'g Slot<'g>,
    walk: Walk,
    faults: Vec<Found>,
    unchecked: Vec<(KeyPath, usize)>,
    walks: usize,
}

impl Gather<'_> {
    fn run<T: DeserializeOwned>(&mut self) {
        while self.walks < WALKS && self.faults.len() < FAULTS {
            let Err(e) = self.once::<T>() else { return };
            let (path, what) = e.into_parts();
            if !self.settle::<T>(path.clone(), what) {
                self.unchecked.push((path.clone(), self.root.at(&path).map_or(0, leaves)));
                return;
            }
        }
    }

    fn once<T: DeserializeOwned>(&mut self) -> Result<(), Error> {
        self.walks += 1;
        self.walk.used_standin.set(0);
        self.walk.notes.replace(Notes::default());
        T::deserialize(De::root(self.root, &self.walk)).map(drop)
    }

    /// Makes the next walk get past this error. `false`: there is no way past it.
    fn settle<T: DeserializeOwned>(&mut self, path: KeyPath, what: What) -> bool {
        if let What::Missing(name) = what {
            self.walk.missing.insert(path.clone(), name);
        }
        if let What::Duplicate(field) = what {
            return self.two_spellings::<T>(&path, field);
        }
        if let Some(zone) = self.zone(&path) {
            return self.next_candidate(&zone, &path);
        }
        if matches!(what, What::UnknownField(_)) {
            self.faults.push(Found::new(path.clone(), what));
            self.walk.overlay.insert(path, Entry::Dropped);
            return true;
        }
        if let (What::Missing(_), Some(parent)) = (&what, path.parent()) {
            // the fault is the secret's that could not be had, and is told there
            let quiet = self.short_of_secret(parent);
            if !quiet {
                self.faults.push(Found::new(path.clone(), what));
            }
            self.walk.overlay.insert(path, Entry::StandIn(0));
            return true;
        }
        if let Some(done) = self.blame::<T>(&path, &what) {
            return done;
        }
        let unsure = self.below(&path).next().is_some();
        if !unsure {
            let any = self.walk.notes.borrow().any.contains(&path);
            self.faults.push(Found { any, ..Found::new(path.clone(), what) });
        }
        self.replace(path);
        true
    }

    /// Whether a table, or one around it, is short of something that could not be had.
    fn short_of_secret(&self, table: KeyPath) -> bool {
        let mut at = Some(table);
        while let Some(here) = at {
            if self.root.at(&here).is_some_and(has_hole) {
                return true;
            }
            at = here.parent();
        }
        false
    }

    fn below<'s>(&'s self, path: &'s KeyPath) -> impl Iterator<Item = &'s KeyPath> + 's {
        let from = self.walk.overlay.range(path.clone()..);
        from.map(|(key, _)| key).take_while(move |key| key.starts_with(path)).filter(move |key| *key != path)
    }

    /// Puts a stand-in for everything at and below a path.
    fn replace(&mut self, path: KeyPath) {
        let below: Vec<KeyPath> = self.below(&path).cloned().collect();
        for key in below {
            self.walk.overlay.remove(&key);
        }
        self.walk.overlay.insert(path, Entry::StandIn(0));
    }

    /// The stand-in or hole that a path lies in.
    fn zone(&self, path: &KeyPath) -> Option<KeyPath> {
        let mut at = Some(path.clone());
        while let Some(here) = at {
            let overlaid =
                matches!(self.walk.overlay.get(&here), Some(Entry::StandIn(_) | Entry::Refused(_)));
            let hole = self.root.at(&here).is_some_and(|slot| matches!(slot.node, Merged::Hole));
            if overlaid || hole {
                return Some(here);
            }
            at = here.parent();
        }
        None
    }

    fn next_candidate(&mut self, zone: &KeyPath, path: &KeyPath) -> bool {
        let asked = self.walk.notes.borrow().asked.get(path).copied();
        let refused = matches!(self.walk.overlay.get(zone), Some(Entry::Refused(_)));
        let now = match self.walk.overlay.get(path) {
            Some(Entry::StandIn(n) | Entry::Refused(n)) => Some(*n),
            _ => None,
        };
        let inherited = match self.walk.overlay.get(zone) {
            Some(Entry::StandIn(n) | Entry::Refused(n)) => *n,
            _ => 0,
        };
        match (asked, now) {
            _ if refused => false,
            // a key of a flattened struct, not offered so far
            (None, None) => {
                self.walk.overlay.insert(path.clone(), Entry::StandIn(0));
                true
            }
            (Some(count), now) if now.unwrap_or(inherited) + 1 < count => {
                let next = now.unwrap_or(inherited) + 1;
                let below: Vec<KeyPath> = self.below(path).cloned().collect();
                for key in below {
                    if let Some(Entry::StandIn(n)) = self.walk.overlay.get_mut(&key) {
                        *n = next;
                    }
                }
                self.walk.overlay.insert(path.clone(), Entry::StandIn(next));
                true
            }
            _ => {
                self.walk.overlay.insert(zone.clone(), Entry::Refused(0));
                true
            }
        }
    }

    /// Two keys of one table are spellings of one field: names both, and goes on without the second.
    fn two_spellings<T: DeserializeOwned>(&mut self, table: &KeyPath, field: &'static str) -> bool {
        let Some(second) = self.walk.notes.borrow().last_key.clone() else { return false };
        if second.parent().as_ref() != Some(table) {
            return false;
        }
        if self.zone(table).is_none() {
            let first = self.first_spelling::<T>(table, field, &second);
            let fault = Found { other: first, ..Found::new(second.clone(), What::Duplicate(field)) };
            self.faults.push(fault);
        }
        self.walk.overlay.insert(second, Entry::Dropped).is_none_or(|old| old != Entry::Dropped)
    }

    /// The other spelling: the field's own name where that key is there, else the key without which the
    /// second is accepted.
    fn first_spelling<T: DeserializeOwned>(
        &mut self,
        table: &KeyPath,
        field: &str,
        second: &KeyPath,
    ) -> Option<KeyPath> {
        let Merged::Table(keys, _) = &self.root.at(table)?.node else { return None };
        let own = table.child(field);
        if keys.contains_key(field) && own != *second {
            return Some(own);
        }
        let others: Vec<KeyPath> =
            keys.keys().map(|key| table.child(key)).filter(|key| key != second).collect();
        others.into_iter().find(|key| {
            let before = self.walk.overlay.insert(key.clone(), Entry::Dropped);
            let still = matches!(self.once::<T>().map_err(Error::into_parts),
                Err((path, What::Duplicate(name))) if path == *table && name == field);
            match before {
                Some(entry) => self.walk.overlay.insert(key.clone(), entry),
                None => self.walk.overlay.remove(key),
            };
            !still
        })
    }

    /// Inside `flatten` and `untagged` an error has only the table's path. Finds the key by trying: the one
    /// with a stand-in for which the error goes away. `None`: not such an error.
    fn blame<T: DeserializeOwned>(&mut self, path: &KeyPath, what: &What) -> Option<bool> {
        let Merged::Table(keys, _) = &self.root.at(path)?.node else { return None };
        let suspects: Vec<KeyPath> = {
            let notes = self.walk.notes.borrow();
            let keys = keys.keys().map(|key| path.child(key));
            let added = self.below(path).filter(|key| key.len() == path.len() + 1).cloned();
            keys.chain(added).filter(|key| notes.any.contains(key)).collect()
        };
        for key in suspects {
            let before = self.walk.overlay.get(&key).copied();
            if matches!(before, Some(Entry::Dropped | Entry::Refused(_))) {
                continue;
            }
            for candidate in 0..standin::ANY {
                if before == Some(Entry::StandIn(candidate)) || self.walks >= WALKS {
                    continue;
                }
                self.walk.overlay.insert(key.clone(), Entry::StandIn(candidate));
                let still = match self.once::<T>().map_err(Error::into_parts) {
                    Err((at, same)) => at == *path && same == *what,
                    Ok(()) => false,
                };
                if !still {
                    if before.is_none() {
                        self.faults.push(Found { any: true, ..Found::new(key, what.clone()) });
                    }
                    return Some(true);
                }
            }
            match before {
                Some(entry) => self.walk.overlay.insert(key, entry),
                None => self.walk.overlay.remove(&key),
            };
        }
        None
    }
}

/// Lets a walk from nothing but stand-ins come to its end, for the schema.
pub(super) fn settle(walk: &mut Walk, once: impl Fn(&Walk) -> Result<(), Error>) {
    static NOTHING: Slot<'static> = Slot {
        node: Merged::Hole,
        origin: crate::tree::Origin { layer: crate::tree::OriginId(0), secret: None },
        beaten: Vec::new(),
    };
    let mut gather = Gather {
        root: &NOTHING,
        walk: std::mem::take(walk),
        faults: Vec::new(),
        unchecked: Vec::new(),
        walks: 0,
    };
    gather.walk.overlay.insert(KeyPath::root(), Entry::StandIn(0));
    while gather.walks < WALKS {
        gather.walks += 1;
        gather.walk.used_standin.set(0);
        gather.walk.notes.replace(Notes::default());
        let Err(e) = once(&gather.walk) else { break };
        let (path, what) = e.into_parts();
        if let What::Missing(name) = what {
            gather.walk.missing.insert(path.clone(), name);
        }
        let past = match what {
            What::Duplicate(_) => {
                let key = gather.walk.notes.borrow().last_key.clone();
                key.is_some_and(|key| gather.walk.overlay.insert(key, Entry::Dropped).is_none())
            }
            _ => gather.next_candidate(&KeyPath::root(), &path),
        };
        if !past {
            break;
        }
    }
    *walk = gather.walk;
}

fn leaves(slot: &Slot<'_>) -> usize {
    match &slot.node {
        Merged::Table(table, _) => table.values().map(leaves).sum(),
        Merged::List(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}
