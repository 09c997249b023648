//! What JavaScript calls: everything returns at once, and what waits is a [`Talk`] that the caller carries on.
//!
//! `package/index.js` makes promises, errors and objects of it; its types are in `package/types.d.ts`.

use crate::cache::{Cache, NoValue, Refreshed};
use crate::failure::{self, Flaw};
use crate::host::HostClock;
use crate::json::Json;
use crate::options::Options;
use crate::wire::Wire;
use secretfig_source::protocol::HttpFault;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

/// Begins to load what these options say, JSON as `index.js` writes it: numbers are times in milliseconds. `key` is 32
/// random bytes, which must not leave the process.
#[wasm_bindgen]
pub fn begin(options: String, key: Vec<u8>) -> Talk {
    let (options, key) = (Zeroizing::new(options), Zeroizing::new(key));
    let (wire, clock) = (Wire::default(), Arc::new(HostClock::default()));
    // before the first step, so that options can be let go of
    let cache =
        Options::read(&options).and_then(|options| Cache::new(options, &key, wire.clone(), clock.clone()));
    let work = async move {
        let cache = Rc::new(cache?);
        cache.load().await?;
        Ok(Done::Loaded(cache))
    };
    Talk { wire, clock, work: Some(Box::pin(work)), done: None }
}

enum Done {
    Loaded(Rc<Cache>),
    Looked(Rc<Cache>, Refreshed),
}

type Work = Pin<Box<dyn Future<Output = Result<Done, Vec<Flaw>>>>>;

/// A conversation: [`step`](Talk::step), then a reply or a fault for each request of it, then the next step, until a
/// step has no requests. A request's reply is waited for by its own conversation and by no other.
#[wasm_bindgen]
pub struct Talk {
    wire: Wire,
    clock: Arc<HostClock>,
    work: Option<Work>,
    done: Option<Result<Done, Vec<Flaw>>>,
}

#[wasm_bindgen]
impl Talk {
    /// Goes on, at this time: milliseconds of `performance.now()` and `Date.now()`; and a `Math.random()`. Gives, as
    /// JSON, what to send: `[id, method, url, {headers}, body, deadline in ms, most bytes of the reply]` each.
    pub fn step(&mut self, tick: f64, wall: f64, random: f64) -> JsValue {
        self.clock.set(tick, wall, random);
        if let Some(work) = &mut self.work
            && let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            self.work = None;
            self.done = Some(done);
        }
        let mut json = Json::default();
        json.list(self.wire.take(), |json, sending| {
            let (request, limits) = (&sending.request, sending.limits);
            json.raw("[").raw(&sending.id.to_string()).raw(",").text(request.method().as_str());
            json.raw(",").text(&request.url()).raw(",");
            json.list(request.headers(), |json, (name, value)| {
                // INVARIANT: what we send is made of texts
                json.raw("[").text(name.as_str()).raw(",").text(value.to_str().unwrap_or_default()).raw("]");
            });
            // INVARIANT: a body is JSON
            json.raw(",").text(std::str::from_utf8(request.payload()).unwrap_or_default());
            json.raw(",").raw(&limits.deadline.as_millis().to_string());
            json.raw(",").raw(&limits.max_bytes.to_string()).raw("]");
        });
        json.to_js()
    }

    /// A whole reply to that request. `retry_after` in seconds, negative where the server says nothing of it.
    pub fn reply(&self, id: u32, status: u16, retry_after: f64, body: Vec<u8>) {
        self.wire.reply(id, status, retry_after, Zeroizing::new(body));
    }

    /// No whole reply: `timeout`, `tls`, `large`, or anything else for the network.
    pub fn failed(&self, id: u32, fault: &str) {
        self.wire.failed(
            id,
            match fault {
                "timeout" => HttpFault::Timeout,
                "tls" => HttpFault::Tls,
                "large" => HttpFault::TooLarge,
                _ => HttpFault::Transport,
            },
        );
    }

    /// What has come of it, as JSON: the faults of a load, or what a look found.
    pub fn told(&self) -> JsValue {
        let mut json = Json::default();
        match &self.done {
            Some(Err(flaws)) => failure::list(&mut json, flaws),
            Some(Ok(Done::Looked(_, refreshed))) => refreshed.tell(&mut json),
            Some(Ok(Done::Loaded(_))) | None => _ = json.raw("[]"),
        }
        json.to_js()
    }

    /// The configuration that was loaded, or looked at.
    pub fn config(&self) -> Option<Config> {
        match &self.done {
            Some(Ok(Done::Loaded(cache) | Done::Looked(cache, _))) => Some(Config(cache.clone())),
            _ => None,
        }
    }
}

/// A loaded configuration.
#[wasm_bindgen]
pub struct Config(Rc<Cache>);

#[wasm_bindgen]
impl Config {
    /// The value at a key path, or all of a section where `whole`: `1` where something is due, else `0`; then `v` and the
    /// value, or a fault: `m` where there is no such key, `w` where what is there must not be used any more. A string of
    /// a value begins with a tag: `s` of text, `i` of an integer that JavaScript would round, `n` of a number that was
    /// a text.
    pub fn get(&self, path: &str, whole: bool, tick: f64) -> JsValue {
        self.0.clock().at(tick);
        let mut json = Json::default();
        json.raw(if self.0.is_due() { "1" } else { "0" });
        match self.0.value(path, whole, &mut json) {
            Ok(()) => {}
            Err(NoValue::Missing(flaw)) => flaw.tell(json.raw("m")),
            Err(NoValue::Withheld(flaw)) => flaw.tell(json.raw("w")),
        }
        json.to_js()
    }

    /// Where each key came from, as JSON.
    pub fn explain(&self) -> JsValue {
        let mut json = Json::default();
        self.0.explain(&mut json);
        json.to_js()
    }

    /// Looks at all there is, or at what is due.
    pub fn look(&self, all: bool) -> Talk {
        let cache = self.0.clone();
        let (wire, clock) = (cache.wire().clone(), cache.clock().clone());
        let work = async move {
            let refreshed = cache.look(all).await;
            Ok(Done::Looked(cache, refreshed))
        };
        Talk { wire, clock, work: Some(Box::pin(work)), done: None }
    }
}
