//! Tables, lists and enums: they hand out the places below, and put the path on every error.

use super::error::{Error, What};
use super::standin::{Entry, StandIn};
use super::text::Piece;
use super::{At, De, Walk};
use crate::tree::{Hole, KeyPath, Slot};
use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use std::collections::{BTreeMap, VecDeque};

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

    fn key(&'p self, key: &'p str) -> Self {
        Self { up: Some(self), step: Step::Key(key) }
    }

    fn index(&'p self, index: usize) -> Self {
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
    walk: &'w Walk,
    path: Path<'w>,
}

enum Inner<'de> {
    /// No overlay: straight from the tree.
    Table(std::collections::btree_map::Iter<'de, &'de str, Slot<'de>>),
    /// A made-up order.
    Queue(VecDeque<(&'de str, At<'de>)>),
}

impl<'de, 'w> Entries<'de, 'w> {
    pub(super) fn none(walk: &'w Walk, path: Path<'w>) -> Self {
        Self::standins(&[], StandIn::default(), walk, path)
    }

    pub(super) fn of(
        table: &'de BTreeMap<&'de str, Slot<'de>>,
        _: Hole,
        walk: &'w Walk,
        path: Path<'w>,
    ) -> Self {
        if walk.overlay.is_empty() {
            return Self { inner: Inner::Table(table.iter()), now: None, walk, path };
        }
        let places = table.iter().map(|(key, slot)| (*key, At::Slot(slot))).collect();
        Self::overlaid(places, StandIn::default(), walk, path)
    }

    pub(super) fn standins(
        fields: &[&'static str],
        standin: StandIn,
        walk: &'w Walk,
        path: Path<'w>,
    ) -> Self {
        let places = fields.iter().map(|field| (*field, At::StandIn(standin))).collect();
        Self::overlaid(places, standin, walk, path)
    }

    /// Takes out dropped keys, adds keys that only the overlay has, and puts refused ones last.
    fn overlaid(places: Vec<(&'de str, At<'de>)>, above: StandIn, walk: &'w Walk, path: Path<'w>) -> Self {
        let here = path.to_key_path();
        let below = |key: &KeyPath| key.starts_with(&here) && key.len() > here.len();
        let (mut first, mut last) = (VecDeque::new(), Vec::new());
        let mut refused: Vec<&str> = Vec::new();
        let mut extra = Vec::new();
        let overlay = walk.overlay.range(here.clone()..).take_while(|(key, _)| key.starts_with(&here));
        for (key, entry) in overlay.filter(|(key, _)| below(key)) {
            let Some(child) = key.iter().nth(here.len()) else { continue };
            if matches!(entry, Entry::Refused(_)) {
                refused.push(child);
            }
            if key.len() == here.len() + 1 && matches!(entry, Entry::StandIn(_) | Entry::Refused(_)) {
                extra.push(child);
            }
        }
        for (key, at) in places {
            let (at, keep) = match walk.overlay.get(&here.child(key)) {
                Some(Entry::StandIn(number) | Entry::Refused(number)) => {
                    (At::StandIn(StandIn { number: *number }), true)
                }
                Some(Entry::Dropped) => (at, false),
                None => (at, true),
            };
            if keep && refused.contains(&key) {
                last.push((key, at));
            } else if keep {
                first.push_back((key, at));
            }
        }
        let known: Vec<&str> = first.iter().chain(&last).map(|(key, _)| *key).collect();
        for key in extra.into_iter().filter(|key| !known.contains(key)) {
            // a key that only the overlay has was asked for by the type, so its name is one of the type's own
            if let Some(name) = static_name(walk, &here, key) {
                let number = match walk.overlay.get(&here.child(key)) {
                    Some(Entry::StandIn(n) | Entry::Refused(n)) => *n,
                    _ => above.number,
                };
                let place = (name, At::StandIn(StandIn { number }));
                if refused.contains(&key) { last.push(place) } else { first.push_back(place) }
            }
        }
        first.extend(last);
        Self { inner: Inner::Queue(first), now: None, walk, path }
    }
}

/// The `'static` spelling of a key that serde reported as missing.
fn static_name(walk: &Walk, table: &KeyPath, key: &str) -> Option<&'static str> {
    walk.missing.get(&table.child(key)).copied()
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
        super::key(key, seed).map(Some).map_err(|e: Error| e.at(|| path.to_key_path()))
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
    walk: &'w Walk,
    path: Path<'w>,
}

enum Items<'de> {
    Real(&'de [Slot<'de>]),
    StandIns(usize, StandIn),
}

impl<'de, 'w> Elements<'de, 'w> {
    pub(super) fn of(items: &'de [Slot<'de>], walk: &'w Walk, path: Path<'w>) -> Self {
        Self { items: Items::Real(items), next: 0, walk, path }
    }

    pub(super) fn standins(count: usize, standin: StandIn, walk: &'w Walk, path: Path<'w>) -> Self {
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
        if !self.walk.overlay.is_empty()
            && let Some(Entry::StandIn(number) | Entry::Refused(number)) =
                self.walk.overlay.get(&path.to_key_path())
        {
            at = At::StandIn(StandIn { number: *number });
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

/// The elements of a list that stands in environment text. Each is text again.
pub(super) struct Pieces<'de, 'w> {
    pieces: std::vec::IntoIter<Piece<'de>>,
    next: usize,
    path: Path<'w>,
}

impl<'de, 'w> Pieces<'de, 'w> {
    pub(super) fn new(pieces: Vec<Piece<'de>>, path: Path<'w>) -> Self {
        Self { pieces: pieces.into_iter(), next: 0, path }
    }
}

impl<'de> SeqAccess<'de> for Pieces<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(piece) = self.pieces.next() else { return Ok(None) };
        let path = self.path.index(self.next);
        self.next += 1;
        let text = piece.as_str();
        seed.deserialize(PieceDe(text))
            .map(Some)
            .map_err(|e: Error| e.screened(text).at(|| path.to_key_path()))
    }
}

/// One element of a list in text: parsed into what the target asks for.
pub(super) struct PieceDe<'t>(pub(super) &'t str);

impl<'de> IntoDeserializer<'de, Error> for PieceDe<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! piece_numbers {
    ($($deserialize:ident $visit:ident $type:ty,)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.trim().parse::<$type>() {
                Ok(number) => visitor.$visit(number),
                Err(_) => Err(de::Error::invalid_type(de::Unexpected::Other("text"), &visitor)),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for PieceDe<'_> {
    type Error = Error;

    piece_numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128, deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128, deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64,
        deserialize_bool visit_bool bool,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, v: V) -> Result<V::Value, Error> {
        v.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(self.0))
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// One variant of an enum, with or without content.
pub(super) struct Variant<'de, 'w> {
    name: &'de str,
    content: At<'de>,
    walk: &'w Walk,
    path: Path<'w>,
}

impl<'de, 'w> Variant<'de, 'w> {
    pub(super) fn of(name: &'de str, content: &'de Slot<'de>, walk: &'w Walk, path: Path<'w>) -> Self {
        Self { name, content: At::Slot(content), walk, path }
    }

    pub(super) fn standin(name: &'static str, standin: StandIn, walk: &'w Walk, path: Path<'w>) -> Self {
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
        Ok((super::key(self.name, seed)?, self))
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

/// What `Live<S>` gets: its path, then its value.
pub(super) struct LivePart<'de, 'w> {
    pub(super) path: Option<KeyPath>,
    pub(super) inner: Option<De<'de, 'w>>,
}

impl<'de> SeqAccess<'de> for LivePart<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if let Some(path) = self.path.take() {
            let text = if path.is_root() { String::new() } else { path.to_string() };
            return seed.deserialize(text.into_deserializer()).map(Some);
        }
        self.inner.take().map(|de| seed.deserialize(de)).transpose()
    }
}

/// What a checked model gets: its raw value; whether no stand-in lies in it; and then an ear for pairs of a
/// field's path and what is wrong with it, both `&'static`.
pub(super) struct CheckedPart<'de, 'w> {
    inner: Option<De<'de, 'w>>,
    before: usize,
    walk: &'w Walk,
    path: Path<'w>,
    asked: bool,
    field: Option<&'static str>,
}

impl<'de, 'w> CheckedPart<'de, 'w> {
    pub(super) fn new(inner: De<'de, 'w>) -> Self {
        let (walk, path) = (inner.walk, inner.path);
        Self { inner: Some(inner), before: walk.used_standin.get(), walk, path, asked: false, field: None }
    }
}

impl<'de> SeqAccess<'de> for CheckedPart<'de, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        if let Some(de) = self.inner.take() {
            return seed.deserialize(de).map(Some);
        }
        if !std::mem::replace(&mut self.asked, true) {
            let clean = self.walk.used_standin.get() == self.before;
            return seed.deserialize(clean.into_deserializer()).map(Some);
        }
        seed.deserialize(Ear(self)).map(Some)
    }
}

/// Hears one `&'static str`, as the name of a unit struct.
struct Ear<'a, 'de, 'w>(&'a mut CheckedPart<'de, 'w>);

impl<'de> de::Deserializer<'de> for Ear<'_, '_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        said: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0.field.take() {
            None => self.0.field = Some(said),
            Some(field) => {
                let here = self.0.path.to_key_path();
                let path = KeyPath::parse(field).iter().fold(here, |path, key| path.child(key));
                self.0.walk.notes.borrow_mut().invalid.push((path, said));
            }
        }
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
