//! The name before a `:` or a `=`.

use super::Text;
use crate::redact::names::{Names, holds_pairs};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

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
    /// Whether its values are hidden; `in_prose` where it may be but a word of a sentence.
    pub(super) fn hidden_by(&self, names: &Names, in_prose: bool) -> bool {
        let [longest, .., name] = self.phrases;
        let exactly = |phrase: &&str| {
            let before = &longest[..longest.len() - phrase.len()];
            names.has_shown(phrase) && before.split_ascii_whitespace().all(is_article)
        };
        let is_word = in_prose && longest.len() > name.len() && names.is_prose(name);
        if is_word || self.phrases.iter().any(exactly) {
            return false;
        }
        if !self.quote.is_empty() && longest.contains("\\u") {
            return hides_escaped(longest, self.quote, names);
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

/// `refresh token` is another name than `token`, and `the token` is not.
fn is_article(word: &str) -> bool {
    ["a", "an", "its", "my", "our", "that", "the", "this", "your"]
        .iter()
        .any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether a name with escapes is hidden: `"p\u0061ssword"`. One that cannot be decoded is.
pub(super) fn hides_escaped(name: &str, quote: &str, names: &Names) -> bool {
    unescaped(name, quote.len()).is_none_or(|name| names.hides(&name))
}

/// The name without its `\u` escapes, which have `depth` backslashes in a string of that depth.
fn unescaped(name: &str, depth: usize) -> Option<Zeroizing<String>> {
    let mut units = Zeroizing::new(Vec::with_capacity(name.len()));
    let mut rest = name;
    while let Some(at) = rest.find('\\') {
        units.extend(rest[..at].encode_utf16());
        rest = &rest[at..];
        let backslashes = rest.bytes().take_while(|byte| *byte == b'\\').count();
        rest = &rest[backslashes..];
        let escape = backslashes.is_multiple_of(depth) && !(backslashes / depth).is_multiple_of(2);
        if escape && let Some(digits) = rest.strip_prefix('u') {
            let digits = digits.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            units.push(u16::from_str_radix(digits, 16).ok()?);
            rest = &rest[5..];
        } else {
            units.push(u16::from(b'\\'));
        }
    }
    units.extend(rest.encode_utf16());
    String::from_utf16(&units).ok().map(Zeroizing::new)
}

impl<'a> Text<'a> {
    /// The name that ends there, not reaching back beyond `from`.
    pub(super) fn key_before(self, end: usize, from: usize) -> Option<Key<'a>> {
        let mut end = self.trim_styles(self.trim_end(end)).max(from);
        // `{"password"\n: …}`
        let line = self.0[from..end].trim_end().len() + from;
        if line < end && line > from && self.at(line - 1) == Some(b'"') {
            end = line;
        }
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
        let start = start + self.style_at(start, end);
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

    /// Before the codes for styles that stand there: `password` in `password\x1b[0m\x1b[2m=`.
    fn trim_styles(self, mut end: usize) -> usize {
        while let Some(start) = self.0[..end].strip_suffix('m') {
            let digits = start.trim_end_matches(|c: char| c.is_ascii_digit() || c == ';');
            match digits.strip_suffix("\x1b[") {
                Some(before) => end = before.len(),
                None => break,
            }
        }
        end
    }

    /// How much of a name belongs to the code for a style before it.
    fn style_at(self, start: usize, end: usize) -> usize {
        let rest = self.0[start..end].strip_prefix('[').filter(|_| self.0[..start].ends_with('\x1b'));
        let code = rest.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
        code.and_then(|code| code.strip_prefix('m')).map_or(0, |name| end - start - name.len())
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
