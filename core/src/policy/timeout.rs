//! One attempt: how long it may take, and what becomes of one that takes longer.

use crate::plan::NamedSource;
use crate::runtime;
use secretfig_source::{ErrorKind, SourceError, SourceInfo};
use std::future::Future;
use std::time::Duration;

/// For one call to this source: what the application says or, where that is longer, what the source says.
pub(crate) fn limit(attempt: Duration, info: &SourceInfo) -> Duration {
    info.attempt.map_or(attempt, |own| own.max(attempt))
}

/// The call's output; an error where it did not end in time.
pub(crate) async fn within<F: Future>(
    named: &NamedSource,
    limit: Duration,
    call: F,
) -> Result<F::Output, SourceError> {
    runtime::within(limit, call).await.ok_or_else(|| late(named, limit))
}

pub(crate) fn late(named: &NamedSource, limit: Duration) -> SourceError {
    let error = SourceError::new(ErrorKind::Timeout, named.name.clone());
    match named.source.info().late {
        // what is left of a deadline has digits that nobody reads
        Some(hint) => error.hint_naming(format!("it took longer than {:.1} s: {hint}", limit.as_secs_f64())),
        None => error,
    }
}
