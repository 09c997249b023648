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
        let (mut digits, mut before, mut point, mut any) = (0_usize, 0_i64, false, false);
        let mut bytes = text.strip_prefix(['+', '-']).unwrap_or(text).bytes();
        let exponent = loop {
            match bytes.next() {
                None => break 0,
                Some(b'e' | b'E') => {
                    let power = text.get(text.len() - bytes.len()..)?;
                    break i64::from(power.parse::<i32>().ok()?);
                }
                Some(b'.') if !point => point = true,
                Some(digit @ b'0'..=b'9') => {
                    any = true;
                    digits += usize::from(digits > 0 || digit != b'0');
                    before += i64::from(!point && digits > 0);
                }
                Some(_) => return None,
            }
        };
        let whole = !point && !text.contains(['e', 'E']);
        any.then_some(Self { whole, digits, magnitude: before + exponent })
    }

    /// Whether JavaScript's number surely has room for it: it is below 1e308, and so finite there.
    pub(crate) fn is_finite(self) -> bool {
        self.digits == 0 || self.magnitude <= 308
    }
}

/// A whole number beyond those that are exact in JavaScript, up to `Number.MAX_SAFE_INTEGER`.
pub(crate) fn is_rounded(literal: &str) -> bool {
    let exact = literal.parse::<i64>().is_ok_and(|n| n.unsigned_abs() < 1 << 53);
    !exact && Written::read(literal).is_some_and(|written| written.whole)
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
    if key.is_empty() { part.to_owned() } else { [key, ".", part].concat() }
}

/// Whether that key is the other one, or lies under it.
pub(crate) fn is_under(key: &str, above: &str) -> bool {
    key.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
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

/// Writes it for JavaScript: a text with the tag `s`, an integer that would be rounded there as a text with the tag `i`.
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
        Node::List(list) => _ = json.list(list.iter(), &mut |json, node| write(node, json)),
        Node::Table(table) => {
            let mut before = "{";
            for (key, node) in table {
                write(node, json.raw(before).text(key).raw(":"));
                before = ",";
            }
            json.raw(if before == "{" { "{}" } else { "}" });
        }
    }
}
