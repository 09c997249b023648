//! Where a value ends.

use super::{Text, closes};

/// A value that is to be hidden.
pub(super) struct Value<'a> {
    pub(super) text: Text<'a>,
    /// What stood between its name and it: `:`, `=`, or a blank.
    pub(super) sign: u8,
    /// Whether it may be made of pairs itself, so that only a line's end ends it: a cookie, a connection string.
    pub(super) of_pairs: bool,
    /// The quote of its name.
    pub(super) quote: &'a str,
    /// The depth of the string around it.
    pub(super) outer: Option<usize>,
    /// How many `(`, `[` and `{` are open around it.
    pub(super) open: [usize; 3],
}

impl<'a> Value<'a> {
    /// Its end, and its own quote.
    pub(super) fn end(&self, from: usize) -> (usize, Option<&'a str>) {
        let text = self.text;
        if let Some(quote) = text.quote_at(from) {
            // what a name is quoted with opens its value too; else a quote may end the text around it
            if quote != self.quote && self.closes_outer(quote) && text.ends_quoted(from + quote.len()) {
                return (from, None);
            }
            // the quotes of TOML around several lines
            if let Some(three) = text.three_quotes(from) {
                let end = text.from(from + three.len()).find(three);
                return (end.map_or(text.len(), |end| from + end + 2 * three.len()), None);
            }
            return match text.closing(from + quote.len(), quote, text.len()) {
                Some((_, end)) if self.ends(end) => (end, Some(quote)),
                Some((_, end)) => (self.open_end(from, end), None),
                None => (text.len(), None),
            };
        }
        // `Some("…")`, `Db { … }`, `b"…"`, `[1, 2]`
        let name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_:<>&".contains(byte);
        let word = from + text.from(from).bytes().take_while(|byte| name(byte)).count();
        let bracket = word + usize::from(word > from && text.from(word).starts_with(" {"));
        if matches!(text.at(bracket), Some(b'(' | b'[' | b'{')) {
            return match text.group(bracket, self.outer) {
                Some(end) if self.ends_group(end) => (end, None),
                Some(end) => (self.open_end(from, end), None),
                None => (text.len(), None),
            };
        }
        if (1..3).contains(&(word - from))
            && let Some(quote) = text.quote_at(word)
            && !self.closes_outer(quote)
        {
            let closing =
                text.closing(word + quote.len(), quote, text.len()).filter(|(_, end)| self.ends(*end));
            return (closing.map_or(text.len(), |(_, end)| end), None);
        }
        (self.open_end(from, from), None)
    }

    fn closes_outer(&self, quote: &str) -> bool {
        quote.ends_with('"') && self.outer.is_some_and(|outer| closes(quote.len() - 1, outer))
    }

    /// A group of prose may be but a part of the value; one of a structure is followed by its end, or by a name.
    fn ends_group(&self, at: usize) -> bool {
        let at = self.text.skip_blanks(at, true);
        let comma = self.text.at(at) == Some(b',');
        let at = if comma { self.text.skip_blanks(at + 1, true) } else { at };
        self.text.at(at).is_none_or(|byte| b")]}\"\\".contains(&byte) && self.ends(at))
    }

    fn ends(&self, at: usize) -> bool {
        // a bracket that nobody opened is a part of the value
        if let Some(byte @ (b')' | b']' | b'}')) = self.text.at(at) {
            return self.open[super::bracket(byte)] > 0;
        }
        self.text.ends(at) || self.text.quote_at(at).is_some_and(|quote| self.closes_outer(quote))
    }

    /// The end of a value that has none of its own: where the string around it ends, or the next name begins, or,
    /// for a number and the like, where the bracket around it closes.
    fn open_end(&self, from: usize, searched: usize) -> usize {
        let text = self.text;
        let mut at = searched;
        // one that begins with a bracket or a quote is no list of pairs
        let of_pairs = self.of_pairs && searched == from;
        while let Some(byte) = text.at(at) {
            match byte {
                b'"' => {
                    let before = text.backslashes_before(at).min(at - from);
                    let start = at - before;
                    if self.outer.is_some_and(|outer| closes(before, outer)) && text.ends_quoted(at + 1) {
                        // backslashes beyond the quote's own belong to the value
                        return start + before - self.outer.unwrap_or_default().min(before);
                    }
                }
                // a run of blanks, or of backslashes, is looked at once
                b'\\' => {
                    if text.blank_escape(at).is_some() && text.is_key(at, self.sign, 1) {
                        return at;
                    }
                    at = text.skip_blanks(at, true).max(at + text.backslashes_from(at));
                    continue;
                }
                b',' | b';' | b'&'
                    if !of_pairs && text.is_key(at + 1, self.sign, if byte == b';' { 3 } else { 1 }) =>
                {
                    return at;
                }
                byte if byte.is_ascii_whitespace() => {
                    let next = text.skip_blanks(at, true);
                    let apart = !of_pairs || text.0[at..next].contains('\n');
                    if apart && text.is_key(at, self.sign, 1) {
                        return at;
                    }
                    at = next;
                    continue;
                }
                b')' | b']' | b'}' if self.open[super::bracket(byte)] > 0 && self.ends(at + 1) => {
                    let value = text.0[from..at].trim_end_matches(|c: char| c == ',' || c.is_whitespace());
                    if is_simple(value) {
                        return from + value.len();
                    }
                }
                _ => {}
            }
            at += 1;
        }
        text.len()
    }
}

/// Numbers, times, addresses, words: nothing that could hold a bracket of its own.
fn is_simple(value: &str) -> bool {
    !value.is_empty()
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b >= 0x80 || b"_.+-:/%".contains(&b))
}
