//! What stands around every call to a source, outer to inner:
//!
//! 1. **flight** ([`flight`]): who asks for what is being asked for already waits for that answer. Outermost, so that what is
//!    inside is spent once however many wait. What is made by being read is never shared.
//! 2. **deadline**: of the round or the start-up. Outside the retries, which therefore end with it; no pause begins that
//!    would not end before it.
//! 3. **retry** ([`retry`], [`budget`]): outages, up to three tries, as long as the endpoint's budget lasts. Outside the
//!    breaker, so that each try asks it: one that opens between two tries ends them.
//! 4. **breaker** ([`breaker`]): outside the attempt, since it counts what attempts give.
//! 5. **attempt** ([`timeout`]): one call and its own time. That a panic ends with it is [`crate::guarded`]'s.
//!
//! Each endpoint has its own breaker, budget, flights and number of calls at once: a manager that is down costs the others
//! nothing. The machines are pure, with time and random as arguments; [`Line`] wires them. On the edge nothing sleeps and
//! nobody waits for another request's call: there a call is made once, and the breaker alone is left.

mod breaker;
mod budget;
mod errand;
mod flight;
mod planner;
mod retry;
mod settings;
mod timeout;

pub(crate) use breaker::{Open, shortened};
pub(crate) use errand::{Errand, GiveBack, Read, Renew, SignIn};
pub(crate) use planner::Got;
pub use settings::Policy;

use crate::plan::NamedSource;
use crate::runtime;
use crate::waiting;
use breaker::{Breaker, Pass, Verdict};
use budget::Budget;
use errand::Look;
use flight::Flights;
use retry::BackOff;
use secretfig_source::{Ask, Clock, ErrorKind, Identity, SourceError, Tick};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is remembered of one source, over all calls to it.
pub(crate) struct Endpoint {
    breaker: Mutex<Breaker>,
    budget: Mutex<Budget>,
    /// As many as there may be calls at once, whoever makes them.
    calls: Semaphore,
    reads: Flights<Ask, Landed<Read>>,
    looks: Flights<Ask, Landed<Look>>,
}

/// Why there is no answer.
pub(crate) struct Unanswered {
    pub(crate) error: SourceError,
    /// Where the breaker let nothing through: when it may be asked again.
    pub(crate) next: Option<Tick>,
}

/// Between two looks at what another call is trying just now.
const SHORTEST: Duration = Duration::from_secs(1);

/// What one call brought.
struct Landed<E: Errand> {
    answers: Vec<Result<E::Answer, SourceError>>,
    /// Whether the breaker let none of it through.
    refused: bool,
}

impl Endpoint {
    pub(crate) fn new(policy: &Policy, concurrency: usize) -> Self {
        Self {
            breaker: Mutex::new(Breaker::new(policy)),
            budget: Mutex::new(Budget::new(policy.budget)),
            calls: Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            reads: Flights::default(),
            looks: Flights::default(),
        }
    }

    /// How its breaker stands, if it is open.
    pub(crate) fn open(&self) -> Option<Open> {
        lock(&self.breaker).open()
    }

    /// When its breaker lets the next call through, if it is open.
    pub(crate) fn next(&self, now: Tick) -> Option<Tick> {
        self.open().map(|open| open.next.max(now.after(SHORTEST)))
    }
}

/// The way to one source, for one round or one start-up.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) named: NamedSource,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Policy,
    pub(crate) attempt: Duration,
    /// Whether this is a start-up, in which a breaker does not act: what cannot be had then is told as it was met. So it
    /// is at the end, which is the last chance to give something back.
    pub(crate) loading: bool,
    pub(crate) until: Tick,
    pub(crate) who: Option<Identity>,
}

/// What is left to be asked for, and how.
struct Pending<A> {
    /// An answer each, once there is one.
    answers: Vec<Option<Result<A, SourceError>>>,
    /// Whose answers are wanted still.
    wanted: Vec<usize>,
    /// Whether they go in one call.
    together: bool,
}

impl Line {
    /// One errand, once: for what has a schedule of tries of its own.
    pub(crate) async fn once<E: Errand>(&self, errand: E) -> Result<E::Answer, Unanswered> {
        let name = errand.secret().map(ToOwned::to_owned);
        let (mut answers, refused) = self.attempt(vec![errand]).await;
        let answer = answers.pop().unwrap_or_else(|| Err(self.short(name.as_deref())));
        answer.map_err(|error| {
            let now = self.clock.tick();
            // one that closed meanwhile lets it through as well
            let next = refused.then(|| self.endpoint.next(now).unwrap_or_else(|| now.after(SHORTEST)));
            Unanswered { error, next }
        })
    }

    /// One errand.
    pub(crate) async fn one<E: Errand>(&self, errand: E) -> Result<E::Answer, SourceError> {
        let name = errand.secret().map(ToOwned::to_owned);
        let mut landed = self.call(vec![errand]).await;
        landed.answers.pop().unwrap_or_else(|| Err(self.short(name.as_deref())))
    }

    /// One call for these, and the retries it is worth: one answer each. Only what failed is asked for again.
    async fn call<E: Errand>(&self, errands: Vec<E>) -> Landed<E> {
        let mut pending = Pending {
            answers: errands.iter().map(|_| None).collect(),
            wanted: (0..errands.len()).collect(),
            together: errands.len() > 1,
        };
        let tries = if runtime::WAITS { self.policy.tries.max(1) } else { 1 };
        let mut back_off = BackOff::new(&self.policy);
        let mut refused = self.send(&errands, &mut pending).await;
        lock(&self.endpoint.budget).first();
        // a right to batches is a right of its own, and so are its refusals
        if pending.together && !refused && pending.all(|e| e.kind() == ErrorKind::Denied) {
            pending.together = false;
            refused = self.send(&errands, &mut pending).await;
        }
        for _ in 1..tries {
            if refused || !self.again(&errands, &mut pending, &mut back_off).await {
                break;
            }
            // one that opened meanwhile ends the tries; what they met is told
            if self.send(&errands, &mut pending).await {
                break;
            }
        }
        let short = |n: usize| Err(self.short(errands.get(n).and_then(Errand::secret)));
        let answers = pending.answers.into_iter().enumerate();
        Landed { answers: answers.map(|(n, answer)| answer.unwrap_or_else(|| short(n))).collect(), refused }
    }

    /// Waits until what is worth it may be asked for again; `false` where nothing is.
    async fn again<E: Errand>(
        &self,
        errands: &[E],
        pending: &mut Pending<E::Answer>,
        back_off: &mut BackOff,
    ) -> bool {
        let failed = |n: usize| pending.answers.get(n)?.as_ref()?.as_ref().err().map(SourceError::kind);
        let source = &*self.named.source;
        let worth = |n: &usize| {
            let kind = failed(*n)?;
            retry::is_worth_it(kind, errands.get(*n)?.mints(source)).then_some(kind)
        };
        let mut asked = None;
        let mut throttled = false;
        let mut wanted = Vec::new();
        for n in &pending.wanted {
            let Some(kind) = worth(n) else { continue };
            wanted.push(*n);
            if let ErrorKind::Throttled { retry_after } = kind {
                throttled = true;
                asked = asked.max(retry_after);
            }
        }
        // batches have a quota of their own. What comes of it is one retry of one call, in parts
        let together = pending.together;
        let calls = if together { 1 } else { wanted.len() };
        let wait = back_off.next(asked, runtime::random());
        if wanted.is_empty() || self.clock.tick().after(wait) >= self.until {
            return false;
        }
        let taken = lock(&self.endpoint.budget).take(calls);
        if !together {
            wanted.truncate(taken);
        }
        if taken == 0 {
            return false;
        }
        pending.wanted = wanted;
        pending.together = together && !throttled && pending.wanted.len() > 1;
        runtime::sleep(wait).await;
        true
    }

    /// Asks for what is wanted, in one call or one each; whether the breaker refused it all.
    async fn send<E: Errand>(&self, errands: &[E], pending: &mut Pending<E::Answer>) -> bool {
        let groups: Vec<Vec<usize>> = match pending.together {
            true => vec![pending.wanted.clone()],
            false => pending.wanted.iter().map(|n| vec![*n]).collect(),
        };
        let calls = groups.into_iter().map(|group| {
            let sent: Vec<E> = group.iter().filter_map(|n| errands.get(*n).cloned()).collect();
            async move { (group, self.attempt(sent).await) }
        });
        let mut all_refused = true;
        for (group, (answers, refused)) in waiting::all(calls, usize::MAX).await {
            all_refused &= refused;
            for (n, answer) in group.into_iter().zip(answers) {
                // what was not even sent says less than what was met before
                if let Some(slot) = pending.answers.get_mut(n)
                    && (!refused || slot.is_none())
                {
                    *slot = Some(answer);
                }
            }
        }
        all_refused
    }

    /// One try: one answer each, and whether the breaker refused it.
    async fn attempt<E: Errand>(&self, errands: Vec<E>) -> (Vec<Result<E::Answer, SourceError>>, bool) {
        let fail = |e: SourceError| {
            let each = errands.iter().map(|errand| match errand.secret() {
                Some(secret) => Err(e.clone().secret(secret)),
                None => Err(e.clone()),
            });
            each.collect::<Vec<_>>()
        };
        let left = self.until.since(self.clock.tick());
        if left.is_zero() {
            return (fail(timeout::late(&self.named, left)), false);
        }
        let permit = if runtime::WAITS {
            match runtime::within(left, self.endpoint.calls.acquire()).await {
                Some(permit) => permit.ok(),
                None => return (fail(timeout::late(&self.named, left)), false),
            }
        } else {
            None
        };
        let mut turn = None;
        if !self.loading {
            let asked = lock(&self.endpoint.breaker).ask(self.clock.tick());
            match asked {
                Ok(pass) => turn = Some(Turn { line: self, pass, verdict: Verdict::Nothing }),
                Err(open) => return (fail(self.not_asked(open)), true),
            }
        }
        let limit = timeout::limit(self.attempt, &self.named.source.info());
        let limit = limit.min(self.until.since(self.clock.tick()));
        let sent = E::send(self.named.source.clone(), errands.clone());
        let called = timeout::within(&self.named, limit, sent).await;
        drop(permit);
        let answers = match called {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                let each = errands.iter();
                each.map(|errand| answers.next().unwrap_or_else(|| Err(self.short(errand.secret()))))
                    .collect()
            }
            Err(e) => fail(e),
        };
        for (errand, answer) in errands.iter().zip(&answers) {
            errand.audit(self.who.as_ref(), &self.named.name, answer);
        }
        if let Some(mut turn) = turn {
            turn.verdict = verdict::<E>(&answers);
        }
        (answers, false)
    }

    fn short(&self, secret: Option<&str>) -> SourceError {
        let error = SourceError::new(ErrorKind::Malformed, self.named.name.clone())
            .hint("the source gave fewer answers than it was asked for; this is a fault of the source");
        match secret {
            Some(secret) => error.secret(secret),
            None => error,
        }
    }

    /// Nothing was asked: since when, and why.
    fn not_asked(&self, open: Open) -> SourceError {
        let now = self.clock.tick();
        let (since, next) = (now.since(open.since).as_secs(), open.next.since(now).as_secs());
        let mut hint = format!(
            "not asked now: it has failed for {since} s (the last time: {}); ",
            open.because.as_str()
        );
        let _ = match open.probing {
            true => write!(hint, "one call is trying it"),
            false => write!(hint, "it is tried again in {} s", next.saturating_add(1)),
        };
        SourceError::new(open.because, self.named.name.clone()).hint_naming(hint)
    }
}

impl<A> Pending<A> {
    /// Whether everything has failed, and in such a way.
    fn all(&self, in_such_a_way: impl Fn(&SourceError) -> bool) -> bool {
        self.answers.iter().all(|answer| matches!(answer, Some(Err(e)) if in_such_a_way(e)))
    }
}

/// Tells the breaker what came of a call, also where nothing did: a probe that is dropped is not under way for ever.
struct Turn<'l> {
    line: &'l Line,
    pass: Pass,
    verdict: Verdict,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let (line, endpoint) = (self.line, &self.line.endpoint);
        let mut breaker = lock(&endpoint.breaker);
        let was = breaker.open();
        breaker.tell(self.pass, self.verdict, line.clock.tick(), runtime::random());
        let (source, is) = (line.named.name.as_str(), breaker.open());
        drop(breaker);
        match (was, is) {
            (None, Some(open)) => {
                let reason = open.because.as_str();
                tracing::error!(target: "secretfig", source, reason, "a source keeps failing: it is asked about once a minute until it answers");
            }
            (Some(_), None) => tracing::info!(target: "secretfig", source, "a source answers again"),
            _ => {}
        }
    }
}

/// An endpoint has failed where it failed at everything that one call asked of it.
fn verdict<E: Errand>(answers: &[Result<E::Answer, SourceError>]) -> Verdict {
    let mut verdict = Verdict::Nothing;
    for answer in answers {
        match answer {
            Ok(answer) if !E::tells(answer) => {}
            Err(e) if retry::is_failure(e.kind()) => verdict = Verdict::Failed(e.kind()),
            _ => return Verdict::Answered,
        }
    }
    verdict
}
