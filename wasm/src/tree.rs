//! Trees of sealed leaves: found in by key paths, put together, and written for JavaScript.

use crate::json::Json;
use secretfig_source::{Exposed, Node};
use std::collections::BTreeMap;

/// What is written of a number, without a look at its value: a float's parser is larger than this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// No point and no exponent.
    whole: bool,
    /// From the first that is not zero.
    pub(crate) digits: usize,
    /// It is below ten to the power of this.
    magnitude: i64,
}

impl Written {
    /// `-1.5e3`, also `+5`, `.5` and `5.`, as Rust's own reading of a float has it; no `inf`, no `NaN`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut written = Self { whole: true, digits: 0, magnitude: 0 };
        let (mut bytes, mut point, mut any) = (unsigned(text).bytes(), false, false);
        while let Some(byte) = bytes.next() {
            match byte {
                b'e' | b'E' => {
                    written.whole = false;
                    let exponent = text.get(text.len() - bytes.len()..)?;
                    let power = exponent_of(unsigned(exponent))?;
                    written.magnitude += if exponent.starts_with('-') { -power } else { power };
                    break;
                }
                b'.' if !point => point = true,
                b'0'..=b'9' => {
                    any = true;
                    written.digits += usize::from(written.digits > 0 || byte != b'0');
                    written.magnitude += i64::from(!point && written.digits > 0);
                }
                _ => return None,
            }
        }
        written.whole &= !point;
        any.then_some(written)
    }

    /// Whether JavaScript's number surely has room for it: it is below 1e308, and so finite there.
    pub(crate) fn is_finite(self) -> bool {
        self.digits == 0 || self.magnitude <= 308
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

/// One or more digits; far beyond what counts, all are the same.
fn exponent_of(digits: &str) -> Option<i64> {
    let mut power = 0;
    for byte in digits.bytes() {
        if !byte.is_ascii_digit() {
            return None;
        }
        power = i64::min(power * 10 + i64::from(byte - b'0'), 1_000_000);
    }
    (!digits.is_empty()).then_some(power)
}

/// Whether the literal of a number is a whole one beyond those that are exact in JavaScript, up to
/// `Number.MAX_SAFE_INTEGER`.
pub(crate) fn is_rounded(literal: &str) -> bool {
    let beyond = |digits| digits > 16 || digits == 16 && unsigned(literal) > "9007199254740991";
    Written::read(literal).is_some_and(|written| written.whole && beyond(written.digits))
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
        Node::List(list) => list.get(usize::try_from(key.parse::<u64>().ok()?).ok()?),
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

/// As text, and by the one way of writing numbers that there is in the package.
pub(crate) fn number(n: usize) -> String {
    (n as u64).to_string()
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
            list.iter().enumerate().find_map(|(n, node)| beyond(node, &join(key, &number(n))))
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

/// Writes it for JavaScript: a text with the tag `s`, an integer that would be rounded there as a text with the tag `i`, bytes
/// with the tag `b`.
pub(crate) fn write(node: &Node, json: &mut Json) {
    match node {
        Node::Null => _ = json.raw("null"),
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Text(text) => _ = json.tagged("s", text),
            Exposed::Bool(yes) => _ = json.raw(if yes { "true" } else { "false" }),
            // rounded, a wrong number would come out without a word
            Exposed::Number(literal) if is_rounded(literal) => _ = json.tagged("i", literal),
            Exposed::Number(literal) => _ = json.raw(literal),
            Exposed::Bytes(bytes) => _ = json.bytes("b", bytes),
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
