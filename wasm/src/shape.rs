//! What a caller says a document looks like: checked at the load and before each change. What it turns the text
//! `"5432"`, as managers often hold it, into, `package/index.js` does.

use crate::failure::Flaw;
use crate::tree::{self, Written, child, join, text};
use secretfig_source::{Exposed, Node};

/// Every difference between a whole configuration and a shape, which `package/options.js` has found to be one: a type
/// (`"string"`, `"number"`, `"boolean"`, `"bytes"` or `"any"`, with `?` behind it where it may be absent), `[shape]` for a list, an
/// object for a table. `Null`: nothing is said of it.
pub(crate) fn check(shape: &Node, root: &Node) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    if let Node::Table(_) = shape {
        part(shape, Some(root), "", &mut flaws);
    }
    flaws
}

fn part(shape: &Node, node: Option<&Node>, at: &str, flaws: &mut Vec<Flaw>) {
    let (word, optional) = match text(shape) {
        Some(word) => (word.trim_end_matches('?'), word.ends_with('?')),
        None => ("", false),
    };
    let Some(node) = node.filter(|node| !optional || !matches!(node, Node::Null)) else {
        if !optional {
            let hint = "set it in the secret, or write `?` behind its type";
            flaws.push(Flaw::new(at, "missing", "missing", hint));
        }
        return;
    };
    let what = match (shape, node) {
        (Node::Table(shapes), Node::Table(_)) => {
            for (key, shape) in shapes {
                part(shape, child(node, key), &join(at, key), flaws);
            }
            return;
        }
        (Node::List(shapes), Node::List(list)) => {
            for (n, node) in list.iter().enumerate() {
                part(shapes.first().unwrap_or(&Node::Null), Some(node), &join(at, &tree::number(n)), flaws);
            }
            return;
        }
        (Node::Table(_), _) => "wrong type, expected an object",
        (Node::List(_), _) => "wrong type, expected a list",
        (Node::Null, _) => return,
        _ if is(word, node) => return,
        _ => match word {
            "number" => "wrong type, expected a number",
            "boolean" => "wrong type, expected a boolean",
            "bytes" => "wrong type, expected bytes",
            _ => "wrong type, expected a string",
        },
    };
    flaws.push(Flaw::new(at, "wrong type", what, "correct the value, or the shape"));
}

/// Whether a node is of that type, or a text that says a number or a boolean, and nothing else.
fn is(word: &str, node: &Node) -> bool {
    let Node::Leaf(sealed) = node else { return word == "any" };
    match (word, sealed.expose_secret()) {
        ("any", _)
        | ("string", Exposed::Text(_))
        | ("boolean", Exposed::Bool(_))
        | ("bytes", Exposed::Bytes(_)) => true,
        // a number that JavaScript would round is not the number that is there
        ("number", Exposed::Number(literal)) => !tree::is_rounded(literal),
        ("number", Exposed::Text(text)) => {
            Written::read(text).is_some_and(|written| written.is_finite() && written.digits <= 15)
        }
        ("boolean", Exposed::Text(text)) => matches!(text, "true" | "false"),
        _ => false,
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

    #[test]
    fn text_counts_as_what_it_says_and_nothing_is_rounded_or_guessed() {
        for written in
            ["5432", "-1.5", "1e3", "+5", ".5", "5.", "007", "1e307", "0.000000000000001", "1e-400"]
        {
            assert!(is("number", &said(written)), "{written}");
            assert!(written.parse::<f64>().unwrap().is_finite());
        }
        for refused in "/ 5/0x10/./-/e5/1e/1e5.0/1.2.3/inf/NaN/1e999/12345678901234567890/true/5,4".split('/')
        {
            assert!(!is("number", &said(refused)), "{refused}");
        }
        assert!(!is("number", &json("9007199254740992")) && is("number", &json("9007199254740991")));
        assert!(is("boolean", &said("true")) && !is("boolean", &said("yes")));
        // a number is not made into text: `007` would have come out as `7`
        assert!(!is("string", &json("7")));
    }

    #[test]
    fn every_difference_has_its_key_and_none_its_value() {
        let shape = json(
            r#"{"database": {"host": "string", "port": "number", "tls": "boolean", "comment": "string?", "note": "any?",
                "hosts": ["string"], "pool": {"size": "number"}, "list": ["any"]}}"#,
        );
        let marker = "mark-of-a-value";
        let root = json(&format!(
            r#"{{"database": {{"host": "db", "port": "{marker}", "hosts": ["a", 4242424242], "note": null,
                "pool": "{marker}", "list": {{"a": "{marker}"}}}}}}"#
        ));
        let flaws = check(&shape, &root);
        let found: Vec<_> = flaws.iter().map(|flaw| (flaw.key.as_str(), flaw.kind)).collect();
        let expected = [
            ("database.hosts.1", "wrong type"),
            ("database.list", "wrong type"),
            ("database.pool", "wrong type"),
            ("database.port", "wrong type"),
            ("database.tls", "missing"),
        ];
        assert_eq!(found, expected);
        let told = format!("{flaws:?}");
        assert!(!told.contains(marker) && !told.contains("4242424242"), "{told}");
        assert_eq!(check(&Node::Null, &root), []);
    }
}
