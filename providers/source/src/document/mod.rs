//! What one secret holds: bytes as they came, read into a tree of sealed leaves.

#[cfg(feature = "formats")]
mod dotenv;
mod json;
#[cfg(feature = "formats")]
mod toml;

use crate::{Node, Sealed};
#[cfg(feature = "formats")]
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What one secret holds, as it came: wiped when the last clone drops, never printed.
///
/// A source makes it from bytes; [`Document::read`] turns it into a tree by the format that the
/// configuration asks for. The bytes go straight into sealed leaves, with no plain tree in between.
///
/// ```
/// use secretfig_source::{Document, Node, Reading};
/// let doc = Document::from_text(r#"{"user": "app", "port": 5432}"#);
/// let Ok(Node::Table(table)) = doc.read(&Reading::default()) else { panic!("a table") };
/// assert_eq!(table.keys().map(|k| &**k).collect::<Vec<_>>(), ["port", "user"]);
/// assert_eq!(format!("{doc:?}"), "Document([sealed])");
/// ```
#[derive(Clone)]
pub struct Document {
    body: Body,
    newline: bool,
}

#[derive(Clone)]
enum Body {
    /// One payload; known to be text or not.
    Payload(Sealed),
    /// Several payloads under their names, such as the files of one folder.
    #[cfg(feature = "formats")]
    Parts(Arc<BTreeMap<Box<str>, Document>>),
    /// Read already, as part of something larger.
    Tree(Arc<Node>),
}

impl Document {
    /// Takes over bytes as they came. A buffer without spare room is moved, any other is copied at
    /// exact size; the given one is wiped.
    pub fn from_bytes(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        let bytes = bytes.into();
        let text = std::str::from_utf8(&bytes).is_ok();
        Self { body: Body::Payload(Sealed::take(bytes, text)), newline: false }
    }

    /// A copy of the text.
    pub fn from_text(text: &str) -> Self {
        Self { body: Body::Payload(Sealed::text(text)), newline: false }
    }

    /// Several payloads that are one secret, each under its name. Each part is read by the format.
    #[cfg(feature = "formats")]
    pub fn from_parts(parts: impl IntoIterator<Item = (Box<str>, Document)>) -> Self {
        Self { body: Body::Parts(Arc::new(parts.into_iter().collect())), newline: false }
    }

    /// Part of what was read already, such as a table of a file that holds many secrets. One leaf is
    /// a payload, and is read by the format as any other. A table or a list is taken as it is: it has
    /// no text that a format could be read from, so `text`, `bytes` and `dotenv` are refused.
    ///
    /// ```
    /// use secretfig_source::{Document, Format, Node, Reading};
    /// let file = Document::from_text(r#"{"db": {"port": 5432}}"#).read(&Reading::default())?;
    /// let Some(db) = file.field("db") else { panic!("a table") };
    /// let doc = Document::from_node(db.clone());
    /// assert!(matches!(doc.read(&Reading::default())?.field("port"), Some(Node::Leaf(_))));
    /// assert!(doc.read(&Reading { format: Format::Text, ..Reading::default() }).is_err());
    /// # Ok::<(), secretfig_source::Malformed>(())
    /// ```
    pub fn from_node(node: Node) -> Self {
        let body = match node {
            Node::Leaf(payload) => Body::Payload(payload),
            tree => Body::Tree(Arc::new(tree)),
        };
        Self { body, newline: false }
    }

    /// For payloads out of files that people write: **one** newline (`\n` or `\r\n`) at the end of a
    /// text does not belong to it. No other blank is touched, and bytes never are.
    #[must_use]
    pub fn without_final_newline(mut self) -> Self {
        self.newline = true;
        self
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Malformed`], which says what is wrong and at which key, and nothing of what is there.
    pub fn read(&self, how: &Reading) -> Result<Node, Malformed> {
        let node = match &self.body {
            Body::Payload(payload) => self.payload(payload, how)?,
            Body::Tree(tree) => self::tree(tree, how)?,
            #[cfg(feature = "formats")]
            Body::Parts(parts) => {
                let mut table = BTreeMap::new();
                for (name, part) in parts.iter() {
                    let node = part
                        .read(&Reading { allow_empty: true, field: None, ..how.clone() })
                        .map_err(|e| e.under(name))?;
                    table.insert(name.clone(), node);
                }
                Node::Table(table)
            }
        };
        let node = match &how.field {
            None => node,
            Some(field) => node
                .field(field)
                .cloned()
                .ok_or_else(|| Malformed::new("the document has no such field").under(field))?,
        };
        if node.is_empty() && !how.allow_empty {
            return Err(Malformed::new("empty; say `allow_empty = true` where that is meant"));
        }
        Ok(node)
    }

    fn payload(&self, payload: &Sealed, how: &Reading) -> Result<Node, Malformed> {
        use crate::Exposed::{Bool, Bytes, Number, Text};
        let (bytes, text) = match payload.expose_secret() {
            Text(text) | Number(text) => (text.as_bytes(), Some(text)),
            Bytes(bytes) => (bytes, None),
            Bool(_) => return Ok(Node::Leaf(payload.clone())),
        };
        if bytes.len() > how.limits.max_bytes {
            return Err(Malformed::new("larger than `max_secret_bytes`"));
        }
        let text = |format: &'static str| text.ok_or_else(|| Malformed::new(format));
        match how.format {
            Format::Bytes => {
                Ok(Node::Leaf(if text("").is_ok() { Sealed::bytes(bytes) } else { payload.clone() }))
            }
            Format::Text => text("not UTF-8, so no text").map(|t| self.text_leaf(payload, t)),
            Format::Json => json::read(text("not UTF-8, so no JSON")?, how.limits),
            #[cfg(not(feature = "formats"))]
            Format::Toml | Format::Dotenv => {
                Err(Malformed::new("in a format that this program was built without (feature `formats`)"))
            }
            #[cfg(feature = "formats")]
            Format::Toml => toml::read(text("not UTF-8, so no TOML")?, how.limits),
            #[cfg(feature = "formats")]
            Format::Dotenv => dotenv::read(text("not UTF-8, so no dotenv file")?),
            Format::Auto => match text("") {
                Err(_) => Ok(Node::Leaf(payload.clone())),
                Ok(t) => json::object(t, how.limits).unwrap_or_else(|| Ok(self.text_leaf(payload, t))),
            },
        }
    }

    fn text_leaf(&self, payload: &Sealed, text: &str) -> Node {
        let kept = match text.strip_suffix('\n') {
            Some(rest) if self.newline => rest.strip_suffix('\r').unwrap_or(rest),
            _ => text,
        };
        Node::Leaf(if kept.len() == text.len() { payload.clone() } else { Sealed::text(kept) })
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.body {
            Body::Payload(_) => "Document([sealed])",
            #[cfg(feature = "formats")]
            Body::Parts(_) => "Document({sealed parts})",
            Body::Tree(_) => "Document({sealed tree})",
        })
    }
}

/// What was read already, within the limits of this reading.
fn tree(node: &Node, how: &Reading) -> Result<Node, Malformed> {
    if matches!(how.format, Format::Text | Format::Bytes | Format::Dotenv) {
        return Err(Malformed::new("a table or a list already, which this `format` does not read"));
    }
    let mut room = how.limits.max_bytes;
    fits(node, &mut room, how.limits.max_depth)?;
    Ok(node.clone())
}

/// Counts the bytes of all leaves, and how deep they lie.
fn fits(node: &Node, room: &mut usize, depth: usize) -> Result<(), Malformed> {
    let below = || depth.checked_sub(1).ok_or_else(|| Malformed::new("nested too deep"));
    match node {
        Node::Null => Ok(()),
        Node::Leaf(sealed) => match room.checked_sub(sealed.size()) {
            Some(left) => {
                *room = left;
                Ok(())
            }
            None => Err(Malformed::new("larger than `max_secret_bytes`")),
        },
        Node::List(nodes) => {
            let depth = below()?;
            nodes.iter().try_for_each(|node| fits(node, room, depth))
        }
        Node::Table(table) => {
            let depth = below()?;
            table.values().try_for_each(|node| fits(node, room, depth))
        }
    }
}

/// How a document is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reading {
    /// In which format.
    pub format: Format,
    /// Only this field of it ([`Node::field`]).
    pub field: Option<Box<str>>,
    /// Whether an empty document is fine.
    pub allow_empty: bool,
    /// How large and how deep at most.
    pub limits: Limits,
}

/// The format of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// A JSON object becomes a tree, all else is one leaf: text where it is UTF-8, bytes otherwise.
    #[default]
    Auto,
    /// JSON, of any type.
    Json,
    /// TOML. Refused, as the next, where this crate was built without its feature `formats`.
    Toml,
    /// `NAME=value` lines. Nothing is expanded: `$` is a character.
    Dotenv,
    /// One text, whatever it looks like.
    Text,
    /// One leaf of bytes.
    Bytes,
}

impl Format {
    /// Every format by its name in a configuration.
    pub const NAMES: [(&'static str, Format); 6] = [
        ("auto", Format::Auto),
        ("json", Format::Json),
        ("toml", Format::Toml),
        ("dotenv", Format::Dotenv),
        ("text", Format::Text),
        ("bytes", Format::Bytes),
    ];
}

/// The bounds of one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes of one payload. Default 1 MiB.
    pub max_bytes: usize,
    /// Nested tables and lists. Default 64.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 1 << 20, max_depth: 64 }
    }
}

/// Why a document cannot be read: a reason from a closed set, and the key it is about. Never a
/// value, nor where in the text it stands, which would tell a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    reason: &'static str,
    path: Vec<Box<str>>,
}

impl Malformed {
    pub(crate) fn new(reason: &'static str) -> Self {
        Self { reason, path: Vec::new() }
    }

    pub(crate) fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.into());
        self
    }

    /// What is wrong.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The keys down to the place, inside the document.
    pub fn path(&self) -> impl Iterator<Item = &str> {
        self.path.iter().map(|s| &**s)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}`: ", crate::ask::Printable(&self.path.join(".")))?;
        }
        f.write_str(self.reason)
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exposed;

    fn leaf(node: &Node) -> Vec<u8> {
        match node {
            Node::Leaf(sealed) => match sealed.expose_secret() {
                Exposed::Text(t) | Exposed::Number(t) => t.as_bytes().to_vec(),
                Exposed::Bytes(b) => b.to_vec(),
                Exposed::Bool(b) => b.to_string().into_bytes(),
            },
            other => panic!("no leaf: {other:?}"),
        }
    }

    fn reading(format: Format) -> Reading {
        Reading { format, ..Reading::default() }
    }

    #[test]
    fn auto_leaves_everything_but_an_object_as_it_came() {
        for text in
            ["00123", " padded ", "true", "\"quoted\"", "{x=1}", "[1]", "null", "🔑", "{\"a\":", "line\n"]
        {
            let node = Document::from_text(text).read(&Reading::default()).unwrap();
            assert_eq!(leaf(&node), text.as_bytes());
        }
        let node = Document::from_bytes(vec![0xff, 0, 1]).read(&Reading::default()).unwrap();
        assert_eq!(leaf(&node), [0xff, 0, 1]);
    }

    #[test]
    fn one_final_newline_goes_where_a_file_says_so_and_nothing_else() {
        for (text, kept) in
            [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("\r\n ", "\r\n ")]
        {
            let doc = Document::from_text(text).without_final_newline();
            assert_eq!(leaf(&doc.read(&Reading::default()).unwrap()), kept.as_bytes());
            assert_eq!(leaf(&doc.read(&reading(Format::Bytes)).unwrap()), text.as_bytes());
        }
    }

    #[test]
    fn empty_is_refused_unless_allowed() {
        for (text, format) in
            [("", Format::Auto), ("{}", Format::Auto), ("", Format::Toml), ("null", Format::Json)]
        {
            assert!(Document::from_text(text).read(&reading(format)).is_err());
            let allowed = Reading { allow_empty: true, ..reading(format) };
            assert!(Document::from_text(text).read(&allowed).is_ok());
        }
    }

    #[test]
    fn limits_hold() {
        let small = Reading { limits: Limits { max_bytes: 3, max_depth: 64 }, ..Reading::default() };
        assert!(Document::from_text("abc").read(&small).is_ok());
        assert_eq!(
            Document::from_text("abcd").read(&small).unwrap_err().reason(),
            "larger than `max_secret_bytes`"
        );
        for (depth, ok) in [(64, true), (65, false), (10_000, false)] {
            let text = format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
            let allowed = Reading { allow_empty: true, ..Reading::default() };
            assert_eq!(Document::from_text(&text).read(&allowed).is_ok(), ok, "{depth}");
        }
    }

    #[test]
    fn a_part_of_a_tree_is_as_it_was_read_and_its_texts_are_payloads() {
        let text = r#"{"a": {"n": 1.10, "t": "{\"x\": 1}", "b": true}, "s": "{\"x\": \"y\"}"}"#;
        let root = Document::from_text(text).read(&Reading::default()).unwrap();
        let of = |field: &str| Document::from_node(root.field(field).unwrap().clone());
        for format in [Format::Auto, Format::Json, Format::Toml] {
            let node = of("a").read(&reading(format)).unwrap();
            assert_eq!(leaf(node.field("n").unwrap()), b"1.10", "{format:?}");
            assert_eq!(leaf(node.field("t").unwrap()), b"{\"x\": 1}", "a text in a table is no document");
        }
        for format in [Format::Text, Format::Bytes, Format::Dotenv] {
            assert!(of("a").read(&reading(format)).is_err(), "{format:?}");
        }
        assert_eq!(leaf(of("s").read(&Reading::default()).unwrap().field("x").unwrap()), b"y");
        assert_eq!(leaf(&of("s").read(&reading(Format::Text)).unwrap()), b"{\"x\": \"y\"}");
        assert_eq!(leaf(&of("a.n").read(&Reading::default()).unwrap()), b"1.10");
        assert_eq!(leaf(&of("a.b").read(&Reading::default()).unwrap()), b"true");
    }

    #[test]
    fn the_limits_hold_for_a_part_of_a_tree() {
        let root = Document::from_text(r#"{"a": {"b": ["xx", "yy"]}}"#).read(&Reading::default()).unwrap();
        let doc = Document::from_node(root);
        for (max_bytes, max_depth, ok) in [(4, 3, true), (3, 3, false), (4, 2, false)] {
            let limits = Limits { max_bytes, max_depth };
            assert_eq!(doc.read(&Reading { limits, ..Reading::default() }).is_ok(), ok, "{limits:?}");
        }
        assert!(Document::from_node(Node::Null).read(&Reading::default()).is_err(), "nothing is empty");
    }

    #[test]
    fn parts_are_read_one_by_one() {
        let doc = Document::from_parts([
            ("user".into(), Document::from_text("app\n").without_final_newline()),
            ("conf".into(), Document::from_text(r#"{"a": 1}"#)),
        ]);
        let node = doc.read(&Reading::default()).unwrap();
        assert_eq!(leaf(node.field("user").unwrap()), b"app");
        assert_eq!(leaf(node.field("conf.a").unwrap()), b"1");
        let field = Reading { field: Some("user".into()), ..Reading::default() };
        assert_eq!(leaf(&doc.read(&field).unwrap()), b"app");
        let none = Reading { field: Some("nope".into()), ..Reading::default() };
        assert_eq!(doc.read(&none).unwrap_err().to_string(), "`nope`: the document has no such field");
    }
}
