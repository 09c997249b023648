//! The second net under expectations: one that quotes a value of any layer is not told.
//!
//! An expectation is text of the target type, and nearly always static. But `Visitor::expecting` is code, and an
//! error may be given any text: `invalid_value(Unexpected::Str(v), &format!("no such colour: {v}").as_str())`.

use crate::tree::{LeafText, Merged, Number, Plain, Slot};
use secretfig_source::Exposed;
use std::collections::HashSet;

/// What is said in place of an expectation that quotes a value.
pub(super) const INSTEAD: &str = "what the type accepts";

/// What serde's own types expect: about the type, whatever the value was.
const STATIC: [&str; 26] = [
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "f32",
    "f64",
    "a boolean",
    "a string",
    "a borrowed string",
    "a character",
    "a sequence",
    "a map",
    "an array",
    "unit",
    "any value",
    "option",
    "path string",
    "struct Duration",
];

/// Bytes in a row that make a quotation, once all but letters and digits is left out and case is forgotten, so that
/// no escaping hides one.
const WINDOW: usize = 4;
/// The same for what the visitor says of its own accord, before it sees a value: only a visitor that was given one
/// beforehand could quote it, and a short one would be found by chance.
const OWN_WINDOW: usize = 8;

/// Whether the expectation quotes any leaf of the tree.
pub(super) fn quotes(text: &str, own: bool, root: &Slot<'_>) -> bool {
    if STATIC.contains(&text) {
        return false;
    }
    let text = Said::new(text, if own { OWN_WINDOW } else { WINDOW });
    any_leaf(root, &mut |leaf| text.quotes(leaf, own))
}

struct Said {
    words: HashSet<Vec<u8>>,
    parts: HashSet<u64>,
    window: usize,
}

impl Said {
    fn new(text: &str, window: usize) -> Self {
        let words = text.as_bytes().split(|byte| !counts(*byte)).map(|word| word.to_ascii_lowercase());
        let mut parts = HashSet::new();
        let mut keep = |part| {
            parts.insert(part);
            false
        };
        each_part(text.as_bytes(), window, &mut keep);
        // as `Debug` writes it, the letter of an escape is none of the value's
        let unescaped =
            ["\\n", "\\r", "\\t", "\\0"].iter().fold(text.to_owned(), |text, code| text.replace(code, ""));
        each_part(unescaped.as_bytes(), window, &mut keep);
        Self { words: words.collect(), parts, window }
    }

    fn quotes(&self, leaf: &[u8], own: bool) -> bool {
        let mut short = [0; WINDOW];
        let mut length = 0;
        for byte in leaf.iter().filter(|byte| counts(**byte)).take(WINDOW) {
            short[length] = byte.to_ascii_lowercase();
            length += 1;
        }
        // too short for a part: as a whole word; in what is the visitor's own that would be chance
        if length < WINDOW {
            let found = !own && length > 0 && self.words.contains(&short[..length]);
            zeroize::Zeroize::zeroize(&mut short);
            return found;
        }
        zeroize::Zeroize::zeroize(&mut short);
        each_part(leaf, self.window, &mut |part| self.parts.contains(&part))
    }
}

fn counts(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// Calls with every `window` (at most 8) bytes in a row, until it says so.
fn each_part(text: &[u8], window: usize, run: &mut dyn FnMut(u64) -> bool) -> bool {
    let mask = if window >= 8 { u64::MAX } else { (1 << (8 * window)) - 1 };
    let (mut part, mut seen) = (0_u64, 0);
    for byte in text.iter().filter(|byte| counts(**byte)) {
        part = (part << 8 | u64::from(byte.to_ascii_lowercase())) & mask;
        seen += 1;
        if seen >= window && run(part) {
            return true;
        }
    }
    false
}

fn any_leaf(slot: &Slot<'_>, run: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    match &slot.node {
        Merged::Table(table, _) => table.values().any(|slot| any_leaf(slot, run)),
        Merged::List(items) => items.iter().any(|slot| any_leaf(slot, run)),
        Merged::Plain(Plain::Number(number) | Plain::Guessed(number)) => {
            let text = zeroize::Zeroizing::new(match number {
                Number::Unsigned(n) => n.to_string(),
                Number::Signed(n) => n.to_string(),
                Number::Float(n) => n.to_string(),
            });
            run(text.as_bytes())
        }
        node => match (node, node.leaf_text()) {
            (_, Some(LeafText::Parsed(text) | LeafText::Strict(text))) => run(text.as_bytes()),
            (Merged::Sealed(sealed), None) => match sealed.expose_secret() {
                Exposed::Bytes(bytes) => run(bytes),
                _ => false,
            },
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Origin, OriginId};
    use zeroize::Zeroizing;

    fn quotes_it(text: &str, own: bool, leaf: &str) -> bool {
        let plain = Plain::Loose(Zeroizing::new(leaf.into()));
        let origin = Origin { layer: OriginId(0), secret: None };
        quotes(text, own, &Slot::new(Merged::Plain(&plain), origin))
    }

    #[test]
    fn quotations_are_found_however_they_are_escaped() {
        for (text, leaf) in [
            ("a name, not hunter2-hunter2", " Hunter2-hunter2 "),
            (r#"a name, not "a\"b\\c\nd""#, "a\"b\\c\nd"),
            ("no HUNT", "hunter2"),
            ("at most 7", "7"),
            ("not 12345678", "12345678"),
        ] {
            assert!(quotes_it(text, false, leaf), "{text}");
        }
        for (text, leaf) in
            [("a colour such as red", "blue"), ("u16", "u16"), ("a string", "string"), ("at most 70", "7")]
        {
            assert!(!quotes_it(text, false, leaf), "{text}");
        }
    }

    #[test]
    fn what_a_visitor_says_before_it_sees_a_value_is_told() {
        assert!(!quotes_it("struct Port", true, "port"));
        assert!(quotes_it("nothing like hunter2hunter2", true, "hunter2hunter2"));
    }
}
