//! Documents of many spellings: a table whose keys have several names, or one text.
//!
//! Written by hand where `derive` has `alias`, for three things that it cannot do: a fault is told at the key that
//! was really written; a name may say the unit of its value (`expiry_hours`); and no other deserializer's error
//! can quote a value, since every leaf is taken as it comes and judged here.

use crate::assemble::Invalid;
use crate::checked::Check;
use crate::decode::TEXT_OR_TABLE;
use crate::models::leaf::{Scalar, Value};
use serde::de::{
    self, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Unexpected, Visitor,
};
use std::fmt;
use std::marker::PhantomData;

/// The fields of a model, each with all its names, and where its value goes.
pub(super) trait Spelled: Copy + PartialEq {
    type Draft;
    const NAMES: &'static [&'static str];
    /// The field of that key, and the key.
    fn of(key: &str) -> Option<(Self, &'static str)>;
    /// The field's own name.
    fn name(self) -> &'static str;
    /// Reads the value of this field into the draft.
    fn take<'de, A: MapAccess<'de>>(
        self,
        draft: &mut Self::Draft,
        value: Value<'_, A>,
    ) -> Result<(), A::Error>;
}

/// One line per field: its names, the place in the draft, and how its value is read
/// (`required`, `optional`, or `in_unit` where the key says the unit).
macro_rules! spelled {
    ($(#[$meta:meta])* enum $Field:ident of $Draft:ident {
        $($Variant:ident: $name:literal $(| $alias:literal)* => $($place:ident).+ = $read:ident($kind:expr),)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq)]
        pub(super) enum $Field { $($Variant),+ }

        impl $crate::models::spelling::Spelled for $Field {
            type Draft = $Draft;
            const NAMES: &'static [&'static str] = &[$($name, $($alias,)*)+];
            fn of(key: &str) -> Option<(Self, &'static str)> {
                Some(match key {
                    $($name => (Self::$Variant, $name), $($alias => (Self::$Variant, $alias),)*)+
                    _ => return None,
                })
            }
            fn name(self) -> &'static str {
                match self { $(Self::$Variant => $name),+ }
            }
            fn take<'de, A: serde::de::MapAccess<'de>>(
                self,
                draft: &mut $Draft,
                value: $crate::models::leaf::Value<'_, A>,
            ) -> Result<(), A::Error> {
                match self { $(Self::$Variant => draft.$($place).+ = value.$read($kind)?),+ }
                Ok(())
            }
        }

        #[cfg(test)]
        mod spellings {
            use $crate::models::spelling::Spelled;

            #[test]
            fn every_spelling_is_documented() {
                let documented = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/models/mod.rs"));
                for name in super::$Field::NAMES {
                    assert!(documented.contains(&format!("`{name}`")), "{name}");
                }
            }
        }
    };
}
pub(super) use spelled;

/// The `Deserialize` of a model, by its draft.
macro_rules! read_by {
    ($Model:ident, $Draft:ident) => {
        impl<'de> serde::de::Deserialize<'de> for $Model {
            fn deserialize<D: serde::de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use $crate::{checked::deserialize, models::spelling::Made};
                deserialize::<_, Made<$Draft>>(deserializer).map(|made| made.model)
            }
        }
    };
}
pub(super) use read_by;

/// A model on its way.
pub(super) trait Draft: Default {
    type Field: Spelled<Draft = Self>;
    type Model;
    const NAME: &'static str;
    const EXPECTED: &'static str;
    /// Takes the whole document.
    fn whole(&mut self, document: Scalar<'_>);
    /// The first field that is not there and must be.
    fn missing(&self) -> Option<Self::Field>;
    /// The model, and what is wrong with it: with a fault, the model is never used.
    fn make(self, keys: &Keys<Self::Field>) -> (Self::Model, Vec<Invalid>);
}

/// A model with its faults: what a model's `Deserialize` asks [`crate::checked`] for.
pub(super) struct Made<D: Draft> {
    pub(super) model: D::Model,
    faults: Vec<Invalid>,
}

impl<D: Draft> Check for Made<D> {
    fn check(&self) -> Vec<Invalid> {
        self.faults.clone()
    }
}

impl<D: Draft> Made<D> {
    pub(super) fn of(draft: D, keys: &Keys<D::Field>) -> Self {
        let (model, faults) = draft.make(keys);
        Self { model, faults }
    }

    pub(super) fn checked(self) -> Result<D::Model, Invalid> {
        self.faults.first().map_or(Ok(self.model), |fault| Err(*fault))
    }
}

impl<'de, D: Draft> de::Deserialize<'de> for Made<D> {
    fn deserialize<R: Deserializer<'de>>(deserializer: R) -> Result<Self, R::Error> {
        deserializer
            .deserialize_newtype_struct(TEXT_OR_TABLE, Document::<D> { own: None, draft: PhantomData })
    }
}

/// The keys that were there, each as it was written.
pub(super) struct Keys<F>(Vec<(F, &'static str)>);

impl<F: Spelled> Keys<F> {
    /// The path of a field for a fault: its key as written, else its own name. The whole, where it is one text.
    pub(super) fn path(&self, field: F) -> &'static str {
        let written = self.0.iter().find(|(of, _)| *of == field).map(|(_, key)| *key);
        written.unwrap_or(if self.is_empty() { "" } else { field.name() })
    }

    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether the document is no table.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, field: F) -> bool {
        self.0.iter().any(|(of, _)| *of == field)
    }
}

/// The visitor of the whole document. `own`: whether the deserializer is ours, once that is known. Ours is asked for
/// what is wanted, and knows keys, hints and stand-ins by that; any other is asked for whatever there is.
struct Document<D> {
    own: Option<bool>,
    draft: PhantomData<D>,
}

impl<D: Draft> Document<D> {
    fn whole(&self, document: Scalar<'_>) -> Made<D> {
        let mut draft = D::default();
        draft.whole(document);
        Made::of(draft, &Keys::none())
    }
}

/// Refuses values of these types without quoting them, as serde's own defaults would.
macro_rules! refused {
    ($($visit:ident $type:ty),+) => {$(
        fn $visit<E: de::Error>(self, _: $type) -> Result<Made<D>, E> {
            Err(E::invalid_type(Unexpected::Other("another value"), &self))
        }
    )+};
}

impl<'de, D: Draft> Visitor<'de> for Document<D> {
    type Value = Made<D>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(D::EXPECTED)
    }

    /// Our decoder's first word, of what is no text.
    fn visit_some<R: Deserializer<'de>>(self, deserializer: R) -> Result<Made<D>, R::Error> {
        match self.own {
            None => {
                deserializer.deserialize_struct(D::NAME, D::Field::NAMES, Self { own: Some(true), ..self })
            }
            Some(_) => deserializer.deserialize_any(self),
        }
    }

    /// Any other deserializer's.
    fn visit_newtype_struct<R: Deserializer<'de>>(self, deserializer: R) -> Result<Made<D>, R::Error> {
        deserializer.deserialize_any(Self { own: Some(false), ..self })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Made<D>, E> {
        Ok(self.whole(Scalar::Text(text)))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Made<D>, E> {
        Ok(self.whole(Scalar::Bytes(bytes)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Made<D>, A::Error> {
        let (mut draft, mut keys) = (D::default(), Keys::none());
        while let Some(key) = map.next_key_seed(Key(PhantomData::<D::Field>))? {
            let Some((field, key)) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if keys.has(field) {
                return Err(A::Error::duplicate_field(field.name()));
            }
            keys.0.push((field, key));
            field.take(&mut draft, Value { map: &mut map, key, own: self.own == Some(true) })?;
        }
        match draft.missing() {
            Some(field) => Err(A::Error::missing_field(field.name())),
            None => Ok(Made::of(draft, &keys)),
        }
    }

    refused! { visit_bool bool, visit_i64 i64, visit_i128 i128, visit_u64 u64, visit_u128 u128, visit_f64 f64 }
}

/// A key: a field of ours, or none.
struct Key<F>(PhantomData<F>);

impl<'de, F: Spelled> DeserializeSeed<'de> for Key<F> {
    type Value = Option<(F, &'static str)>;
    fn deserialize<R: Deserializer<'de>>(self, deserializer: R) -> Result<Self::Value, R::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de, F: Spelled> Visitor<'de> for Key<F> {
    type Value = Option<(F, &'static str)>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(F::of(key))
    }
    fn visit_bytes<E: de::Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(std::str::from_utf8(key).ok().and_then(F::of))
    }
}
