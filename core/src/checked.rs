//! Models that check themselves inside their own section, with every fault at its own key.
//!
//! A model's `Deserialize` is `checked::deserialize::<_, Raw>(deserializer)`: our decoder reads the raw value, says
//! whether a stand-in lies in it, and hears pairs of a field and a reason, both `&'static`. Any other deserializer
//! stops at the first reason.

use crate::assemble::Invalid;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, Expected, IntoDeserializer};
use serde::de::{MapAccess, SeqAccess, Unexpected, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// What a model checks once it is decoded.
pub(crate) trait Check {
    /// Every fault: the path of a field from the model on, and a reason.
    fn check(&self) -> Vec<Invalid>;
}

pub(crate) fn deserialize<'de, D, M>(deserializer: D) -> Result<M, D::Error>
where
    D: Deserializer<'de>,
    M: Deserialize<'de> + Check,
{
    deserializer.deserialize_newtype_struct(crate::decode::CHECKED, Part(PhantomData))
}

struct Part<M>(PhantomData<M>);

macro_rules! visits {
    ($($visit:ident $type:ty),+) => {$(
        fn $visit<E: de::Error>(self, value: $type) -> Result<M, E> {
            self.visit_newtype_struct(value.into_deserializer())
        }
    )+};
}

impl<'de, M: Deserialize<'de> + Check> Visitor<'de> for Part<M> {
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a model")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<M, D::Error> {
        let model = M::deserialize(deserializer)?;
        match model.check().first() {
            None => Ok(model),
            Some(invalid) => Err(de::Error::invalid_value(Unexpected::Other("value"), &Words(*invalid))),
        }
    }

    // a deserializer that knows no newtypes says at once what there is; serde's own answer would quote it
    visits! { visit_bool bool, visit_i64 i64, visit_u64 u64, visit_f64 f64, visit_str &str, visit_bytes &[u8] }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<M, A::Error> {
        self.visit_newtype_struct(MapAccessDeserializer::new(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<M, A::Error> {
        let none = || de::Error::invalid_length(0, &"a model");
        let model: M = parts.next_element()?.ok_or_else(none)?;
        let clean: bool = parts.next_element()?.ok_or_else(none)?;
        if clean {
            for invalid in model.check() {
                parts.next_element_seed(Say(invalid.path))?;
                parts.next_element_seed(Say(invalid.reason))?;
            }
        }
        Ok(model)
    }
}

/// Says one static text to our decoder.
struct Say(&'static str);

impl<'de> DeserializeSeed<'de> for Say {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        struct Unit;
        impl<'de> Visitor<'de> for Unit {
            type Value = ();
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nothing")
            }
            fn visit_unit<E>(self) -> Result<(), E> {
                Ok(())
            }
        }
        deserializer.deserialize_unit_struct(self.0, Unit)
    }
}

struct Words(Invalid);

impl Expected for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.0.path, self.0.reason)
    }
}
