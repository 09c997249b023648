//! Tables, lists and enums: they hand out the places below, and put the path on every error.

use super::error::{Error, What};
use super::standin::{Entry, StandIn};
use super::{At, De, Walk};
use crate::tree::{self, KeyPath, Keys, Slot};
use serde::de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use std::collections::VecDeque;

/// The path of the place being decoded: a list on the stack, made into a [`KeyPath`] only for errors and notes.
#[derive(Clone, Copy)]
pub(crate) struct Path<'p> {
    up: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    pub(super) const ROOT: Path<'static> = Path { up: None, step: Step::Root };

    pub(super) fn key(&'p self, key: &'p str) -> Self {
        Self { up: Some(self), step: Step::Key(key) }
    }

    pub(super) fn index(&'p self, index: usize) -> Self {
        Self { up: Some(self), step: Step::Index(index) }
    }

    pub(super) fn depth(&self) -> usize {
        self.up.map_or(0, |up| up.depth() + 1)
    }

    pub(super) fn to_key_path(self) -> KeyPath {
        let mut keys = Vec::new();
        let mut at = Some(&self);
        while let Some(path) = at {
            match path.step {
                Step::Root => {}
                Step::Key(key) => keys.push(Box::from(key)),
                Step::Index(index) => keys.push(index.to_string().into_boxed_str()),
            }
            at = path.up;
        }
        keys.reverse();
        KeyPath::of(keys)
    }
}

/// The entries of a table, with the overlay over them.
pub(super) struct Entries<'de, 'w> {
    inner: Inner<'de>,
    now: Option<(&'de str, At<'de>)>,
    walk: &'de Walk,
    path: Path<'w>,
}

enum Inner<'de> {
    /// No overlay: straight from the tree.
    Table(tree::Entries<'de, 'de>),
    /// A made-up order.
    Queue(VecDeque<(&'de str, At<'de>)>),
}

impl<'de, 'w> Entries<'de, 'w> {
    pub(super) fn none(walk: &'de Walk, path: Path<'w>) -> Self {
        Self::standins(&[], StandIn::default(), walk, path)
    }

    pub(super) fn of(table: &'de Keys<'de>, walk: &'de Walk, path: Path<'w>) -> Self {
        if walk.overlay.is_empty() {
            return Self { inner: Inner::Table(table.iter()), now: None, walk, path };
        }
        let places: Vec<_> = table.iter().map(|(key, slot)| (*key, At::Slot(slot))).collect();
        Self::overlaid(&places, walk, path)
    }

    pub(super) fn standins(
        fields: &[&'static str],
        standin: StandIn,
        walk: &'de Walk,
        path: Path<'w>,
    ) -> Self {
        let places: Vec<_> = fields.iter().map(|field| (*field, At::StandIn(standin))).collect();
        Self::overlaid(&places, walk, path)
    }

    /// Takes out dropped keys, adds keys that only the overlay has, and puts refused ones last.
    fn overlaid(places: &[(&'de str, At<'de>)], walk: &'de Walk, path: Path<'w>) -> Self {
        let here = path.to_key_path();
        let (mut refused, mut added) = (Vec::new(), Vec::new());
        let under = walk.overlay.range(here.clone()..).take_while(|(key, _)| key.starts_with(&here));
        for (key, entry) in under {
            let Some(child) = key.iter().nth(here.len()) else { continue };
            if matches!(entry, Entry::Refused(_)) {
                refused.push(child);
            }
            if key.len() == here.len() + 1 && *entry != Entry::Dropped {
                added.push((child, key));
            }
        }
        let (mut first, mut last) = (VecDeque::new(), Vec::new());
        let mut put = |key: &'de str, at| match refused.contains(&key) {
            true => last.push((key, at)),
            false => first.push_back((key, at)),
        };
        for (key, at) in places {
            match walk.overlay.get(&here.child(key)) {
                Some(Entry::StandIn(standin) | Entry::Refused(standin)) => put(key, At::StandIn(*standin)),
                Some(Entry::Dropped) => {}
                None => put(key, *at),
            }
        }
        for (child, key) in added {
            // a key that only the overlay has was asked for by the type, which spelt its name
            if let Some(name) = walk.missing.get(key)
                && !places.iter().any(|(known, _)| *known == child)
                && let Some(standin) = walk.overlay.get(key).and_then(|entry| entry.standin())
            {
                put(name, At::StandIn(standin));
            }
        }
        first.extend(last);
        Self { inner: Inner::Queue(first), now: None, walk, path }
    }
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let next = match &mut self.inner {
            Inner::Table(table) => table.next().map(|(key, slot)| (*key, At::Slot(slot))),
            Inner::Queue(queue) => queue.pop_front(),
        };
        let Some((key, at)) = next else { return Ok(None) };
        self.now = Some((key, at));
        let path = self.path.key(key);
        if self.walk.thorough {
            self.walk.notes.borrow_mut().last_key = Some(path.to_key_path());
        }
        super::target::key(key, seed).map(Some).map_err(|e: Error| e.at(|| path.to_key_path()))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        // INVARIANT: serde asks for a value only after its key.
        let Some((key, at)) = self.now.take() else { return Err(Error::new(What::Refused)) };
        let path = self.path.key(key);
        let de = De { at, walk: self.walk, path };
        seed.deserialize(de).map_err(|e: Error| e.at(|| path.to_key_path()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(match &self.inner {
            Inner::Table(table) => table.len(),
            Inner::Queue(queue) => queue.len(),
        })
    }
}

/// The elements of a list.
pub(super) struct Elements<'de, 'w> {
    items: Items<'de>,
    next: usize,
    walk: &'de Walk,
    path: Path<'w>,
}

enum Items<'de> {
    Real(&'de [Slot<'de>]),
    StandIns(usize, StandIn),
}

impl<'de, 'w> Elements<'de, 'w> {
    pub(super) fn of(items: &'de [Slot<'de>], walk: &'de Walk, path: Path<'w>) -> Self {
        Self { items: Items::Real(items), next: 0, walk, path }
    }

    pub(super) fn standins(count: usize, standin: StandIn, walk: &'de Walk, path: Path<'w>) -> Self {
        Self { items: Items::StandIns(count, standin), next: 0, walk, path }
    }
}

impl<'de> SeqAccess<'de> for Elements<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let index = self.next;
        let mut at = match self.items {
            Items::Real(items) => match items.get(index) {
                Some(slot) => At::Slot(slot),
                None => return Ok(None),
            },
            Items::StandIns(count, _) if index >= count => return Ok(None),
            Items::StandIns(_, standin) => At::StandIn(standin),
        };
        self.next += 1;
        let path = self.path.index(index);
        if let Some(standin) = self.walk.entry(&path).and_then(Entry::standin) {
            at = At::StandIn(standin);
        }
        let de = De { at, walk: self.walk, path };
        seed.deserialize(de).map(Some).map_err(|e: Error| e.at(|| path.to_key_path()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(match self.items {
            Items::Real(items) => items.len() - self.next,
            Items::StandIns(count, _) => count - self.next,
        })
    }
}

/// One variant of an enum, with or without content.
pub(super) struct Variant<'de, 'w> {
    name: &'de str,
    content: At<'de>,
    walk: &'de Walk,
    path: Path<'w>,
}

impl<'de, 'w> Variant<'de, 'w> {
    pub(super) fn of(name: &'de str, content: &'de Slot<'de>, walk: &'de Walk, path: Path<'w>) -> Self {
        Self { name, content: At::Slot(content), walk, path }
    }

    pub(super) fn standin(name: &'static str, standin: StandIn, walk: &'de Walk, path: Path<'w>) -> Self {
        Self { name, content: At::StandIn(standin), walk, path }
    }

    /// Runs on the content, whose path ends in the variant's name.
    fn content<T>(self, run: impl FnOnce(De<'de, '_>) -> Result<T, Error>) -> Result<T, Error> {
        let path = self.path.key(self.name);
        run(De { at: self.content, walk: self.walk, path }).map_err(|e| e.at(|| path.to_key_path()))
    }
}

impl<'de> EnumAccess<'de> for Variant<'de, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        Ok((super::target::key(self.name, seed)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.content(|de| serde::Deserialize::deserialize(de))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.content(|de| seed.deserialize(de))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.content(|de| de::Deserializer::deserialize_tuple(de, len, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.content(|de| de::Deserializer::deserialize_struct(de, "", fields, visitor))
    }
}
