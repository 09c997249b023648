//! Whose fault it is, where serde's error does not say.
//!
//! `flatten`, `untagged` and tagged enums read a table into a buffer of serde's own, and decode from there: an error
//! out of it has the path of the table and no more. Most of them still have the address of the text that they are
//! about, which lies in our tree or in our stand-ins. The rest is found by trying: the key with whose stand-in the
//! error goes away.

use super::error::{Culprit, Parts, What};
use super::gather::{Found, Gather, WALKS};
use super::standin::{ANY, Entry, StandIn};
use crate::tree::{KeyPath, LeafText, Merged, Number, Plain, Slot};
use secretfig_source::Exposed;
use serde::de::DeserializeOwned;

impl Gather<'_> {
    /// The place an error is about.
    pub(super) fn place_of(&self, parts: &Parts) -> KeyPath {
        let own = || parts.path.clone();
        // said after the key was read: by a visitor that is written by hand
        if let (What::UnknownField(_), Some(key)) = (&parts.what, &self.walk.notes.borrow().last_key)
            && key.parent().as_ref() == Some(&parts.path)
        {
            return key.clone();
        }
        let Some(culprit) = parts.culprit.filter(|_| !matches!(parts.what, What::Missing(_))) else {
            return own();
        };
        if let Culprit::Text(address) = culprit
            && let Some(copy) = self.walk.copies.at(address)
        {
            let notes = self.walk.notes.borrow();
            return notes
                .handed
                .get(copy)
                .filter(|at| at.starts_with(&parts.path))
                .cloned()
                .unwrap_or_else(own);
        }
        let Some(slot) = self.root.at(&parts.path) else { return own() };
        let notes = self.walk.notes.borrow();
        let mut found = Vec::new();
        each_leaf(slot, &parts.path, &mut |path, leaf| {
            if fits(leaf, culprit) && notes.any.contains(path) && self.zone(path).is_none() {
                found.push(path.clone());
            }
        });
        if found.len() == 1 { found.swap_remove(0) } else { own() }
    }

    /// Whether serde reads this table into a buffer: as anything, or as a map where the type is a struct.
    pub(super) fn is_buffered(&self, path: &KeyPath) -> bool {
        let notes = self.walk.notes.borrow();
        notes.any.contains(path)
            || !notes.fields.contains_key(path)
                && notes.any.iter().any(|any| any.parent().as_ref() == Some(path))
    }

    /// Finds by trying which key of a buffered table is refused, and puts a stand-in there. `false`: none, or not
    /// such a table.
    pub(super) fn blame<T: DeserializeOwned>(&mut self, table: &KeyPath, what: &What) -> bool {
        if matches!(what, What::Missing(_) | What::Duplicate(_) | What::UnknownField(_))
            || !self.is_buffered(table)
        {
            return false;
        }
        let suspects: Vec<KeyPath> = {
            let notes = self.walk.notes.borrow();
            let under = notes.any.iter().filter(|any| any.starts_with(table) && *any != table);
            under
                .filter(|any| !notes.any.iter().any(|other| other != *any && other.starts_with(any)))
                .cloned()
                .collect()
        };
        for key in suspects {
            let before = self.walk.overlay.get(&key).copied();
            if matches!(before, Some(Entry::Dropped | Entry::Refused(_))) {
                continue;
            }
            let zone = self.zone(&key);
            for candidate in 0..ANY {
                if self.walks >= WALKS {
                    break;
                }
                self.walk.overlay.insert(key.clone(), Entry::StandIn(StandIn::number(candidate)));
                let gone = match self.once::<T>() {
                    Ok(()) => true,
                    Err(parts) => {
                        (parts.path != *table || parts.what != *what) && self.place_of(&parts) != key
                    }
                };
                if gone {
                    if zone.is_none() {
                        self.found(&key, what.clone(), false);
                    }
                    return true;
                }
            }
            self.put_back(&key, before);
        }
        false
    }

    /// Two keys of one table are spellings of one field: names both, and goes on without the second.
    pub(super) fn two_spellings<T: DeserializeOwned>(
        &mut self,
        table: &KeyPath,
        field: &'static str,
    ) -> bool {
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
            let still = matches!(self.once::<T>(),
                Err(Parts { path, what: What::Duplicate(name), .. }) if path == *table && name == field);
            self.put_back(key, before);
            !still
        })
    }

    /// A key that is missing still, although it was put into the table of the error: it belongs into a table under
    /// that, out of the same buffer. `false`: it does not.
    pub(super) fn lies_deeper<T: DeserializeOwned>(&mut self, missing: &KeyPath, name: &'static str) -> bool {
        let Some(table) = missing.parent() else { return false };
        let mut deeper = Vec::new();
        if let Some(slot) = self.root.at(&table) {
            each_table(slot, &table, &mut |path| {
                if *path != table && self.walk.notes.borrow().any.contains(path) {
                    deeper.push(path.child(name));
                }
            });
        }
        for key in deeper.into_iter().filter(|key| self.root.at(key).is_none()) {
            self.walk.missing.insert(key.clone(), name);
            let before = self.walk.overlay.insert(key.clone(), Entry::StandIn(StandIn::default()));
            let still = matches!(self.once::<T>(), Err(parts) if parts.path == *missing && parts.what == What::Missing(name));
            if !still {
                self.walk.overlay.remove(missing);
                if let Some(fault) = self.faults.iter_mut().rev().find(|fault| fault.path == *missing) {
                    fault.path = key;
                }
                return true;
            }
            self.put_back(&key, before);
        }
        false
    }
}

fn each_leaf(slot: &Slot<'_>, path: &KeyPath, run: &mut dyn FnMut(&KeyPath, &Slot<'_>)) {
    match &slot.node {
        Merged::Table(table, _) => {
            table.iter().for_each(|(key, slot)| each_leaf(slot, &path.child(key), run));
            run(path, slot);
        }
        Merged::List(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(n, slot)| each_leaf(slot, &path.child(&n.to_string()), run));
            run(path, slot);
        }
        _ => run(path, slot),
    }
}

fn each_table(slot: &Slot<'_>, path: &KeyPath, run: &mut dyn FnMut(&KeyPath)) {
    each_leaf(slot, path, &mut |path, slot| {
        if matches!(slot.node, Merged::Table(..)) {
            run(path);
        }
    });
}

/// Whether this is the input that serde complained about.
fn fits(slot: &Slot<'_>, culprit: Culprit) -> bool {
    let number = |n: &Number| match (n, culprit) {
        (Number::Unsigned(n), Culprit::Unsigned(other)) => *n == u128::from(other),
        (Number::Signed(n), Culprit::Signed(other)) => *n == i128::from(other),
        (Number::Float(n), Culprit::Float(other)) => *n == other,
        _ => false,
    };
    let address = |bytes: &[u8]| culprit == Culprit::Text(bytes.as_ptr().addr());
    match (&slot.node, slot.node.leaf_text()) {
        (Merged::Null, _) => culprit == Culprit::Null,
        (Merged::Plain(Plain::Bool(yes)), _) => culprit == Culprit::Bool(*yes),
        (Merged::Plain(Plain::Number(n) | Plain::Guessed(n)), _) => number(n),
        (Merged::List(_), _) => culprit == Culprit::List,
        (Merged::Table(..), _) => culprit == Culprit::Table,
        (Merged::Plain(Plain::Loose(text)), _) => {
            address(text.as_bytes())
                || match culprit {
                    Culprit::Bool(other) => text.parse() == Ok(other),
                    Culprit::Unsigned(other) => text.parse() == Ok(other),
                    Culprit::Signed(other) => text.parse() == Ok(other),
                    Culprit::Float(other) => text.parse() == Ok(other),
                    _ => false,
                }
        }
        (_, Some(LeafText::Parsed(text) | LeafText::Strict(text))) => address(text.as_bytes()),
        (Merged::Sealed(sealed), None) => match sealed.expose_secret() {
            Exposed::Bytes(bytes) => address(bytes),
            _ => false,
        },
        _ => false,
    }
}
