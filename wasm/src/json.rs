//! JSON for JavaScript to read, written into blocks that are wiped: values pass through here.

use wasm_bindgen::JsValue;
use zeroize::Zeroizing;

/// A text that grows by hand: one that grows by itself frees what it held unwiped.
#[derive(Default)]
pub(crate) struct Json(Zeroizing<String>);

impl Json {
    /// As it is: punctuation, or a number's literal.
    pub(crate) fn raw(&mut self, text: &str) -> &mut Self {
        if text.len() > self.0.capacity() - self.0.len() {
            let room = (2 * self.0.capacity()).max(self.0.len() + text.len()).max(64);
            let mut larger = Zeroizing::new(String::with_capacity(room));
            larger.push_str(&self.0);
            self.0 = larger;
        }
        self.0.push_str(text);
        self
    }

    /// A string.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.tagged("", text)
    }

    /// A string that begins with a tag, which says what it is.
    pub(crate) fn tagged(&mut self, tag: &str, text: &str) -> &mut Self {
        self.raw("\"").raw(tag);
        let escaped = |c: char| c < ' ' || c == '"' || c == '\\';
        for part in text.split_inclusive(escaped) {
            match part.chars().next_back() {
                Some(last) if escaped(last) => {
                    self.raw(part.strip_suffix(last).unwrap_or_default());
                    let code = last as u32;
                    let digit = |n: u32| char::from_digit(n, 16).unwrap_or('0');
                    let mut escape = ['\\', 'u', '0', '0', digit(code >> 4), digit(code & 15)];
                    for c in &escape {
                        self.raw(c.encode_utf8(&mut [0; 4]));
                    }
                    escape.fill('0');
                }
                _ => {
                    self.raw(part);
                }
            }
        }
        self.raw("\"")
    }

    /// `[…]`, of each its own.
    pub(crate) fn list<T>(
        &mut self,
        of: impl IntoIterator<Item = T>,
        each: impl Fn(&mut Self, T),
    ) -> &mut Self {
        self.raw("[");
        for (n, one) in of.into_iter().enumerate() {
            self.raw(if n == 0 { "" } else { "," });
            each(self, one);
        }
        self.raw("]")
    }

    /// A copy for JavaScript, which cannot wipe it.
    pub(crate) fn to_js(&self) -> JsValue {
        JsValue::from_str(&self.0)
    }
}
