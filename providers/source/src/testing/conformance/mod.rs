//! What any source has to prove: the promises of [`Source`](crate::Source), one case each, by the
//! abilities that the source claims.
//!
//! `stage.rs` is what the suite needs of the place behind the source, `scene.rs` how a case asks and
//! listens, `traces.rs` how a value is recognised in a text; the other files are the cases.

mod answers;
mod history;
mod leases;
mod refusals;
mod scene;
mod stage;
mod traces;
mod values;

use futures_util::FutureExt;
use scene::{Outcome, Scene, Stop};
pub use stage::{Stage, Wait};
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// How long one case may take. Generous: a case of a real server makes some dozen requests.
const CASE_LIMIT: Duration = Duration::from_secs(120);

/// What the suite found out about a source that keeps its promises.
///
/// ```
/// # use secretfig_source::testing::Conformance;
/// # fn show(done: &Conformance) {
/// assert!(done.skipped.iter().all(|(_, why)| *why == "not claimed"));
/// println!("{done}"); // conformance of vault: 27 cases ran, 1 skipped (watch: not claimed)
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conformance {
    /// The source's scheme.
    pub scheme: String,
    /// The cases that ran, and held.
    pub ran: Vec<&'static str>,
    /// The cases that did not run, each with the reason: `not claimed` or `cannot be staged here`.
    pub skipped: Vec<(&'static str, &'static str)>,
}

impl fmt::Display for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conformance of {}: {} cases ran", self.scheme, self.ran.len())?;
        if !self.skipped.is_empty() {
            write!(f, ", {} skipped (", self.skipped.len())?;
            for (n, (name, why)) in self.skipped.iter().enumerate() {
                write!(f, "{}{name}: {why}", if n == 0 { "" } else { "; " })?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// Runs every case that the source's abilities call for.
///
/// Cases need the real thing: nothing is mocked but what the [`Stage`] mocks. A call holds up to
/// seven asks, also where [`Batch::at_most`](crate::Batch::at_most) is 1: one answer per ask is
/// promised whatever the planner does.
///
/// # Panics
/// When a promise is broken, after all cases ran: with one line per broken promise, and with no
/// value, nor any text of the source, which may hold one.
pub async fn conformance(stage: &dyn Stage) -> Conformance {
    let scene = Scene::new(stage);
    let can = scene.info.abilities;
    let mut suite = Suite::new(stage, scene.info.scheme.clone().into_owned());

    suite.case("info is stable", true, answers::info(&scene)).await;
    suite.case("signing in twice", true, answers::sign_in(&scene)).await;
    suite.case("no ask, no answer", true, answers::none(&scene)).await;
    suite.case("one answer per ask, in order", true, answers::order(&scene)).await;
    suite.case("absent", true, answers::absent(&scene)).await;
    suite.case("denied is not absent", can.denies, answers::denied(&scene)).await;
    suite.case("concurrent fetches agree", true, answers::concurrent(&scene)).await;
    suite.case("dropped fetches leave nothing", true, answers::dropped(&scene)).await;

    suite.case("text unchanged", true, values::text(&scene)).await;
    suite.case("large values", true, values::large(&scene)).await;
    suite.case("objects", true, values::object(&scene)).await;
    suite.case("bytes", can.binary, values::binary(&scene)).await;
    suite.case("empty values", can.empty, values::empty(&scene)).await;

    suite.case("rotation", true, history::rotation(&scene)).await;
    suite.case("rotation by the manager", true, history::turned_by_manager(&scene)).await;
    suite.case("probes", can.probe, history::probe(&scene)).await;
    suite.case("previous", can.previous, history::previous(&scene)).await;
    suite.case("versions", can.versions, history::versions(&scene)).await;
    suite.case("stages", can.stages, history::stages(&scene)).await;
    suite.case("times of creation", can.created, history::created(&scene)).await;
    suite.case("a step back", true, history::step_back(&scene)).await;
    suite.case("removal", true, history::removal(&scene)).await;
    suite.case("withdrawal", true, history::withdrawal(&scene)).await;
    suite.case("watch", can.watch, history::watch(&scene)).await;

    suite.case("leases", can.leases, leases::granted(&scene)).await;
    suite.case("renewal", can.leases, leases::renewal(&scene)).await;
    suite.case("revocation", can.leases, leases::revocation(&scene)).await;

    suite.case("what is not claimed is refused", true, refusals::unclaimed(&scene)).await;
    suite.case("names that steer", true, refusals::steering_names(&scene)).await;
    suite.case("versions and stages that steer", true, refusals::steering_points(&scene)).await;
    suite.case("an outage", true, refusals::outage(&scene)).await;
    // last, since they look at everything that was said until now
    suite.case("errors say enough", true, refusals::errors(&scene)).await;
    suite.case("revisions tell no value", true, refusals::revisions(&scene)).await;
    suite.case("nothing said holds a value", true, refusals::nothing_told(&scene)).await;
    suite.end()
}

struct Suite<'a> {
    stage: &'a dyn Stage,
    done: Conformance,
    broken: Vec<String>,
}

impl<'a> Suite<'a> {
    fn new(stage: &'a dyn Stage, scheme: String) -> Self {
        Self { stage, done: Conformance { scheme, ran: Vec::new(), skipped: Vec::new() }, broken: Vec::new() }
    }

    async fn case(&mut self, name: &'static str, claimed: bool, case: impl Future<Output = Outcome> + Send) {
        if !claimed {
            return self.done.skipped.push((name, "not claimed"));
        }
        let mut outcome = None;
        let run = async {
            // the payload of a panic may be a value: only that there was one is told
            outcome = Some(AssertUnwindSafe(case).catch_unwind().await);
        };
        self.stage.within(CASE_LIMIT, Box::pin(run)).await;
        match outcome {
            Some(Ok(Ok(()))) => self.done.ran.push(name),
            Some(Ok(Err(Stop::Skipped(why)))) => self.done.skipped.push((name, why)),
            Some(Ok(Err(Stop::Broken(what)))) => self.broken.push(format!("{name}: {what}")),
            Some(Err(_)) => self.broken.push(format!("{name}: the source, or its stage, panicked")),
            None => self.broken.push(format!("{name}: no end within {} s", CASE_LIMIT.as_secs())),
        }
    }

    #[allow(clippy::panic, reason = "a suite fails its test by panicking; `# Panics` says so")]
    fn end(self) -> Conformance {
        if !self.broken.is_empty() {
            panic!(
                "`{}` breaks {} of its promises:\n  {}\n{}",
                self.done.scheme,
                self.broken.len(),
                self.broken.join("\n  "),
                self.done,
            );
        }
        self.done
    }
}
