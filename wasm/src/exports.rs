//! What JavaScript calls: everything returns at once, and what waits is a [`Talk`] that the caller carries on.
//!
//! `package/index.js` makes promises, errors and objects of it; its types are in `package/types.d.ts`.

use crate::cache::{Cache, Looked};
use crate::given::Given;
use crate::json::Json;
use crate::wire::{Wire, millis, status};
use http::HeaderMap;
use secretfig_source::Tick;
use secretfig_source::protocol::{HttpError, HttpFault, Reply, Request};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

/// Begins to load what these options say, in the form that `options.js` makes of them. `key` is 32 random bytes, which must
/// not leave the process.
#[wasm_bindgen]
pub fn begin(options: String, key: Vec<u8>) -> Talk {
    let (options, key) = (Zeroizing::new(options), Zeroizing::new(key));
    match Given::read(&options, &key) {
        Ok(given) => Talk::new(Rc::new(Cache::new(given)), true, true),
        Err(flaws) => {
            Talk { looked: Looked::failed(flaws), wire: Rc::new(Wire::new()), cache: None, work: None }
        }
    }
}

/// A conversation: [`step`](Talk::step), then a reply or a fault for each request of it, then the next step, until a
/// step has no requests.
#[wasm_bindgen]
pub struct Talk {
    wire: Rc<Wire>,
    cache: Option<Rc<Cache>>,
    work: Option<Pin<Box<dyn Future<Output = Looked>>>>,
    looked: Looked,
}

impl Talk {
    fn new(cache: Rc<Cache>, first: bool, all: bool) -> Self {
        let wire = Rc::new(Wire::new());
        let (by, of) = (wire.clone(), cache.clone());
        let work = Box::pin(async move { of.look(&by, first, all).await });
        Self { wire, cache: Some(cache), work: Some(work), looked: Looked::default() }
    }
}

#[wasm_bindgen]
impl Talk {
    /// Goes on, at this time: milliseconds of `performance.now()` and `Date.now()`; and a `Math.random()`. Gives, as
    /// JSON, what to send: `[method, url, headers, body]` each.
    pub fn step(&mut self, tick: f64, wall: f64, random: f64) -> JsValue {
        self.wire.at(tick, wall, random);
        if let Some(work) = &mut self.work
            && let Poll::Ready(looked) = work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            self.work = None;
            self.looked = looked;
        }
        let mut json = Json::default();
        json.list(self.wire.take().iter(), &mut |json, request| sent(request, json));
        json.to_js()
    }

    /// A whole reply to that request of the step. `retry_after` in seconds, negative where the server says nothing of it.
    pub fn reply(&self, at: usize, code: u16, retry_after: f64, body: Vec<u8>) {
        let body = Zeroizing::new(body);
        let reply = status(code).map(|status| Reply::new(status, HeaderMap::new(), body));
        self.wire.reply(
            at,
            match reply {
                // a float's cast saturates
                Ok(reply) if retry_after >= 0.0 => Ok(reply.waiting(Duration::from_secs(retry_after as u64))),
                reply => reply,
            },
        );
    }

    /// No whole reply came, by one of the faults that `package/fetch.js` names.
    pub fn failed(&self, at: usize, fault: u8) {
        let fault = match fault {
            1 => HttpFault::Timeout,
            2 => HttpFault::Tls,
            3 => HttpFault::TooLarge,
            _ => HttpFault::Transport,
        };
        self.wire.reply(at, Err(HttpError::new(fault)));
    }

    /// What has come of it, as JSON: `[changed, [secret, faults] of those refused, faults]`.
    pub fn told(&self) -> JsValue {
        let mut json = Json::default();
        self.looked.tell(&mut json);
        json.to_js()
    }

    /// The configuration that was loaded, or looked at; none where the load has faults.
    pub fn config(&self) -> Option<Config> {
        self.cache.clone().map(Config)
    }
}

/// A loaded configuration.
#[wasm_bindgen]
pub struct Config(Rc<Cache>);

#[wasm_bindgen]
impl Config {
    /// The value at a key path, or all of a section where `whole`: `1` where something is due, else `0`; then `v` and the
    /// value, or a fault: `m` where there is no such key, `w` where what is there must not be used any more. A string of
    /// a value begins with a tag: `s` of text, `i` of an integer that JavaScript would round.
    pub fn get(&self, path: &str, whole: bool, tick: f64) -> JsValue {
        let now = Tick::from_start(millis(tick));
        let mut json = Json::default();
        self.0.value(path, whole, now, json.raw(if self.0.is_due(now) { "1" } else { "0" }));
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
        Talk::new(self.0.clone(), false, all)
    }
}

fn sent(request: &Request, json: &mut Json) {
    json.raw("[").text(request.method().as_str()).raw(",").text(&request.url()).raw(",");
    json.list(request.fields().iter(), &mut |json, (name, value)| {
        // INVARIANT: what we send is made of texts
        json.raw("[").text(name).raw(",").text(value.to_str().unwrap_or_default()).raw("]");
    });
    // INVARIANT: a body is JSON
    json.raw(",").text(std::str::from_utf8(request.payload()).unwrap_or_default()).raw("]");
}
