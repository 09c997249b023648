//! Text that leaves nothing behind.

use std::fmt::{self, Write};
use zeroize::Zeroizing;

/// A text that is wiped when dropped, also the blocks that it outgrew.
#[derive(Default)]
pub(super) struct Wiped(Zeroizing<String>);

impl Wiped {
    /// What a type prints; what it printed up to there, if it fails.
    pub(super) fn of(value: fmt::Arguments<'_>) -> Self {
        let mut text = Self::default();
        let _ = text.write_fmt(value);
        text
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn push(&mut self, text: &str) {
        let needed = self.0.len() + text.len();
        if needed > self.0.capacity() {
            let mut bigger = Zeroizing::new(String::with_capacity(needed.max(2 * self.0.capacity())));
            bigger.push_str(&self.0);
            self.0 = bigger;
        }
        self.0.push_str(text);
    }
}

impl AsRef<String> for Wiped {
    fn as_ref(&self) -> &String {
        &self.0
    }
}

impl Write for Wiped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}
