//! What stands where a value is missing or was refused, so that decoding reaches the rest.
//!
//! Only the rest's faults are wanted: a value made with a stand-in in it is dropped, never published.

use crate::tree::KeyPath;
use std::collections::BTreeMap;

/// An entry of the overlay over the merged tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A stand-in, and the number of its candidate.
    StandIn(usize),
    /// As `StandIn`, but no candidate satisfied the type: offered after all other keys of its table.
    Refused(usize),
    /// The key is not offered at all.
    Dropped,
}

/// A stand-in: under a table, its number is where the fields begin to count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StandIn {
    pub(crate) number: usize,
}

impl StandIn {
    /// The number of the candidate at that path: its own, else the one it inherits.
    pub(super) fn at(self, overlay: &BTreeMap<KeyPath, Entry>, path: impl FnOnce() -> KeyPath) -> usize {
        if overlay.is_empty() {
            return self.number;
        }
        match overlay.get(&path()) {
            Some(Entry::StandIn(n) | Entry::Refused(n)) => *n,
            _ => self.number,
        }
    }
}

/// Numbers: zero, and one for `NonZero`.
pub(super) const NUMBERS: [u8; 2] = [0, 1];

/// Texts, for what parses itself from text.
pub(super) const TEXTS: [&str; 11] = [
    "",
    "0",
    "1",
    "1s",
    "http://localhost/",
    "127.0.0.1",
    "127.0.0.1:1",
    "00000000-0000-0000-0000-000000000000",
    "2000-01-01T00:00:00Z",
    "a",
    "true",
];

/// Lists: empty, and of one element for types that want some.
pub(super) const LENGTHS: usize = 2;

/// What `deserialize_any` is offered: every text, then the other shapes.
pub(super) const ANY: usize = TEXTS.len() + 5;

pub(super) enum Any {
    Text(&'static str),
    Number(u64),
    Bool,
    Table,
    List,
    Null,
}

pub(super) fn any(candidate: usize) -> Any {
    match candidate.checked_sub(TEXTS.len()) {
        None => Any::Text(TEXTS[candidate]),
        Some(0) => Any::Number(1),
        Some(1) => Any::Bool,
        Some(2) => Any::Table,
        Some(3) => Any::List,
        Some(_) => Any::Null,
    }
}
