//! What a source answers.

use crate::{Document, Revision};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// One secret as its source holds it now.
#[derive(Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// What it holds.
    pub document: Document,
    /// The manager's own version key.
    pub revision: Revision,
    /// When the manager made this revision, where it tells.
    pub created: Option<SystemTime>,
    /// From when it may be used (Azure `nbf`), where it tells.
    pub not_before: Option<SystemTime>,
    /// Until when it may be used (Azure `exp`), where it tells.
    pub expires: Option<SystemTime>,
    /// The lease it came with (Vault's dynamic secrets).
    pub lease: Option<Lease>,
    /// Whether reading again gives the same. `false` for what is made by being read: such a read is
    /// never retried blindly, never shared and never doubled.
    pub repeatable: bool,
    /// What a person should know although all went well, such as a file that others may read. Static text:
    /// no value can get in.
    pub warnings: Vec<&'static str>,
}

impl Fetched {
    /// A plain, repeatable answer: no times, no lease.
    pub fn new(document: Document, revision: Revision) -> Self {
        Self {
            document,
            revision,
            created: None,
            not_before: None,
            expires: None,
            lease: None,
            repeatable: true,
            warnings: Vec::new(),
        }
    }

    /// With the time the manager made it.
    #[must_use]
    pub fn created(mut self, at: SystemTime) -> Self {
        self.created = Some(at);
        self
    }

    /// With the time from which it may be used.
    #[must_use]
    pub fn not_before(mut self, at: SystemTime) -> Self {
        self.not_before = Some(at);
        self
    }

    /// With the time until which it may be used.
    #[must_use]
    pub fn expires(mut self, at: SystemTime) -> Self {
        self.expires = Some(at);
        self
    }

    /// With a lease. A leased answer is not repeatable unless said otherwise afterwards.
    #[must_use]
    pub fn lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self.repeatable = false;
        self
    }

    /// Says whether reading again gives the same.
    #[must_use]
    pub fn repeatable(mut self, yes: bool) -> Self {
        self.repeatable = yes;
        self
    }

    /// With a remark for a person.
    #[must_use]
    pub fn warning(mut self, text: &'static str) -> Self {
        self.warnings.push(text);
        self
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("document", &self.document)
            .field("revision", &self.revision)
            .field("created", &self.created)
            .field("not_before", &self.not_before)
            .field("expires", &self.expires)
            .field("lease", &self.lease)
            .field("repeatable", &self.repeatable)
            .field("warnings", &self.warnings)
            .finish()
    }
}

/// What a probe found out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Probe {
    /// The source cannot tell without reading: fetch when the ttl is over.
    Unknown,
    /// The revision that a fetch would give now.
    Current(Revision),
}

/// A lease: permission to use what was fetched, for a while.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The manager's id of it. Not a secret, but it revokes: never printed by us.
    pub id: Arc<str>,
    /// How long it lasts from the moment it was granted or renewed.
    pub duration: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// How long the login under which it was granted can live from that moment on, its own renewals included: with the
    /// login the lease goes. `None` where that has no end, or is not known.
    pub login: Option<Duration>,
}

impl Lease {
    /// A lease of that id and length.
    pub fn new(id: impl Into<Arc<str>>, duration: Duration, renewable: bool) -> Self {
        Self { id: id.into(), duration, renewable, login: None }
    }

    /// Under a login that can live so long, its own renewals included.
    ///
    /// ```
    /// use secretfig_source::Lease;
    /// use std::time::Duration;
    /// let hour = Duration::from_secs(3_600);
    /// assert_eq!(Lease::new("id", 2 * hour, true).login(hour).lives(), hour);
    /// ```
    #[must_use]
    pub fn login(mut self, left: Duration) -> Self {
        self.login = Some(left);
        self
    }

    /// How long it lives: as long as it was granted for, and no longer than the login.
    pub fn lives(&self) -> Duration {
        self.login.map_or(self.duration, |login| login.min(self.duration))
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("duration", &self.duration)
            .field("renewable", &self.renewable)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// Who the manager says we are, for the audit line: an ARN, a token's display name, a client id.
/// Never a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity(Arc<str>);

impl Identity {
    /// An identity in the manager's own words.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::ask::Printable(&self.0))
    }
}
