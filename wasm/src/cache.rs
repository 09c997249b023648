//! What is held, and when it is looked at again.
//!
//! Values are shared by all requests of an instance; a future never is. Who finds that something is due looks at it,
//! in its own request; others are meanwhile served what is held, and wait for no one.

use crate::failure::{self, Flaw};
use crate::host::HostClock;
use crate::options::Options;
use crate::shape::Shape;
use crate::tree::Tree;
use crate::vault;
use secretfig::{Clock, Config, Held, Invalid, Live, Refreshed, SecretLayer, Section};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasm_bindgen::JsValue;

/// The first part of every key path, each with what is under it.
type Root = BTreeMap<String, Live<Tree>>;

/// A loaded configuration.
pub(crate) struct Cache {
    config: Config<Root>,
    shape: Arc<Shape>,
    sections: RefCell<BTreeMap<String, Section<Tree>>>,
}

impl Cache {
    /// Loads it, or gives every fault.
    pub(crate) async fn load(options: Options) -> Result<Self, Vec<Flaw>> {
        #[cfg(all(target_family = "wasm", target_os = "unknown"))]
        secretfig::host_random(crate::host::random);
        let clock: Arc<dyn Clock> = Arc::new(HostClock::default());
        let shape = Arc::new(options.shape.clone());
        let mut layer = SecretLayer::from(vault::source(&options, clock.clone())?).called("`secrets`");
        for (key, wanted) in options.secrets {
            layer = layer.put(&key, wanted);
        }
        // at the load itself every difference is told, and not only that there is one
        let loaded = Arc::new(AtomicBool::new(false));
        let (of, checks) = (shape.clone(), loaded.clone());
        let mut builder = Config::<Root>::builder()
            .select(PROFILE)
            .merge(layer)
            .clock(clock)
            .attempt_timeout(options.timeout)
            .validate(move |root: &Root| {
                let fits = !checks.load(Ordering::Relaxed)
                    || of.check_parts(|name| root.get(name).map(|live| &**live)).is_empty();
                fits.then_some(())
                    .ok_or(Invalid { path: "", reason: "not of the `shape` that the load was given" })
            });
        if let Some(ttl) = options.ttl {
            builder = builder.ttl(ttl);
        }
        if let Some(limit) = options.max_stale {
            builder = builder.max_stale(limit);
        }
        let config = builder.load().await.map_err(|error| failure::flaws_of(&error))?;
        let root = config.snapshot();
        let flaws = shape.check_parts(|name| root.get(name).map(|live| &**live));
        if !flaws.is_empty() {
            return Err(flaws);
        }
        loaded.store(true, Ordering::Relaxed);
        Ok(Self { config, shape, sections: RefCell::default() })
    }

    pub(crate) fn is_due(&self) -> bool {
        self.config.is_due()
    }

    pub(crate) async fn refresh_due(&self) {
        // what failed is served on, and told by who asks: `refresh`, and `Withheld` in the end
        let _ = self.config.refresh_due().await;
    }

    pub(crate) async fn refresh(&self) -> Refreshed {
        self.config.refresh().await
    }

    /// As JSON.
    pub(crate) fn explain(&self) -> String {
        self.config.explain().to_json()
    }

    /// The value at a key path, as it is held.
    pub(crate) fn value(&self, path: &str) -> Result<JsValue, NoValue> {
        if let Some(held) = self.held(path)? {
            return Ok(self.shape.at(path).to_js(&held));
        }
        let (first, rest) = path.split_once('.').ok_or_else(|| missing(path))?;
        let held = self.held(first)?.ok_or_else(|| missing(path))?;
        let part = held.at(rest).ok_or_else(|| missing(path))?;
        Ok(self.shape.at(path).to_js(part))
    }

    /// The section of that name, exactly.
    pub(crate) fn section(&self, name: &str) -> Result<JsValue, NoValue> {
        let held = self.held(name)?.ok_or_else(|| missing(name))?;
        Ok(self.shape.at(name).to_js(&held))
    }

    fn held(&self, name: &str) -> Result<Option<Held<Tree>>, NoValue> {
        let known = self.sections.borrow().get(name).cloned();
        let section = match known {
            Some(section) => section,
            None => {
                let key = name.to_owned();
                let Some(made) = self.config.section_by(move |root| root.get(&key)) else { return Ok(None) };
                // INVARIANT: no other borrow is alive, for none outlives its own line
                self.sections.borrow_mut().insert(name.to_owned(), made.clone());
                made
            }
        };
        section
            .get()
            .map(Some)
            .map_err(|withheld| NoValue::Withheld(Box::new(Flaw::withheld(name, &withheld))))
    }
}

/// Why there is no value.
pub(crate) enum NoValue {
    /// There is no such key.
    Missing(Box<Flaw>),
    /// There is one, and it must not be used any more: a look at the manager may help.
    Withheld(Box<Flaw>),
}

impl NoValue {
    pub(crate) fn into_flaw(self) -> Flaw {
        match self {
            NoValue::Missing(flaw) | NoValue::Withheld(flaw) => *flaw,
        }
    }
}

fn missing(path: &str) -> NoValue {
    let hint = "`explain()` tells which keys there are";
    NoValue::Missing(Box::new(Flaw::new(path, "missing", "missing", hint)))
}

/// No relaxed one: what comes from a manager is not beaten by anything else.
const PROFILE: &str = "edge";
