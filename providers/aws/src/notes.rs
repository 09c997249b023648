//! What was learnt of secrets that a person should know: kept per name, told to the health answer, and logged by the source
//! when it is new.

use secretfig_source::Note;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
pub(crate) struct Notes(Mutex<BTreeMap<Box<str>, Vec<Note>>>);

impl Notes {
    /// Of that name, these hold now. Gives those that did not hold before.
    pub(crate) fn found(&self, name: &str, notes: Vec<Note>) -> Vec<Note> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if notes.is_empty() { all.remove(name) } else { all.insert(name.into(), notes.clone()) };
        let before = before.unwrap_or_default();
        notes.into_iter().filter(|note| before.iter().all(|known| known.what() != note.what())).collect()
    }

    pub(crate) fn of(&self, name: &str) -> Vec<Note> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_once_and_what_is_over_is_forgotten() {
        let notes = Notes::default();
        let note = |what| Note::new(what, "x");
        assert_eq!(notes.found("a", vec![note("x")]), [note("x")]);
        assert_eq!(notes.found("a", vec![note("x"), note("y")]), [note("y")]);
        assert_eq!(notes.of("a").len(), 2);
        assert!(notes.found("a", Vec::new()).is_empty() && notes.of("a").is_empty());
        assert_eq!(notes.found("a", vec![note("x")]), [note("x")]);
    }
}
