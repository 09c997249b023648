//! What a source is called for: one type per kind of call, so that one way through the policy serves them all.

use crate::audit;
use crate::guarded::Guarded;
use crate::leases::Ledger;
use crate::plan::SecretId;
use crate::waiting::Any;
use secretfig_source::{Ask, Fetched, Identity, Lease, Probe, SourceError};
use std::sync::Arc;

/// One thing to be had from a source.
pub(crate) trait Errand: Clone + Send + Sync + 'static {
    type Answer: Send + Sync + 'static;

    /// Makes one call for all of these: one answer each, in the same order.
    fn send(source: Arc<Guarded>, errands: Vec<Self>)
    -> Any<'static, Vec<Result<Self::Answer, SourceError>>>;

    /// The secret it is about.
    fn secret(&self) -> Option<&str>;

    /// Whether the source makes something for it.
    fn mints(&self, _source: &Guarded) -> bool {
        false
    }

    /// Whether an answer shows that the source has answered: one may be given without asking anybody.
    fn tells(_answer: &Self::Answer) -> bool {
        true
    }

    /// Notes what its answer made, at the moment it comes in.
    fn note(&self, _ledger: &Ledger, _secret: SecretId, _source: &Arc<Guarded>, _answer: &Self::Answer) {}

    /// Audits what came of one try.
    fn audit(&self, _who: Option<&Identity>, _source: &str, _result: &Result<Self::Answer, SourceError>) {}
}

/// To sign in.
#[derive(Clone)]
pub(crate) struct SignIn;

impl Errand for SignIn {
    type Answer = Option<Identity>;

    fn send(source: Arc<Guarded>, _: Vec<Self>) -> Any<'static, Vec<Result<Self::Answer, SourceError>>> {
        Box::pin(async move { vec![source.sign_in().await] })
    }

    fn secret(&self) -> Option<&str> {
        None
    }
}

/// To read.
#[derive(Clone)]
pub(crate) struct Read(pub(crate) Ask);

impl Errand for Read {
    type Answer = Fetched;

    fn send(source: Arc<Guarded>, reads: Vec<Self>) -> Any<'static, Vec<Result<Fetched, SourceError>>> {
        let asks: Vec<Ask> = reads.into_iter().map(|read| read.0).collect();
        Box::pin(async move { source.fetch(&asks).await })
    }

    fn secret(&self) -> Option<&str> {
        Some(self.0.name())
    }

    fn mints(&self, source: &Guarded) -> bool {
        source.mints(&self.0)
    }

    fn note(&self, ledger: &Ledger, secret: SecretId, source: &Arc<Guarded>, answer: &Fetched) {
        ledger.note(secret, source, self.0.name(), answer);
    }

    fn audit(&self, who: Option<&Identity>, source: &str, result: &Result<Fetched, SourceError>) {
        audit::fetched(who, source, &self.0.to_string(), result);
    }
}

/// To see whether it has moved.
#[derive(Clone)]
pub(crate) struct Look(pub(crate) Ask);

impl Errand for Look {
    type Answer = Probe;

    fn send(source: Arc<Guarded>, looks: Vec<Self>) -> Any<'static, Vec<Result<Probe, SourceError>>> {
        let asks: Vec<Ask> = looks.into_iter().map(|look| look.0).collect();
        Box::pin(async move { source.probe(&asks).await })
    }

    fn secret(&self) -> Option<&str> {
        Some(self.0.name())
    }

    fn tells(answer: &Probe) -> bool {
        *answer != Probe::Unknown
    }

    fn audit(&self, who: Option<&Identity>, source: &str, result: &Result<Probe, SourceError>) {
        audit::probed(who, source, &self.0.to_string(), result);
    }
}

/// To have a lease last longer.
#[derive(Clone)]
pub(crate) struct Renew(pub(crate) Lease);

impl Errand for Renew {
    type Answer = Lease;

    fn send(source: Arc<Guarded>, renewals: Vec<Self>) -> Any<'static, Vec<Result<Lease, SourceError>>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(renewals.len());
            for renewal in renewals {
                answers.push(source.renew(&renewal.0).await);
            }
            answers
        })
    }

    fn secret(&self) -> Option<&str> {
        None
    }
}

/// To give a lease back.
#[derive(Clone)]
pub(crate) struct GiveBack(pub(crate) Lease);

impl Errand for GiveBack {
    type Answer = ();

    fn send(source: Arc<Guarded>, returns: Vec<Self>) -> Any<'static, Vec<Result<(), SourceError>>> {
        Box::pin(async move {
            let mut answers = Vec::with_capacity(returns.len());
            for given in returns {
                answers.push(source.revoke(&given.0).await);
            }
            answers
        })
    }

    fn secret(&self) -> Option<&str> {
        None
    }
}
