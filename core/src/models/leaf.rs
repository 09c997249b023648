//! The value of one key: taken as it comes, judged here.

use serde::de::{self, DeserializeSeed, Deserializer, Error as _, Expected, MapAccess, Unexpected, Visitor};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Refuses values of these types without quoting them, as serde's own defaults would.
macro_rules! unquoted {
    ($($visit:ident $type:ty),+) => {$(
        fn $visit<E: serde::de::Error>(self, _: $type) -> Result<Self::Value, E> {
            Err(E::invalid_type(serde::de::Unexpected::Other("another value"), &self))
        }
    )+};
}
pub(super) use unquoted;

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

/// Seconds as a whole number, or a time with its unit, in humantime's notation.
pub(super) fn time(leaf: Scalar<'_>) -> Option<Duration> {
    match (leaf.integer(), leaf) {
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, Scalar::Text(text)) => humantime::parse_duration(text.trim()).ok(),
        (None, _) => None,
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
    pub(super) const fn any(expected: &'static str, read: fn(Scalar<'_>) -> Result<T, Refusal>) -> Self {
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
    pub(super) map: &'m mut A,
    pub(super) own: bool,
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
