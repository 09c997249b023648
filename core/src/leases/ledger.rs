//! What was made by a read and stands in no store yet.
//!
//! A credential exists from the moment its manager answers; until it is published, or was refused and given back, only
//! this list knows it. It is kept where the answer comes in, so that a future that is dropped at any later moment leaves
//! its entry behind, and a [`Sweep`] finds it.

use crate::guarded::Guarded;
use crate::plan::SecretId;
use crate::runtime;
use crate::waiting;
use secretfig_source::{ErrorKind, Fetched, Lease, SourceError};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long giving back may take where something else waits for it, or nothing does.
const LIMIT: Duration = Duration::from_secs(2);

#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Entry>>>);

#[derive(Clone)]
struct Entry {
    secret: SecretId,
    source: Arc<Guarded>,
    name: String,
    lease: Lease,
}

impl Ledger {
    /// Notes what an answer made.
    pub(crate) fn note(&self, secret: SecretId, source: &Arc<Guarded>, name: &str, fetched: &Fetched) {
        if let (Some(lease), false) = (&fetched.lease, fetched.repeatable) {
            let (source, name, lease) = (source.clone(), name.to_owned(), lease.clone());
            self.lock().push(Entry { secret, source, name, lease });
        }
    }

    /// Forgets what stands in the store.
    pub(crate) fn settle(&self, stored: impl Fn(SecretId, &Lease) -> bool) {
        self.lock().retain(|entry| !stored(entry.secret, &entry.lease));
    }

    /// Sees to it that nothing of these secrets is left here, whatever way this ends.
    pub(crate) fn sweep(&self, secrets: impl IntoIterator<Item = SecretId>) -> Sweep {
        Sweep { ledger: self.clone(), secrets: secrets.into_iter().collect() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back what was made and not stored: at its end, or, where its future is dropped, on the runtime that it runs on.
pub(crate) struct Sweep {
    ledger: Ledger,
    secrets: BTreeSet<SecretId>,
}

impl Sweep {
    /// Gives back what is there, within two seconds; what could not be, by name.
    pub(crate) async fn give_back(&self) -> Vec<(String, ErrorKind)> {
        let found = self.found();
        if found.is_empty() {
            return Vec::new();
        }
        let ledger = &self.ledger;
        let revoking = found.into_iter().map(|entry| async move {
            let failed = entry.revoke().await;
            // only now: dropped before, it is still there to be found
            ledger.settle(|_, lease| *lease == entry.lease);
            failed
        });
        waiting::all(revoking, usize::MAX).await.into_iter().flatten().collect()
    }

    fn found(&self) -> Vec<Entry> {
        self.ledger.lock().iter().filter(|entry| self.secrets.contains(&entry.secret)).cloned().collect()
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        let left = self.found();
        if left.is_empty() {
            return;
        }
        self.ledger.settle(|_, lease| left.iter().any(|entry| entry.lease == *lease));
        let names: Vec<String> = left.iter().map(|entry| entry.name.clone()).collect();
        // a dropped future cannot wait: who dropped it was in a hurry, and is not held up
        let spawned = runtime::spawn(async move {
            let revoking = left.iter().map(Entry::revoke);
            for (name, kind) in waiting::all(revoking, usize::MAX).await.into_iter().flatten() {
                told(&name, kind.as_str());
            }
        });
        if !spawned {
            names.iter().for_each(|name| told(name, "no runtime is there"));
        }
    }
}

impl Entry {
    async fn revoke(&self) -> Option<(String, ErrorKind)> {
        match runtime::within(LIMIT, self.source.revoke(&self.lease)).await {
            Some(Ok(())) => None,
            Some(Err(e)) if is_gone(&e) => None,
            Some(Err(e)) => Some((self.name.clone(), e.kind())),
            None => Some((self.name.clone(), ErrorKind::Timeout)),
        }
    }
}

/// What is not there any more need not be given back.
pub(super) fn is_gone(e: &SourceError) -> bool {
    matches!(e.kind(), ErrorKind::Absent | ErrorKind::Withdrawn(_))
}

fn told(secret: &str, reason: &str) {
    tracing::error!(
        target: "secretfig",
        secret,
        reason,
        "a credential that nobody holds could not be given back: it lives until its lease ends, or an operator revokes it"
    );
}
