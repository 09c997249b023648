//! Users and passwords in URLs.

use super::{MASK, Text, Walk, closes};

/// With how many backslashes a slash is known: that of JSON in JSON in JSON has seven.
const DEEPEST: usize = 32;

impl Text<'_> {
    /// Where the authority of a URL begins whose `:` is there. In JSON its slashes may be escaped, `:\/\/`.
    pub(super) fn authority_after(self, at: usize) -> Option<usize> {
        let first = at + 1 + self.backslashes_from(at + 1);
        let second = first + 1 + self.backslashes_from(first + 1);
        (self.at(first) == Some(b'/')
            && self.at(second) == Some(b'/')
            && second - first == first - at
            && first - at <= DEEPEST)
            .then_some(second + 1)
    }
}

impl Walk<'_> {
    /// Hides what stands before the `@` of the URL whose `:` is at `at`, and whose authority begins at `start`.
    ///
    /// A password that should be encoded and is not may hold any character, so the last `@` counts, and where no host
    /// can be made out, all the rest is hidden.
    pub(super) fn url(&mut self, at: usize, start: usize) -> usize {
        let text = self.text;
        let rest = text.from(start);
        let escaped = start - at > 3;
        let scheme = self.text.word_before(at, false);
        // a backslash ends it, but for that of an escaped slash
        let backslashes =
            |at: usize| text.from(at).bytes().take(DEEPEST).take_while(|byte| *byte == b'\\').count();
        let slash = |at: usize| escaped && text.at(start + at + backslashes(start + at)) == Some(b'/');
        let ends =
            |at: usize, c: char| c.is_whitespace() || "\"'`<>".contains(c) || (c == '\\' && !slash(at));
        let next = rest.find("://").unwrap_or(rest.len());
        let end = rest[..next].char_indices().find(|(at, c)| ends(*at, *c)).map_or(next, |(at, _)| at);
        let url = &rest[..end];
        let authority = &url[..url.find(['/', '?', '#', '\\']).unwrap_or(url.len())];
        let web = ["http", "https", "ws", "wss"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
        let cut_short = !web && url.len() == next && next < rest.len() && authority.contains(':');
        let clean = is_clean(authority) && !cut_short;
        match url.rfind('@') {
            Some(end) if authority.contains('@') || !clean || (!web && authority.contains(':')) => {
                self.cut(start, start + end, "")
            }
            None if !clean => {
                let end = start + url.len();
                let quote = self.text.quote_at(end).filter(|quote| quote.ends_with('"'));
                let closed = quote.zip(self.quotes.last()).is_some_and(|(quote, open)| {
                    closes(quote.len() - 1, *open) && self.text.ends_quoted(end + quote.len())
                });
                self.cut(start, if closed { end } else { self.text.len() }, "")
            }
            _ => start,
        }
    }
}

/// Whether it is nothing but hosts with ports.
fn is_clean(authority: &str) -> bool {
    let mut hosts = authority.trim_end_matches([')', '}', '|', ';', '.', ',', '&', ':', '!']).split(',');
    authority.starts_with('[')
        || hosts.all(|host| {
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            let in_name = |c: char| c.is_alphanumeric() || "-._~%*{}$…&;)=[]".contains(c);
            name.chars().all(in_name) && (port == MASK || port.bytes().all(|byte| byte.is_ascii_digit()))
        })
}
