//! The collector: which paths were looked at, and what was found there.

use super::needles::{Found, Needles};
use super::{Form, Marker};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Collects what a program says and looks for planted values in it.
///
/// It can be shared between threads. It must end with [`Hunt::finish`]: a hunt that is dropped before
/// has proved nothing, and panics.
#[derive(Default)]
pub struct Hunt(Mutex<State>);

#[derive(Default)]
struct State {
    names: Vec<String>,
    markers: Vec<Marker>,
    /// Over all markers; made anew after one was planted.
    needles: Option<Needles>,
    paths: BTreeSet<String>,
    texts: usize,
    bytes: usize,
    faults: BTreeSet<String>,
    finished: bool,
}

impl Hunt {
    /// With nothing planted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A marker to look for from now on, under the name by which a report calls it.
    pub fn plant(&self, name: impl Into<String>, marker: Marker) -> Marker {
        let mut state = self.state();
        state.names.push(name.into());
        state.markers.push(marker.clone());
        state.needles = None;
        marker
    }

    /// Looks at one text. `path` says how it came about, for the report: `Debug of the report`.
    ///
    /// Nothing is thrown here: all leaks of a run are told at once, by [`Hunt::finish`].
    pub fn check(&self, path: impl AsRef<str>, text: impl AsRef<[u8]>) {
        let (path, text) = (path.as_ref(), text.as_ref());
        let mut state = self.state();
        let mut found: Vec<Found> = vec![None; state.markers.len()];
        if state.needles.is_none() {
            state.needles = Some(Needles::of(state.markers.iter().map(Marker::text)));
        }
        if let Some(needles) = &state.needles {
            needles.search(text, &mut found);
        }
        let leaks = found.iter().zip(&state.names).filter_map(|(found, name)| {
            let (_, _, form) = (*found)?;
            Some(format!("{path}: `{name}` as {form:?}"))
        });
        let leaks: Vec<String> = leaks.collect();
        state.faults.extend(leaks);
        if text.is_empty() {
            // A log that was never written to would be clean for ever.
            state.faults.insert(format!("{path}: nothing to look at, the text is empty"));
        }
        if !state.paths.contains(path) {
            state.paths.insert(path.into());
        }
        state.texts += 1;
        state.bytes += text.len();
    }

    /// Looks at both kinds of `Debug`.
    pub fn check_debug(&self, path: impl AsRef<str>, value: &(impl Debug + ?Sized)) {
        let path = path.as_ref();
        self.check(format!("{path}, Debug"), format!("{value:?}"));
        self.check(format!("{path}, pretty Debug"), format!("{value:#?}"));
    }

    /// Looks at both kinds of `Display` and of `Debug`.
    pub fn check_display(&self, path: impl AsRef<str>, value: &(impl Display + Debug + ?Sized)) {
        let path = path.as_ref();
        self.check(format!("{path}, Display"), format!("{value}"));
        self.check(format!("{path}, alternate Display"), format!("{value:#}"));
        self.check_debug(path, value);
    }

    /// Looks at an error and at all that it gives as its source.
    pub fn check_error(&self, path: impl AsRef<str>, error: &(dyn Error + 'static)) {
        let path = path.as_ref();
        self.check_display(path, error);
        let mut next = error.source();
        while let Some(source) = next {
            self.check_display(format!("{path}, source"), source);
            next = source.source();
        }
    }

    /// Says how much was looked at.
    ///
    /// # Panics
    /// With every path and form in which a value was found, never with the value. Also when nothing
    /// was planted or nothing was looked at, for that proves nothing.
    pub fn finish(self) {
        let mut state = self.state();
        state.finished = true;
        let mut faults = std::mem::take(&mut state.faults);
        if state.markers.is_empty() {
            faults.insert("nothing was planted".into());
        }
        if state.paths.is_empty() {
            faults.insert("nothing was looked at".into());
        }
        let summary = format!(
            "leak hunt: {} paths, {} markers × {} forms",
            state.paths.len(),
            state.markers.len(),
            Form::ALL.len()
        );
        let texts = format!("{} texts, {} bytes", state.texts, state.bytes);
        drop(state);
        assert!(
            faults.is_empty(),
            "{summary}: {} faults in {texts}:\n  {}",
            faults.len(),
            faults.into_iter().collect::<Vec<_>>().join("\n  ")
        );
        #[expect(clippy::print_stdout, reason = "the figure that a run is kept for")]
        {
            println!("{summary}: none found ({texts})");
        }
    }

    /// What was found stays true when another thread panicked meanwhile.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hunt {
    fn drop(&mut self) {
        let finished = self.state().finished;
        assert!(finished || std::thread::panicking(), "a leak hunt without `finish` proves nothing");
    }
}
