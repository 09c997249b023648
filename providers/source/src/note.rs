//! What a person should know of a secret that is served all the same.

use std::fmt;

/// A state of a secret that is no fault yet: a rotation that is overdue or stuck, a deletion that is scheduled, an expiry that
/// is near. It stands in the health answer, and is logged once. It never holds a value.
///
/// ```
/// use secretfig_source::Note;
/// let note = Note::new("rotation-overdue", "it was to be rotated by 2026-11-01; look at its rotation");
/// assert_eq!(note.what(), "rotation-overdue");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    what: &'static str,
    text: Box<str>,
}

impl Note {
    /// A state, as machines know it (`rotation-overdue`), and as a person reads it: what it is, and what to do.
    pub fn new(what: &'static str, text: impl Into<Box<str>>) -> Self {
        Self { what, text: text.into() }
    }

    /// As machines know it: lower case, with hyphens.
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// What it is, and what to do.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.text)
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Note({self})")
    }
}
