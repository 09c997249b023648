//! Users and passwords in URLs.

use super::{MASK, Walk, closes};

impl Walk<'_> {
    /// Hides what stands before the `@` of the URL whose `://` is there.
    ///
    /// A password that should be encoded and is not may hold any character, so the last `@` counts, and where no host
    /// can be made out, all the rest is hidden.
    pub(super) fn url(&mut self, at: usize) -> usize {
        let start = at + 3;
        let rest = self.text.from(start);
        let scheme = self.text.word_before(at, false);
        let ends = |c: char| c.is_whitespace() || "\"'`<>\\".contains(c);
        let next = rest.find("://").unwrap_or(rest.len());
        let url = &rest[..rest[..next].find(ends).unwrap_or(next)];
        let authority = &url[..url.find(['/', '?', '#']).unwrap_or(url.len())];
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
