//! What to ask for, and where in the configuration it goes: `[secrets]` entries and `SecretLayer`.

use crate::guarded::info_of;
use crate::layers::Profile;
use crate::tree::KeyPath;
use secretfig_source::{Ask, At, Format, Limits, Reading, Source};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One wanted secret: its name, and how it is read.
///
/// ```
/// use secretfig::{Format, Wanted};
/// let wanted = Wanted::new("myapp/tls").format(Format::Text).optional(true);
/// assert_eq!(wanted.name(), "myapp/tls");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub(crate) ask: Ask,
    pub(crate) reading: Reading,
    pub(crate) optional: bool,
    pub(crate) ttl: Option<Duration>,
    pub(crate) keep_previous: bool,
}

impl Wanted {
    /// The current value of the secret of that name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            ask: Ask::new(name),
            reading: Reading::default(),
            optional: false,
            ttl: None,
            keep_previous: false,
        }
    }

    /// Only this field of the document.
    #[must_use]
    pub fn field(mut self, field: impl Into<Box<str>>) -> Self {
        self.reading.field = Some(field.into());
        self
    }

    /// At another point of its history.
    #[must_use]
    pub fn at(mut self, at: At) -> Self {
        self.ask = self.ask.at(at);
        self
    }

    /// In that format. Default [`Format::Auto`].
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.reading.format = format;
        self
    }

    /// Whether it may be absent. Denied, malformed, withdrawn and unreachable are faults all the same.
    #[must_use]
    pub fn optional(mut self, yes: bool) -> Self {
        self.optional = yes;
        self
    }

    /// Whether it may be empty.
    #[must_use]
    pub fn allow_empty(mut self, yes: bool) -> Self {
        self.reading.allow_empty = yes;
        self
    }

    /// How large and how deep it may be.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.reading.limits = limits;
        self
    }

    /// How long a fetched value counts as fresh. Default: the source's, else 5 minutes. The time to the next look is
    /// drawn from [ttl/2, ttl].
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Also loads the revision before the current one, for [`Section::previous`](crate::Section::previous).
    #[must_use]
    pub fn keep_previous(mut self, yes: bool) -> Self {
        self.keep_previous = yes;
        self
    }

    /// The secret's name.
    pub fn name(&self) -> &str {
        self.ask.name()
    }
}

impl From<&str> for Wanted {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Wanted {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

/// A layer of secrets: a source, and what to ask it for.
///
/// It stands among the other layers as any figment provider does, in profile `global` (in `default` where it
/// is joined), as Rocket's own environment layer; [`SecretLayer::profile`] changes that.
///
/// ```
/// # use secretfig::testing::FakeSource;
/// use secretfig::{SecretLayer, Wanted};
/// let source = FakeSource::new();
/// let layer = SecretLayer::from(source)
///     .put("database", "myapp/database")
///     .put("tls.key", Wanted::new("myapp/tls").optional(true));
/// ```
#[derive(Clone)]
pub struct SecretLayer {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) wanted: Vec<(KeyPath, Wanted)>,
    pub(crate) profile: Option<Profile>,
    pub(crate) called: Option<String>,
}

impl SecretLayer {
    /// Asks for a secret and puts it at that key path; the empty path is the root.
    #[must_use]
    pub fn put(mut self, key: &str, wanted: impl Into<Wanted>) -> Self {
        self.wanted.push((KeyPath::parse(key), wanted.into()));
        self
    }

    /// What reports and `explain` call it. Default: its place in the code.
    #[must_use]
    pub fn called(mut self, name: impl Into<String>) -> Self {
        self.called = Some(name.into());
        self
    }

    /// In that profile.
    #[must_use]
    pub fn profile(mut self, profile: impl Into<Profile>) -> Self {
        self.profile = Some(profile.into());
        self
    }
}

impl<S: Source + 'static> From<S> for SecretLayer {
    fn from(source: S) -> Self {
        Self { source: Arc::new(source), wanted: Vec::new(), profile: None, called: None }
    }
}

impl fmt::Debug for SecretLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretLayer")
            .field("source", &info_of(&*self.source).map(|info| info.scheme).unwrap_or_default())
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}
