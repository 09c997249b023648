//! The calls that leases need: renewals, and what is given back.

use super::ledger::is_gone;
use crate::audit;
use crate::plan::{Plan, SecretId};
use crate::policy::{GiveBack, Renew, Unanswered};
use crate::refresh::{Asking, Erased};
use crate::runtime;
use crate::waiting;
use secretfig_source::{ErrorKind, Lease, SourceError, Tick};
use std::time::Duration;

/// One call that is due.
#[derive(Clone)]
pub(crate) enum Chore {
    Renew(SecretId, Lease),
    Revoke(SecretId, Lease),
}

/// Renews what is due and gives back what nobody reads any more, all at once.
pub(crate) async fn tend(config: &dyn Erased) {
    let asking = config.asking().clone();
    let chores = config.chores().into_iter().map(|chore| {
        let asking = asking.clone();
        async move {
            let began = asking.clock.tick();
            let result = asking.chore(&chore, false).await;
            config.done(&chore, began, result);
        }
    });
    if !waiting::all(chores, usize::MAX).await.is_empty() {
        config.flip();
    }
}

/// Gives all of these back within the limit, and logs what could not be.
pub(crate) async fn give_all_back(asking: &Asking, leases: Vec<(SecretId, Lease)>, limit: Duration) {
    let revoking = leases.into_iter().map(|(secret, lease)| async move {
        let chore = Chore::Revoke(secret, lease);
        let reason = match runtime::within(limit, asking.chore(&chore, true)).await {
            Some(Ok(_)) => return,
            Some(Err(e)) => e.error.kind().as_str(),
            None => ErrorKind::Timeout.as_str(),
        };
        let name = name(&asking.plan, secret);
        tracing::error!(
            target: "secretfig",
            secret = name,
            reason,
            "a lease could not be given back: it ends by itself, or by an operator's hand"
        );
    });
    waiting::all(revoking, usize::MAX).await;
}

pub(crate) fn name(plan: &Plan, secret: SecretId) -> String {
    plan.secrets.get(secret.0 as usize).map(|secret| secret.ask.to_string()).unwrap_or_default()
}

impl Asking {
    /// Makes the call, or, where it is made `anyway`, makes it also to a source that is left alone; of a renewal, what was
    /// granted.
    async fn chore(&self, chore: &Chore, anyway: bool) -> Result<Option<Lease>, Unanswered> {
        let (Chore::Renew(secret, _) | Chore::Revoke(secret, _)) = chore;
        let unknown = || Unanswered { error: SourceError::new(ErrorKind::Misconfigured, ""), next: None };
        let asked = self.plan.secrets.get(secret.0 as usize).ok_or_else(unknown)?;
        let mut line = self.line(asked.source, Tick::FAR).ok_or_else(unknown)?;
        line.loading |= anyway;
        // once: a lease's life has its own times for trying again
        let result = match chore {
            Chore::Renew(_, lease) => line.once(Renew(lease.clone())).await.map(Some),
            Chore::Revoke(_, lease) => match line.once(GiveBack(lease.clone())).await {
                Err(e) if !is_gone(&e.error) => Err(e),
                _ => Ok(None),
            },
        };
        let outcome = match (&result, chore) {
            // nobody was asked
            (Err(Unanswered { next: Some(_), .. }), _) => return result,
            (Err(Unanswered { error, .. }), _) => error.kind().as_str(),
            (Ok(_), Chore::Renew(..)) => "renewed",
            (Ok(_), Chore::Revoke(..)) => "given back",
        };
        let identity = self.identities.get(asked.source).and_then(Option::as_ref);
        audit::line(identity, &line.named.name, &asked.ask.to_string(), None, outcome, "wire");
        result
    }
}
