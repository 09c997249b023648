//! What a caller says a document looks like: checked at the load and before each change, and what turns the text
//! `"5432"`, as managers often hold it, into the number that was asked for.

use crate::failure::Flaw;
use crate::tree::{self, Tree};
use js_sys::{Array, Object};
use secretfig::ExposeSecret;
use std::collections::BTreeMap;
use wasm_bindgen::{JsCast, JsValue};

/// The shape of a value: names and types, no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Any,
    Leaf(Type),
    List(Box<Shape>),
    Table(BTreeMap<String, Field>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Number,
    Bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    shape: Shape,
    optional: bool,
}

/// How deep a shape may be: as deep as a document.
const DEPTH: usize = 64;

impl Type {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "string" => Some(Type::Text),
            "number" => Some(Type::Number),
            "boolean" => Some(Type::Bool),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Type::Text => "a string",
            Type::Number => "a number",
            Type::Bool => "a boolean",
        }
    }
}

impl Shape {
    /// From what JavaScript gives: `"string"`, `"number"`, `"boolean"` or `"any"`, with `?` behind it where it may be
    /// absent; `[shape]` for a list; an object for a table.
    pub(crate) fn read(given: &JsValue, at: &str, flaws: &mut Vec<Flaw>) -> Self {
        Self::field(given, at, 0, flaws).shape
    }

    fn field(given: &JsValue, at: &str, depth: usize, flaws: &mut Vec<Flaw>) -> Field {
        let mut wrong = |message: &str| {
            let hint =
                "write `string`, `number`, `boolean` or `any`, a list of one shape, or an object of shapes";
            flaws.push(Flaw::new(at, "misconfigured", message, hint));
            Field { shape: Shape::Any, optional: true }
        };
        if depth > DEPTH {
            return wrong("a shape that deep");
        }
        if let Some(word) = given.as_string() {
            let (word, optional) = match word.strip_suffix('?') {
                Some(word) => (word, true),
                None => (word.as_str(), false),
            };
            return match (word, Type::parse(word)) {
                ("any", _) => Field { shape: Shape::Any, optional },
                (_, Some(leaf)) => Field { shape: Shape::Leaf(leaf), optional },
                _ => wrong("no such type"),
            };
        }
        if Array::is_array(given) {
            let list = Array::from(given);
            if list.length() != 1 {
                return wrong("a list's shape has one element");
            }
            let element = Self::field(&list.get(0), &format!("{at}.0"), depth + 1, flaws);
            return Field { shape: Shape::List(Box::new(element.shape)), optional: false };
        }
        let Some(object) = given.dyn_ref::<Object>() else { return wrong("no shape") };
        let mut table = BTreeMap::new();
        for entry in Object::entries(object).iter() {
            let entry = Array::from(&entry);
            let Some(key) = entry.get(0).as_string() else { continue };
            let field = Self::field(&entry.get(1), &format!("{at}.{key}"), depth + 1, flaws);
            table.insert(key, field);
        }
        Field { shape: Shape::Table(table), optional: false }
    }

    /// The shape of a part, [`Shape::Any`] where nothing is said of it.
    pub(crate) fn at(&self, path: &str) -> &Shape {
        if let Some(own) = self.child(path) {
            return own;
        }
        match path.split_once('.').and_then(|(first, rest)| Some((self.child(first)?, rest))) {
            Some((child, rest)) => child.at(rest),
            None => &Shape::Any,
        }
    }

    fn child(&self, key: &str) -> Option<&Shape> {
        match self {
            Shape::Table(table) => table.get(key).map(|field| &field.shape),
            Shape::List(element) => key.parse::<usize>().ok().map(|_| &**element),
            _ => None,
        }
    }

    /// Every difference between a table's parts and this shape. `part` finds one by its name.
    pub(crate) fn check_parts<'t>(&self, part: impl Fn(&str) -> Option<&'t Tree>) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if let Shape::Table(table) = self {
            for (key, field) in table {
                field.check(part(key), key, &mut flaws);
            }
        }
        flaws
    }

    fn check(&self, tree: &Tree, at: &str, flaws: &mut Vec<Flaw>) {
        match (self, tree) {
            (Shape::Any, _) => {}
            (Shape::Leaf(leaf), tree) if convert(*leaf, tree).is_some() => {}
            (Shape::List(element), Tree::List(list)) => {
                for (n, item) in list.iter().enumerate() {
                    element.check(item, &format!("{at}.{n}"), flaws);
                }
            }
            (Shape::Table(table), Tree::Table(_)) => {
                for (key, field) in table {
                    field.check(tree.child(key), &format!("{at}.{key}"), flaws);
                }
            }
            (expected, _) => {
                let expected = match expected {
                    Shape::Leaf(leaf) => leaf.word(),
                    Shape::List(_) => "a list",
                    _ => "an object",
                };
                let message = format!("wrong type, expected {expected}");
                flaws.push(Flaw::new(at, "wrong type", &message, "correct the value, or the shape"));
            }
        }
    }

    /// A copy for JavaScript, of this shape.
    pub(crate) fn to_js(&self, tree: &Tree) -> JsValue {
        match (self, tree) {
            (Shape::Leaf(leaf), tree) => match convert(*leaf, tree) {
                Some(Said::Number(number)) => JsValue::from_f64(number),
                Some(Said::Bool(yes)) => JsValue::from_bool(yes),
                Some(Said::Itself) | None => tree.to_js(),
            },
            (Shape::List(element), Tree::List(list)) => {
                list.iter().map(|item| element.to_js(item)).collect::<Array>().into()
            }
            (Shape::Table(_), Tree::Table(table)) => {
                tree::object(table, |key, value| match self.child(key) {
                    Some(shape) => shape.to_js(value),
                    None => value.to_js(),
                })
            }
            _ => tree.to_js(),
        }
    }
}

impl Field {
    fn check(&self, tree: Option<&Tree>, at: &str, flaws: &mut Vec<Flaw>) {
        match tree {
            None | Some(Tree::Null) if self.optional => {}
            None => {
                let hint = "set it in the secret, or write `?` behind its type";
                flaws.push(Flaw::new(at, "missing", "missing", hint));
            }
            Some(tree) => self.shape.check(tree, at, flaws),
        }
    }
}

/// What text says where another type is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    /// The value is of that type already.
    Itself,
    Number(f64),
    Bool(bool),
}

/// A leaf as that type: text as the number or boolean that it says, and nothing else.
fn convert(leaf: Type, tree: &Tree) -> Option<Said> {
    match (leaf, tree) {
        (Type::Text, Tree::Text(_)) | (Type::Number, Tree::Float(_)) | (Type::Bool, Tree::Bool(_)) => {
            Some(Said::Itself)
        }
        // a number that JavaScript would round is not the number that is there
        (Type::Number, Tree::Whole(n)) => tree::is_exact(**n).then_some(Said::Itself),
        (Type::Number, Tree::Text(text)) => {
            let text = text.expose_secret();
            let number: f64 = text.parse().ok()?;
            let written = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
            let exact = text.bytes().filter(u8::is_ascii_digit).count() <= 15;
            (number.is_finite() && written && exact).then_some(Said::Number(number))
        }
        (Type::Bool, Tree::Text(text)) => match text.expose_secret() {
            "true" => Some(Said::Bool(true)),
            "false" => Some(Said::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn text(text: &str) -> Tree {
        Tree::Text(text.into())
    }

    fn whole(n: i128) -> Tree {
        Tree::Whole(Zeroizing::new(n))
    }

    fn table<T>(entries: impl IntoIterator<Item = (&'static str, T)>) -> BTreeMap<String, T> {
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    fn needed(shape: Shape) -> Field {
        Field { shape, optional: false }
    }

    #[test]
    fn text_becomes_what_it_says_and_nothing_is_rounded_or_guessed() {
        for (said, number) in [("5432", 5432.0), ("-1.5", -1.5), ("1e3", 1000.0)] {
            assert_eq!(convert(Type::Number, &text(said)), Some(Said::Number(number)), "{said}");
        }
        for refused in ["", " 5", "0x10", "inf", "NaN", "1e999", "12345678901234567890", "true", "5,4"] {
            assert_eq!(convert(Type::Number, &text(refused)), None, "{refused}");
        }
        assert_eq!(convert(Type::Number, &whole(1 << 53)), None);
        assert_eq!(convert(Type::Number, &whole((1 << 53) - 1)), Some(Said::Itself));
        assert_eq!(convert(Type::Bool, &text("true")), Some(Said::Bool(true)));
        assert_eq!(convert(Type::Bool, &text("yes")), None);
        // a number is not made into text: `007` would have come out as `7`
        assert_eq!(convert(Type::Text, &whole(7)), None);
    }

    #[test]
    fn every_difference_has_its_key_and_none_its_value() {
        let database = table([
            ("host", needed(Shape::Leaf(Type::Text))),
            ("port", needed(Shape::Leaf(Type::Number))),
            ("tls", needed(Shape::Leaf(Type::Bool))),
            ("comment", Field { shape: Shape::Leaf(Type::Text), optional: true }),
            ("hosts", needed(Shape::List(Box::new(Shape::Leaf(Type::Text))))),
        ]);
        let shape = Shape::Table(table([("database", needed(Shape::Table(database)))]));
        let marker = "mark-of-a-value";
        let tree = Tree::Table(table([
            ("host", text("db")),
            ("port", text(marker)),
            ("hosts", Tree::List(vec![text("a"), whole(4_242_424_242)])),
        ]));
        let flaws = shape.check_parts(|name| (name == "database").then_some(&tree));
        let found: Vec<_> = flaws.iter().map(|flaw| (flaw.key.as_str(), flaw.kind)).collect();
        let expected = [
            ("database.hosts.1", "wrong type"),
            ("database.port", "wrong type"),
            ("database.tls", "missing"),
        ];
        assert_eq!(found, expected);
        let said = format!("{flaws:?}");
        assert!(!said.contains(marker) && !said.contains("4242424242"), "{said}");
    }

    #[test]
    fn the_shape_of_a_part_is_found_as_the_part_is() {
        let database = Shape::Table(table([("port", needed(Shape::Leaf(Type::Number)))]));
        let shape = Shape::Table(table([("database", needed(database))]));
        assert_eq!(*shape.at("database.port"), Shape::Leaf(Type::Number));
        assert_eq!(*shape.at("database.other.deep"), Shape::Any);
        assert_eq!(*shape.at("other"), Shape::Any);
    }
}
