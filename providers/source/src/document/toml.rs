//! TOML into sealed leaves, by the parser's borrowed tree.
//!
//! What the parser has to decode (strings with escapes) it holds in strings of its own; those are
//! wiped here. Its token buffers hold positions, not text.

use super::{Limits, Malformed};
use crate::{Node, Sealed};
use std::borrow::Cow;
use toml::de::{DeTable, DeValue};
use zeroize::{Zeroize, Zeroizing};

pub(super) fn read(text: &str, limits: Limits) -> Result<Node, Malformed> {
    let root = DeTable::parse(text).map_err(|_| Malformed::new("no valid TOML"))?;
    table(root.into_inner(), limits.max_depth)
}

fn table(from: DeTable<'_>, depth: usize) -> Result<Node, Malformed> {
    let depth = depth.checked_sub(1).ok_or_else(|| Malformed::new("nested too deep"))?;
    let entries = from.into_iter().map(|(key, item)| {
        let key = key.into_inner();
        let node = value(item.into_inner(), depth).map_err(|e| e.under(&key))?;
        Ok((key.into_owned().into_boxed_str(), node))
    });
    Ok(Node::Table(entries.collect::<Result<_, Malformed>>()?))
}

fn value(from: DeValue<'_>, depth: usize) -> Result<Node, Malformed> {
    Ok(match from {
        DeValue::String(text) => {
            let sealed = Sealed::text(&text);
            if let Cow::Owned(mut text) = text {
                text.zeroize();
            }
            Node::Leaf(sealed)
        }
        DeValue::Integer(number) => {
            // hexadecimal and its like have no literal that a number target reads: make it decimal
            if number.radix() == 10 {
                Node::Leaf(Sealed::number(number.as_str()))
            } else {
                let decimal = i64::from_str_radix(number.as_str(), number.radix())
                    .map_err(|_| Malformed::new("a number out of range"))?;
                Node::Leaf(Sealed::number(&Zeroizing::new(decimal.to_string())))
            }
        }
        DeValue::Float(number) => Node::Leaf(Sealed::number(number.as_str())),
        DeValue::Boolean(yes) => Node::Leaf(Sealed::bool(yes)),
        DeValue::Datetime(time) => Node::Leaf(Sealed::text(&Zeroizing::new(time.to_string()))),
        DeValue::Array(items) => {
            let depth = depth.checked_sub(1).ok_or_else(|| Malformed::new("nested too deep"))?;
            let nodes = items.into_iter().enumerate();
            let nodes =
                nodes.map(|(n, item)| value(item.into_inner(), depth).map_err(|e| e.under(&n.to_string())));
            Node::List(nodes.collect::<Result<_, _>>()?)
        }
        DeValue::Table(inner) => table(inner, depth)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exposed;

    #[test]
    fn every_type_arrives() {
        let text = "a = 'x'\nb = 0x1F\nc = 1.50\nd = true\ne = 2026-11-23T00:00:00Z\nf = [1, 'y']\n[g]\nh = \"q\\n\"\ni = 1_000\n";
        let node = read(text, Limits::default()).unwrap();
        let show = |field: &str| match node.field(field) {
            Some(Node::Leaf(sealed)) => match sealed.expose_secret() {
                Exposed::Text(t) => format!("text {t}"),
                Exposed::Number(n) => format!("number {n}"),
                Exposed::Bool(b) => format!("bool {b}"),
                Exposed::Bytes(_) => "bytes".to_owned(),
            },
            Some(other) => format!("{other:?}"),
            None => "none".to_owned(),
        };
        let got = ["a", "b", "c", "d", "e", "f", "g.h", "g.i"].map(show);
        let want = [
            "text x",
            "number 31",
            "number 1.50",
            "bool true",
            "text 2026-11-23T00:00:00Z",
            "[sealed list]",
            "text q\n",
            "number 1000",
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn faults_say_no_value() {
        for text in ["password = hunter2", "a = 1\na = 2", "= 3"] {
            assert_eq!(read(text, Limits::default()).unwrap_err().to_string(), "no valid TOML");
        }
        let deep = format!("a = {}{}", "[".repeat(70), "]".repeat(70));
        assert!(read(&deep, Limits::default()).is_err());
    }
}
