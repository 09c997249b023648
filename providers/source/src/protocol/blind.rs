//! Where metadata may not be read: the least policy grants no more than the value, and to ask at each look would cost
//! three requests and fill the server's audit log with refusals.

use crate::Tick;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// After this a new policy is noticed.
const AGAIN: Duration = Duration::from_secs(3_600);

/// Names whose metadata were denied while their value was not.
#[derive(Default)]
pub struct Blind(Mutex<BTreeMap<Box<str>, Tick>>);

impl Blind {
    /// Whether only the value tells of that name, as far as is known.
    pub fn is(&self, name: &str, now: Tick) -> bool {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, until| now < *until);
        names.contains_key(name)
    }

    /// It was found to be so.
    pub fn found(&self, name: &str, now: Tick) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.into(), now.after(AGAIN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_that_was_not_there_is_looked_for_again_after_an_hour() {
        let blind = Blind::default();
        let at = |seconds| Tick::from_start(Duration::from_secs(seconds));
        assert!(!blind.is("a", at(0)));
        blind.found("a", at(0));
        assert!(blind.is("a", at(3_599)) && !blind.is("b", at(3_599)));
        assert!(!blind.is("a", at(3_600)));
    }
}
