//! One attempt: how long it may take, and what becomes of one that panics or takes longer.

use crate::plan::NamedSource;
use crate::runtime;
use secretfig_source::{ErrorKind, SourceError, SourceInfo};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

/// For one call to this source: what the application says or, where that is longer, what the source says.
pub(crate) fn limit(attempt: Duration, info: &SourceInfo) -> Duration {
    info.attempt.map_or(attempt, |own| own.max(attempt))
}

/// The call's output; an error where it did not end in time, or panicked.
pub(crate) async fn within<F: Future>(
    named: &NamedSource,
    limit: Duration,
    call: F,
) -> Result<F::Output, SourceError> {
    match runtime::within(limit, caught(call)).await {
        Some(Some(output)) => Ok(output),
        Some(None) => Err(SourceError::new(ErrorKind::Malformed, named.name.clone())
            .hint("the source panicked; this is a fault of the source")),
        None => Err(late(named, limit)),
    }
}

pub(crate) fn late(named: &NamedSource, limit: Duration) -> SourceError {
    let error = SourceError::new(ErrorKind::Timeout, named.name.clone());
    match named.source.info().late {
        // what is left of a deadline has digits that nobody reads
        Some(hint) => error.hint_naming(format!("it took longer than {:.1} s: {hint}", limit.as_secs_f64())),
        None => error,
    }
}

/// The future's output, or `None` where it panicked: one call fails then, and not whoever waits for it. It is never polled
/// again, so that what the panic left half done is only ever dropped.
async fn caught<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)))
            .map_or(std::task::Poll::Ready(None), |poll| poll.map(Some))
    })
    .await
}
