//! What stands where a value is missing or was refused, so that decoding reaches the rest.
//!
//! Only the rest's faults are wanted: a value made with a stand-in in it is dropped, never published.

use crate::tree::KeyPath;
use std::collections::BTreeMap;

/// An entry of the overlay over the merged tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    StandIn(StandIn),
    /// As `StandIn`, but no candidate satisfied the type: offered after all other keys of its table.
    Refused(StandIn),
    /// The key is not offered at all.
    Dropped,
}

impl Entry {
    pub(super) fn standin(self) -> Option<StandIn> {
        match self {
            Entry::StandIn(standin) | Entry::Refused(standin) => Some(standin),
            Entry::Dropped => None,
        }
    }
}

/// Which stand-in: the number of a candidate, from which the fields of a table begin to count too, or the name of
/// an enum's variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StandIn {
    pub(super) number: usize,
    pub(super) name: Option<&'static str>,
}

impl StandIn {
    pub(super) fn number(number: usize) -> Self {
        Self { number, name: None }
    }

    pub(super) fn named(name: &'static str) -> Self {
        Self { number: 0, name: Some(name) }
    }

    /// The stand-in at that path: its own, else the number it inherits.
    pub(super) fn at(self, overlay: &BTreeMap<KeyPath, Entry>, path: &KeyPath) -> Self {
        overlay.get(path).and_then(|entry| entry.standin()).unwrap_or(Self { name: None, ..self })
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
    Text,
    Number(u64),
    Bool,
    Table,
    List,
    Null,
}

pub(super) fn any(candidate: usize) -> Any {
    match candidate.checked_sub(TEXTS.len()) {
        None => Any::Text,
        Some(0) => Any::Number(1),
        Some(1) => Any::Bool,
        Some(2) => Any::Table,
        Some(3) => Any::List,
        Some(_) => Any::Null,
    }
}

/// The texts many times over: each stand-in of a walk is given its own copy, so that the address in serde's
/// complaint tells which of them it is about, also from out of the buffers behind `flatten` and tagged enums.
#[derive(Default)]
pub(crate) struct Copies(Box<str>);

/// How many; beyond that, stand-ins cannot be told apart, and the table around them is to blame.
const COPIES: usize = 256;

impl Copies {
    pub(super) fn new() -> Self {
        // a byte between two texts, so that the empty one has an address of its own
        let all: String = TEXTS.iter().flat_map(|text| [text, "\n"]).collect();
        Self(all.repeat(COPIES).into_boxed_str())
    }

    pub(super) fn text(&self, copy: usize, candidate: usize) -> &str {
        let stride = self.0.len() / COPIES;
        let before: usize = TEXTS.iter().take(candidate).map(|text| text.len() + 1).sum();
        let (start, length) = (copy * stride + before, TEXTS.get(candidate).map_or(0, |text| text.len()));
        self.0.get(start..start + length).unwrap_or_else(|| TEXTS.get(candidate).copied().unwrap_or_default())
    }

    /// Which copy lies at that address.
    pub(super) fn at(&self, address: usize) -> Option<usize> {
        let offset = address.checked_sub(self.0.as_ptr().addr())?;
        (offset < self.0.len()).then(|| offset / (self.0.len() / COPIES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_copy_is_known_by_its_address() {
        let copies = Copies::new();
        for copy in [0, 1, COPIES - 1] {
            for (n, text) in TEXTS.iter().enumerate() {
                let own = copies.text(copy, n);
                assert_eq!((own, copies.at(own.as_ptr().addr())), (*text, Some(copy)));
            }
        }
        assert_eq!(copies.text(COPIES, 1), "0");
        assert_eq!((copies.at(TEXTS[1].as_ptr().addr()), Copies::default().text(0, 1)), (None, "0"));
    }
}
