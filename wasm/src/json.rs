//! JSON for JavaScript to read, written into blocks that are wiped: values pass through here.

use secretfig_source::protocol::{hex, quoted};
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
        self.raw(&quoted(tag, text))
    }

    /// A string of two digits for each byte, behind a tag.
    pub(crate) fn bytes(&mut self, tag: &str, bytes: &[u8]) -> &mut Self {
        self.tagged(tag, &hex(bytes))
    }

    /// `[…]`, of each its own.
    pub(crate) fn list<T>(
        &mut self,
        of: impl Iterator<Item = T>,
        each: &mut dyn FnMut(&mut Self, T),
    ) -> &mut Self {
        let mut before = "[";
        for one in of {
            each(self.raw(before), one);
            before = ",";
        }
        self.raw(if before == "[" { "[]" } else { "]" })
    }

    /// A copy for JavaScript, which cannot wipe it.
    pub(crate) fn to_js(&self) -> JsValue {
        JsValue::from_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were() {
        for text in ["", "plain", "\"\\\n\t\0\u{1f}\u{7f}", "é🔑\u{2028}", &"x".repeat(1000)] {
            let mut json = Json::default();
            json.list([text, text].into_iter(), &mut |json, text| _ = json.tagged("s", text));
            let read: Vec<String> = serde_json::from_str(&json.0).unwrap();
            assert_eq!(read, [format!("s{text}"), format!("s{text}")]);
        }
        let mut bytes = Json::default();
        assert_eq!(&*bytes.bytes("b", &[0, 0x7f, 0xff]).0, "\"b007fff\"");
        let mut none = Json::default();
        assert_eq!(&*none.list(std::iter::empty::<()>(), &mut |_, ()| {}).0, "[]");
    }
}
