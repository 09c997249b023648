//! What every integration with a web framework has to prove, whatever the framework.
//!
//! An integration implements [`Stage`] with its framework's own test client, and runs [`conformance`] in one test:
//!
//! ```ignore
//! #[tokio::test(start_paused = true)]
//! async fn keeps_the_promises() {
//!     println!("{}", conformance::<Axum>().await);
//! }
//! ```
//!
//! `scene.rs` is what stands behind the application: a manager in memory, a clock that stands still, a hunt that looks
//! at every answer and log line; `cases.rs` the promises, `log.rs` the ear at both kinds of log.

mod cases;
mod log;
mod scene;

pub use log::{Ear, listen};
pub use scene::{AppConfig, Backstage, Database, Leased, Reports, Unregistered};

use futures_util::FutureExt;
use scene::Scene;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;

/// What a framework answered.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Every header, in lower case, and its value.
    pub headers: Vec<(String, String)>,
    /// The body, as a client gets it: of a HEAD there is none.
    pub body: Vec<u8>,
}

/// How an application without a section that a handler takes is refused before its first request.
pub enum Refused {
    /// The compiler refuses it. A `compile_fail` doctest proves that.
    ByTheCompiler,
    /// Start-up refuses it, with this in the error or in the log.
    AtStartUp(String),
}

/// A framework, with an application of these routes, all of them `GET`:
///
/// | path | takes | answers |
/// | --- | --- | --- |
/// | `/plain` | no section | 200, `plain` |
/// | `/user` | `Secrets<Database>` | [`Database::show`] |
/// | `/reports/user` | `Secrets<Database, Reports>` | [`Database::show`] |
/// | `/leased/user` | `Secrets<Database, Leased>` | [`Database::show`] |
/// | `/two` | both of these | [`Database::show`] of both, a blank in between |
/// | `/half` | `Option<Secrets<Database>>`, then `Secrets<Database, Leased>` | as `/two`, or `without` for the first |
/// | `/optional` | `Option<Secrets<Database>>` | [`Database::show`], or `without` |
/// | `/own-answer` | `Result<Secrets<Database>, _>` | [`Backstage::own_answer`] |
/// | `/rejected` | `Result<Secrets<Database>, _>` | [`Database::show`], or the rejection itself as the response |
/// | `/debug` | `Secrets<Database>` | its `Debug` |
/// | `/in-flight` | `Secrets<Database>` | [`Backstage::in_flight`] |
/// | `/moment` | no section | [`Backstage::moment`] |
/// | `/health`, `/ready` | | what the integration has for probes |
#[allow(async_fn_in_trait, reason = "tests of one crate, on one thread")]
pub trait Stage {
    /// The framework's name.
    const NAME: &'static str;
    /// The application, ready for requests.
    type App;

    /// Builds the application.
    async fn open(backstage: &Backstage) -> Self::App;

    /// Sends a request without a body.
    async fn send(app: &Self::App, method: &str, path: &str) -> Answer;

    /// Builds an application with a handler that takes `Secrets<Unregistered>`, which nobody registered.
    async fn refused(backstage: &Backstage) -> Refused;

    /// An application in which `GET /unregistered` needs `Secrets<Unregistered>` and nobody saw it before the request;
    /// `None` where there is no way to have one.
    async fn unseen(backstage: &Backstage) -> Option<Self::App>;
}

/// What the suite found out about an integration that keeps its promises.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conformance {
    /// The framework.
    pub name: &'static str,
    /// The cases that ran, and held.
    pub ran: Vec<&'static str>,
    /// The cases that this framework gives no occasion for.
    pub skipped: Vec<&'static str>,
}

impl fmt::Display for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.ran.len() + self.skipped.len();
        write!(f, "{}: {} of {all} cases", self.name, self.ran.len())?;
        if !self.skipped.is_empty() {
            write!(f, " (no occasion for: {})", self.skipped.join(", "))?;
        }
        Ok(())
    }
}

/// Runs every case. Needs a paused clock and a runtime of one thread: the ear at the log is the thread's.
///
/// # Panics
/// When a promise is broken, after all cases ran, with one line per broken promise.
#[allow(clippy::panic, reason = "a suite fails its test by panicking; `# Panics` says so")]
pub async fn conformance<S: Stage>() -> Conformance {
    let mut suite = Suite {
        done: Conformance { name: S::NAME, ran: Vec::new(), skipped: Vec::new() },
        broken: Vec::new(),
    };
    cases::all::<S>(&mut suite).await;
    if !suite.broken.is_empty() {
        panic!("{} breaks {} promises:\n  {}", S::NAME, suite.broken.len(), suite.broken.join("\n  "));
    }
    suite.done
}

struct Suite {
    done: Conformance,
    broken: Vec<String>,
}

impl Suite {
    /// One case in a scene of its own. It fails by panicking, and says `false` where there was no occasion for it.
    async fn case<S: Stage, F: Future<Output = (Scene<S>, bool)>>(
        &mut self,
        name: &'static str,
        case: impl FnOnce(Scene<S>) -> F,
    ) {
        let whole = async {
            let (scene, ran) = case(Scene::open().await).await;
            scene.finish();
            ran
        };
        match AssertUnwindSafe(whole).catch_unwind().await {
            Ok(true) => self.done.ran.push(name),
            Ok(false) => self.done.skipped.push(name),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
                self.broken.push(format!("{name}: {}", text.replace('\n', "\n    ")));
            }
        }
    }
}
