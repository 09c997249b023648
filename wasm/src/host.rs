//! The host's clocks and its random: nothing here asks the machine in another way.

use secretfig::source::{Clock, Tick};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use wasm_bindgen::prelude::*;
use zeroize::Zeroizing;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = Date, js_name = now)]
    fn wall_millis() -> Result<f64, JsValue>;
    #[wasm_bindgen(catch, js_namespace = performance, js_name = now)]
    fn millis() -> Result<f64, JsValue>;
    #[wasm_bindgen(catch, js_namespace = Math, js_name = random)]
    fn fraction() -> Result<f64, JsValue>;
    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn fill(bytes: &js_sys::Uint8Array) -> Result<JsValue, JsValue>;
}

/// The clocks of the host. Some hosts let them stand still between two calls outside; none goes back here.
#[derive(Debug, Default)]
pub(crate) struct HostClock {
    latest_micros: AtomicU64,
}

impl Clock for HostClock {
    fn tick(&self) -> Tick {
        let now = millis().or_else(|_| wall_millis()).map(|millis| of_millis(millis).as_micros());
        let now = u64::try_from(now.unwrap_or_default()).unwrap_or(u64::MAX);
        let before = self.latest_micros.fetch_max(now, Ordering::Relaxed);
        Tick::from_start(Duration::from_micros(now.max(before)))
    }

    fn wall(&self) -> SystemTime {
        let since = of_millis(wall_millis().unwrap_or_default());
        SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

fn of_millis(millis: f64) -> Duration {
    Duration::try_from_secs_f64(millis / 1000.0).unwrap_or_default()
}

/// For jitter, which is no secret.
#[cfg_attr(
    not(all(target_family = "wasm", target_os = "unknown")),
    allow(dead_code, reason = "elsewhere the core has random of its own")
)]
pub(crate) fn random() -> u64 {
    let fraction = fraction().unwrap_or_default();
    // a float's cast saturates, and NaN is zero
    (fraction * u64::MAX as f64) as u64
}

/// A random key for this instance; none where the host gives none, as Workers outside of a request.
pub(crate) fn key() -> Option<Zeroizing<[u8; 32]>> {
    let bytes = js_sys::Uint8Array::new_with_length(32);
    fill(&bytes).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    bytes.copy_to(&mut *key);
    bytes.fill(0, 0, 32);
    Some(key)
}
