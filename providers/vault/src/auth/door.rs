//! Who is signed in, and who signs in anew: one at a time, and everybody else has the outcome.

use super::life::{Care, Life};
use super::{Login, Ways};
use crate::adapter::{Adapter, Call, Token};
use crate::error::{Doing, refusal};
use crate::reply::is_the_servers;
use secretfig_source::protocol::Reply;
use secretfig_source::{Clock, Identity, Lease, Revision, SourceError, Tick};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Turn, Notify};
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RenewTokenSelfRequest, RevokeTokenSelfRequest};

/// A timer of a day is looked at again.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// From so many leases on, those of logins that are over are forgotten.
const MANY: usize = 256;

/// One login: a token, and what is known of it.
pub(crate) struct Session {
    token: Token,
    pub(crate) identity: Option<Identity>,
    life: Mutex<Life>,
    /// How many requests it still has. None: any number.
    uses: Option<AtomicU64>,
    /// Whether it may ask about itself. Where it may not, nobody tells it from a dead one.
    speaks: bool,
    /// Whether it came of a login, and so goes at the end.
    ours: bool,
    /// Of a token that somebody else keeps alive: which one it is.
    of: Option<Revision>,
    /// When it was last known to be alive.
    alive: Mutex<Tick>,
    /// Whether the server is known not to accept it any more.
    dead: AtomicBool,
}

impl Session {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> MutexGuard<'_, Tick> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it can live from now on. None: no end is known.
    pub(crate) fn left(&self, now: Tick) -> Option<Duration> {
        self.life().left(now)
    }

    /// Takes one use of it, where they are counted.
    fn spend(&self) {
        if let Some(uses) = &self.uses {
            let _ = uses.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        }
    }

    /// Whether it is the same token as that of a login now: somebody else has renewed it, and its leases are as good as it.
    fn is_again(&self, login: &Login) -> bool {
        let counted = self.uses.is_some() == login.uses.is_some();
        self.of.is_some() && self.of == login.of && counted && !self.dead.load(Ordering::Acquire)
    }

    fn spent(&self) -> bool {
        self.uses.as_ref().is_some_and(|uses| uses.load(Ordering::Relaxed) == 0)
    }
}

/// The one way in.
pub(crate) struct Door {
    ways: Ways,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    turn: Turn<()>,
    /// Wakes who watches: there is another login, or leases were lost.
    moved: Notify,
    /// Whether leases were lost that nobody has been told of.
    news: AtomicBool,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    tries: u64,
    failure: Option<SourceError>,
    /// Under which login each lease was granted.
    leases: HashMap<Arc<str>, Arc<Session>>,
}

impl Door {
    pub(crate) fn new(ways: Ways, clock: Arc<dyn Clock>) -> Self {
        let (state, turn) = (Mutex::default(), Turn::new(()));
        Self { ways, clock, state, turn, moved: Notify::new(), news: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Option<Arc<Session>> {
        self.state().session.clone()
    }

    fn is_current(&self, session: &Arc<Session>) -> bool {
        self.current().is_some_and(|current| Arc::ptr_eq(&current, session))
    }

    /// Who is signed in now. What is due for its token is done on the way, by one call; the others go on with the
    /// token as it is.
    pub(crate) async fn session(&self, adapter: &Adapter) -> Result<Arc<Session>, SourceError> {
        let Some(session) = self.current() else { return self.enter(adapter, None).await };
        if session.spent() {
            return self.enter(adapter, Some(&session)).await;
        }
        let care = session.life().care(self.clock.tick());
        match care {
            Care::Good => Ok(session),
            Care::Over => self.enter(adapter, Some(&session)).await,
            Care::Renew | Care::Replace => {
                if let Ok(_turn) = self.turn.try_lock() {
                    self.tend(adapter, &session).await;
                }
                Ok(self.current().unwrap_or(session))
            }
        }
    }

    /// Signs in, or waits for who does. `stale` is a login that is of no more use.
    pub(crate) async fn enter(
        &self,
        adapter: &Adapter,
        stale: Option<&Arc<Session>>,
    ) -> Result<Arc<Session>, SourceError> {
        let fresh = |session: &Arc<Session>| !stale.is_some_and(|stale| Arc::ptr_eq(stale, session));
        let tries = self.state().tries;
        let _turn = self.turn.lock().await;
        {
            let state = self.state();
            if let Some(session) = state.session.as_ref().filter(|session| fresh(session)) {
                return Ok(session.clone());
            }
            // whoever was before us tried while we waited: its failure is ours, and no storm
            if let Some(failure) = state.failure.as_ref().filter(|_| state.tries != tries) {
                return Err(failure.clone());
            }
        }
        let login = self.ways.sign_in(adapter).await;
        self.have(login)
    }

    /// Takes over how a login went.
    fn have(&self, login: Result<Login, SourceError>) -> Result<Arc<Session>, SourceError> {
        let now = self.clock.tick();
        let mut state = self.state();
        state.tries += 1;
        match login {
            Ok(login) => {
                state.failure = None;
                if let Some(session) = state.session.clone().filter(|session| session.is_again(&login)) {
                    *session.life() = Life::new(login.grant, now, super::chance());
                    *session.alive() = now;
                    if let (Some(uses), Some(left)) = (&session.uses, login.uses) {
                        uses.store(left, Ordering::Relaxed);
                    }
                    drop(state);
                    self.moved.notify_one();
                    return Ok(session);
                }
                let session = Arc::new(Session {
                    life: Mutex::new(Life::new(login.grant, now, super::chance())),
                    uses: login.uses.map(AtomicU64::new),
                    alive: Mutex::new(now),
                    dead: AtomicBool::new(false),
                    token: login.token,
                    identity: login.identity,
                    speaks: login.speaks,
                    ours: login.ours,
                    of: login.of,
                });
                // the one before is used on by the leases it has, and not renewed any more
                if let Some(before) = state.session.replace(session.clone()) {
                    before.life().superseded();
                }
                drop(state);
                self.moved.notify_one();
                Ok(session)
            }
            Err(failure) => {
                state.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Renews a token, or gets its successor, while it is used on. What fails is tried again after a pause. For who has
    /// the turn.
    async fn tend(&self, adapter: &Adapter, session: &Arc<Session>) {
        // looked at anew: somebody may have done it between our look and our turn
        let care = session.life().care(self.clock.tick());
        if !self.is_current(session) || !matches!(care, Care::Renew | Care::Replace) {
            return;
        }
        // first, since this future may be dropped while it waits
        session.life().failed(self.clock.tick(), super::chance());
        match care {
            Care::Renew => self.renew(adapter, session).await,
            Care::Replace if self.ways.again() => match self.ways.sign_in(adapter).await {
                Ok(login) => {
                    let _ = self.have(Ok(login));
                }
                Err(e) => tracing::warn!(
                    target: "secretfig",
                    error = %e,
                    "the login could not be renewed early; its token is used until its end"
                ),
            },
            Care::Replace => {
                tracing::warn!(
                    target: "secretfig",
                    "the token nears its end, and nothing here can sign in anew; give a way to sign in, or a token file"
                );
                session.life().resigned();
            }
            Care::Good | Care::Over => {}
        }
    }

    async fn renew(&self, adapter: &Adapter, session: &Arc<Session>) {
        let call = Call::of(&RenewTokenSelfRequest::default()).fields(&[]);
        let Ok(call) = call else { return };
        let began = self.clock.tick();
        let reply = self.as_session(adapter, session, &call, self.ways.login_namespace()).await;
        match reply.as_ref().map(|reply| (reply.status().as_u16(), super::granted(reply))) {
            Ok((200, Some(grant))) => {
                session.life().renewed(grant, began, super::chance());
                *session.alive() = began;
            }
            // revoked, or without the right: the next call that is refused finds out which
            _ => tracing::warn!(
                target: "secretfig",
                "the token could not be renewed; it is used until its end, and the renewal tried again"
            ),
        }
    }

    /// Does what is due for the token, whenever it is due; ends when leases were lost. For who watches the source.
    pub(crate) async fn watch(&self, adapter: &Adapter) {
        loop {
            if self.news.swap(false, Ordering::AcqRel) {
                return;
            }
            let session = self.current();
            let look = session.as_ref().map_or(Tick::FAR, |session| session.life().look());
            // far moments are capped: a timer wheel has an end
            let wait = look.since(self.clock.tick()).min(DAY);
            if tokio::time::timeout(wait, self.moved.notified()).await.is_ok() {
                continue;
            }
            let Some(session) = session.filter(|session| self.is_current(session)) else { continue };
            let care = session.life().care(self.clock.tick());
            match care {
                Care::Renew | Care::Replace => {
                    let _turn = self.turn.lock().await;
                    self.tend(adapter, &session).await;
                }
                // who asks next signs in; until then there is nothing to care for
                Care::Over => self.moved.notified().await,
                Care::Good => {}
            }
        }
    }

    /// Sends as that login.
    pub(crate) async fn as_session(
        &self,
        adapter: &Adapter,
        session: &Session,
        call: &Call,
        namespace: Option<&str>,
    ) -> Result<Reply, SourceError> {
        // one use too many is the server's to refuse
        session.spend();
        adapter.send(call, Some(&session.token), namespace).await
    }

    /// Whether a login that was refused something since then is dead, or merely has no right. It asks the server
    /// at most once for all that were refused at the same time.
    pub(crate) async fn is_dead(
        &self,
        adapter: &Adapter,
        session: &Arc<Session>,
        asked: Tick,
        refused: &Reply,
    ) -> Result<bool, SourceError> {
        if !is_the_servers(refused) {
            return Ok(false);
        }
        let _turn = self.turn.lock().await;
        if !self.is_current(session) {
            return Ok(true);
        }
        if *session.alive() > asked {
            return Ok(false);
        }
        let now = self.clock.tick();
        let dead = if session.speaks {
            let call = Call::of(&LookupTokenSelfRequest::default());
            let reply = self.as_session(adapter, session, &call, self.ways.login_namespace()).await?;
            match reply.status().as_u16() {
                200 => false,
                403 if is_the_servers(&reply) => true,
                _ => return Err(refusal(&reply, Doing::Token, self.clock.wall()).into()),
            }
        } else {
            // it may not ask about itself, so the refusal itself has to tell
            !super::lacks_right(refused)
        };
        if dead {
            session.dead.store(true, Ordering::Release);
            let mut state = self.state();
            state.session = None;
            let lost = state.leases.values().any(|of| Arc::ptr_eq(of, session));
            drop(state);
            if lost {
                self.news.store(true, Ordering::Release);
                self.moved.notify_one();
            }
        } else {
            *session.alive() = now;
        }
        Ok(dead)
    }

    /// Remembers under which login a lease was granted.
    pub(crate) fn granted(&self, lease: &Arc<str>, session: &Arc<Session>) {
        let now = self.clock.tick();
        let mut state = self.state();
        if state.leases.len() >= MANY {
            state
                .leases
                .retain(|_, of| !of.dead.load(Ordering::Acquire) && of.life().care(now) != Care::Over);
        }
        state.leases.insert(lease.clone(), session.clone());
    }

    /// Under which login a lease was granted, where that was here.
    pub(crate) fn login_of(&self, lease: &Lease) -> Option<Arc<Session>> {
        self.state().leases.get(&lease.id).cloned()
    }

    /// A lease is over.
    pub(crate) fn forget(&self, lease: &Lease) {
        self.state().leases.remove(&lease.id);
    }

    /// Whether a lease went with its login.
    pub(crate) fn lost(&self, lease: &Lease) -> bool {
        let of = self.login_of(lease);
        let over = |of: &Session| of.life().care(self.clock.tick()) == Care::Over;
        of.is_some_and(|of| of.dead.load(Ordering::Acquire) || over(&of))
    }

    /// Gives the tokens of our own logins back.
    pub(crate) async fn close(&self, adapter: &Adapter) {
        let mut ours: Vec<Arc<Session>> = Vec::new();
        {
            let mut state = self.state();
            let leases = std::mem::take(&mut state.leases);
            for session in state.session.take().into_iter().chain(leases.into_values()) {
                let live = session.ours && !session.dead.load(Ordering::Acquire);
                if live && !ours.iter().any(|known| Arc::ptr_eq(known, &session)) {
                    ours.push(session);
                }
            }
        }
        let call = Call::of(&RevokeTokenSelfRequest::default());
        for session in ours {
            let revoked = self.as_session(adapter, &session, &call, self.ways.login_namespace()).await;
            if !revoked.is_ok_and(|reply| reply.status().is_success()) {
                tracing::warn!(target: "secretfig", "the token could not be given back; it ends by itself");
            }
        }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("signed_in", &self.current().is_some()).finish_non_exhaustive()
    }
}
