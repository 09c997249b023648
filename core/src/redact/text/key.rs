//! The name before a `:` or a `=`.

use super::Text;
use crate::redact::names::{Names, holds_pairs};
use percent_encoding::percent_decode_str;

/// How far a name is looked for.
pub(super) const LONGEST: usize = 256;

/// A name, as far as it can be told where it begins.
pub(super) struct Key<'a> {
    /// In prose a name may have several words: `the API key: …`. The longest first.
    phrases: [&'a str; 3],
    /// Its quote, if it has one.
    pub(super) quote: &'a str,
    /// Whether it is a parameter of a URL.
    query: bool,
    /// Whether its first character may belong to an escape, as in `\npassword`.
    escaped: bool,
}

impl Key<'_> {
    pub(super) fn hidden_by(&self, names: &Names) -> bool {
        let [longest, .., name] = self.phrases;
        if self.phrases.iter().any(|phrase| names.has_shown(phrase)) {
            return false;
        }
        let decoded = percent_decode_str(longest).decode_utf8_lossy();
        let rest = name.get(1..).filter(|_| self.escaped);
        names.hides(&decoded)
            || rest.is_some_and(|rest| names.hides(rest))
            || (self.query && names.hides_in_query(name))
    }

    pub(super) fn is_of_pairs(&self) -> bool {
        !self.query && holds_pairs(self.phrases[0])
    }

    pub(super) fn is_one_of(&self, names: &[&str]) -> bool {
        names.iter().any(|name| name.eq_ignore_ascii_case(self.phrases[2]))
    }
}

pub(super) fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-.$@%[]+/".contains(&byte)
}

impl<'a> Text<'a> {
    /// The name that ends there, not reaching back beyond `from`.
    pub(super) fn key_before(self, end: usize, from: usize) -> Option<Key<'a>> {
        let mut end = self.trim_end(end).max(from);
        let from = self.boundary(from.max(end.saturating_sub(LONGEST)));
        // `password (of the owner): …`, `password(s): …`
        if end > from && self.at(end - 1) == Some(b')') {
            end = self.trim_end(self.0[from..end].rfind('(').map_or(end, |at| from + at)).max(from);
        }
        let last = *self.0.as_bytes()[from..end].last()?;
        if matches!(last, b'"' | b'\'' | b'`') {
            let depth = self.backslashes_before(end - 1).min(end - 1 - from);
            let close = end - 1 - depth;
            let open = self.0.as_bytes()[from..close].iter().rposition(|byte| *byte == last)?;
            let name = &self.0[from + open + 1..close];
            let quote = &self.0[close..end];
            return Some(Key { phrases: [name; 3], quote, query: false, escaped: false });
        }
        let start = self.name_start(end, from);
        let name = &self.0[start..end];
        let before = start.checked_sub(1).and_then(|at| self.at(at));
        let mut phrases = [name; 3];
        let mut first = start;
        for phrase in phrases.iter_mut().rev().skip(1) {
            first = self.word_of_phrase_before(first, from).unwrap_or(first);
            *phrase = &self.0[first..end];
        }
        let query = matches!(before, Some(b'?' | b'&' | b';'));
        (!name.is_empty()).then_some(Key { phrases, quote: "", query, escaped: before == Some(b'\\') })
    }

    fn name_start(self, end: usize, from: usize) -> usize {
        let bytes = &self.0.as_bytes()[from..end];
        end - bytes.iter().rev().take_while(|byte| in_name(**byte)).count()
    }

    /// The next boundary between characters.
    fn boundary(self, at: usize) -> usize {
        (at..=self.len()).find(|at| self.0.is_char_boundary(*at)).unwrap_or(self.len())
    }

    /// The start of one word more, if it is no value of another name: not `bob` in `user=bob password=…`.
    fn word_of_phrase_before(self, start: usize, from: usize) -> Option<usize> {
        let end = start.checked_sub(1).filter(|at| *at > from && self.at(*at) == Some(b' '))?;
        let first = self.name_start(end, from);
        let before = self.0[from..first].trim_end().bytes().last();
        (first < end && !matches!(before, Some(b'=' | b':'))).then_some(first)
    }

    /// The name of a type before its bracket, with a blank between if `blank`.
    pub(super) fn word_before(self, at: usize, blank: bool) -> &'a str {
        let end = if blank && at > 0 && self.at(at - 1) == Some(b' ') { at - 1 } else { at };
        let word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let bytes = &self.0.as_bytes()[end.saturating_sub(LONGEST)..end];
        &self.0[end - bytes.iter().rev().take_while(word).count()..end]
    }

    /// Whether a name stands there, with that sign after it: the value before it has ended.
    pub(super) fn is_key(self, at: usize, sign: u8, words: usize) -> bool {
        let at = self.skip_blanks(at, true);
        if sign == b' ' {
            return self.at(at) == Some(b'-')
                && self.at(at + 1).is_some_and(|b| b == b'-' || b.is_ascii_alphabetic());
        }
        if let Some((name, end, _)) = self.quoted(at) {
            let end = self.skip_blanks(end, true);
            return !name.is_empty() && !name.contains('\n') && self.at(end) == Some(sign);
        }
        let first = self.at(at).unwrap_or_default();
        if !(first.is_ascii_alphabetic() || first >= 0x80 || b"_-$@".contains(&first)) {
            return false;
        }
        let mut end = at;
        for word in 0..words {
            let length =
                self.0.as_bytes()[end..].iter().take(LONGEST).take_while(|byte| in_name(**byte)).count();
            end += length;
            let mut next = self.trim_start(end);
            next += usize::from(sign == b'=' && self.from(next).starts_with(":="));
            if length == 0 {
                return false;
            }
            if self.at(next) == Some(sign) {
                return self.is_sign(next, sign);
            }
            if word + 1 < words {
                end = next;
            }
        }
        false
    }

    fn trim_start(self, at: usize) -> usize {
        at + self.0.as_bytes()[at..].iter().take_while(|byte| **byte == b' ').count()
    }

    /// Not the `=` that fills up base64, and not the `:` of a URL or a time.
    fn is_sign(self, at: usize, sign: u8) -> bool {
        // `user==bob`
        let at = at + usize::from(sign == b'=' && self.at(at + 1) == Some(b'='));
        let next = self.at(at + 1);
        match sign {
            b'=' => {
                next.is_some_and(|byte| !byte.is_ascii_whitespace() && !b"=&,;".contains(&byte))
                    || self.is_spaced(at)
            }
            _ => next.is_none_or(|byte| byte.is_ascii_whitespace() || byte == b'\\'),
        }
    }

    /// `user = "bob"`
    fn is_spaced(self, at: usize) -> bool {
        at > 0 && self.at(at - 1) == Some(b' ') && self.at(at + 1) == Some(b' ')
    }
}
