//! What our own newtypes get: `Live` its path, a checked model an ear for what it finds wrong.

use super::error::Error;
use super::{De, Path, Walk};
use crate::tree::KeyPath;
use serde::de::{self, DeserializeSeed, IntoDeserializer, SeqAccess, Visitor};

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
    walk: &'de Walk,
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
