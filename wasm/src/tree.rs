//! A document without a type of its own, and from there to JavaScript.

use js_sys::{Array, Object, Uint8Array};
use secretfig::{ExposeSecret, SecretBytes, SecretString};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use wasm_bindgen::JsValue;
use zeroize::Zeroizing;

/// Any value, wiped on drop.
pub(crate) enum Tree {
    Null,
    Bool(Zeroizing<bool>),
    Whole(Zeroizing<i128>),
    Float(Zeroizing<f64>),
    Text(SecretString),
    Bytes(SecretBytes),
    List(Vec<Tree>),
    Table(BTreeMap<String, Tree>),
}

/// Whether it is one of JavaScript's numbers, which are exact up to `Number.MAX_SAFE_INTEGER`.
pub(crate) fn is_exact(n: i128) -> bool {
    n.unsigned_abs() < 1 << 53
}

impl Tree {
    /// The part at a path: the key of exactly that name, else the way that its dots name.
    pub(crate) fn at(&self, path: &str) -> Option<&Tree> {
        if let Some(own) = self.child(path) {
            return Some(own);
        }
        let (first, rest) = path.split_once('.')?;
        self.child(first)?.at(rest)
    }

    pub(crate) fn child(&self, key: &str) -> Option<&Tree> {
        match self {
            Tree::Table(table) => table.get(key),
            Tree::List(list) => list.get(key.parse::<usize>().ok()?),
            _ => None,
        }
    }

    /// A copy for JavaScript, which cannot wipe it.
    pub(crate) fn to_js(&self) -> JsValue {
        match self {
            Tree::Null => JsValue::NULL,
            Tree::Bool(yes) => JsValue::from_bool(**yes),
            Tree::Whole(n) if is_exact(**n) => JsValue::from_f64(**n as f64),
            // rounded, a wrong number would come out without a word
            Tree::Whole(n) => JsValue::from(**n),
            Tree::Float(n) => JsValue::from_f64(**n),
            Tree::Text(text) => JsValue::from_str(text.expose_secret()),
            Tree::Bytes(bytes) => Uint8Array::from(bytes.expose_secret()).into(),
            Tree::List(list) => list.iter().map(Tree::to_js).collect::<Array>().into(),
            Tree::Table(table) => object(table, |_, value| value.to_js()),
        }
    }
}

/// An object of these entries.
pub(crate) fn object(table: &BTreeMap<String, Tree>, of: impl Fn(&str, &Tree) -> JsValue) -> JsValue {
    let entries = table.iter().map(|(key, value)| Array::of2(&key.into(), &of(key, value)));
    // not by setting keys one by one: one of the name `__proto__` would set the prototype
    let made = Object::from_entries(&entries.collect::<Array>());
    // INVARIANT: it fails for what is no list of pairs alone
    made.map_or(JsValue::NULL, Into::into)
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(Zeroizing::new(yes)))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Tree, E> {
        Ok(Tree::Whole(Zeroizing::new(n.into())))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Tree, E> {
        Ok(Tree::Whole(Zeroizing::new(n.into())))
    }

    fn visit_i128<E>(self, n: i128) -> Result<Tree, E> {
        Ok(Tree::Whole(Zeroizing::new(n)))
    }

    fn visit_u128<E: Error>(self, n: u128) -> Result<Tree, E> {
        i128::try_from(n)
            .map(|n| Tree::Whole(Zeroizing::new(n)))
            .map_err(|_| E::custom("a number that large"))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Tree, E> {
        Ok(Tree::Float(Zeroizing::new(n)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(SecretString::from(text)))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Tree, E> {
        Ok(Tree::Bytes(SecretBytes::from(bytes.to_vec())))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut table = BTreeMap::new();
        while let Some((key, value)) = entries.next_entry::<String, Tree>()? {
            table.insert(key, value);
        }
        Ok(Tree::Table(table))
    }
}

/// Nothing of the value.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tree(..)")
    }
}
