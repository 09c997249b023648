//! Random types against random documents: whatever fails, in whatever way.

use crate::ground::Ground;
use crate::types;
use figment::providers::{Format as _, Json, Serialized, Toml};
use secretfig::testing::FakeSource;
use secretfig::{Config, Format, Live, SecretLayer, Strict, TextEnv, Wanted};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The names of fields, variants and keys: few, so that they meet.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "field"];
const FIELDS: [&[&str]; 4] = [&["a"], &["a", "b"], &["b", "c", "d"], &["a", "c", "e", "field"]];

/// A type that is made up while the test runs.
enum Shape {
    Number(u8),
    Bool,
    Text,
    Bytes,
    Quoting(u8),
    Option(Rc<Shape>),
    List(Rc<Shape>),
    Tuple(Vec<Rc<Shape>>),
    Map(Rc<Shape>),
    /// Its fields, how many of them must be there, and whether it knows no others.
    Struct(&'static [&'static str], Vec<Rc<Shape>>, usize, bool),
    Enum(&'static [&'static str], Vec<Rc<Shape>>),
    /// Types whose code is made by serde's derive.
    Derived(u8),
    Newtype(Rc<Shape>),
    Any,
}

thread_local! {
    static SHAPE: RefCell<Option<Rc<Shape>>> = const { RefCell::new(None) };
}

/// What stands for all of them.
#[allow(dead_code)]
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let shape = SHAPE.with(|shape| shape.borrow().clone()).unwrap();
        As(&shape).deserialize(deserializer).map(|()| Anything)
    }
}

struct As<'s>(&'s Shape);

impl<'de> DeserializeSeed<'de> for As<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        match self.0 {
            Shape::Number(0) => de.deserialize_u8(self),
            Shape::Number(1) => de.deserialize_i64(self),
            Shape::Number(_) => de.deserialize_f64(self),
            Shape::Bool => de.deserialize_bool(self),
            Shape::Text | Shape::Quoting(_) => de.deserialize_str(self),
            Shape::Bytes => de.deserialize_bytes(self),
            Shape::Option(_) => de.deserialize_option(self),
            Shape::List(_) => de.deserialize_seq(self),
            Shape::Tuple(items) => de.deserialize_tuple(items.len(), self),
            Shape::Map(_) => de.deserialize_map(self),
            Shape::Struct(fields, ..) => de.deserialize_struct("Struct", fields, self),
            Shape::Enum(names, _) => de.deserialize_enum("Enum", names, self),
            Shape::Newtype(_) => de.deserialize_newtype_struct("Newtype", self),
            Shape::Any => de.deserialize_any(self),
            Shape::Derived(n) => match n % 10 {
                0 => types::Loose::deserialize(de).map(drop),
                1 => types::Tagged::deserialize(de).map(drop),
                2 => types::Adjacent::deserialize(de).map(drop),
                3 => types::Flat::deserialize(de).map(drop),
                4 => types::Closed::deserialize(de).map(drop),
                5 => types::Tried::deserialize(de).map(drop),
                6 => types::Whole::deserialize(de).map(drop),
                7 => Strict::<types::Mode>::deserialize(de).map(drop),
                8 => Live::<types::Withs>::deserialize(de).map(drop),
                _ => types::Stateful::deserialize(de).map(drop),
            },
        }
    }
}

impl<'de> Visitor<'de> for As<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Shape::Number(_) => "a made-up number",
            Shape::Text => "a made-up text",
            _ => "something made up",
        })
    }

    fn visit_bool<E: de::Error>(self, yes: bool) -> Result<(), E> {
        match self.0 {
            Shape::Bool | Shape::Any => Ok(()),
            _ => Err(E::invalid_type(Unexpected::Bool(yes), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, n: u64) -> Result<(), E> {
        match self.0 {
            Shape::Number(0) if n > 255 => Err(E::invalid_value(Unexpected::Unsigned(n), &self)),
            Shape::Number(1) if n > 10 => {
                Err(E::invalid_value(Unexpected::Unsigned(n), &format!("at most 10, not {n}").as_str()))
            }
            Shape::Number(_) | Shape::Any => Ok(()),
            _ => Err(E::invalid_type(Unexpected::Unsigned(n), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, n: i64) -> Result<(), E> {
        match u64::try_from(n) {
            Ok(n) => self.visit_u64(n),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(n), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<(), E> {
        match self.0 {
            Shape::Number(2) | Shape::Any => Ok(()),
            _ => Err(E::custom(format!("{n} is no value"))),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        match self.0 {
            Shape::Text | Shape::Bytes | Shape::Any => Ok(()),
            Shape::Quoting(0) => Err(E::custom(text)),
            Shape::Quoting(1) => Err(E::invalid_value(Unexpected::Str(text), &text)),
            Shape::Quoting(2) => Err(E::invalid_type(Unexpected::Other(text), &format!("{text:?}").as_str())),
            Shape::Quoting(3) => Err(E::invalid_length(text.len(), &format!("{{{text}}}").as_str())),
            Shape::Quoting(4) => Err(E::unknown_variant(text, &NAMES)),
            Shape::Quoting(_) => Err(E::unknown_field(text, &NAMES)),
            _ => Err(E::invalid_type(Unexpected::Str(text), &self)),
        }
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<(), E> {
        match self.0 {
            Shape::Bytes | Shape::Any => Ok(()),
            _ => Err(E::invalid_type(Unexpected::Bytes(bytes), &self)),
        }
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        match self.0 {
            Shape::Option(_) | Shape::Any => Ok(()),
            _ => Err(E::invalid_type(Unexpected::Unit, &self)),
        }
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        match self.0 {
            Shape::Option(inner) => As(inner).deserialize(de),
            _ => Err(de::Error::invalid_type(Unexpected::Option, &self)),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, de: D) -> Result<(), D::Error> {
        match self.0 {
            Shape::Newtype(inner) => As(inner).deserialize(de),
            _ => Err(de::Error::invalid_type(Unexpected::NewtypeStruct, &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        match self.0 {
            Shape::List(inner) => {
                while seq.next_element_seed(As(inner))?.is_some() {}
                Ok(())
            }
            Shape::Tuple(items) => {
                for (n, item) in items.iter().enumerate() {
                    seq.next_element_seed(As(item))?.ok_or_else(|| de::Error::invalid_length(n, &self))?;
                }
                Ok(())
            }
            Shape::Any => {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(())
            }
            _ => Err(de::Error::invalid_type(Unexpected::Seq, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match self.0 {
            Shape::Map(inner) => {
                while map.next_key::<String>()?.is_some() {
                    map.next_value_seed(As(inner))?;
                }
                Ok(())
            }
            Shape::Any => {
                while map.next_entry::<String, Value>()?.is_some() {}
                Ok(())
            }
            Shape::Struct(fields, shapes, must, closed) => {
                let mut met = vec![false; fields.len()];
                while let Some(key) = map.next_key::<String>()? {
                    match fields.iter().position(|field| *field == key) {
                        Some(n) if met[n] => return Err(de::Error::duplicate_field(fields[n])),
                        Some(n) => {
                            met[n] = true;
                            map.next_value_seed(As(&shapes[n]))?;
                        }
                        None if *closed => return Err(de::Error::unknown_field(&key, fields)),
                        None => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                match met.iter().take(*must).position(|met| !met) {
                    Some(n) => Err(de::Error::missing_field(fields[n])),
                    None => Ok(()),
                }
            }
            _ => Err(de::Error::invalid_type(Unexpected::Map, &self)),
        }
    }

    fn visit_enum<A: de::EnumAccess<'de>>(self, data: A) -> Result<(), A::Error> {
        use de::VariantAccess;
        let Shape::Enum(names, shapes) = self.0 else {
            return Err(de::Error::invalid_type(Unexpected::Enum, &self));
        };
        let (name, content): (String, _) = data.variant()?;
        match names.iter().position(|known| *known == name) {
            None => Err(de::Error::unknown_variant(&name, names)),
            Some(n) if n % 2 == 0 => content.unit_variant(),
            Some(n) => content.newtype_variant_seed(As(&shapes[n])),
        }
    }
}

/// Numbers that only look random: a run that finds something can be run again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn shape(&mut self, depth: usize) -> Rc<Shape> {
        let inner = |dice: &mut Self| dice.shape(depth.saturating_sub(1));
        Rc::new(match self.below(if depth == 0 { 7 } else { 16 }) {
            0 => Shape::Number(self.below(3) as u8),
            1 => Shape::Bool,
            2 => Shape::Text,
            3 => Shape::Bytes,
            4 => Shape::Quoting(self.below(6) as u8),
            5 => Shape::Derived(self.below(10) as u8),
            6 => Shape::Any,
            7 => Shape::Option(inner(self)),
            8 => Shape::List(inner(self)),
            9 => Shape::Map(inner(self)),
            10 => Shape::Newtype(inner(self)),
            11 => {
                let n = 1 + self.below(3);
                Shape::Tuple((0..n).map(|_| inner(self)).collect())
            }
            12 => {
                let names = FIELDS[self.below(4)];
                let shapes = names.iter().map(|_| inner(self)).collect();
                Shape::Enum(names, shapes)
            }
            _ => {
                let fields = FIELDS[self.below(4)];
                let shapes = fields.iter().map(|_| inner(self)).collect();
                Shape::Struct(fields, shapes, self.below(fields.len() + 1), self.below(3) == 0)
            }
        })
    }

    fn value(&mut self, texts: &[&str], depth: usize) -> Value {
        let text = texts[self.below(texts.len())];
        match self.below(if depth == 0 { 5 } else { 10 }) {
            0..3 => Value::from(text),
            3 => text.parse::<u64>().map_or(Value::from(text), Value::from),
            4 => Value::from(self.below(300)),
            5 => (0..self.below(4)).map(|_| self.value(texts, depth - 1)).collect(),
            _ => Value::Object(self.table(texts, depth - 1)),
        }
    }

    fn table(&mut self, texts: &[&str], depth: usize) -> Map<String, Value> {
        let keys: Vec<_> = NAMES.into_iter().filter(|_| self.below(2) == 0).collect();
        keys.into_iter().map(|key| (key.to_owned(), self.value(texts, depth))).collect()
    }
}

/// Fails so many loads.
pub(crate) fn hunt(ground: &Ground, failures: usize) {
    let texts: Vec<&str> = ground.markers.iter().map(|(_, marker)| marker.text()).collect();
    let mut dice = Dice(0x5EED_0000_0000_0001);
    let (mut failed, mut tried) = (0, 0);
    while failed < failures {
        tried += 1;
        assert!(tried < 4 * failures, "{failed} of {tried} loads fail: the types are too forgiving");
        let shapes = NAMES.map(|_| dice.shape(3));
        SHAPE.set(Some(Rc::new(Shape::Struct(&NAMES, shapes.to_vec(), 3, false))));
        let value = Value::Object(dice.table(&texts, 3));
        let builder = Config::<Anything>::builder();
        let secret = |text: &str, format| {
            SecretLayer::from(FakeSource::new().with("all", text)).put("", Wanted::new("all").format(format))
        };
        let toml = || toml::to_string(&value).unwrap_or_default();
        let (layer, builder) = match dice.below(7) {
            0 => ("a JSON secret", builder.merge(secret(&value.to_string(), Format::Json))),
            1 => ("a TOML secret", builder.merge(secret(&toml(), Format::Toml))),
            2 => ("figment's TOML", builder.merge(Toml::string(&toml()))),
            3 => ("figment's JSON", builder.merge(Json::string(&value.to_string()))),
            4 => ("a value", builder.merge(Serialized::globals(&value))),
            5 => {
                let env = NAMES.map(|name| {
                    let text = texts[dice.below(texts.len())];
                    let list = format!("[\"{}\", {}]", text.replace(['"', '\\'], ""), dice.below(9));
                    (format!("APP_{name}"), if dice.below(2) == 0 { list } else { text.to_owned() })
                });
                ("the environment", builder.env(env).merge(TextEnv::prefixed("APP_")))
            }
            _ => {
                let half = Value::Object(dice.table(&texts, 2));
                let builder = builder.merge(Serialized::globals(&half));
                ("two layers", builder.merge(secret(&value.to_string(), Format::Json)).select("production"))
            }
        };
        if let Err(e) = ground.run(builder.load()) {
            failed += 1;
            ground.brief_error(&format!("a made-up type from {layer}"), &e);
        }
    }
}
