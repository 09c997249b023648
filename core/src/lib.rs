//! Layered configuration in the manner of figment, in which secret managers are layers.
//!
//! The journey of a secret through this crate, in the order in which its files are best read:
//!
//! 1. [`secrets`](SecretLayer) and [`settings`](Config::standard): which secrets are wanted, and where they go.
//! 2. [`env`](TextEnv), `file`, `figment`: plain layers, read once and frozen.
//! 3. `reference`: strings in plain layers that name secrets.
//! 4. [`Builder`], `freeze`, `load`: freezes the layers, asks every source in one wave, tells every fault at once.
//! 5. `layers`: figment's merging rules over a tree that borrows. `tree`: that tree.
//! 6. `decode`: from the tree to the application's own type, gathering every fault.
//! 7. `assemble`: the heart, pure: layers and documents in, a value or a [`Report`] out. [`Explain`]: where each
//!    key came from.
//! 8. `store`: the last good document of every secret. `publish`: the one critical section.
//! 9. `refresh` and [`Keeper`]: looking again. `leases`: what is made by being read, and that it is given back.
//!    `reports`: what was given did not work. [`Health`], `audit`: telling how it stands, and who asked.
//! 10. [`Config`], [`Section`], [`Held`], [`Snapshot`]: what applications hold.
//!
//! ```text
//!   figment providers ─┐                          ┌─▶ Snapshot<T>  everything of one moment
//!   config.toml, APP_* ┼─▶ merge ─▶ decode ─▶ Config ─▶ Section<S>  one part, always current
//!   sources ─ documents┘     ▲                    └─▶ Report, Explain, Health: names, never values
//!               ▲            └── publish ◀── Keeper
//!               └── probe, fetch ──────────────┘
//! ```
//!
//! # Example
//!
//! ```
//! use secretfig::{Config, ExposeSecret, Live, SecretLayer, SecretString, TextEnv};
//! # use secretfig::testing::FakeSource;
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct App {
//!     port: u16,
//!     database: Live<Database>,
//! }
//!
//! #[derive(Deserialize)]
//! struct Database {
//!     host: String,
//!     password: SecretString,
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let source = FakeSource::new().with("myapp/database", r#"{"host": "db", "password": "s3cret"}"#);
//! let config = Config::<App>::builder()
//!     .merge(SecretLayer::from(source.clone()).put("database", "myapp/database"))
//!     .env([("APP_PORT", "8080")])
//!     .merge(TextEnv::prefixed("APP_"))
//!     .load()
//!     .await?;
//!
//! let database = config.section(|app| &app.database);
//! source.rotate("myapp/database", r#"{"host": "db", "password": "n3w"}"#);
//! config.refresh().await; // a Keeper does this by itself: `let _keeper = config.keep_fresh();`
//! assert_eq!(database.get().unwrap().password.expose_secret(), "n3w");
//! # Ok::<_, secretfig::LoadError>(()) }).unwrap();
//! ```
//!
//! # Features
//!
//! | feature | default | brings |
//! | --- | --- | --- |
//! | `figment` | yes | any figment provider as a layer, [`Config::expose`] |
//! | `models` | yes | [`models::DatabaseCredentials`], [`models::JwtConfig`], [`models::OpenAiConfig`] |
//! | `files` | yes | mounted secret files as a source, watched |
//! | `local` | | an age-encrypted file as a source, watched |
//! | `vault` | | HashiCorp Vault and OpenBao as a source |
//! | `aws` | | AWS Secrets Manager as a source; asks for Rust 1.94.1, as AWS' SDK does |
//! | `cli` | | the commands, for an application's own binary and as the program `secretfig` |
//! | `redact` | | [`redact::Redact`], a `tracing` layer that hides values by the names of their fields |
//! | `testing` | | [`testing::FakeSource`] and the conformance suite |

mod assemble;
mod audit;
mod builder;
#[cfg(feature = "models")]
mod checked;
mod config;
mod decode;
mod env;
mod explain;
#[cfg(feature = "figment")]
mod figment;
mod file;
mod freeze;
mod grants;
mod guarded;
#[cfg(feature = "figment")]
mod handed_out;
mod health;
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), path = "keeperless.rs")]
mod keeper;
mod layers;
#[cfg_attr(
    all(target_family = "wasm", target_os = "unknown"),
    allow(dead_code, unused_imports, reason = "only the Keeper tends leases, and there is none on the edge")
)]
mod leases;
mod load;
mod plan;
mod policy;
mod publish;
mod reference;
mod refresh;
mod report;
mod reports;
mod runtime;
mod secrets;
mod section;
mod settings;
mod store;
mod tree;
mod values;
mod waiting;

#[cfg(all(feature = "cli", not(all(target_family = "wasm", target_os = "unknown"))))]
pub mod cli;
#[cfg(feature = "models")]
pub mod models;
#[cfg(all(feature = "redact", not(all(target_family = "wasm", target_os = "unknown"))))]
pub mod redact;
#[cfg(feature = "testing")]
pub mod testing {
    //! A manager in memory, and the suite that proves a source.
    pub use secretfig_source::testing::*;
}

#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod bench {
    //! For the benches of this project; no part of the API.
    pub use crate::config::assembling;
}

pub use assemble::Invalid;
pub use builder::{Builder, Layer};
pub use config::{Config, Snapshot};
pub use decode::{Key, KeyKind, Schema};
pub use env::TextEnv;
pub use explain::{Explain, Explained};
pub use grants::SourceGrants;
pub use health::{
    Breaker, Health, LeaseHealth, Refresher, RestartNeeded, SecretHealth, SectionHealth, SourceHealth,
};
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use keeper::Keeper;
pub use layers::Profile;
pub use policy::Policy;
pub use refresh::Refreshed;
pub use report::{Fault, FaultKind, LoadError, Report};
pub use reports::Verdict;
pub use runtime::SystemClock;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use runtime::host_random;
pub use secrecy::{ExposeSecret, SecretString};
pub use secretfig_source::{At, Clock, Format, Limits, Revision, Source, SourceError, Tick};
pub use secrets::{SecretLayer, Wanted};
pub use section::{Cause, Changes, Held, Live, Revisions, Section, Withheld};
pub use settings::SourceSettings;
pub use tree::KeyPath;
pub use values::{SecretBytes, Strict};

/// The contract that sources implement.
pub use secretfig_source as source;

/// The code in the README and in the guides compiles.
#[cfg(all(doctest, feature = "figment", feature = "models", feature = "files", feature = "testing"))]
mod documents {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../docs/guides/from-figment.md")]
    struct FromFigment;

    #[doc = include_str!("../docs/guides/from-dotenvy.md")]
    struct FromDotenvy;

    #[doc = include_str!("../docs/guides/from-config-rs.md")]
    struct FromConfigRs;

    #[cfg(feature = "cli")]
    #[doc = include_str!("../docs/cli.md")]
    struct CommandLine;
}
