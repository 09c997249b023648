//! What a read and an assembly cost, side by side with what one would use instead, in one run:
//!
//! ```sh
//! cargo bench -p secretfig-tests --bench side_by_side [-- ROUNDS]
//! ```
//!
//! Contestants take turns: each round times every one of them for a few milliseconds, beginning with another one
//! each time, and a ratio is of two figures of one round. So whatever else the machine does meets all alike, and
//! the ratios stay where the nanoseconds do not. Nothing here passes or fails; `core/docs/performance.md` says how
//! to read the table, and keeps one.
#![allow(clippy::disallowed_methods, reason = "it measures: the machine's clock is what it wants")]
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program of its own, for people")]
#![allow(missing_docs, reason = "it has no API")]

use arc_swap::{ArcSwap, Cache};
use figment::providers::{Format as _, Serialized, Toml};
use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};
use futures_util::FutureExt;
use secretfig::testing::FakeSource;
use secretfig::{Config, ExposeSecret, Live, SecretLayer, SecretString};
use secretfig_tests::ScanAlloc;
use serde::Deserialize;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

// Counts allocations; the same for all contestants.
#[global_allocator]
static ALLOC: ScanAlloc = ScanAlloc;

fn main() {
    // cargo adds `--bench`
    let rounds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(101);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _on = runtime.enter();
    println!("{rounds} rounds; × is to the first line of each table\n");
    reads(&runtime, rounds);
    assemblies(&runtime, rounds);
}

/// One line of a table: its name, and what is measured.
struct Contestant<'c> {
    name: &'static str,
    run: Box<dyn FnMut() + 'c>,
}

fn contestant<'c, R>(name: &'static str, mut run: impl FnMut() -> R + 'c) -> Contestant<'c> {
    let run = Box::new(move || drop(black_box(run())));
    Contestant { name, run }
}

/// How long one turn of a contestant takes.
const TURN: Duration = Duration::from_millis(2);

fn compare(title: &str, rounds: usize, mut contestants: Vec<Contestant<'_>>) {
    let times = |run: &mut dyn FnMut(), turns: u32| {
        let began = Instant::now();
        for _ in 0..turns {
            run();
        }
        began.elapsed().as_secs_f64() * 1e9 / f64::from(turns)
    };
    let mut lines: Vec<(u32, usize, Vec<f64>)> = Vec::new();
    for Contestant { run, .. } in &mut contestants {
        run(); // the first may fill a cache
        let ((), allocations) = ScanAlloc::allocations_in(&mut *run);
        let once = times(run, 1_000).max(1.0);
        let turns = (TURN.as_secs_f64() * 1e9 / once).clamp(10.0, 1e6) as u32;
        lines.push((turns, allocations, Vec::with_capacity(rounds)));
    }
    for round in 0..rounds {
        for n in 0..contestants.len() {
            let n = (n + round) % contestants.len();
            let nanoseconds = times(&mut contestants[n].run, lines[n].0);
            lines[n].2.push(nanoseconds);
        }
    }
    let reference = lines[0].2.clone();
    println!("{title:<58} {:>9} {:>9} {:>7} {:>7} {:>6}", "min ns", "median ns", "× min", "× med.", "allocs");
    for (Contestant { name, .. }, (_, allocations, times)) in contestants.iter().zip(&lines) {
        let ratios: Vec<f64> = times.iter().zip(&reference).map(|(time, of)| time / of).collect();
        let (least, middle) = (min(times), median(times));
        let (of_least, of_middle) = (least / min(&reference), median(&ratios));
        println!("{name:<58} {least:>9.1} {middle:>9.1} {of_least:>7.2} {of_middle:>7.2} {allocations:>6}");
    }
    println!();
}

fn min(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

// ---- reading one section ------------------------------------------------------------------------------------

#[derive(Deserialize)]
struct Service {
    database: Live<Database>,
}

#[derive(Deserialize, Clone)]
struct Database {
    #[allow(dead_code, reason = "it makes the struct a usual one")]
    host: String,
    port: u16,
    password: SecretString,
}

impl Database {
    /// What a handler would look at: both the struct itself and what it points to.
    fn look(&self) -> usize {
        usize::from(self.port) + self.password.expose_secret().len()
    }
}

fn reads(runtime: &tokio::runtime::Runtime, rounds: usize) {
    let load = || {
        let source = FakeSource::new().with("db", r#"{"host": "h", "port": 5432, "password": "s3cret"}"#);
        let layer = SecretLayer::from(source).put("database", "db");
        runtime.block_on(Config::<Service>::builder().merge(layer).load()).unwrap()
    };
    let (kept, alone) = (load(), load());
    let _keeper = kept.keep_fresh();
    let (with_keeper, without) =
        (kept.section(|service| &service.database), alone.section(|service| &service.database));
    let database = Arc::new(Database::clone(&kept.snapshot().database));
    let swap = ArcSwap::from(database.clone());
    let mut cache = Cache::new(&swap);
    let lock = tokio::sync::RwLock::new(database.clone());
    compare(
        "reading one section",
        rounds,
        vec![
            contestant("ArcSwap::load_full", || swap.load_full().look()),
            contestant("section.get(), a Keeper running", || with_keeper.get().unwrap().look()),
            contestant("section.get(), no Keeper: looks at the clock", || without.get().unwrap().look()),
            contestant("section.latest()", || with_keeper.latest().look()),
            contestant("config.snapshot()", || kept.snapshot().database.look()),
            contestant("arc_swap::Cache, one per thread, a &mut each", || cache.load().look()),
            contestant("Arc::clone: never changes", || database.clone().look()),
            contestant("tokio RwLock, read().await without contention", || {
                lock.read().now_or_never().unwrap().look()
            }),
        ],
    );
}

// ---- 50 keys from 5 layers ----------------------------------------------------------------------------------

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoding it is the point")]
struct App {
    p0: Part,
    p1: Part,
    p2: Part,
    p3: Part,
    p4: Part,
    p5: Part,
    p6: Part,
    p7: Part,
    p8: Part,
    p9: Part,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "decoding it is the point")]
struct Part {
    host: String,
    port: u16,
    ratio: f64,
    enabled: bool,
    tags: Vec<String>,
}

const PART: &str = r#"host = "host.example"
port = 8080
ratio = 0.5
enabled = true
tags = ["one", "two"]
"#;

/// Five layers that meet: a file of all 50 keys, two of 25 and 10 keys for the profile, and two values set in code.
fn layers() -> [Ready; 5] {
    let file = |parts: std::ops::Range<usize>, prefix: &str| {
        parts.fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "[{prefix}p{n}]\n{PART}");
            text
        })
    };
    let port = |n: u16| Serialized::global("p7.port", n);
    [
        Ready::of(Toml::string(&file(0..10, "default.")).nested()),
        Ready::of(Toml::string(&file(0..5, "staging.")).nested()),
        Ready::of(Toml::string(&file(4..6, "")).profile("staging")),
        Ready::of(port(1)),
        Ready::of(Serialized::global("p8.tags", ["three"])),
    ]
}

/// A provider that was read before, so that no parser is measured.
#[derive(Clone)]
struct Ready(Map<Profile, Dict>);

impl Ready {
    fn of(provider: impl Provider) -> Self {
        Self(provider.data().unwrap())
    }
}

impl Provider for Ready {
    fn metadata(&self) -> Metadata {
        Metadata::named("ready")
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Ok(self.0.clone())
    }
}

fn assemblies(runtime: &tokio::runtime::Runtime, rounds: usize) {
    let merged = || layers().into_iter().fold(Figment::new(), Figment::merge).select("staging");
    let figment = merged();
    let ready = layers();
    let builder = || {
        let layers = layers().into_iter();
        layers.fold(Config::<App>::builder(), |builder, layer| builder.merge(layer)).select("staging")
    };
    let plain = runtime.block_on(builder().load()).unwrap();
    // p0 and p1 from one secret each; their documents are parsed anew by each assembly
    let part =
        r#"{"host": "host.example", "port": 8080, "ratio": 0.5, "enabled": true, "tags": ["one", "two"]}"#;
    let source = FakeSource::new().with("p0", part).with("p1", part);
    let secrets = SecretLayer::from(source).put("p0", "p0").put("p1", "p1");
    let sealed = runtime.block_on(builder().merge(secrets).load()).unwrap();
    let (plain, sealed) = (secretfig::bench::assembling(&plain), secretfig::bench::assembling(&sealed));
    compare(
        "50 keys from 5 layers",
        rounds,
        vec![
            contestant("figment.extract(), layers merged before", || figment.extract::<App>().unwrap()),
            contestant("secretfig: merge and decode", || plain().unwrap()),
            contestant("secretfig: 10 of the keys from 2 secrets, parsed anew", || sealed().unwrap()),
            contestant("figment: merge and extract()", || {
                let figment = ready.iter().fold(Figment::new(), |figment, layer| figment.merge(layer));
                figment.select("staging").extract::<App>().unwrap()
            }),
        ],
    );
}
