//! The values of secrets inside of a text that says which they are: `Debug` of a struct or a map, JSON, pairs, URLs,
//! headers.
//!
//! One walk from left to right. Wherever a name ends (`:`, `=`, `(`), it is judged, and of what is hidden the end is
//! looked for. [`Value`](value::Value) knows how: by the closing quote, by the closing bracket, by the next name of the
//! same kind; and where none of these can be trusted, everything to the end of the text is hidden.
//!
//! Quotes come at several depths, since text is quoted in text: at depth 2, `"` is `\\\"`. So a quote is told by the
//! backslashes before it.

mod key;
mod url;
mod value;

use super::names::{self, Names};
use super::wiped::Wiped;
use key::Key;
use value::Value;

/// What stands for a value.
pub(super) const MASK: &str = "[redacted]";

/// The text without the values in it; none if there is nothing to hide.
pub(super) fn redacted(text: &str, names: &Names) -> Option<Wiped> {
    let mut walk = Walk {
        text: Text(text),
        names,
        quotes: Vec::new(),
        around: Vec::new(),
        open: [0; 3],
        kept: 0,
        named: false,
        answered: None,
        floor: 0,
        hidden: None,
        out: Wiped::default(),
        changed: false,
    };
    walk.run();
    walk.changed.then(|| {
        walk.out.push(&text[walk.kept..]);
        walk.out
    })
}

struct Walk<'a> {
    text: Text<'a>,
    names: &'a Names,
    /// The strings that are open, each by the backslashes before its quote.
    quotes: Vec<usize>,
    /// How many brackets are open around each of them: those in a string are its own.
    around: Vec<[usize; 3]>,
    /// How many `(`, `[` and `{` are open.
    open: [usize; 3],
    /// Up to where the text is in `out`.
    kept: usize,
    /// Whether a name was given as a value: `{"name": "password", "value": …}`.
    named: bool,
    /// The `:` of a name whose value came before it.
    answered: Option<usize>,
    /// Before here stand values, which are no names of what follows.
    floor: usize,
    /// The end of something hidden. A sign behind it makes it a name: `token(jwt): …`.
    hidden: Option<usize>,
    out: Wiped,
    changed: bool,
}

impl<'a> Walk<'a> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(byte) = self.text.at(at) {
            at = match byte {
                b'"' => self.quote(at),
                b'(' | b'[' | b'{' => self.opened(at),
                b')' | b']' | b'}' => {
                    let open = &mut self.open[bracket(byte)];
                    *open = open.saturating_sub(1);
                    at + 1
                }
                b':' => self.colon(at),
                b'=' => self.equals(at),
                b'-' if self.text.from(at).starts_with("--") => self.dashes(at),
                b'b' | b'B' => self.scheme(at),
                b'A' | b'a' => self.age(at),
                _ => at + 1,
            };
        }
    }

    /// Puts the mask in place of that part. `quote` is put around it, where the value has quotes or its key has.
    fn cut(&mut self, from: usize, to: usize, quote: &str) -> usize {
        let from = from.max(self.kept);
        let part = self.text.0.get(from..to).unwrap_or_default();
        let bare = part.strip_prefix(quote).and_then(|part| part.strip_suffix(quote)).unwrap_or(part);
        if from < to && bare != MASK {
            self.out.push(&self.text.0[self.kept..from]);
            [quote, MASK, quote].iter().for_each(|part| self.out.push(part));
            self.changed = true;
            self.kept = to;
        }
        to
    }

    fn quote(&mut self, at: usize) -> usize {
        let text = self.text;
        let in_quotes = at > 0 && text.at(at - 1) == Some(b'\'') && text.at(at + 1) == Some(b'\'');
        let depth = text.backslashes_before(at);
        while self.quotes.last().is_some_and(|open| *open > depth) {
            self.left();
        }
        match self.quotes.last() {
            Some(open) if closes(depth, *open) => self.left(),
            _ if is_depth(depth) && !in_quotes => {
                self.quotes.push(depth);
                self.around.push(std::mem::take(&mut self.open));
            }
            _ => {}
        }
        at + 1
    }

    /// A string has ended.
    fn left(&mut self) {
        self.quotes.pop();
        self.open = self.around.pop().unwrap_or_default();
    }

    fn opened(&mut self, at: usize) -> usize {
        let byte = self.text.at(at).unwrap_or_default();
        let name = self.text.word_before(at, byte == b'{');
        let hidden = !name.is_empty()
            && self.names.hides(name)
            && match byte {
                b'(' => !self.text.from(at).starts_with("(s)"),
                b'{' => name.starts_with(char::is_uppercase) && names::ends_in_a_term(name),
                _ => false,
            };
        if hidden {
            let end = self.text.group(at, self.quotes.last().copied());
            let inside = end.map_or(self.text.len(), |end| end - 1);
            self.cut(at + 1, inside, "");
            self.hidden = end;
            return end.unwrap_or(inside);
        }
        self.open[bracket(byte)] += 1;
        // `("password", "…")`: an entry of a list of pairs
        let first = self.text.skip_blanks(at + 1, true);
        if byte != b'{'
            && let Some((name, end, quote)) = self.text.quoted(first)
            && self.text.at(end) == Some(b',')
            && !matches!(self.text.at(self.text.skip_blanks(end + 1, true)), None | Some(b')' | b']'))
            // a text that is more than a name may hold the value itself: `["password=…", "-v"]`
            && name.bytes().all(|byte| key::in_name(byte) || byte == b'\\')
            && key::hides_escaped(name, quote, self.names)
        {
            return self.hide(end + 1, b':', quote, false);
        }
        at + 1
    }

    fn colon(&mut self, at: usize) -> usize {
        if let Some(start) = self.text.authority_after(at) {
            return self.url(at, start);
        }
        match self.text.at(at + 1) {
            Some(b':') => at + 2,
            Some(b'=') => at + 1,
            _ => self.name_before(at, at + 1, b':'),
        }
    }

    fn equals(&mut self, at: usize) -> usize {
        let signs = self.text.from(at).bytes().take_while(|byte| *byte == b'=').count();
        let arrow = usize::from(signs == 1 && self.text.at(at + 1) == Some(b'>'));
        let operator = at > 0 && self.text.at(at - 1).is_some_and(|byte| b":!+?<>".contains(&byte));
        self.name_before(at - usize::from(operator), at + signs + arrow, b'=')
    }

    /// `--password hunter2`, and the same as a list of arguments.
    fn dashes(&mut self, at: usize) -> usize {
        let rest = self.text.from(at);
        if rest.starts_with("-----BEGIN ") {
            return self.armour(at);
        }
        let length =
            rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)).count();
        let mut end = at + length;
        if !self.names.hides(&rest[..length]) {
            return end;
        }
        if self.text.quote_at(end).is_some() {
            let depth = self.text.backslashes_from(end);
            self.quote(end + depth);
            end += depth + 1;
        }
        let comma = end + usize::from(self.text.at(end) == Some(b','));
        let value = self.text.skip_blanks(comma, false);
        match self.text.at(value) {
            Some(b'-' | b'=' | b':') | None => end,
            Some(_) if value > end => self.hide(value, b' ', "", false),
            Some(_) => end,
        }
    }

    /// A private key in PEM: all but its first and its last line.
    fn armour(&mut self, at: usize) -> usize {
        let rest = self.text.from(at);
        let label = rest.bytes().take(key::LONGEST).take_while(|byte| !byte.is_ascii_control()).count();
        let label = rest.get(..label).unwrap_or_default();
        let begin = "-----BEGIN ".len();
        let header = label[begin..].find("-----").map(|label| begin + label + "-----".len());
        match header.filter(|end| rest[..*end].contains("PRIVATE")) {
            Some(header) => {
                let end = rest[header..].find("-----END").map_or(self.text.len(), |end| at + header + end);
                self.cut(at + header, end, "")
            }
            None => at + "-----BEGIN ".len(),
        }
    }

    /// A private key of age, whatever stands around it.
    fn age(&mut self, at: usize) -> usize {
        const START: &str = "AGE-SECRET-KEY-";
        let rest = self.text.from(at);
        if !rest.get(..START.len()).is_some_and(|start| start.eq_ignore_ascii_case(START)) {
            return at + 1;
        }
        let from = at + START.len();
        let length =
            self.text.from(from).bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'-').count();
        self.cut(from, from + length, "")
    }

    /// `Bearer …` and `Basic …` without the name of their header.
    fn scheme(&mut self, at: usize) -> usize {
        let rest = self.text.from(at);
        let starts =
            |scheme: &str| rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        let length = if starts("bearer ") || starts("bearer\t") {
            7
        } else if starts("basic ") || starts("basic\t") {
            6
        } else {
            0
        };
        let inside = at > 0 && self.text.at(at - 1).is_some_and(|byte| byte.is_ascii_alphanumeric());
        if length == 0 || inside {
            return at + 1;
        }
        let from = self.text.skip_blanks(at + length, false);
        let ends = |byte: u8| byte.is_ascii_whitespace() || b"\"'`,;\\<>(){}".contains(&byte);
        let token = self.text.from(from).bytes().take_while(|byte| !ends(*byte)).count();
        let token = &self.text.from(from)[..token];
        // `basic` is also a word of English
        let a_word = length == 6 && token.bytes().all(|byte| byte.is_ascii_lowercase());
        if !a_word {
            self.cut(from, from + token.len(), "");
        }
        from // there may be a name in it
    }

    /// Judges the name that ends there, and hides what follows it.
    fn name_before(&mut self, end: usize, after: usize, sign: u8) -> usize {
        let again = self.hidden.is_some_and(|hidden| self.text.is_at_end_of(hidden, end));
        let key = self.text.key_before(end, self.floor);
        let hidden = again
            || key.as_ref().is_some_and(|key| {
                let in_prose = sign == b':' && self.open == [0; 3];
                let is_value =
                    key.is_one_of(&["value", "values", "val", "stringValue", "string_value", "default"]);
                if is_value && !self.named {
                    self.answered = self.named_behind(after).or(self.answered);
                }
                let named = self.named || self.answered.is_some_and(|name| name > end);
                is_value && named || key.hidden_by(self.names, in_prose)
            });
        let quote = key.as_ref().map_or("", |key| key.quote);
        if hidden {
            self.named = false;
            // pairs have `=`, and so end no value after `:`
            let of_pairs = sign == b'=' && key.as_ref().is_some_and(Key::is_of_pairs);
            return self.hide(after, sign, quote, of_pairs);
        }
        if key.is_some_and(|key| key.is_one_of(&["name", "key"])) {
            let value = self.text.skip_blanks(after, true);
            self.named = match self.text.quoted(value) {
                _ if self.answered == Some(end) => false,
                Some((name, ..)) => self.names.hides(name),
                None => self.names.hides(self.text.bare(value)),
            };
        }
        after
    }

    /// `"value": "…", "name": "password"`: the `:` of the name that comes after the value that begins there.
    fn named_behind(&self, from: usize) -> Option<usize> {
        let text = self.text;
        let value = text.skip_blanks(from, true);
        let quote = text.quote_at(value).filter(|quote| quote.ends_with('"'))?;
        let (_, end) = text.closing(value + quote.len(), quote, text.len())?;
        let comma = text.skip_blanks(end, true);
        let (key, end, _) = text.quoted(text.skip_blanks(comma + 1, true))?;
        let colon = text.skip_blanks(end, true);
        let name = text.quoted(text.skip_blanks(colon + 1, true));
        let is_name = text.at(comma) == Some(b',')
            && text.at(colon) == Some(b':')
            && ["name", "key"].iter().any(|one| one.eq_ignore_ascii_case(key))
            && name.is_some_and(|(name, ..)| self.names.hides(name));
        is_name.then_some(colon)
    }

    fn hide(&mut self, from: usize, sign: u8, quote: &'a str, of_pairs: bool) -> usize {
        let from = self.text.skip_blanks(from, !self.quotes.is_empty());
        let outer = self.quotes.last().copied();
        let value = Value { text: self.text, sign, of_pairs, quote, outer, open: self.open };
        let (end, own) = value.end(from);
        // inside of a text of the same depth, quotes would end that text
        let quote = if self.quotes.last() == Some(&(quote.len().saturating_sub(1))) { "" } else { quote };
        self.floor = end;
        self.hidden = Some(end);
        self.cut(from, end, own.unwrap_or(quote))
    }
}

fn bracket(byte: u8) -> usize {
    match byte {
        b'(' | b')' => 0,
        b'[' | b']' => 1,
        _ => 2,
    }
}

/// Whether so many backslashes stand before a quote at some depth: 0, 1, 3, 7 …
fn is_depth(backslashes: usize) -> bool {
    (backslashes + 1).is_power_of_two() && backslashes < 1 << 16
}

/// Whether a quote with so many backslashes closes a string that was opened with those. What is more are pairs of
/// backslashes that the string ends in.
fn closes(backslashes: usize, opened: usize) -> bool {
    backslashes >= opened && (backslashes - opened).is_multiple_of(2 * (opened + 1))
}

/// The text, with what all parts ask of it. Positions are always at ASCII, and so between characters.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn len(self) -> usize {
        self.0.len()
    }

    fn at(self, at: usize) -> Option<u8> {
        self.0.as_bytes().get(at).copied()
    }

    /// The rest from there; the empty text in the midst of a character.
    fn from(self, at: usize) -> &'a str {
        self.0.get(at..).unwrap_or_default()
    }

    fn backslashes_before(self, at: usize) -> usize {
        self.0.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count()
    }

    fn backslashes_from(self, at: usize) -> usize {
        self.0.as_bytes()[at.min(self.len())..].iter().take_while(|byte| **byte == b'\\').count()
    }

    /// Blanks and line ends; also those that an escape stands for, where that can be no part of a value.
    fn skip_blanks(self, mut at: usize, escaped: bool) -> usize {
        loop {
            at = match self.at(at) {
                Some(byte) if byte.is_ascii_whitespace() => at + 1,
                Some(b'\\') if escaped => match self.blank_escape(at) {
                    Some(end) => end,
                    None => return at,
                },
                _ => return at,
            }
        }
    }

    /// The end of `\n`, `\r` or `\t`, at any depth.
    fn blank_escape(self, at: usize) -> Option<usize> {
        let letter = at + self.backslashes_from(at);
        (letter > at && matches!(self.at(letter), Some(b'n' | b'r' | b't'))).then_some(letter + 1)
    }

    /// Whether there is nothing between, but for a quote and blanks.
    fn is_at_end_of(self, part: usize, end: usize) -> bool {
        let quote = self.quote_at(part).map_or(0, str::len);
        let end = self.trim_end(end);
        end == part || end == part + quote
    }

    fn trim_end(self, end: usize) -> usize {
        self.0[..end].trim_end_matches([' ', '\t']).len()
    }

    /// The quote that starts there, with its backslashes.
    fn quote_at(self, at: usize) -> Option<&'a str> {
        let sign = at + self.backslashes_from(at);
        let is_quote = matches!(self.at(sign), Some(b'"' | b'\'' | b'`')) && is_depth(sign - at);
        is_quote.then(|| &self.0[at..=sign])
    }

    fn three_quotes(self, at: usize) -> Option<&'static str> {
        ["\"\"\"", "'''"].into_iter().find(|three| self.from(at).starts_with(three))
    }

    /// Where the string ends that this quote opens, looked for before `to`.
    fn closing(self, from: usize, quote: &str, to: usize) -> Option<(usize, usize)> {
        let (depth, sign) = (quote.len() - 1, quote.as_bytes()[quote.len() - 1]);
        let mut at = from;
        loop {
            at += self.0.as_bytes().get(at..to.min(self.len()))?.iter().position(|byte| *byte == sign)?;
            let before = self.backslashes_before(at).min(at - from);
            if sign == b'"' && before < depth {
                return None; // the string around it ended first
            }
            // the others are escaped by doubling, or not at all
            let doubled = sign == b'\'' && self.at(at + 1) == Some(sign);
            let closed = if sign == b'"' { closes(before, depth) } else { !doubled && self.ends(at + 1) };
            if closed {
                return Some((at - before.min(depth), at + 1));
            }
            at += if doubled { 2 } else { 1 };
        }
    }

    /// A string as short as a name, with the end of it and the quote.
    fn quoted(self, at: usize) -> Option<(&'a str, usize, &'a str)> {
        let quote = self.quote_at(at)?;
        let from = at + quote.len();
        let (close, end) = self.closing(from, quote, from + key::LONGEST)?;
        Some((&self.0[from..close], end, quote))
    }

    /// A word without quotes that ends where a value does: `DB_PASSWORD` in `- name: DB_PASSWORD`.
    fn bare(self, at: usize) -> &'a str {
        let rest = self.from(at);
        let length = rest.bytes().take(key::LONGEST).take_while(|byte| key::in_name(*byte)).count();
        rest.get(..length).filter(|_| self.ends(at + length)).unwrap_or_default()
    }

    /// Whether a value may have ended before that.
    fn ends(self, at: usize) -> bool {
        match self.at(at) {
            None => true,
            Some(b'\\') => self.blank_escape(at).is_some(),
            Some(b'.' | b'!' | b'?' | b':') => self.at(at + 1).is_none_or(|byte| byte.is_ascii_whitespace()),
            Some(byte) => byte.is_ascii_whitespace() || b",;&)]}|>#".contains(&byte),
        }
    }

    /// Whether a text that was quoted may have ended before that.
    fn ends_quoted(self, at: usize) -> bool {
        self.ends(at) || self.quote_at(at).is_some()
    }

    /// The end of the group that starts there, if its brackets are balanced.
    fn group(self, at: usize, outer: Option<usize>) -> Option<usize> {
        let mut closers = Vec::new();
        let mut at = at;
        loop {
            at = match self.at(at)? {
                byte @ (b'(' | b'[' | b'{') => {
                    closers.push([b')', b']', b'}'][bracket(byte)]);
                    at + 1
                }
                byte @ (b')' | b']' | b'}') => {
                    if closers.pop() != Some(byte) {
                        return None;
                    }
                    if closers.is_empty() {
                        return Some(at + 1);
                    }
                    at + 1
                }
                b'\'' => self.character(at).unwrap_or(at + 1),
                b'\\' | b'"' => match self.quote_at(at) {
                    Some(quote) if quote.ends_with('"') => {
                        if outer.is_some_and(|outer| closes(quote.len() - 1, outer)) {
                            return None;
                        }
                        self.closing(at + quote.len(), quote, self.len())?.1
                    }
                    _ => at + self.backslashes_from(at).max(1),
                },
                _ => at + 1,
            };
        }
    }

    /// The end of a `char` as Rust prints it: `'"'`, `'\''`, `'\u{7f}'`.
    fn character(self, at: usize) -> Option<usize> {
        let rest = self.from(at + 1);
        let mut chars = rest.char_indices();
        match chars.next()?.1 {
            '\\' => rest.get(2..)?.find('\'').filter(|end| *end < 12).map(|end| at + 1 + 2 + end + 1),
            _ => chars.next().filter(|(_, c)| *c == '\'').map(|(end, _)| at + 1 + end + 1),
        }
    }
}

#[cfg(test)]
mod tests;
