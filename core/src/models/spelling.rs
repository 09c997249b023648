//! Documents of many spellings: a table whose keys have several names, or one text.
//!
//! Written by hand where `derive` has `alias`, for three things that it cannot do: a fault is told at the key that
//! was really written; a name may say the unit of its value (`expiry_hours`); and no other deserializer's error
//! can quote a value, since every leaf is taken as it comes and judged here.

use crate::assemble::Invalid;
use crate::checked::Check;
use crate::decode::TEXT_OR_TABLE;
use serde::de::{
    self, DeserializeSeed, Deserializer, Error as _, Expected, IgnoredAny, MapAccess, Unexpected, Visitor,
};
use std::fmt;
use std::marker::PhantomData;
use zeroize::Zeroizing;

/// The fields of a model, each with all its names.
pub(super) trait Spelled: Copy + PartialEq {
    const NAMES: &'static [&'static str];
    /// The field of that key, and the key.
    fn of(key: &str) -> Option<(Self, &'static str)>;
    /// The field's own name.
    fn name(self) -> &'static str;
}

macro_rules! spelled {
    ($(#[$meta:meta])* enum $Field:ident { $($Variant:ident: $name:literal $(| $alias:literal)*,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq)]
        pub(super) enum $Field { $($Variant),+ }

        impl $crate::models::spelling::Spelled for $Field {
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
        }
    };
}
pub(super) use spelled;

/// A model on its way.
pub(super) trait Draft: Default {
    type Field: Spelled;
    type Model;
    const NAME: &'static str;
    const EXPECTED: &'static str;
    /// Takes the value of a field.
    fn take<'de, A: MapAccess<'de>>(
        &mut self,
        field: Self::Field,
        key: &'static str,
        value: Value<'_, A>,
    ) -> Result<(), A::Error>;
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
        deserializer.deserialize_newtype_struct(TEXT_OR_TABLE, Document::<D> { own: false, draft: PhantomData })
    }
}

/// The keys that were there, each as it was written.
pub(super) struct Keys<F>(Vec<(F, &'static str)>);

impl<F: Spelled> Keys<F> {
    /// The path of a field for a fault: its key as written, else its own name. The whole, where it is one text.
    pub(super) fn path(&self, field: F) -> &'static str {
        let written = self.0.iter().find(|(of, _)| *of == field).map(|(_, key)| *key);
        written.unwrap_or(if self.0.is_empty() { "" } else { field.name() })
    }

    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn has(&self, field: F) -> bool {
        self.0.iter().any(|(of, _)| *of == field)
    }
}

/// The visitor of the whole document. `own`: the deserializer is ours, so it may be asked for what is wanted, and
/// knows keys, hints and stand-ins by that; any other is asked for whatever there is.
struct Document<D> {
    own: bool,
    draft: PhantomData<D>,
}

impl<D: Draft> Document<D> {
    fn whole(&self, document: Scalar<'_>) -> Made<D> {
        let mut draft = D::default();
        draft.whole(document);
        Made::of(draft, &Keys::none())
    }
}

impl<'de, D: Draft> Visitor<'de> for Document<D> {
    type Value = Made<D>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(D::EXPECTED)
    }

    /// Only our decoder says this, of what is no text.
    fn visit_some<R: Deserializer<'de>>(self, deserializer: R) -> Result<Made<D>, R::Error> {
        deserializer.deserialize_struct(D::NAME, D::Field::NAMES, Self { own: true, ..self })
    }

    /// Only other deserializers say this.
    fn visit_newtype_struct<R: Deserializer<'de>>(self, deserializer: R) -> Result<Made<D>, R::Error> {
        deserializer.deserialize_any(self)
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
            draft.take(field, key, Value { map: &mut map, own: self.own })?;
        }
        match draft.missing() {
            Some(field) => Err(A::Error::missing_field(field.name())),
            None => Ok(Made::of(draft, &keys)),
        }
    }

    unquoted!();
}

/// Refuses every other value without quoting it, as serde's own defaults would.
macro_rules! unquoted {
    () => {
        $crate::models::spelling::unquoted! { visit_bool bool, visit_i64 i64, visit_i128 i128, visit_u64 u64, visit_u128 u128, visit_f64 f64 }
    };
    ($($visit:ident $type:ty),+) => {$(
        fn $visit<E: de::Error>(self, _: $type) -> Result<Self::Value, E> {
            Err(E::invalid_type(Unexpected::Other("another value"), &self))
        }
    )+};
}
use unquoted;

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

/// A leaf as it comes.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Integer(u64),
    Bool(bool),
}

impl Scalar<'_> {
    /// A whole number, as a number or as text.
    pub(super) fn integer(self) -> Option<u64> {
        match self {
            Scalar::Integer(n) => Some(n),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Bytes(_) | Scalar::Bool(_) => None,
        }
    }

    /// Reads text; a whole number is its digits.
    pub(super) fn text<T>(self, read: impl FnOnce(&str) -> T) -> Option<T> {
        match self {
            Scalar::Text(text) => Some(read(text)),
            Scalar::Integer(n) => Some(read(&Zeroizing::new(n.to_string()))),
            Scalar::Bytes(_) | Scalar::Bool(_) => None,
        }
    }
}

/// What our own decoder is asked for.
#[derive(Clone, Copy)]
enum Ask {
    Text,
    Bytes,
    Any,
}

/// How a field's value is read.
pub(super) struct Kind<T> {
    ask: Ask,
    expected: &'static str,
    read: fn(Scalar<'_>) -> Result<T, Refusal>,
}

impl<T> Clone for Kind<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Kind<T> {}

impl<T> Kind<T> {
    pub(super) const fn text(read: fn(Scalar<'_>) -> Result<T, Refusal>) -> Self {
        Self { ask: Ask::Text, expected: "a string", read }
    }
    pub(super) const fn bytes(read: fn(Scalar<'_>) -> Result<T, Refusal>) -> Self {
        Self { ask: Ask::Bytes, expected: "text or bytes", read }
    }
    /// Text or a number or a boolean.
    pub(super) const fn any(
        expected: &'static str,
        read: fn(Scalar<'_>) -> Result<T, Refusal>,
    ) -> Self {
        Self { ask: Ask::Any, expected, read }
    }
}

/// Why a value is refused, in static words.
pub(super) enum Refusal {
    /// It is not this.
    Expected(&'static str),
    /// It is none of these.
    OneOf(&'static [&'static str]),
}

impl Refusal {
    fn into_error<E: de::Error>(self) -> E {
        match self {
            Refusal::Expected(words) => E::invalid_value(Unexpected::Other("another value"), &words),
            Refusal::OneOf(names) => E::unknown_variant("another value", names),
        }
    }
}

/// The value of one key, not yet read.
pub(super) struct Value<'m, A> {
    map: &'m mut A,
    own: bool,
}

impl<'de, A: MapAccess<'de>> Value<'_, A> {
    /// A value that must be there.
    pub(super) fn required<T>(self, kind: Kind<T>) -> Result<Option<T>, A::Error> {
        self.map.next_value_seed(Leaf { kind, own: self.own }).map(Some)
    }

    /// One that may be `null`.
    pub(super) fn optional<T>(self, kind: Kind<T>) -> Result<Option<T>, A::Error> {
        self.map.next_value_seed(Maybe(Leaf { kind, own: self.own }))
    }
}

struct Leaf<T> {
    kind: Kind<T>,
    own: bool,
}

impl<'de, T> DeserializeSeed<'de> for Leaf<T> {
    type Value = T;
    fn deserialize<R: Deserializer<'de>>(self, deserializer: R) -> Result<T, R::Error> {
        match self.kind.ask {
            Ask::Text if self.own => deserializer.deserialize_str(self),
            Ask::Bytes if self.own => deserializer.deserialize_bytes(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<T> Leaf<T> {
    fn read<E: de::Error>(self, scalar: Scalar<'_>) -> Result<T, E> {
        (self.kind.read)(scalar).map_err(Refusal::into_error)
    }
}

impl<'de, T> Visitor<'de> for Leaf<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.expected)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        self.read(Scalar::Text(text))
    }
    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        self.read(Scalar::Bytes(bytes))
    }
    fn visit_u64<E: de::Error>(self, n: u64) -> Result<T, E> {
        self.read(Scalar::Integer(n))
    }
    fn visit_i64<E: de::Error>(self, n: i64) -> Result<T, E> {
        match u64::try_from(n) {
            Ok(n) => self.read(Scalar::Integer(n)),
            Err(_) => Err(E::invalid_value(Unexpected::Other("another value"), &self)),
        }
    }
    fn visit_bool<E: de::Error>(self, yes: bool) -> Result<T, E> {
        self.read(Scalar::Bool(yes))
    }
    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        // not `invalid_type`: of that our report says what only holds for `flatten`
        Err(A::Error::invalid_value(Unexpected::Map, &self))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<T, A::Error> {
        Err(A::Error::invalid_value(Unexpected::Seq, &self))
    }
    unquoted! { visit_i128 i128, visit_u128 u128, visit_f64 f64 }
}

/// `null` is none.
struct Maybe<T>(Leaf<T>);

impl<'de, T> DeserializeSeed<'de> for Maybe<T> {
    type Value = Option<T>;
    fn deserialize<R: Deserializer<'de>>(self, deserializer: R) -> Result<Option<T>, R::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T> Visitor<'de> for Maybe<T> {
    type Value = Option<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Expected::fmt(&self.0, f)
    }
    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }
    fn visit_some<R: Deserializer<'de>>(self, deserializer: R) -> Result<Option<T>, R::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}
