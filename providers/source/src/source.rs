//! The one trait that a place of secrets implements.

use crate::{Ask, ErrorKind, Fetched, Identity, Lease, Note, Probe, SourceError};
use async_trait::async_trait;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Something that is asked, asynchronously, for documents: a manager, a folder of mounted files, an
/// encrypted store.
///
/// Implementations keep these promises; the conformance suite (feature `testing`) checks them:
///
/// * one answer per ask, in the same order, whatever else happens;
/// * denied is never absent: what the caller may not see is [`ErrorKind::Denied`];
/// * no error carries a value, a reply body, or a URL with a query;
/// * nothing panics on any bytes the other side may send;
/// * a dropped future leaves nothing behind (the core cancels on deadlines).
#[async_trait]
pub trait Source: Send + Sync {
    /// What it is and what it can do. Cheap; called often.
    fn info(&self) -> SourceInfo;

    /// Called once per source before anything is fetched. `None`: this source knows no identity.
    ///
    /// # Errors
    /// When nobody could be signed in: every secret of this source is then out of reach, and the
    /// report says so once.
    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        Ok(None)
    }

    /// One answer per ask, in the same order. The core's planner has cut the asks by
    /// [`SourceInfo::batch`].
    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>>;

    /// Whether asking for this makes something: each read of it is another credential, and its answer is not
    /// [`repeatable`](Fetched::repeatable). Told beforehand and without asking anyone, since once a reply is lost it is too
    /// late to find out: such an ask goes in a call of its own, is shared with nobody, and is never repeated where the
    /// first one may have been heard. When in doubt, `true`. The default is `false`.
    fn mints(&self, _ask: &Ask) -> bool {
        false
    }

    /// Which revision is it now? Without reading the value where the manager can tell. One answer
    /// per ask, in the same order.
    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        asks.iter().map(|_| Ok(Probe::Unknown)).collect()
    }

    /// Ends when this source has learnt by itself that something may have moved (a file event). The
    /// core then probes without waiting for the ttl. It may end for nothing; what moves between two
    /// calls is not lost, but ends the second one at once. The default never ends.
    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    /// Renews a lease. It is handed in as it was first granted, so that its `duration` is what to ask for; what comes
    /// back is what was granted this time.
    ///
    /// # Errors
    /// [`ErrorKind::Absent`] where the lease has ended: the core makes a new one at once. An outage is tried again, any
    /// other kind is not. The default, for sources without leases, is [`ErrorKind::Misconfigured`].
    async fn renew(&self, _lease: &Lease) -> Result<Lease, SourceError> {
        Err(without_leases(&self.info()))
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// The default, for sources without leases, is [`ErrorKind::Misconfigured`].
    async fn revoke(&self, _lease: &Lease) -> Result<(), SourceError> {
        Err(without_leases(&self.info()))
    }

    /// Whether a lease is known to be gone before its time, because the login under which it was granted is dead. Cheap,
    /// no asking: a source that has just found its login dead remembers which leases it granted under it, ends
    /// [`changed`](Source::changed), and says so here; the core then makes new ones.
    fn lost(&self, _lease: &Lease) -> bool {
        false
    }

    /// Somebody could not use the value of this secret, and it is about to be probed or fetched for that: a source that asks
    /// something which keeps values for a while is to ask past that, once. The default does nothing.
    fn distrust(&self, _ask: &Ask) {}

    /// What it has learnt of this secret, when it last fetched or probed it, that a person should know. Cheap, no asking.
    fn notes(&self, _ask: &Ask) -> Vec<Note> {
        Vec::new()
    }

    /// Ends within `limit` what the source keeps open.
    async fn close(&self, _limit: Duration) {}

    /// Itself, where it can say which rights a set of asks needs. `None`, the default: it has no rights of its own.
    fn as_grants(&self) -> Option<&dyn Grants> {
        None
    }
}

fn without_leases(info: &SourceInfo) -> SourceError {
    SourceError::new(ErrorKind::Misconfigured, info.scheme.clone())
        .hint("this source gives no leases; there is nothing to renew or to revoke")
}

/// A shared source is a source.
#[async_trait]
impl<S: Source + ?Sized> Source for Arc<S> {
    fn info(&self) -> SourceInfo {
        (**self).info()
    }
    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        (**self).sign_in().await
    }
    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        (**self).fetch(asks).await
    }
    fn mints(&self, ask: &Ask) -> bool {
        (**self).mints(ask)
    }
    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        (**self).probe(asks).await
    }
    async fn changed(&self) {
        (**self).changed().await;
    }
    async fn renew(&self, lease: &Lease) -> Result<Lease, SourceError> {
        (**self).renew(lease).await
    }
    async fn revoke(&self, lease: &Lease) -> Result<(), SourceError> {
        (**self).revoke(lease).await
    }
    fn lost(&self, lease: &Lease) -> bool {
        (**self).lost(lease)
    }
    fn distrust(&self, ask: &Ask) {
        (**self).distrust(ask);
    }
    fn notes(&self, ask: &Ask) -> Vec<Note> {
        (**self).notes(ask)
    }
    async fn close(&self, limit: Duration) {
        (**self).close(limit).await;
    }
    fn as_grants(&self) -> Option<&dyn Grants> {
        (**self).as_grants()
    }
}

/// What a source is and what it can do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceInfo {
    /// The scheme of its references and its name in `SECRET_PROVIDER`-like settings: `vault`.
    pub scheme: Cow<'static, str>,
    /// Where it is, for messages: an origin or a folder. Never credentials, never a query.
    pub origin: String,
    /// How the planner cuts asks into calls.
    pub batch: Batch,
    /// How many calls may be under way at once.
    pub concurrency: usize,
    /// What it can do.
    pub abilities: Abilities,
    /// How long a fetched value counts as fresh where no setting says; `None` is the core's 5
    /// minutes.
    pub ttl: Option<Duration>,
    /// How long one call may take where the application allows less: for work that is slow by design, such as making
    /// a key of a passphrase. `None`: as long as the application says. The deadline of a start-up holds all the same.
    pub attempt: Option<Duration>,
    /// What to do when a call takes longer than it may. `None`: to look at the way to the server.
    pub late: Option<&'static str>,
}

impl SourceInfo {
    /// One ask per call, eight calls at once, no special abilities.
    pub fn new(scheme: impl Into<Cow<'static, str>>, origin: impl Into<String>) -> Self {
        Self {
            scheme: scheme.into(),
            origin: origin.into(),
            batch: Batch { at_most: 1, from: 1 },
            concurrency: 8,
            abilities: Abilities::default(),
            ttl: None,
            attempt: None,
            late: None,
        }
    }

    /// With that cutting of asks into calls.
    #[must_use]
    pub fn batch(mut self, at_most: usize, from: usize) -> Self {
        self.batch = Batch { at_most: at_most.max(1), from };
        self
    }

    /// With that many calls at once.
    #[must_use]
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls.max(1);
        self
    }

    /// With those abilities.
    #[must_use]
    pub fn abilities(mut self, abilities: Abilities) -> Self {
        self.abilities = abilities;
        self
    }

    /// With that ttl where no setting says.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// With that long for one call, where the application allows less.
    ///
    /// ```
    /// use secretfig_source::SourceInfo;
    /// use std::time::Duration;
    /// let info = SourceInfo::new("slow", "/etc/slow")
    ///     .attempt(Duration::from_secs(10))
    ///     .late("the file system does not answer; look at the mount");
    /// assert_eq!(info.attempt, Some(Duration::from_secs(10)));
    /// ```
    #[must_use]
    pub fn attempt(mut self, limit: Duration) -> Self {
        self.attempt = Some(limit);
        self
    }

    /// With that sentence about calls that take too long: what is the matter, and what to do.
    #[must_use]
    pub fn late(mut self, hint: &'static str) -> Self {
        self.late = Some(hint);
        self
    }
}

/// How asks become calls: from `from` asks on, up to `at_most` in one call; below, one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The most asks one call takes.
    pub at_most: usize,
    /// The number of asks from which batches are worth it.
    pub from: usize,
}

/// What a source can do. The conformance suite runs the parts that are claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Abilities {
    /// `At::Previous`.
    pub previous: bool,
    /// `At::Version`.
    pub versions: bool,
    /// `At::Stage`.
    pub stages: bool,
    /// `probe` answers with a revision.
    pub probe: bool,
    /// `changed` ends when something moved.
    pub watch: bool,
    /// Values may be bytes.
    pub binary: bool,
    /// Values may be empty.
    pub empty: bool,
    /// Leases.
    pub leases: bool,
    /// Tells when a revision was made.
    pub created: bool,
    /// Tells a denied secret from an absent one.
    pub denies: bool,
}

impl Abilities {
    /// None of them.
    pub const NONE: Self = Self {
        previous: false,
        versions: false,
        stages: false,
        probe: false,
        watch: false,
        binary: false,
        empty: false,
        leases: false,
        created: false,
        denies: false,
    };
}

/// A source that can say which secrets there are.
#[async_trait]
pub trait Listing: Source {
    /// The names that begin with `prefix`, in no particular order.
    ///
    /// # Errors
    /// Where listing is denied or fails; never a partial list.
    async fn list(&self, prefix: &str) -> Result<Vec<Arc<str>>, SourceError>;
}

/// A source that can say which rights a set of asks needs: an IAM policy, Vault HCL, Azure roles.
///
/// Nothing is asked of the manager: an operator wants to know before anything is allowed.
pub trait Grants: Source {
    /// The least privilege under which all these asks succeed, in the manager's own language.
    fn grants(&self, asks: &[Ask]) -> String;
}
