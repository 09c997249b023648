//! Where values live: leaves that print as nothing and wipe themselves.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// One sealed value: text, bytes, a number or a boolean.
///
/// Cloning shares the one block that holds it; the block is wiped when the last clone drops. There
/// is no `Display`, no `Serialize`, no comparison, and `Debug` shows nothing of the value, not even
/// its length. Only [`Sealed::expose_secret`] opens it, which is for decoders.
#[derive(Clone)]
pub struct Sealed(Arc<Leaf>);

struct Leaf {
    kind: Kind,
    bytes: Zeroizing<Box<[u8]>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Bytes,
    Number,
    Bool,
}

/// What a [`Sealed`] holds, for a decoder. It borrows and cannot be stored.
pub enum Exposed<'a> {
    /// Text, exactly as it came.
    Text(&'a str),
    /// A number as it was written, so that no digit is lost.
    Number(&'a str),
    /// A boolean.
    Bool(bool),
    /// Bytes that are not known to be text.
    Bytes(&'a [u8]),
}

impl Sealed {
    /// Seals a copy of the text, at exact size.
    pub fn text(text: &str) -> Self {
        Self::of(Kind::Text, text.as_bytes())
    }

    /// Seals a copy of the bytes, at exact size.
    pub fn bytes(bytes: &[u8]) -> Self {
        Self::of(Kind::Bytes, bytes)
    }

    /// Seals a number by its literal.
    pub(crate) fn number(literal: &str) -> Self {
        Self::of(Kind::Number, literal.as_bytes())
    }

    /// Seals a boolean.
    pub(crate) fn bool(yes: bool) -> Self {
        Self::of(Kind::Bool, if yes { b"true" } else { b"false" })
    }

    fn of(kind: Kind, bytes: &[u8]) -> Self {
        Self(Arc::new(Leaf { kind, bytes: Zeroizing::new(Box::from(bytes)) }))
    }

    /// Takes over a buffer: moved where it has no spare room, copied at exact size otherwise. The
    /// old block is wiped.
    pub(crate) fn take(mut buffer: Zeroizing<Vec<u8>>, text: bool) -> Self {
        let kind = if text { Kind::Text } else { Kind::Bytes };
        if buffer.len() == buffer.capacity() {
            let bytes = std::mem::take(&mut *buffer).into_boxed_slice();
            Self(Arc::new(Leaf { kind, bytes: Zeroizing::new(bytes) }))
        } else {
            let sealed = Self::of(kind, &buffer);
            buffer.zeroize();
            sealed
        }
    }

    /// How many bytes it holds, for limits alone: a length is never told.
    pub(crate) fn size(&self) -> usize {
        self.0.bytes.len()
    }

    /// Opens it. For decoders: whatever is made of it must wipe itself too.
    pub fn expose_secret(&self) -> Exposed<'_> {
        let bytes = &self.0.bytes[..];
        let text = || std::str::from_utf8(bytes);
        match self.0.kind {
            // INVARIANT: text and numbers are only ever made from `str`; were one not UTF-8, it
            // would come out as the bytes it is.
            Kind::Text => text().map_or(Exposed::Bytes(bytes), Exposed::Text),
            Kind::Number => text().map_or(Exposed::Bytes(bytes), Exposed::Number),
            Kind::Bool => Exposed::Bool(bytes == b"true"),
            Kind::Bytes => Exposed::Bytes(bytes),
        }
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// What a document holds: a tree whose every leaf is sealed. Keys are names and are not secret.
#[derive(Clone)]
pub enum Node {
    /// Nothing: JSON's `null`.
    Null,
    /// One value.
    Leaf(Sealed),
    /// A list.
    List(Vec<Node>),
    /// A table; every key once.
    Table(BTreeMap<Box<str>, Node>),
}

impl Node {
    /// The node at a field: the key of exactly that name, else the way that its dots name.
    ///
    /// ```
    /// use secretfig_source::{Document, Node, Reading};
    /// let doc = Document::from_text(r#"{"a": {"b": "x"}, "c.d": "y"}"#);
    /// let node = doc.read(&Reading::default()).unwrap();
    /// assert!(matches!(node.field("a.b"), Some(Node::Leaf(_))));
    /// assert!(matches!(node.field("c.d"), Some(Node::Leaf(_))));
    /// assert!(node.field("a.c").is_none());
    /// ```
    pub fn field(&self, field: &str) -> Option<&Node> {
        let Node::Table(table) = self else { return None };
        if let Some(node) = table.get(field) {
            return Some(node);
        }
        let (first, rest) = field.split_once('.')?;
        table.get(first)?.field(rest)
    }

    /// Whether there is nothing in it: no value, no element, no key.
    pub fn is_empty(&self) -> bool {
        match self {
            Node::Null => true,
            Node::Leaf(sealed) => sealed.0.bytes.is_empty(),
            Node::List(list) => list.is_empty(),
            Node::Table(table) => table.is_empty(),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Node::Null => "null",
            Node::Leaf(_) => "[sealed]",
            Node::List(_) => "[sealed list]",
            Node::Table(_) => "{sealed table}",
        })
    }
}
