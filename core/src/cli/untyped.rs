//! The configuration of a program that knows no application.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Any configuration: what the stand-alone program loads in place of an application's own type. Every key is looked
/// at and none is kept.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use secretfig::{Config, TextEnv, cli::Untyped};
/// let config = Config::<Untyped>::builder()
///     .env([("APP_PORT", "80")])
///     .merge(TextEnv::prefixed("APP_"))
///     .load()
///     .await?;
/// assert!(config.remarks().is_empty() && config.explain().key("port").is_some());
/// # Ok::<_, secretfig::LoadError>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Untyped;

impl<'de> Deserialize<'de> for Untyped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

macro_rules! taken {
    ($($visit:ident $type:ty,)*) => {$(
        fn $visit<E>(self, _: $type) -> Result<Untyped, E> {
            Ok(Untyped)
        }
    )*};
}

impl<'de> Visitor<'de> for Look {
    type Value = Untyped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    taken! {
        visit_bool bool, visit_i64 i64, visit_i128 i128, visit_u64 u64, visit_u128 u128, visit_f64 f64,
        visit_str &str, visit_bytes &[u8],
    }

    fn visit_unit<E>(self) -> Result<Untyped, E> {
        Ok(Untyped)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Untyped, A::Error> {
        while items.next_element::<Untyped>()?.is_some() {}
        Ok(Untyped)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Untyped, A::Error> {
        while entries.next_entry::<Untyped, Untyped>()?.is_some() {}
        Ok(Untyped)
    }
}
