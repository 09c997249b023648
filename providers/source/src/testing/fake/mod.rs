//! A manager in memory, turned by a test while the application runs.

mod gate;
mod knobs;
mod state;

use crate::{
    Abilities, Ask, Batch, Clock, Document, ErrorKind, Fetched, Identity, Lease, Note, Probe, Source,
    SourceError, SourceInfo,
};
use async_trait::async_trait;
use gate::{Notices, lock};
use state::State;
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// A manager of secrets in memory. Clones are the same manager: give one to the application and
/// turn the other.
///
/// It needs no executor and reads no clock, so it runs under any of them and under paused time.
/// Revisions are `1`, `2`, … per secret. It claims every ability but `watch`
/// ([`FakeSource::watching`]) and `created` ([`FakeSource::with_clock`]), and takes one ask per call
/// ([`FakeSource::batch`]). A test that forgets itself prints no value: `Debug` shows names only.
///
/// ```
/// use secretfig_source::testing::FakeSource;
/// use secretfig_source::{Ask, ErrorKind, Source};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let fake = FakeSource::new().with("db", "old");
/// let source: &dyn Source = &fake; // what the application holds
///
/// fake.rotate("db", "new");
/// let answer = source.fetch(&[Ask::new("db")]).await.remove(0).unwrap();
/// assert_eq!(answer.revision.as_str(), "2");
///
/// fake.deny("db");
/// let answer = source.fetch(&[Ask::new("db")]).await.remove(0);
/// assert_eq!(answer.unwrap_err().kind(), ErrorKind::Denied);
/// assert_eq!(fake.fetches("db"), 2);
/// # });
/// ```
#[derive(Clone)]
pub struct FakeSource {
    state: Arc<Mutex<State>>,
    notices: Arc<Notices>,
}

/// Building one.
impl FakeSource {
    /// An empty one, of scheme `fake`.
    pub fn new() -> Self {
        Self::named("fake")
    }

    /// An empty one of another scheme, to stand for that manager: `FakeSource::named("vault")`.
    pub fn named(scheme: impl Into<Cow<'static, str>>) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(scheme.into()))), notices: Arc::default() }
    }

    /// With a secret of that name and text.
    #[must_use]
    pub fn with(self, name: &str, text: &str) -> Self {
        self.put(name, text);
        self
    }

    /// With times of creation from that clock, for everything that is put from now on. Claims
    /// `created`.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        let mut state = lock(&self.state);
        state.clock = Some(clock);
        state.abilities.created = true;
        drop(state);
        self
    }

    /// Claiming these abilities and no others. What is not claimed is refused, as the contract
    /// wants it.
    #[must_use]
    pub fn abilities(self, abilities: Abilities) -> Self {
        lock(&self.state).abilities = abilities;
        self
    }

    /// Noticing by itself when a test changes something, as a source does that watches files.
    /// Claims `watch`.
    #[must_use]
    pub fn watching(self) -> Self {
        lock(&self.state).abilities.watch = true;
        self
    }

    /// Taking up to `at_most` asks in one call, from `from` asks on. Default 1 and 1.
    #[must_use]
    pub fn batch(self, at_most: usize, from: usize) -> Self {
        lock(&self.state).batch = Batch { at_most: at_most.max(1), from };
        self
    }

    /// Claiming to take that many calls at once. Default 8. Nothing is enforced.
    #[must_use]
    pub fn concurrency(self, calls: usize) -> Self {
        lock(&self.state).concurrency = calls.max(1);
        self
    }

    /// With its own time for which a value counts as fresh. Default: the core's.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        lock(&self.state).ttl = Some(ttl);
        self
    }

    /// Saying that one call may take that long, and what to do when it takes longer.
    #[must_use]
    pub fn attempt(self, limit: Duration, late: &'static str) -> Self {
        lock(&self.state).attempt = Some((limit, late));
        self
    }

    /// Changes the state, and says so where this source watches.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let answer = change(&mut state);
        let watching = state.abilities.watch;
        drop(state);
        if watching {
            self.notify();
        }
        answer
    }

    fn write(&self, name: &str, document: Document) {
        self.change(|state| {
            let created = state.wall();
            state.secret(name).put(document, created);
        });
    }

    /// Ends once nothing stalls these asks. A dropped wait leaves a waker behind, which wakes a
    /// task for nothing, once.
    async fn pass(&self, asks: &[Ask]) {
        std::future::poll_fn(|cx| {
            let mut state = lock(&self.state);
            if state.stalls(asks) {
                state.waiting.add(cx.waker());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Changes something, and wakes whom it held up.
    fn release(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let wakers = state.waiting.take();
        drop(state);
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}

impl Default for FakeSource {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Source for FakeSource {
    fn info(&self) -> SourceInfo {
        let state = lock(&self.state);
        let mut info = SourceInfo::new(state.scheme.clone(), "memory")
            .batch(state.batch.at_most, state.batch.from)
            .concurrency(state.concurrency)
            .abilities(state.abilities);
        info.ttl = state.ttl;
        match state.attempt {
            Some((limit, late)) => info.attempt(limit).late(late),
            None => info,
        }
    }

    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        let mut state = lock(&self.state);
        state.counts.sign_ins += 1;
        state.counts.upstream += 1;
        state.reached()?;
        if !state.signing_in {
            return Err(state.error(ErrorKind::Unauthenticated));
        }
        Ok(state.identity.clone().map(Identity::new))
    }

    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        {
            // counted on arrival: a test may wait for a fetch to be under way
            let mut state = lock(&self.state);
            state.counts.calls += 1;
            state.counts.upstream += 1;
            for ask in asks {
                state.asked.entry(ask.shared_name()).or_default().fetches += 1;
            }
        }
        self.pass(asks).await;
        let (answers, hooks) = {
            let mut state = lock(&self.state);
            let answers = state.fetch_all(asks);
            let hooks: Vec<_> = asks.iter().filter_map(|ask| state.hook(ask.name())).collect();
            (answers, hooks)
        };
        hooks.into_iter().for_each(|hook| hook());
        answers
    }

    fn mints(&self, ask: &Ask) -> bool {
        lock(&self.state).secrets.get(ask.name()).is_some_and(|secret| secret.lease.is_some())
    }

    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        {
            let mut state = lock(&self.state);
            state.counts.upstream += 1;
            for ask in asks {
                state.asked.entry(ask.shared_name()).or_default().probes += 1;
            }
        }
        self.pass(asks).await;
        let mut state = lock(&self.state);
        let answer = |ask| Ok(state.probe(ask)?.map_or(Probe::Unknown, Probe::Current));
        asks.iter().map(answer).collect()
    }

    async fn changed(&self) {
        self.notices.wait().await;
    }

    fn lost(&self, lease: &Lease) -> bool {
        lock(&self.state).lost.contains(&lease.id)
    }

    fn distrust(&self, ask: &Ask) {
        lock(&self.state).distrusted.push(ask.clone());
    }

    fn notes(&self, ask: &Ask) -> Vec<Note> {
        lock(&self.state).notes.get(ask.name()).cloned().unwrap_or_default()
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease, SourceError> {
        lock(&self.state).counts.upstream += 1;
        self.pass(&[]).await;
        lock(&self.state).renew(lease)
    }

    async fn revoke(&self, lease: &Lease) -> Result<(), SourceError> {
        lock(&self.state).counts.upstream += 1;
        self.pass(&[]).await;
        lock(&self.state).revoke(lease)
    }
}

impl fmt::Debug for FakeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        let names: Vec<_> = state.secrets.iter().filter(|(_, s)| s.exists()).map(|(name, _)| name).collect();
        f.debug_struct("FakeSource").field("scheme", &state.scheme).field("names", &names).finish()
    }
}
