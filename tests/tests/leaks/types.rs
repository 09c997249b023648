//! Types that quote what they were given, in every way that serde has for it.

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Unexpected, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The type under test, beside a key that is always missing: every load fails.
#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) struct Holder<T> {
    field: T,
    other: u8,
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) enum Mode {
    Fast,
    Slow { by: u8 },
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) struct Plain {
    field: u8,
    list: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub(crate) struct Closed {
    known: u8,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
pub(crate) enum Loose {
    Number(u8),
    List(Vec<u8>),
    Table { a: u8 },
}

#[derive(Deserialize)]
#[serde(tag = "field")]
#[allow(dead_code)]
pub(crate) enum Tagged {
    One { x: u8 },
}

#[derive(Deserialize)]
#[serde(tag = "field", content = "c")]
#[allow(dead_code)]
pub(crate) enum Adjacent {
    One(u8),
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) struct Flat {
    #[serde(flatten)]
    inner: Plain,
    other: u8,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
#[allow(dead_code)]
pub(crate) struct Tried(u8);
impl TryFrom<String> for Tried {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("`{text}` is nothing that I like, {text:?}"))
    }
}

#[derive(Deserialize)]
#[allow(dead_code)]
pub(crate) struct Withs {
    #[serde(with = "humantime_serde")]
    field: Duration,
    #[serde(deserialize_with = "again")]
    other: u8,
}
fn again<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    u8::deserialize(deserializer).map_err(|e| de::Error::custom(format!("{e} {e:?}")))
}

/// Each way of quoting a text in an error.
macro_rules! quoting {
    ($($name:ident: $text:ident => $error:expr;)*) => {$(
        #[allow(dead_code)]
        pub(crate) struct $name;
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Quoting;
                impl<'de> Visitor<'de> for Quoting {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("another text")
                    }
                    fn visit_str<E: de::Error>(self, $text: &str) -> Result<$name, E> {
                        Err($error)
                    }
                    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        let text = String::from_utf8_lossy(bytes);
                        let $text = text.as_ref();
                        Err($error)
                    }
                }
                deserializer.deserialize_str(Quoting)
            }
        }
    )*};
}

quoting! {
    Custom: text => E::custom(format!("not {text}"));
    WrongType: text => E::invalid_type(Unexpected::Str(text), &format!("anything but {text}").as_str());
    WrongTypeDebug: text => E::invalid_type(Unexpected::Other(text), &format!("not {text:?}").as_str());
    WrongValue: text => E::invalid_value(Unexpected::Str(text), &text);
    WrongValueCased: text => E::invalid_value(Unexpected::Str(text), &text.to_uppercase().as_str());
    WrongValuePart: text => E::invalid_value(
        Unexpected::Str(text),
        &format!("no {}…", text.chars().take(9).collect::<String>()).as_str(),
    );
    WrongLength: text => E::invalid_length(text.len(), &format!("not {text}").as_str());
    UnknownVariant: text => E::unknown_variant(text, &["a", "b"]);
    UnknownField: text => E::unknown_field(text, &["a", "b"]);
}

/// Its `expecting` quotes a value that it was given by a field decoded before it.
#[allow(dead_code)]
pub(crate) struct Stateful;
impl<'de> Deserialize<'de> for Stateful {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Stateful;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stateful, A::Error> {
                let mut before = String::new();
                while map.next_key::<String>()?.is_some() {
                    before = map.next_value_seed(After(before))?;
                }
                Err(de::Error::invalid_value(Unexpected::Map, &format!("not {before}").as_str()))
            }
        }
        deserializer.deserialize_map(Table)
    }
}
struct After(String);
impl<'de> DeserializeSeed<'de> for After {
    type Value = String;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        if self.0.is_empty() { String::deserialize(deserializer) } else { deserializer.deserialize_u8(self) }
    }
}
impl Visitor<'_> for After {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number beside {}", self.0)
    }
}

/// Quotes a whole table.
#[allow(dead_code)]
pub(crate) struct Whole;
impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
        Err(de::Error::invalid_type(Unexpected::Map, &format!("other than {table:?}").as_str()))
    }
}

/// Calls with every type, by name.
macro_rules! each {
    ($run:ident $ground:ident $($type:ty,)*) => {
        $($run::<$type>($ground, stringify!($type));)*
    };
}

macro_rules! each_type {
    ($run:ident $ground:ident) => {
        $crate::types::each! { $run $ground
            u8, u16, i32, u64, i128, f32, bool, char, (), Option<u8>, Option<Vec<bool>>, Vec<u8>, Vec<String>,
            [u8; 3], (u8, String), std::collections::HashMap<String, u8>, std::collections::BTreeMap<u16, bool>,
            std::num::NonZeroU8, std::net::IpAddr, std::net::SocketAddr, std::time::Duration, url::Url,
            types::Mode, types::Plain, types::Closed, types::Loose, types::Tagged, types::Adjacent, types::Flat,
            types::Tried, types::Withs, types::Custom, types::WrongType, types::WrongTypeDebug, types::WrongValue,
            types::WrongValueCased, types::WrongValuePart, types::WrongLength, types::UnknownVariant,
            types::UnknownField, types::Stateful, types::Whole, serde_json::Value, String,
            secretfig::SecretString, secretfig::SecretBytes, secretfig::Strict<u8>,
            secretfig::Strict<secretfig::SecretString>, secretfig::Live<u8>, secretfig::Live<types::Plain>,
            secretfig::models::DatabaseCredentials, secretfig::models::JwtConfig,
            secretfig::Live<secretfig::models::DatabaseCredentials>, secretfig::Live<secretfig::models::JwtConfig>,
        }
    };
}
pub(crate) use {each, each_type};
