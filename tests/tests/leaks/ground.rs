//! What every part of the hunt needs: the markers, and the ways in which a failed load can be told.

use secretfig::{Builder, Config, Health, LoadError};
use secretfig_tests::{Hunt, Marker};
use serde::de::DeserializeOwned;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;

pub(crate) struct Ground {
    pub(crate) hunt: Hunt,
    pub(crate) markers: Vec<(&'static str, Marker)>,
    kinds: RefCell<BTreeSet<&'static str>>,
    failures: Cell<usize>,
    runtime: tokio::runtime::Runtime,
}

/// Every kind of fault; the crate's own tests hold this list to the enum, which is `#[non_exhaustive]`.
const KINDS: [&str; 40] = [
    "missing",
    "wrong type",
    "out of range",
    "wrong length",
    "unknown variant",
    "unknown key",
    "two spellings",
    "refused",
    "invalid",
    "not secret",
    "guessed",
    "not text",
    "not utf-8",
    "sign-in",
    "document",
    "setting",
    "syntax",
    "unreadable",
    "provider",
    "panicked",
    // of sources
    "absent",
    "denied",
    "unauthenticated",
    "throttled",
    "sealed",
    "standby",
    "uninitialised",
    "behind",
    "unavailable",
    "deleted",
    "destroyed",
    "disabled",
    "expired",
    "not yet valid",
    "malformed",
    "too large",
    "timed out",
    "unreachable",
    "TLS refused",
    "misconfigured",
];

impl Ground {
    pub(crate) fn new() -> Self {
        let hunt = Hunt::new();
        let shapes = Marker::shapes().into_iter();
        let markers = shapes.map(|(name, marker)| (name, hunt.plant(name, marker))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        Self { hunt, markers, kinds: RefCell::default(), failures: Cell::new(0), runtime: runtime.unwrap() }
    }

    pub(crate) fn run<R>(&self, future: impl Future<Output = R>) -> R {
        self.runtime.block_on(future)
    }

    /// One that is like a password.
    pub(crate) fn text(&self) -> &str {
        self.markers[0].1.text()
    }

    /// Loads, and looks at all that a failure says, or at all that the configuration says.
    pub(crate) fn load<T: DeserializeOwned + Send + Sync + 'static>(
        &self,
        path: &str,
        builder: Builder<T>,
    ) -> Option<Config<T>> {
        self.hunt.check_debug(format!("{path}: builder"), &builder);
        match self.run(builder.load()) {
            Ok(config) => {
                self.config(path, &config);
                Some(config)
            }
            Err(e) => {
                self.error(path, &e);
                None
            }
        }
    }

    /// As `load`, and it must not fail.
    pub(crate) fn loads<T: DeserializeOwned + Send + Sync + 'static>(
        &self,
        path: &str,
        builder: Builder<T>,
    ) -> Config<T> {
        let config = self.run(builder.load()).unwrap_or_else(|e| panic!("{path}: {e}"));
        self.config(path, &config);
        config
    }

    /// As `load`, and it must fail.
    pub(crate) fn fails<T: DeserializeOwned + Send + Sync + 'static>(&self, path: &str, builder: Builder<T>) {
        assert!(self.load(path, builder).is_none(), "{path} does not fail");
    }

    /// The cheap half of `error`, for very many of them.
    pub(crate) fn brief_error(&self, path: &str, e: &LoadError) {
        self.failures.set(self.failures.get() + 1);
        self.hunt.check(path, format!("{e}\n{}\n{:?}", e.to_json(), e.report()));
    }

    pub(crate) fn error(&self, path: &str, e: &LoadError) {
        self.failures.set(self.failures.get() + 1);
        self.hunt.check_error(path, e);
        self.hunt.check(format!("{path}: JSON"), e.to_json());
        self.hunt.check(format!("{path}: summary"), e.summary());
        self.hunt.check_display(format!("{path}: report"), e.report());
        for fault in e.report().faults() {
            self.hunt.check_display(format!("{path}: fault"), fault);
            self.hunt.check_display(format!("{path}: kind"), fault.kind());
            self.hunt.check(format!("{path}: what to do"), fault.what_to_do());
            self.kinds.borrow_mut().insert(fault.kind().name());
        }
    }

    /// What a loaded configuration says of itself.
    pub(crate) fn config<T: Send + Sync + 'static>(&self, path: &str, config: &Config<T>) {
        self.hunt.check_debug(format!("{path}: config"), config);
        self.hunt.check_debug(format!("{path}: snapshot"), &config.snapshot());
        let explain = config.explain();
        self.hunt.check_display(format!("{path}: explain"), &explain);
        self.hunt.check(format!("{path}: explain, JSON"), explain.to_json());
        for key in explain.keys() {
            self.hunt.check_debug(format!("{path}: explain, key"), key);
        }
        self.health(path, &config.health());
        for remark in config.remarks().iter().chain(explain.remarks()) {
            self.hunt.check(format!("{path}: remark"), remark);
        }
    }

    pub(crate) fn health(&self, path: &str, health: &Health) {
        self.hunt.check_display(format!("{path}: health"), health);
        self.hunt.check(format!("{path}: health, JSON"), serde_json::to_string(health).unwrap());
    }

    pub(crate) fn finish(self) {
        let met = self.kinds.into_inner();
        let unmet: Vec<_> = KINDS.iter().filter(|kind| !met.contains(**kind)).collect();
        let strange: Vec<_> = met.iter().filter(|kind| !KINDS.contains(kind)).collect();
        let failures = self.failures.get();
        self.hunt.finish();
        assert!(unmet.is_empty(), "kinds of fault that no path gave: {unmet:?}");
        assert!(strange.is_empty(), "kinds of fault that are in no list: {strange:?}");
        #[allow(clippy::print_stdout, reason = "the figure that a run is kept for")]
        {
            println!("failed loads: {failures}, kinds of fault: {}", met.len());
        }
    }
}
