//! What JavaScript sees. The exact types are in `package/types.d.ts`, and the text for its users in the package's
//! `README.md`.
//!
//! Plain functions that return a promise over a shared cell: an `async` method would borrow its object across waits,
//! and then a second call, or a `free()`, meanwhile would end the instance.

use crate::cache::{Cache, NoValue};
use crate::failure::{self, Flaw, set};
use crate::options::Options;
use js_sys::{Array, Function, JSON, Object, Promise, Reflect};
use secretfig::Refreshed;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

/// `load(options): Promise<Config>`. Rejected with every fault of the options or of the load.
#[wasm_bindgen]
#[allow(clippy::needless_pass_by_value, reason = "what wasm-bindgen hands over is owned")]
pub fn load(options: JsValue) -> Promise {
    // now and not later: the caller may change them meanwhile
    match Options::read(&options) {
        Err(flaws) => Promise::reject(&failure::refused(&flaws)),
        Ok(options) => future_to_promise(async move {
            let cache = Cache::load(options).await.map_err(|flaws| failure::refused(&flaws))?;
            Ok(Config(Rc::new(cache)).into())
        }),
    }
}

/// A loaded configuration.
#[wasm_bindgen]
pub struct Config(Rc<Cache>);

#[wasm_bindgen]
#[allow(clippy::needless_pass_by_value, reason = "what wasm-bindgen hands over is owned")]
impl Config {
    /// `get(path, context?): Promise`: the value at a key path.
    pub fn get(&self, path: JsValue, context: JsValue) -> Promise {
        self.read(&path, &context, Cache::value)
    }

    /// `section(name, context?): Promise`: all that is under the first part of a key path.
    pub fn section(&self, name: JsValue, context: JsValue) -> Promise {
        self.read(&name, &context, Cache::section)
    }

    /// `explain(): Explain`: where each key came from; no value.
    pub fn explain(&self) -> JsValue {
        // INVARIANT: it is JSON that was just written
        JSON::parse(&self.0.explain()).unwrap_or(JsValue::NULL)
    }

    /// `refresh(): Promise<Refreshed>`: looks at everything now.
    pub fn refresh(&self) -> Promise {
        let cache = self.0.clone();
        future_to_promise(async move { Ok(told(&cache.refresh().await)) })
    }

    fn read(
        &self,
        key: &JsValue,
        context: &JsValue,
        value: fn(&Cache, &str) -> Result<JsValue, NoValue>,
    ) -> Promise {
        let Some(key) = key.as_string() else {
            let flaw = Flaw::new("", "wrong type", "a key is a string", "give the key path as a string");
            return Promise::reject(&failure::failed(flaw));
        };
        let cache = self.0.clone();
        let held = value(&cache, &key);
        let due = cache.is_due();
        match held {
            Ok(held) if !due => Promise::resolve(&held),
            // served as it is, while the host keeps this request's I/O alive for the look
            Ok(held) if in_background(&cache, context) => Promise::resolve(&held),
            Err(NoValue::Missing(flaw)) if !due => Promise::reject(&failure::failed(*flaw)),
            held => future_to_promise(async move {
                match held {
                    // someone else may be looking already, and nobody waits for another's I/O: ask by oneself
                    Err(NoValue::Withheld(_)) => {
                        cache.refresh().await;
                    }
                    _ => cache.refresh_due().await,
                }
                value(&cache, &key).map_err(|none| failure::failed(none.into_flaw()))
            }),
        }
    }
}

/// Looks at what is due by way of the context's `waitUntil`; false where it has none.
fn in_background(cache: &Rc<Cache>, context: &JsValue) -> bool {
    let Ok(wait_until) = Reflect::get(context, &"waitUntil".into()) else { return false };
    let Some(wait_until) = wait_until.dyn_ref::<Function>() else { return false };
    let cache = cache.clone();
    let look = future_to_promise(async move {
        cache.refresh_due().await;
        Ok(JsValue::UNDEFINED)
    });
    wait_until.call1(context, &look).is_ok()
}

/// `{changed: string[], refused: {secret, fault}[], failed: Fault[]}`
fn told(refreshed: &Refreshed) -> JsValue {
    let changed: Array = refreshed.changed.iter().map(|name| JsValue::from_str(name)).collect();
    let refused = refreshed.refused.iter().map(|(name, why)| {
        let object = Object::new();
        set(&object, "secret", &JsValue::from_str(name));
        set(&object, "fault", &JsValue::from_str(why));
        object
    });
    let refused: Array = refused.collect();
    let failed: Array = refreshed.failed.iter().map(|error| Flaw::of_source(error).to_js()).collect();
    let object = Object::new();
    set(&object, "changed", &changed);
    set(&object, "refused", &refused);
    set(&object, "failed", &failed);
    object.into()
}
