//! What the core wants of a source.

use std::fmt;
use std::sync::Arc;

/// One secret, at one point of its history. Nothing in an ask is secret.
///
/// ```
/// use secretfig_source::{Ask, At};
/// let ask = Ask::new("myapp/database").at(At::Previous);
/// assert_eq!(ask.to_string(), "myapp/database@previous");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ask {
    name: Arc<str>,
    at: At,
}

impl Ask {
    /// Asks for the current value of the secret of that name, as its manager spells names.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), at: At::Current }
    }

    /// The same secret at another point of its history.
    #[must_use]
    pub fn at(mut self, at: At) -> Self {
        self.at = at;
        self
    }

    /// The secret's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, shared.
    pub fn shared_name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// The point of its history.
    pub fn point(&self) -> &At {
        &self.at
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Current => write!(f, "{}", Printable(&self.name)),
            at => write!(f, "{}@{at}", Printable(&self.name)),
        }
    }
}

/// A point in a secret's history.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum At {
    /// What the manager calls current: AWSCURRENT, the latest KV v2 version, Azure's latest.
    #[default]
    Current,
    /// The one before: AWSPREVIOUS, the highest live KV v2 version below the latest.
    Previous,
    /// A version by the manager's own id.
    Version(Arc<str>),
    /// A staging label (AWS).
    Stage(Arc<str>),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Current => f.write_str("current"),
            At::Previous => f.write_str("previous"),
            At::Version(v) => write!(f, "version {}", Printable(v)),
            At::Stage(s) => write!(f, "stage {}", Printable(s)),
        }
    }
}

/// A name on its way to a terminal: what controls it, or turns the direction of a line, is escaped,
/// so that no name writes anything but itself.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            let turns =
                matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if c.is_control() || turns {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}
