//! What readers hold: `Live` in the struct, `Section` and `Held` in handlers, `Snapshot` for one moment of all.

use crate::leases::LeaseGuard;
use crate::plan::SecretId;
use crate::refresh::Erased;
use crate::reports::{Verdict, report};
use crate::tree::KeyPath;
use arc_swap::ArcSwap;
use secretfig_source::{Clock, Revision, Tick};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// A part of the configuration that may change while the process runs.
///
/// In the struct it derefs to what was there when the struct was made; [`Config::section`](crate::Config::section)
/// gives the handle that follows it. `Debug` shows nothing of the value.
///
/// ```
/// use secretfig::Live;
/// let live = Live::from(5);
/// assert_eq!(*live, 5);
/// assert_eq!(format!("{live:?}"), "Live(..)");
/// ```
pub struct Live<S>(pub(crate) Arc<Inner<S>>);

pub(crate) struct Inner<S> {
    pub(crate) path: Option<KeyPath>,
    pub(crate) value: S,
}

impl<S> Live<S> {
    /// Where in the configuration it was decoded; `None` for one made by `From`, by a serde default, or inside
    /// `flatten`.
    pub fn path(&self) -> Option<&KeyPath> {
        self.0.path.as_ref()
    }
}

impl<S> Deref for Live<S> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0.value
    }
}

impl<S> From<S> for Live<S> {
    fn from(value: S) -> Self {
        Self(Arc::new(Inner { path: None, value }))
    }
}

impl<S: Default> Default for Live<S> {
    fn default() -> Self {
        Self::from(S::default())
    }
}

/// Shares the value.
impl<S> Clone for Live<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for Live<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live(..)")
    }
}

/// Our decoder gives it its path beside `S`; any other deserializer gives it `S` alone.
impl<'de, S: Deserialize<'de>> Deserialize<'de> for Live<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part<S>(PhantomData<S>);
        impl<'de, S: Deserialize<'de>> Visitor<'de> for Part<S> {
            type Value = Live<S>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a live section")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Live<S>, D::Error> {
                S::deserialize(deserializer).map(Live::from)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Live<S>, A::Error> {
                let none = || de::Error::invalid_length(0, &"a live section");
                let path: String = parts.next_element()?.ok_or_else(none)?;
                let value = parts.next_element()?.ok_or_else(none)?;
                Ok(Live(Arc::new(Inner { path: Some(KeyPath::parse(&path)), value })))
            }
        }
        deserializer.deserialize_newtype_struct(crate::decode::LIVE, Part(PhantomData))
    }
}

/// The revisions of the secrets that feed a section, by secret name.
pub type Revisions = Arc<[(Arc<str>, Revision)]>;

/// One revision of a section as readers see it.
pub(crate) struct View<S> {
    pub(crate) live: Arc<Inner<S>>,
    pub(crate) revisions: Revisions,
    pub(crate) withheld: Option<Withheld>,
    /// When it ends, and what is said of it from then on.
    pub(crate) until: Option<(Tick, Withheld)>,
    pub(crate) previous: Option<Arc<Inner<S>>>,
    /// The secrets that stand and fall with it.
    pub(crate) secrets: Arc<[SecretId]>,
    /// Held with it: a lease is given back when the last of these is gone.
    #[allow(dead_code, reason = "it is held: what counts is its drop")]
    pub(crate) leases: Vec<Arc<LeaseGuard>>,
}

impl<S> View<S> {
    /// Of a part whose optional secret went: what was there, withheld.
    pub(crate) fn without_secret(&self) -> Self {
        let secret = self.revisions.first().map(|(name, _)| name.clone());
        let withheld = self.withheld.clone().unwrap_or_else(|| Withheld::new(Cause::Withdrawn, secret));
        let (live, previous, secrets) = (self.live.clone(), self.previous.clone(), self.secrets.clone());
        let (revisions, withheld) = (Arc::from([]), Some(withheld));
        Self { live, revisions, withheld, until: None, previous, secrets, leases: Vec::new() }
    }
}

pub(crate) struct Cell<S> {
    pub(crate) view: ArcSwap<View<S>>,
    /// How many Keepers' tasks flip the view when its time is over: one, or for a moment two where one ends as the
    /// next begins.
    pub(crate) kept: Arc<AtomicUsize>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) changed: watch::Receiver<u64>,
    /// The configuration, which a handle does not keep alive.
    pub(crate) config: Weak<dyn Erased>,
}

/// A typed handle to one [`Live`] part: cheap to clone, never stale, never waiting.
///
/// `K` only tells two sections of one type apart: [`Section::keyed`].
pub struct Section<S, K = S>(pub(crate) Arc<Cell<S>>, pub(crate) PhantomData<fn() -> K>);

impl<S, K> Clone for Section<S, K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<S, K> Section<S, K> {
    /// The current revision, unless it must not be used any more. One atomic load; no lock, no allocation, no
    /// waiting.
    ///
    /// # Errors
    /// [`Withheld`]: the source has been out of reach for longer than `max_stale`, the secret was taken away more than
    /// `revoked_grace` ago, or its lease has ended.
    #[inline]
    pub fn get(&self) -> Result<Held<S, K>, Withheld> {
        let view = self.0.view.load_full();
        if let Some(withheld) = &view.withheld {
            return Err(withheld.clone());
        }
        if self.0.kept.load(Ordering::Relaxed) == 0 {
            self.in_time(&view)?;
        }
        Ok(Held(view, PhantomData))
    }

    /// No one flips the view: compares its end with the clock.
    #[cold]
    fn in_time(&self, view: &View<S>) -> Result<(), Withheld> {
        match &view.until {
            Some((until, withheld)) if self.0.clock.tick() >= *until => Err(withheld.clone()),
            _ => Ok(()),
        }
    }

    /// The current revision, whatever its state.
    pub fn latest(&self) -> Held<S, K> {
        Held(self.0.view.load_full(), PhantomData)
    }

    /// The revision before the current one, where the `[secrets]` entry says `keep_previous`: what was signed with
    /// it must still verify. With a [`Held`] at hand, ask that: [`Held::previous`].
    pub fn previous(&self) -> Option<Held<S, K>> {
        self.latest().previous()
    }

    /// The revisions as they come. Latest wins: a slow reader misses those in between, and never blocks anyone.
    pub fn changes(&self) -> Changes<S, K> {
        let mut receiver = self.0.changed.clone();
        receiver.mark_unchanged();
        Changes { section: self.clone(), receiver }
    }

    /// The same section under another key, to tell two of one type apart: `Secrets<Database, Reports>`.
    pub fn keyed<J>(self) -> Section<S, J> {
        Section(self.0, PhantomData)
    }
}

impl<S: Send + Sync, K> Section<S, K> {
    /// Says that a value did not work: a database or an API refused it, though it may have worked before. Has its
    /// secrets read anew, whatever their ttl.
    ///
    /// However many report, one round of reads is made per set and 5 seconds; the others wait for its answer. Where a
    /// newer revision is served already the answer comes at once. A secret that is made by being read (a lease) is made
    /// anew by the Keeper, at once the first time and later and later if that happens in a row.
    ///
    /// Answers within the deadline of a start-up ([`Builder::deadline`](crate::Builder::deadline)), cancel-safe.
    ///
    /// ```
    /// # use secretfig::{Config, ExposeSecret, Live, SecretLayer, SecretString, Verdict};
    /// # use secretfig::testing::FakeSource;
    /// # #[derive(serde::Deserialize)]
    /// # struct App { password: Live<SecretString> }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let manager = FakeSource::new().with("db", "old");
    /// # let layer = SecretLayer::from(manager.clone()).put("password", "db");
    /// # let config = Config::<App>::builder().merge(layer).load().await.unwrap();
    /// let password = config.section(|app| &app.password);
    /// let held = password.get()?;
    /// manager.rotate("db", "new"); // and the database refuses the old one
    /// assert_eq!(password.report_failure(&held).await, Verdict::Newer);
    /// assert_eq!(password.get()?.expose_secret(), "new"); // try again with this
    /// # Ok::<_, secretfig::Withheld>(()) }).unwrap();
    /// ```
    pub async fn report_failure(&self, seen: &Held<S, K>) -> Verdict {
        let Some(config) = self.0.config.upgrade() else { return Verdict::Unknown };
        let secrets = seen.0.secrets.clone();
        let newer = || self.0.view.load().revisions != seen.0.revisions;
        report(&*config, &secrets, &newer).await
    }
}

impl<S, K> fmt::Debug for Section<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Section<{}>", std::any::type_name::<S>())
    }
}

/// One revision of a section, held as long as it is needed. Derefs to the value.
pub struct Held<S, K = S>(Arc<View<S>>, PhantomData<fn() -> K>);

impl<S, K> Held<S, K> {
    /// The revisions of the secrets it was made of, by secret name; empty where there are none.
    pub fn revisions(&self) -> &[(Arc<str>, Revision)] {
        &self.0.revisions
    }

    /// The revision before this one, where the `[secrets]` entry says `keep_previous`. It is of the same moment: a
    /// rotation between two questions to the section cannot hide a revision.
    pub fn previous(&self) -> Option<Held<S, K>> {
        let live = self.0.previous.clone()?;
        let view = View {
            live,
            revisions: Arc::from([]),
            withheld: None,
            until: None,
            previous: None,
            secrets: self.0.secrets.clone(),
            leases: Vec::new(),
        };
        Some(Held(Arc::new(view), PhantomData))
    }
}

impl<S, K> Clone for Held<S, K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<S, K> Deref for Held<S, K> {
    type Target = S;
    fn deref(&self) -> &S {
        &self.0.live.value
    }
}

impl<S, K> fmt::Debug for Held<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Held<{}>", std::any::type_name::<S>())
    }
}

/// The changes of a section, from [`Section::changes`].
pub struct Changes<S, K = S> {
    section: Section<S, K>,
    receiver: watch::Receiver<u64>,
}

impl<S, K> Changes<S, K> {
    /// Waits for the next revision; `None` once the configuration is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Held<S, K>> {
        self.receiver.changed().await.ok()?;
        Some(self.section.latest())
    }
}

impl<S, K> fmt::Debug for Changes<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changes<{}>", std::any::type_name::<S>())
    }
}

/// A section's value must not be used any more. In a handler it is a 503; the caller learns nothing of why.
#[derive(Clone, PartialEq, Eq)]
pub struct Withheld {
    cause: Cause,
    secret: Option<Arc<str>>,
}

/// Why a value is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// No answer of the source for longer than `max_stale`.
    Stale,
    /// The secret was deleted, destroyed or disabled more than `revoked_grace` ago.
    Withdrawn,
    /// Its lease has ended.
    LeaseEnded,
}

impl Withheld {
    pub(crate) fn new(cause: Cause, secret: Option<Arc<str>>) -> Self {
        Self { cause, secret }
    }

    /// Why.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The secret's name, where one is to blame.
    pub fn secret_name(&self) -> Option<&str> {
        self.secret.as_deref()
    }
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.secret {
            Some(secret) => write!(f, "`{}` is withheld: ", crate::tree::Clean(secret))?,
            None => f.write_str("the section is withheld: ")?,
        }
        f.write_str(match self.cause {
            Cause::Stale => "its source has not answered for longer than `max_stale`",
            Cause::Withdrawn => "it was taken away, and `revoked_grace` is over",
            Cause::LeaseEnded => "its lease has ended",
        })
    }
}

impl fmt::Debug for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Withheld {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_deserializer_gives_live_its_value_alone() {
        let live: Live<u8> = serde_json::from_str("5").unwrap();
        assert_eq!((*live, live.path()), (5, None));
        assert_eq!(*Live::<u8>::default(), 0);
    }

    #[test]
    fn every_cause_has_its_words() {
        for cause in [Cause::Stale, Cause::Withdrawn, Cause::LeaseEnded] {
            match cause {
                Cause::Stale | Cause::Withdrawn | Cause::LeaseEnded => {}
            }
            let said = Withheld::new(cause, Some("db".into())).to_string();
            assert!(said.starts_with("`db` is withheld: "), "{said}");
        }
    }
}
