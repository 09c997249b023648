//! `NAME=value` lines into sealed leaves.
//!
//! Why our own: what dotenv crates do besides reading (expanding `$NAME` from the environment,
//! trimming, quoting lines in their errors) is what must not happen to a secret.
//!
//! * a line is empty, a comment (`#` first), or `NAME=value`, with an optional `export ` before it; a name begins with
//!   a letter or `_`, and a value that begins with `=` stands in quotes;
//! * an unquoted value runs to the end of the line, blanks around it trimmed; ` #` begins a comment;
//! * in `'…'` every character stands for itself, also newlines;
//! * in `"…"` the escapes `\n \r \t \" \\ \$` are known, every other backslash stands for itself.

use super::Malformed;
use crate::{Node, Sealed};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

pub(super) fn read(text: &str) -> Result<Node, Malformed> {
    let mut table = BTreeMap::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while !rest.is_empty() {
        let line = rest.split('\n').next().unwrap_or(rest);
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after(rest, line.len());
            continue;
        }
        let start = rest.len() - rest.trim_start().len();
        let entry = &rest[start..];
        let entry = entry.strip_prefix("export ").unwrap_or(entry);
        let (name, value) = entry
            .split_once('=')
            .filter(|(name, value)| is_name(name.trim()) && !value.starts_with('='))
            .ok_or_else(|| Malformed::new("a line that is no `NAME=value`"))?;
        let name = name.trim();
        let (sealed, left) = self::value(value).map_err(|e| e.under(name))?;
        if table.insert(name.into(), Node::Leaf(sealed)).is_some() {
            return Err(Malformed::new("the same name twice").under(name));
        }
        rest = left;
    }
    Ok(Node::Table(table))
}

/// Names are shown, so what is none must not pass for one: a key or a token in base64 ends in `=` too.
fn is_name(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Past the line of that length and its newline.
fn after(text: &str, line: usize) -> &str {
    text.get(line + 1..).unwrap_or("")
}

fn value(text: &str) -> Result<(Sealed, &str), Malformed> {
    let line = text.split('\n').next().unwrap_or(text);
    let start = line.trim_start();
    let Some(quote) = start.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let end = [" #", "\t#"].iter().filter_map(|mark| line.find(mark)).min().unwrap_or(line.len());
        let bare = if start.starts_with('#') { "" } else { line[..end].trim() };
        return Ok((Sealed::text(bare), after(text, line.len())));
    };
    let inside = &text[line.len() - start.len() + 1..];
    let (sealed, left) = if quote == '\'' {
        let end = inside.find('\'').ok_or_else(|| Malformed::new("a quote that does not end"))?;
        (Sealed::text(&inside[..end]), &inside[end + 1..])
    } else {
        double(inside)?
    };
    let line = left.split('\n').next().unwrap_or(left);
    if !(line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Err(Malformed::new("text after the closing quote"));
    }
    Ok((sealed, after(left, line.len())))
}

fn double(inside: &str) -> Result<(Sealed, &str), Malformed> {
    let mut out = Zeroizing::new(Vec::with_capacity(inside.len()));
    let mut bytes = inside.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Ok((Sealed::take(out, true), &inside[at + 1..])),
            b'\\' => match bytes.next() {
                Some((_, b'n')) => out.push(b'\n'),
                Some((_, b'r')) => out.push(b'\r'),
                Some((_, b't')) => out.push(b'\t'),
                Some((_, c @ (b'"' | b'\\' | b'$'))) => out.push(c),
                Some((_, other)) => out.extend([b'\\', other]),
                None => break,
            },
            other => out.push(other),
        }
    }
    Err(Malformed::new("a quote that does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Exposed;

    #[test]
    fn lines_arrive_as_they_are_written() {
        let text = "# c\n\nA=1\nexport B = two words # c\nC='$HOME \"x\" \\n'\r\nD=\"l1\\nl2\\t\\\"\\$\\q\" # c\nE=\nF='a\nb'\nG=p#w$d\n";
        let node = read(text).unwrap();
        let got = |name: &str| match node.field(name) {
            Some(Node::Leaf(sealed)) => match sealed.expose_secret() {
                Exposed::Text(t) => t.to_owned(),
                _ => panic!(),
            },
            _ => panic!("{name}"),
        };
        let want = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "$HOME \"x\" \\n"),
            ("D", "l1\nl2\t\"$\\q"),
            ("E", ""),
            ("F", "a\nb"),
            ("G", "p#w$d"),
        ];
        for (name, value) in want {
            assert_eq!(got(name), value, "{name}");
        }
    }

    #[test]
    fn faults_name_the_key_and_nothing_else() {
        for (text, said) in [
            ("hunter2", "a line that is no `NAME=value`"),
            ("aHVudGVyMg==", "a line that is no `NAME=value`"),
            ("2HVudGVyMg=\n2HVudGVyMg=", "a line that is no `NAME=value`"),
            ("A=1\nA=2", "`A`: the same name twice"),
            ("A='hunter2", "`A`: a quote that does not end"),
            ("A=\"hunter2\\", "`A`: a quote that does not end"),
            ("A='x' hunter2", "`A`: text after the closing quote"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), said);
        }
    }
}
