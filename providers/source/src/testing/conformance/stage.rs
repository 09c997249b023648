//! What the suite needs to know of the thing behind a source.

use crate::{Reading, Revision, Source};
use async_trait::async_trait;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Something to wait for (`futures::future::BoxFuture<'a, ()>` by another name).
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The place behind a source, as a test can set it: a folder, a server, a scripted one.
///
/// Every method ends once the source can see what was done. Methods that answer `bool` say whether
/// it could be done; their default `false` means *cannot be staged here*, and the suite then skips
/// the case and says so. The suite uses names of lower-case letters, digits and hyphens, which must
/// not exist when it begins: where a place is kept between runs, [`Stage::name`] puts something
/// fresh in front.
///
/// ```
/// use secretfig_source::{Source, async_trait};
/// use secretfig_source::testing::{FakeSource, Stage, Wait, conformance};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// struct InMemory(FakeSource);
///
/// #[async_trait]
/// impl Stage for InMemory {
///     fn source(&self) -> Arc<dyn Source> {
///         Arc::new(self.0.clone())
///     }
///     async fn put(&self, name: &str, value: &[u8]) {
///         self.0.put_bytes(name, value);
///     }
///     async fn remove(&self, name: &str) {
///         self.0.remove(name);
///     }
///     async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool {
///         tokio::time::timeout(limit, wait).await.is_ok()
///     }
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(async {
/// let done = conformance(&InMemory(FakeSource::new())).await;
/// assert!(done.to_string().starts_with("conformance of fake: "));
/// # });
/// ```
#[async_trait]
pub trait Stage: Send + Sync {
    /// The source under test. Called once.
    fn source(&self) -> Arc<dyn Source>;

    /// How this source spells a name of the suite: with a mount, a prefix, a folder. The spelled
    /// name is what the source is asked for and what every method below is given. The default
    /// leaves it as it is.
    fn name(&self, plain: &str) -> String {
        plain.to_owned()
    }

    /// Creates the secret, or writes a new revision of it. Bytes that are no text come only where
    /// the source claims `binary`, none at all only where it claims `empty`. Where a place holds
    /// tables only, a JSON object is stored as the table and all else as the field that
    /// [`Stage::reading`] names.
    async fn put(&self, name: &str, value: &[u8]);

    /// Writes a new revision of a secret that exists. The default is [`Stage::put`].
    async fn rotate(&self, name: &str, value: &[u8]) {
        self.put(name, value).await;
    }

    /// Has the manager itself write a new revision, of a value that it makes up, as where it rotates a database's
    /// password; the first time, creates the secret. Answers how the value is read back.
    async fn turn(&self, _name: &str) -> Option<Reading> {
        None
    }

    /// Takes the secret away, as a person would who deletes it.
    async fn remove(&self, name: &str);

    /// Takes the right to read this secret from the source's identity; the others stay readable.
    async fn deny(&self, _name: &str) -> bool {
        false
    }

    /// Begins (`true`) or ends (`false`) an outage of the whole place.
    async fn outage(&self, _on: bool) -> bool {
        false
    }

    /// Makes the revision before the current one current again, as moving `AWSCURRENT` back does:
    /// the same revision, not a new one that holds the same.
    async fn step_back(&self, _name: &str) -> bool {
        false
    }

    /// Withdraws the secret in a way that the manager tells from "never was": deletes it softly,
    /// destroys its version, disables it.
    async fn withdraw(&self, _name: &str) -> bool {
        false
    }

    /// Makes every read of this secret come with a lease of its own, an hour long or so.
    async fn lease(&self, _name: &str) -> bool {
        false
    }

    /// Waits on the stage's own runtime, for `limit` at most; answers whether the wait ended by
    /// itself. With tokio: `tokio::time::timeout(limit, wait).await.is_ok()`. The suite has no
    /// timer: it runs every case through this, so that a source that hangs fails its case.
    async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool;

    /// How a value that was [`put`](Stage::put) is read back out of the document. The default is
    /// the whole payload, of any format, empty ones too; where a place holds tables only, with
    /// their `field`.
    fn reading(&self) -> Reading {
        Reading { allow_empty: true, ..Reading::default() }
    }

    /// The id of a revision, as `At::Version` takes it. The default is the revision's own text.
    fn version(&self, revision: &Revision) -> String {
        revision.as_str().to_owned()
    }

    /// Whether a name that ends in `/*` means all secrets below it. Then the suite does not take it for a name that steers.
    fn folders(&self) -> bool {
        false
    }

    /// The staging labels that current and previous carry. The default is AWS's.
    fn labels(&self) -> (&str, &str) {
        ("AWSCURRENT", "AWSPREVIOUS")
    }

    /// How a number comes back that was put with this literal. The default is as it was; a place that rewrites numbers
    /// itself, as a KV v2 mount does, says how.
    fn number(&self, literal: &str) -> String {
        literal.to_owned()
    }

    /// The bytes of the largest value that is put. Default 61,440 (60 KiB).
    fn largest(&self) -> usize {
        60 << 10
    }
}
