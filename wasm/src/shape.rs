//! What a caller says a document looks like: checked at the load and before each change, and what turns the text
//! `"5432"`, as managers often hold it, into the number that was asked for.

use crate::failure::Flaw;
use crate::json::Json;
use crate::tree::{self, Written, text};
use secretfig_source::{Exposed, Node};

/// The shape of a value, as it was given: names and types, no value. `Null`: nothing is said of it.
#[derive(Debug)]
pub(crate) struct Shape(Node);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Any,
    Text,
    Number,
    Bool,
}

impl Type {
    /// `"string"`, `"number"`, `"boolean"` or `"any"`, and whether `?` stands behind it: it may be absent.
    fn read(node: &Node) -> Option<(Self, bool)> {
        let word = text(node)?;
        let (word, optional) = match word.strip_suffix('?') {
            Some(word) => (word, true),
            None => (word, false),
        };
        let leaf = match word {
            "any" => Type::Any,
            "string" => Type::Text,
            "number" => Type::Number,
            "boolean" => Type::Bool,
            _ => return None,
        };
        Some((leaf, optional))
    }

    fn word(self) -> &'static str {
        match self {
            Type::Any => "anything",
            Type::Text => "a string",
            Type::Number => "a number",
            Type::Bool => "a boolean",
        }
    }
}

impl Shape {
    /// From what JavaScript gives: a [`Type`]; `[shape]` for a list; an object for a table.
    pub(crate) fn read(given: Option<&Node>, flaws: &mut Vec<Flaw>) -> Self {
        let Some(given) = given else { return Self(Node::Null) };
        known(given, "shape", flaws);
        Self(given.clone())
    }

    /// Every difference between the whole configuration and this shape.
    pub(crate) fn check(&self, root: &Node) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if let Node::Table(table) = &self.0 {
            for (key, shape) in table {
                field(shape, tree::child(root, key), key, &mut flaws);
            }
        }
        flaws
    }

    /// Writes what is held at a path for JavaScript, in this shape.
    pub(crate) fn write(&self, path: &str, node: &Node, json: &mut Json) {
        write(at(&self.0, path), node, json);
    }
}

/// The shape of a part.
fn at<'s>(shape: &'s Node, path: &str) -> &'s Node {
    if let Some(own) = child(shape, path) {
        return own;
    }
    match path.split_once('.').and_then(|(first, rest)| Some((child(shape, first)?, rest))) {
        Some((child, rest)) => at(child, rest),
        None => &Node::Null,
    }
}

fn child<'s>(shape: &'s Node, key: &str) -> Option<&'s Node> {
    match shape {
        Node::Table(table) => table.get(key),
        // one shape for all
        Node::List(list) => key.parse::<usize>().ok().and(list.first()),
        _ => None,
    }
}

fn known(shape: &Node, at: &str, flaws: &mut Vec<Flaw>) {
    let wrong = match shape {
        Node::Table(table) => {
            return table.iter().for_each(|(key, shape)| known(shape, &tree::join(at, key), flaws));
        }
        Node::List(list) => match list.as_slice() {
            [one] => return known(one, &tree::join(at, "0"), flaws),
            _ => "a list's shape has one element",
        },
        leaf if Type::read(leaf).is_some() => return,
        Node::Leaf(_) => "no such type",
        Node::Null => "no shape",
    };
    let hint = "write `string`, `number`, `boolean` or `any`, a list of one shape, or an object of shapes";
    flaws.push(Flaw::new(at, "misconfigured", wrong, hint));
}

fn field(shape: &Node, node: Option<&Node>, at: &str, flaws: &mut Vec<Flaw>) {
    let leaf = Type::read(shape);
    let found = match (leaf, shape, node) {
        (Some((_, true)), _, None | Some(Node::Null)) => return,
        (_, _, None) => {
            return flaws.push(Flaw::new(
                at,
                "missing",
                "missing",
                "set it in the secret, or write `?` behind its type",
            ));
        }
        (Some((leaf, _)), _, Some(node)) if convert(leaf, node).is_some() => return,
        (Some((leaf, _)), ..) => leaf.word(),
        (_, Node::List(shapes), Some(Node::List(list))) => {
            for (n, node) in list.iter().enumerate() {
                field(
                    shapes.first().unwrap_or(&Node::Null),
                    Some(node),
                    &tree::join(at, &n.to_string()),
                    flaws,
                );
            }
            return;
        }
        (_, Node::Table(table), Some(Node::Table(_))) => {
            for (key, shape) in table {
                field(shape, node.and_then(|node| tree::child(node, key)), &tree::join(at, key), flaws);
            }
            return;
        }
        (_, Node::List(_), _) => "a list",
        _ => "an object",
    };
    let message = format!("wrong type, expected {found}");
    flaws.push(Flaw::new(at, "wrong type", &message, "correct the value, or the shape"));
}

fn write(shape: &Node, node: &Node, json: &mut Json) {
    let converted = Type::read(shape).and_then(|(leaf, _)| convert(leaf, node));
    match (converted, shape, node) {
        (Some(Said::Number), _, node) => _ = json.tagged("n", text(node).unwrap_or_default()),
        (Some(Said::Bool(yes)), ..) => _ = json.raw(if yes { "true" } else { "false" }),
        (None, Node::List(_), Node::List(list)) => {
            json.list(list, |json, node| write(child(shape, "0").unwrap_or(&Node::Null), node, json));
        }
        (None, Node::Table(_), Node::Table(table)) => {
            tree::table(table, json, &|key, node, json| {
                write(child(shape, key).unwrap_or(&Node::Null), node, json);
            });
        }
        _ => tree::write(node, json),
    }
}

/// What text says where another type is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// The value is of that type already.
    Itself,
    /// The number that is written.
    Number,
    Bool(bool),
}

/// A leaf as that type: text as the number or boolean that it says, and nothing else.
fn convert(leaf: Type, node: &Node) -> Option<Said> {
    let Node::Leaf(sealed) = node else { return (leaf == Type::Any).then_some(Said::Itself) };
    match (leaf, sealed.expose_secret()) {
        (Type::Any, _) | (Type::Text, Exposed::Text(_)) | (Type::Bool, Exposed::Bool(_)) => {
            Some(Said::Itself)
        }
        // a number that JavaScript would round is not the number that is there
        (Type::Number, Exposed::Number(literal)) => (!tree::is_rounded(literal)).then_some(Said::Itself),
        (Type::Number, Exposed::Text(text)) => {
            let written = Written::read(text)?;
            (written.is_finite() && written.digits <= 15).then_some(Said::Number)
        }
        (Type::Bool, Exposed::Text("true")) => Some(Said::Bool(true)),
        (Type::Bool, Exposed::Text("false")) => Some(Said::Bool(false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secretfig_source::{Document, Format, Reading, Sealed};

    fn said(text: &str) -> Node {
        Node::Leaf(Sealed::text(text))
    }

    fn json(text: &str) -> Node {
        Document::from_text(text).read(&Reading { format: Format::Json, ..Reading::default() }).unwrap()
    }

    fn shape(text: &str) -> Shape {
        let mut flaws = Vec::new();
        let shape = Shape::read(Some(&json(text)), &mut flaws);
        assert_eq!(flaws, []);
        shape
    }

    #[test]
    fn text_becomes_what_it_says_and_nothing_is_rounded_or_guessed() {
        for written in ["5432", "-1.5", "1e3", "+5", ".5", "5.", "007", "1e307", "0.000000000000001"] {
            assert_eq!(convert(Type::Number, &said(written)), Some(Said::Number), "{written}");
            assert!(written.parse::<f64>().unwrap().is_finite());
        }
        for refused in [
            "",
            " 5",
            "0x10",
            ".",
            "-",
            "e5",
            "1e",
            "inf",
            "NaN",
            "1e999",
            "12345678901234567890",
            "true",
            "5,4",
        ] {
            assert_eq!(convert(Type::Number, &said(refused)), None, "{refused}");
        }
        assert_eq!(convert(Type::Number, &json("9007199254740992")), None);
        assert_eq!(convert(Type::Number, &json("9007199254740991")), Some(Said::Itself));
        assert_eq!(convert(Type::Bool, &said("true")), Some(Said::Bool(true)));
        assert_eq!(convert(Type::Bool, &said("yes")), None);
        // a number is not made into text: `007` would have come out as `7`
        assert_eq!(convert(Type::Text, &json("7")), None);
    }

    #[test]
    fn every_difference_has_its_key_and_none_its_value() {
        let shape = shape(
            r#"{"database": {"host": "string", "port": "number", "tls": "boolean", "comment": "string?", "hosts": ["string"]}}"#,
        );
        let marker = "mark-of-a-value";
        let root = json(&format!(
            r#"{{"database": {{"host": "db", "port": "{marker}", "hosts": ["a", 4242424242]}}}}"#
        ));
        let flaws = shape.check(&root);
        let found: Vec<_> = flaws.iter().map(|flaw| (flaw.key.as_str(), flaw.kind)).collect();
        let expected = [
            ("database.hosts.1", "wrong type"),
            ("database.port", "wrong type"),
            ("database.tls", "missing"),
        ];
        assert_eq!(found, expected);
        let told = format!("{flaws:?}");
        assert!(!told.contains(marker) && !told.contains("4242424242"), "{told}");
    }

    #[test]
    fn the_shape_of_a_part_is_found_as_the_part_is() {
        let Shape(whole) = shape(r#"{"database": {"port": "number", "hosts": [{"name": "string"}]}}"#);
        assert_eq!(Type::read(at(&whole, "database.port")), Some((Type::Number, false)));
        assert_eq!(Type::read(at(&whole, "database.hosts.7.name")), Some((Type::Text, false)));
        assert!(matches!(at(&whole, "database.other.deep"), Node::Null));
        assert!(matches!(at(&whole, "other"), Node::Null));
    }

    #[test]
    fn what_is_no_shape_is_told_at_its_place() {
        let mut flaws = Vec::new();
        Shape::read(
            Some(&json(r#"{"a": "text", "b": ["string", "string"], "c": {"d": 7}, "e": null}"#)),
            &mut flaws,
        );
        let found: Vec<_> = flaws.iter().map(|flaw| (flaw.key.as_str(), flaw.kind)).collect();
        assert_eq!(found, ["shape.a", "shape.b", "shape.c.d", "shape.e"].map(|key| (key, "misconfigured")));
    }
}
