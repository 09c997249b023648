//! A source whose panics end where they happen.
//!
//! Every call that is made of a source goes through here, and there is no other way to one: a panic costs that call, whichever
//! it is, and neither the task that made it nor any other source. That there was one is told, with the source and the call.
//! What it says is dropped unread, since it may be a value; what the panic hook of the process prints is the application's.

use crate::waiting::Any;
use secretfig_source::{
    Ask, ErrorKind, Fetched, Identity, Lease, Note, Probe, Source, SourceError, SourceInfo,
};
use std::collections::BTreeSet;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

pub(crate) struct Guarded {
    /// The name that messages give it.
    name: String,
    source: Arc<dyn Source>,
    /// What it said of itself at first: it holds wherever it cannot say so any more.
    known: SourceInfo,
    /// The calls whose panics were told: some are made many times a second.
    told: Mutex<BTreeSet<&'static str>>,
}

/// The name of a source that cannot say its own.
pub(crate) const UNNAMED: &str = "unnamed";

/// What a source says of itself, before it has a name; `None` where it panics.
pub(crate) fn info_of(source: &dyn Source) -> Option<SourceInfo> {
    caught(|| source.info())
}

impl Guarded {
    pub(crate) fn new(name: String, source: Arc<dyn Source>, info: Option<SourceInfo>) -> Self {
        let is_known = info.is_some();
        let known = info.unwrap_or_else(|| SourceInfo::new(UNNAMED, ""));
        let guarded = Self { name, source, known, told: Mutex::default() };
        if !is_known {
            guarded.tell_once("info", "it is asked as one that can do nothing but read");
        }
        guarded
    }

    /// Whether it is that one.
    pub(crate) fn is(&self, source: &Arc<dyn Source>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }

    pub(crate) fn info(&self) -> SourceInfo {
        info_of(&*self.source).unwrap_or_else(|| {
            self.tell_once("info", "what it said before holds");
            self.known.clone()
        })
    }

    /// In doubt, it does.
    pub(crate) fn mints(&self, ask: &Ask) -> bool {
        caught(|| self.source.mints(ask)).unwrap_or_else(|| {
            self.tell_once(
                "mints",
                "what is read there is taken for made by being read: it is not read again",
            );
            true
        })
    }

    /// In doubt, it is not: that its login is dead shows when it is renewed.
    pub(crate) fn lost(&self, lease: &Lease) -> bool {
        caught(|| self.source.lost(lease)).unwrap_or_else(|| {
            self.tell_once("lost", "its leases are taken to live as long as they were granted for");
            false
        })
    }

    /// Somebody could not use what it gave.
    pub(crate) fn distrust(&self, ask: &Ask) {
        caught(|| self.source.distrust(ask)).unwrap_or_else(|| {
            self.tell_once("distrust", "what it keeps for a while it goes on giving for as long");
        });
    }

    /// What it has learnt of this secret that a person should know.
    pub(crate) fn notes(&self, ask: &Ask) -> Vec<Note> {
        caught(|| self.source.notes(ask)).unwrap_or_else(|| {
            self.tell_once("notes", "nothing that it may have learnt of its secrets is told");
            Vec::new()
        })
    }

    /// The rights that these need, where it has any.
    pub(crate) fn grants(&self, asks: &[Ask]) -> Result<Option<String>, SourceError> {
        let grants = caught(|| self.source.as_grants().map(|grants| grants.grants(asks)));
        grants.ok_or_else(|| self.panicked())
    }

    pub(crate) async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        Caught::of(async { self.source.sign_in().await }).await.unwrap_or_else(|| Err(self.panicked()))
    }

    pub(crate) async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        Caught::of(async { self.source.fetch(asks).await }).await.unwrap_or_else(|| self.panicked_at(asks))
    }

    pub(crate) async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        Caught::of(async { self.source.probe(asks).await }).await.unwrap_or_else(|| self.panicked_at(asks))
    }

    pub(crate) async fn renew(&self, lease: &Lease) -> Result<Lease, SourceError> {
        Caught::of(async { self.source.renew(lease).await }).await.unwrap_or_else(|| Err(self.panicked()))
    }

    pub(crate) async fn revoke(&self, lease: &Lease) -> Result<(), SourceError> {
        Caught::of(async { self.source.revoke(lease).await }).await.unwrap_or_else(|| {
            // whoever gives back tells of the secret
            self.tell_once("revoke", "what it does not take back lives until its lease ends");
            Err(self.panicked())
        })
    }

    /// Ends when there may be news; whether it ended by itself, and not by a panic.
    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
    )]
    pub(crate) async fn changed(&self) -> bool {
        let ended = Caught::of(async { self.source.changed().await }).await;
        if ended.is_none() {
            self.tell("changed", "it is looked at now, and listened to again in a minute");
        }
        ended.is_some()
    }

    #[cfg_attr(
        all(target_family = "wasm", target_os = "unknown"),
        allow(dead_code, reason = "only the Keeper needs it, and there is none on the edge")
    )]
    pub(crate) async fn close(&self, limit: Duration) {
        if Caught::of(async { self.source.close(limit).await }).await.is_none() {
            self.tell_once("close", "what it keeps open ends with the process");
        }
    }

    fn panicked(&self) -> SourceError {
        SourceError::new(ErrorKind::Malformed, self.name.clone())
            .hint("the source panicked; this is a fault of the source")
    }

    fn panicked_at<T>(&self, asks: &[Ask]) -> Vec<Result<T, SourceError>> {
        asks.iter().map(|ask| Err(self.panicked().secret(ask.name()))).collect()
    }

    fn tell_once(&self, call: &'static str, meanwhile: &'static str) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(call) {
            self.tell(call, meanwhile);
        }
    }

    fn tell(&self, call: &'static str, meanwhile: &'static str) {
        let source = self.name.as_str();
        tracing::error!(target: "secretfig", source, call, "a source panicked, which is a fault of the source; {meanwhile}");
    }
}

fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// A call of a source: its output, or `None` where it panicked. It is never polled again then, so that what the panic left
/// half done is only ever dropped; a panic of that drop, and of one in the midst of a call, ends here as well.
struct Caught<'f, T>(Option<Any<'f, T>>);

impl<'f, T> Caught<'f, T> {
    fn of(call: impl Future<Output = T> + Send + 'f) -> Self {
        Self(Some(Box::pin(call)))
    }

    fn end(&mut self) {
        let call = self.0.take();
        // nobody waits for it any more, and there is nothing to say that a poll would not have said
        let _ = caught(|| drop(call));
    }
}

impl<T> Future for Caught<'_, T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(call) = &mut self.0 else { return Poll::Ready(None) };
        match caught(|| call.as_mut().poll(context)) {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(output)) => Poll::Ready(Some(output)),
            None => {
                self.end();
                Poll::Ready(None)
            }
        }
    }
}

impl<T> Drop for Caught<'_, T> {
    fn drop(&mut self) {
        self.end();
    }
}
