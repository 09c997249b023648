//! Trees of sealed leaves: found in by key paths, put together, and written for JavaScript.

use crate::json::Json;
use secretfig_source::{Exposed, Node};
use std::collections::BTreeMap;

/// What is written of a number, without a look at its value: a float's parser is larger than this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// No point and no exponent.
    pub(crate) whole: bool,
    /// From the first that is not zero.
    pub(crate) digits: usize,
    /// It is below ten to the power of this.
    magnitude: i64,
}

impl Written {
    /// `-1.5e3`, also `+5`, `.5` and `5.`, as Rust's own reading of a float has it; no `inf`, no `NaN`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (number, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, Some(exponent)),
            None => (unsigned, None),
        };
        let (before, after) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if !digits(before) || !digits(after) || before.len() + after.len() == 0 {
            return None;
        }
        let power = match exponent {
            None => 0,
            Some(power) => power.parse::<i32>().ok()?,
        };
        let leading = before.trim_start_matches('0');
        let significant = if leading.is_empty() {
            after.trim_start_matches('0').len()
        } else {
            leading.len() + after.len()
        };
        let whole = exponent.is_none() && !number.contains('.');
        let magnitude = i64::try_from(leading.len()).ok()? + i64::from(power);
        Some(Self { whole, digits: significant, magnitude })
    }

    /// Whether JavaScript's number surely has room for it: it is below 1e308, and so finite there.
    pub(crate) fn is_finite(self) -> bool {
        self.digits == 0 || self.magnitude <= 308
    }
}

/// Whether it is one of JavaScript's whole numbers that are exact, up to `Number.MAX_SAFE_INTEGER`.
pub(crate) fn exact(literal: &str) -> Option<i64> {
    literal.parse::<i64>().ok().filter(|n| n.unsigned_abs() < 1 << 53)
}

/// The part at a path: the key of exactly that name, else the way that its dots name.
pub(crate) fn at<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    if let Some(own) = child(node, path) {
        return Some(own);
    }
    let (first, rest) = path.split_once('.')?;
    at(child(node, first)?, rest)
}

pub(crate) fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    match node {
        Node::Table(table) => table.get(key),
        Node::List(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Puts a node there; tables meet key by key, a null takes nothing's place, all else takes the place of what is there.
pub(crate) fn put(at: &mut Node, path: &str, node: Node) {
    if path.is_empty() {
        return merge(at, node);
    }
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    if !matches!(at, Node::Table(_)) {
        *at = Node::Table(BTreeMap::new());
    }
    if let Node::Table(table) = at {
        put(table.entry(first.into()).or_insert(Node::Null), rest, node);
    }
}

fn merge(at: &mut Node, node: Node) {
    match (at, node) {
        (_, Node::Null) => {}
        (Node::Table(there), Node::Table(new)) => {
            for (key, node) in new {
                merge(there.entry(key).or_insert(Node::Null), node);
            }
        }
        (at, node) => *at = node,
    }
}

pub(crate) fn join(key: &str, part: &str) -> String {
    if key.is_empty() { part.to_owned() } else { format!("{key}.{part}") }
}

/// Whether that key is the other one, or lies under it.
pub(crate) fn is_under(key: &str, above: &str) -> bool {
    key.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether one of the two lies under the other.
pub(crate) fn meet(key: &str, other: &str) -> bool {
    is_under(key, other) || is_under(other, key)
}

/// The key paths of all leaves.
pub(crate) fn leaves(node: &Node, key: String, each: &mut dyn FnMut(String)) {
    match node {
        Node::Table(table) => {
            for (part, node) in table {
                leaves(node, join(&key, part), each);
            }
        }
        _ => each(key),
    }
}

/// The key of a number that is infinite in JavaScript.
pub(crate) fn beyond(node: &Node, key: &str) -> Option<String> {
    match node {
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Number(literal) => {
                let fits = Written::read(literal).is_some_and(|written| written.whole || written.is_finite());
                (!fits).then(|| key.to_owned())
            }
            _ => None,
        },
        Node::List(list) => {
            list.iter().enumerate().find_map(|(n, node)| beyond(node, &join(key, &n.to_string())))
        }
        Node::Table(table) => table.iter().find_map(|(part, node)| beyond(node, &join(key, part))),
        Node::Null => None,
    }
}

/// The text of a leaf.
pub(crate) fn text(node: &Node) -> Option<&str> {
    match node {
        Node::Leaf(sealed) => match sealed.expose_secret() {
            Exposed::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Writes it for JavaScript.
pub(crate) fn write(node: &Node, json: &mut Json) {
    match node {
        Node::Null => _ = json.raw("null"),
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Text(text) => _ = json.tagged("s", text),
            Exposed::Bool(yes) => _ = json.raw(if yes { "true" } else { "false" }),
            // rounded, a wrong number would come out without a word
            Exposed::Number(literal) if is_rounded(literal) => _ = json.tagged("i", literal),
            Exposed::Number(literal) => _ = json.raw(literal),
            // INVARIANT: documents are JSON, which holds no bytes
            Exposed::Bytes(_) => _ = json.raw("null"),
        },
        Node::List(list) => _ = json.list(list, |json, node| write(node, json)),
        Node::Table(entries) => table(entries, json, &|_, node, json| write(node, json)),
    }
}

/// Writes a table for JavaScript, each of its nodes as `write` does.
pub(crate) fn table(table: &Table, json: &mut Json, write: &dyn Fn(&str, &Node, &mut Json)) {
    json.raw("{");
    for (n, (key, node)) in table.iter().enumerate() {
        json.raw(if n == 0 { "" } else { "," }).text(key).raw(":");
        write(key, node, json);
    }
    json.raw("}");
}

type Table = BTreeMap<Box<str>, Node>;

/// A whole number beyond those that are exact in JavaScript.
pub(crate) fn is_rounded(literal: &str) -> bool {
    exact(literal).is_none() && Written::read(literal).is_some_and(|written| written.whole)
}
