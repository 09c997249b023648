//! What a test does to a fake manager while the application runs, and what it counts.

use super::gate::lock;
use super::{FakeSource, State};
use crate::{Ask, Document, ErrorKind, Fetched, Note, Withdrawn};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// What its secrets hold.
impl FakeSource {
    /// Puts a secret of that name and text: a new one, or the next revision.
    pub fn put(&self, name: &str, text: &str) {
        self.write(name, Document::from_text(text));
    }

    /// Puts bytes that need not be text.
    pub fn put_bytes(&self, name: &str, bytes: &[u8]) {
        self.put_document(name, Document::from_bytes(Zeroizing::new(bytes.to_vec())));
    }

    /// Puts a document, such as one of several parts.
    pub fn put_document(&self, name: &str, document: Document) {
        self.write(name, document);
    }

    /// The next revision; the one before becomes previous. [`FakeSource::put`] under the name that
    /// a test means.
    pub fn rotate(&self, name: &str, text: &str) {
        self.put(name, text);
    }

    /// Makes a revision that only that staging label names, such as `AWSPENDING`. Current and
    /// previous (`AWSCURRENT`, `AWSPREVIOUS`) stay where they are.
    pub fn label(&self, name: &str, label: &str, text: &str) {
        self.change(|state| {
            let created = state.wall();
            state.secret(name).label(label, Document::from_text(text), created);
        });
    }

    /// Makes the previous revision current again, and the current one previous, as moving
    /// `AWSCURRENT` back does. Nothing where there is no previous one.
    pub fn step_back(&self, name: &str) {
        self.change(|state| state.secret(name).step_back());
    }

    /// Removes a secret with its history: from now on it is absent.
    pub fn remove(&self, name: &str) {
        self.change(|state| state.secret(name).remove());
    }

    /// Has every answer of this secret pass through that function, until the secret is removed: to give it
    /// an expiry, a warning, another time of creation.
    ///
    /// ```
    /// # use secretfig_source::testing::FakeSource;
    /// let fake = FakeSource::new().with("tls", "…");
    /// fake.amend("tls", |fetched| fetched.warning("others may read the key"));
    /// ```
    pub fn amend(&self, name: &str, amend: impl Fn(Fetched) -> Fetched + Send + Sync + 'static) {
        self.change(|state| state.secret(name).amend = Some(Arc::new(amend)));
    }

    /// Calls this once, after the next fetch of that secret has taken its answer and before it is
    /// given: what it changes is seen by the next probe, so the answer is already torn.
    ///
    /// ```
    /// # use secretfig_source::testing::FakeSource;
    /// let fake = FakeSource::new().with("tls.crt", "old").with("tls.key", "old");
    /// let turn = fake.clone();
    /// fake.after_fetch("tls.crt", move || turn.rotate("tls.crt", "new"));
    /// ```
    pub fn after_fetch(&self, name: &str, hook: impl FnOnce() + Send + 'static) {
        lock(&self.state).secret(name).after_fetch = Some(Box::new(hook));
    }
}

/// What goes wrong.
impl FakeSource {
    /// Denies that secret, whether or not it exists, until [`FakeSource::allow`].
    pub fn deny(&self, name: &str) {
        self.change(|state| state.secret(name).denied = true);
    }

    /// Allows it again.
    pub fn allow(&self, name: &str) {
        self.change(|state| state.secret(name).denied = false);
    }

    /// Withdraws that secret, until [`FakeSource::restore`] or a new revision.
    pub fn withdraw(&self, name: &str, how: Withdrawn) {
        self.change(|state| state.secret(name).withdrawn = Some(how));
    }

    /// Takes the withdrawal back.
    pub fn restore(&self, name: &str) {
        self.change(|state| state.secret(name).withdrawn = None);
    }

    /// Fails every fetch and probe of that name in this way, until [`FakeSource::heal`].
    pub fn fail(&self, name: &str, kind: ErrorKind) {
        self.change(|state| state.secret(name).instead = Some((kind, None)));
    }

    /// Fails that many answers for that name, of fetch and probe alike, and then no more.
    pub fn fail_next(&self, name: &str, kind: ErrorKind, times: usize) {
        self.change(|state| state.secret(name).instead = Some((kind, Some(times))));
    }

    /// Ends what [`FakeSource::fail`] began.
    pub fn heal(&self, name: &str) {
        self.change(|state| state.secret(name).instead = None);
    }

    /// Fails that many of every ten answers in this way, of fetch and probe alike, spread out evenly and the same in every
    /// run; 0 heals it.
    pub fn shake(&self, kind: ErrorKind, of_ten: u8) {
        lock(&self.state).flaky = (of_ten > 0).then_some((kind, of_ten, 0));
    }

    /// Fails every fetch of more than one ask in this way, as a manager does whose batches have a right or a quota of
    /// their own; `None` heals it.
    pub fn fail_batches(&self, kind: impl Into<Option<ErrorKind>>) {
        lock(&self.state).batches_fail = kind.into();
    }

    /// Accepts and stays silent: from now on no fetch, probe, renewal or revocation ends, until
    /// [`FakeSource::resume`]. They are counted when they arrive. Sign-in is not held up.
    pub fn stall(&self) {
        lock(&self.state).stalled = true;
    }

    /// Stays silent about calls that ask for this secret only, until [`FakeSource::resume`].
    pub fn stall_only(&self, name: &str) {
        lock(&self.state).held.insert(name.into());
    }

    /// Answers again, everyone who waits too, with what holds now.
    pub fn resume(&self) {
        self.release(|state| {
            state.stalled = false;
            state.held.clear();
        });
    }

    /// Is unreachable: every ask, sign-in, renewal and revocation gets [`ErrorKind::Transport`],
    /// until [`FakeSource::start`].
    pub fn stop(&self) {
        lock(&self.state).reachable = false;
    }

    /// Is reachable again.
    pub fn start(&self) {
        lock(&self.state).reachable = true;
    }

    /// Cannot tell without reading: probes answer `Unknown` from now on, and `probe` is no longer
    /// claimed.
    pub fn blind(&self) {
        let mut state = lock(&self.state);
        state.blind = true;
        state.abilities.probe = false;
    }

    /// Says that something may have moved: ends [`changed`](crate::Source::changed), or the next
    /// one where nobody waits now.
    pub fn notify(&self) {
        self.notices.give();
    }
}

/// Sign-in and leases.
impl FakeSource {
    /// Is who signs in, from now on. Default: the source knows no identity.
    pub fn identity(&self, text: &str) {
        lock(&self.state).identity = Some(text.into());
    }

    /// Lets nobody sign in, until [`FakeSource::accept_sign_in`]. Fetches still answer: what they
    /// would say is set by name.
    pub fn refuse_sign_in(&self) {
        lock(&self.state).signing_in = false;
    }

    /// Lets everyone sign in again.
    pub fn accept_sign_in(&self) {
        lock(&self.state).signing_in = true;
    }

    /// Makes that secret one that is made by being read: every fetch gives a new revision under a new,
    /// renewable lease of that length, is not repeatable, and probes answer `Unknown`.
    pub fn lease(&self, name: &str, length: Duration) {
        self.change(|state| state.secret(name).lease = Some(length));
    }

    /// What a renewal of that secret's leases grants from now on: less than before shows that the
    /// longest life is near. Default: as much as at first.
    pub fn renewals_grant(&self, name: &str, length: Duration) {
        lock(&self.state).secret(name).renewal = Some(length);
    }

    /// How long a lease of that secret lives with all its renewals, from now on: a renewal grants what is left of that
    /// at most. Told by the clock of [`FakeSource::with_clock`], by which leases also end.
    pub fn leases_end_after(&self, name: &str, longest: Duration) {
        lock(&self.state).secret(name).longest = Some(longest);
    }

    /// Gives leases of that secret that cannot be renewed, from now on.
    pub fn unrenewable(&self, name: &str) {
        lock(&self.state).secret(name).unrenewable = true;
    }

    /// Fails every renewal of that secret's leases in this way, until told `None`. Fetches go on.
    pub fn renewals_fail(&self, name: &str, kind: impl Into<Option<ErrorKind>>) {
        lock(&self.state).secret(name).renewals_fail = kind.into();
    }

    /// Fails every revocation of that secret's leases in this way, until told `None`.
    pub fn revocations_fail(&self, name: &str, kind: impl Into<Option<ErrorKind>>) {
        lock(&self.state).secret(name).revocations_fail = kind.into();
    }

    /// The login under which everything was granted so far is dead: all leases are gone and told as
    /// [`lost`](crate::Source::lost), and whoever waits for news is woken.
    pub fn lose_login(&self) {
        let mut state = lock(&self.state);
        let gone = std::mem::take(&mut state.leases);
        state.lost.extend(gone.into_keys());
        drop(state);
        self.notify();
    }

    /// Ends every lease of that secret, as an operator's revocation does: renewals then answer
    /// absent. Not counted by [`FakeSource::revoked`].
    pub fn end_leases(&self, name: &str) {
        lock(&self.state).leases.retain(|_, granted| &*granted.name != name);
    }
}

/// What it has seen.
impl FakeSource {
    /// How many times this name was asked for by fetch.
    pub fn fetches(&self, name: &str) -> usize {
        lock(&self.state).asked.get(name).map_or(0, |asked| asked.fetches)
    }

    /// How many times this name was asked for by probe.
    pub fn probes(&self, name: &str) -> usize {
        lock(&self.state).asked.get(name).map_or(0, |asked| asked.probes)
    }

    /// How many calls of fetch there were, of however many asks.
    pub fn calls(&self) -> usize {
        lock(&self.state).counts.calls
    }

    /// What is told of that secret, from now on, that a person should know.
    pub fn note(&self, name: &str, notes: impl IntoIterator<Item = Note>) {
        lock(&self.state).notes.insert(name.into(), notes.into_iter().collect());
    }

    /// What was distrusted, in order.
    pub fn distrusted(&self) -> Vec<Ask> {
        lock(&self.state).distrusted.clone()
    }

    /// How many calls of any kind reached it: fetch, probe, sign-in, renewal, revocation.
    pub fn upstream(&self) -> usize {
        lock(&self.state).counts.upstream
    }

    /// How many times someone signed in, or tried to.
    pub fn sign_ins(&self) -> usize {
        lock(&self.state).counts.sign_ins
    }

    /// How many leases were given.
    pub fn minted(&self) -> usize {
        lock(&self.state).counts.minted
    }

    /// How many renewals were asked for, refused ones too.
    pub fn renewals(&self) -> usize {
        lock(&self.state).counts.renewals
    }

    /// How many revocations were asked for, refused ones too.
    pub fn revocations(&self) -> usize {
        lock(&self.state).counts.revocations
    }

    /// What happened to leases, in order: `mint db/1`, `renew db/1`, `mint db/2`, `revoke db/1`.
    pub fn lease_story(&self) -> Vec<String> {
        lock(&self.state).story.clone()
    }

    /// How many renewals were granted.
    pub fn renewed(&self) -> usize {
        lock(&self.state).counts.renewed
    }

    /// How many leases were revoked through the source; a second revocation of one does not count.
    pub fn revoked(&self) -> usize {
        lock(&self.state).counts.revoked
    }

    /// How many leases are out: given, and neither revoked nor ended. Zero at the end of a test is
    /// what "nothing was orphaned" means.
    pub fn leases(&self) -> usize {
        let mut state = lock(&self.state);
        state.expire();
        state.leases.len()
    }
}

impl State {
    pub(super) fn hook(&mut self, name: &str) -> Option<super::state::Hook> {
        self.secrets.get_mut(name)?.after_fetch.take()
    }
}
