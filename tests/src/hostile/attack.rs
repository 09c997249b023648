//! Every case before every victim, and one report of all that was not as it has to be.

use super::cases::{self, Case, Ground, Owed, Scene, Wire};
use super::certs::{HOST, Identity, Pki};
use super::script::{Move, Script};
use super::server::{Count, Server};
use super::{Aim, Child, Told, Victim};
use crate::{Hunt, Marker};
use secretfig_source::ErrorKind;
use secretfig_source::protocol::HttpFault;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How much later than its deadline a case may end, beside the machine's own lateness.
const LATE: Duration = Duration::from_millis(100);
/// How much more memory a case may take than one that is answered well.
const MORE: u64 = 8 << 20;
/// The SHA-256 of nothing: a pin that no key has.
const NO_KEY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// Where a case meets its victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Over plain TCP, from the first request on.
    Plain,
    /// The same, after what comes before the secret's own request was answered well.
    PlainAtTheSecret,
    /// Over TLS, from the first request on.
    Tls,
}

/// Leads each victim through the whole table. `test` is the name of the test that calls [`child`](super::child) with
/// the same victims, which is to be `#[ignore]`d.
///
/// # Panics
/// With every case that did not come out as the table has it.
pub async fn attack(test: &'static str, victims: &[Arc<dyn Victim>]) {
    let hunt = Arc::new(Hunt::new());
    let token = hunt.plant("the token", word());
    let planted = hunt.plant("what the server says", word());
    let stand = Arc::new(Stand { test, pki: Pki::new(), token, planted, hunt: hunt.clone() });
    let cases: Vec<Arc<Case>> = cases::all().into_iter().map(Arc::new).collect();
    let (mut runs, mut latest, mut most, mut faults) = (0, Duration::ZERO, 0, Vec::new());
    for victim in victims {
        let well = Run { victim: victim.clone(), case: cases[0].clone(), stage: Stage::Tls };
        let well = stand.lead(well).await;
        let usual = well.told.as_ref().map_or(0, |told| told.peak);
        if stand.token.find(&well.here.plain).is_none() {
            faults.push(format!("{}: no token came to the server that answers well", well.run.name()));
        }
        let mut all = JoinSet::new();
        let room = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));
        for case in &cases {
            for stage in stages(&**victim, case) {
                let run = Run { victim: victim.clone(), case: case.clone(), stage };
                let (room, stand) = (room.clone(), stand.clone());
                all.spawn(async move {
                    let _room = room.acquire().await.unwrap();
                    stand.lead(run).await
                });
            }
        }
        while let Some(outcome) = all.join_next().await {
            let outcome = outcome.unwrap();
            runs += 1;
            faults.extend(stand.judge(&outcome, usual));
            if let Some(told) = &outcome.told {
                latest = latest.max(lateness(told, outcome.run.case.deadline));
                most = most.max(told.peak.saturating_sub(usual));
            }
        }
    }
    println!(
        "hostile: {} cases, {} victims, {runs} runs: the latest {} ms after its deadline, at most {} KiB more than \
         usual, {} faults",
        cases.len(),
        victims.len(),
        latest.as_millis(),
        most >> 10,
        faults.len()
    );
    drop(stand);
    Arc::into_inner(hunt).expect("all runs are over").finish();
    faults.sort();
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
}

/// A marker that any header, URL and line of a log can hold.
pub(super) fn word() -> Marker {
    Marker::new(Marker::random().text().chars().filter(char::is_ascii_alphanumeric).collect::<String>())
}

fn stages(victim: &dyn Victim, case: &Case) -> Vec<Stage> {
    match case.ground {
        Ground::Answer(_) if victim.prepares() => vec![Stage::Plain, Stage::PlainAtTheSecret, Stage::Tls],
        Ground::Answer(_) => vec![Stage::Plain, Stage::Tls],
        Ground::Connection(_) => vec![Stage::Plain],
        Ground::Greeting(_) | Ground::Certificate(_) | Ground::Unpinned => vec![Stage::Tls],
    }
}

/// Beyond the deadline, and beyond what a bare timer was late at the same time.
fn lateness(told: &Told, deadline: Duration) -> Duration {
    told.took.saturating_sub(deadline).saturating_sub(told.timer_late)
}

/// What all runs have in common.
struct Stand {
    test: &'static str,
    pki: Pki,
    token: Marker,
    planted: Marker,
    hunt: Arc<Hunt>,
}

/// One case before one victim.
struct Run {
    victim: Arc<dyn Victim>,
    case: Arc<Case>,
    stage: Stage,
}

/// What came of it.
struct Outcome {
    run: Run,
    told: Option<Told>,
    here: Count,
    elsewhere: Count,
}

impl Run {
    fn name(&self) -> String {
        format!("{}, {}, {:?}", self.victim.name(), self.case.name, self.stage)
    }

    fn script(&self, scene: &Scene<'_>) -> Script {
        let (victim, planted) = (self.victim.clone(), scene.planted.to_owned());
        let at_the_secret = self.stage == Stage::PlainAtTheSecret;
        let moves = match &self.case.ground {
            Ground::Connection(script) | Ground::Greeting(script) => return script(),
            Ground::Answer(moves) => Some(moves(scene)),
            Ground::Certificate(_) | Ground::Unpinned => None,
        };
        Script::Answering(Box::new(move |request| match &moves {
            Some(moves) if !at_the_secret || victim.asks_for_the_secret(request) => moves.clone(),
            _ => {
                let (status, body) = victim.answer(request, &planted);
                vec![Move::reply(status, "Content-Type: application/json\r\n", body)]
            }
        }))
    }
}

impl Stand {
    async fn lead(&self, run: Run) -> Outcome {
        let elsewhere = Script::answering(vec![Move::reply(200, "", self.planted.text())]);
        let elsewhere = Server::plain(elsewhere).await.unwrap();
        let other = format!("http://{}", elsewhere.address());
        let script = run.script(&Scene { planted: self.planted.text(), elsewhere: &other });
        let identity = match run.case.ground {
            Ground::Certificate(identity) => identity,
            _ => Identity::Good,
        };
        let server = match (run.stage, &run.case.ground) {
            (Stage::Plain | Stage::PlainAtTheSecret, _) | (_, Ground::Greeting(_)) => {
                Server::plain(script).await
            }
            (Stage::Tls, _) => Server::tls(script, self.pki.server(identity)).await,
        };
        let server = server.unwrap();
        let aim = Aim {
            victim: run.victim.name().to_owned(),
            address: match run.stage {
                Stage::Tls => format!("https://{HOST}:{}", server.address().port()),
                _ => format!("http://{}", server.address()),
            },
            authority: self.pki.trusted(identity),
            pin: matches!(run.case.ground, Ground::Unpinned).then(|| NO_KEY.to_owned()),
            token: self.token.text().to_owned(),
            deadline: run.case.deadline,
        };
        let child = Child::run(self.test, &aim, &[]).await;
        self.hunt.check(format!("{}: the log", run.name()), &child.log);
        self.hunt.check(format!("{}: what it says", run.name()), &child.output);
        Outcome { told: child.told, here: server.seen(), elsewhere: elsewhere.seen(), run }
    }

    /// All that was not as it has to be.
    fn judge(&self, outcome: &Outcome, usual: u64) -> Vec<String> {
        let Outcome { run, told, here, elsewhere } = outcome;
        let Some(told) = told else { return vec![format!("{}: its process died", run.name())] };
        let mut faults = Vec::new();
        let mut fault = |what: String| faults.push(format!("{}: {what}", run.name()));
        let is_source = !told.outcome.starts_with("reply ") && !told.outcome.starts_with("fault ");
        let as_owed = if is_source {
            owed(run.case.source, told, run.victim.as_ref())
        } else {
            on_the_wire(run.case.wire, told)
        };
        if !as_owed {
            let owed =
                if is_source { format!("{:?}", run.case.source) } else { format!("{:?}", run.case.wire) };
            fault(format!("{owed} is owed, it was: {} ({:?})", told.outcome, told.said.last()));
        }
        let late = lateness(told, run.case.deadline);
        if late > LATE {
            fault(format!("{late:?} after its deadline, beside the machine's own {:?}", told.timer_late));
        }
        if told.peak > usual + MORE {
            fault(format!("{} KiB more than usual", (told.peak - usual) >> 10));
        }
        if elsewhere.connections > 0 {
            fault(format!("{} connections to another origin", elsewhere.connections));
        }
        if self.token.find(&elsewhere.raw).is_some() {
            fault("the token went to another origin".to_owned());
        }
        if run.stage == Stage::Tls && self.token.find(&here.raw).is_some() {
            fault("the token went over TLS in the clear".to_owned());
        }
        let refused = run.stage == Stage::Tls && run.case.wire == Wire::Fault(HttpFault::Tls);
        if refused && (here.requests > 0 || !here.plain.is_empty()) {
            fault(format!("{} bytes were sent to a server that was refused", here.plain.len()));
        }
        if here.connections == 0 {
            fault("it never came".to_owned());
        }
        faults
    }
}

fn on_the_wire(owed: Wire, told: &Told) -> bool {
    told.outcome
        == match owed {
            Wire::Reply(status) => format!("reply {status}"),
            Wire::Fault(fault) => format!("fault {fault:?}"),
        }
}

fn owed(owed: Owed, told: &Told, victim: &dyn Victim) -> bool {
    match owed {
        Owed::Redirected(status) => told.outcome == victim.redirected(status).as_str(),
        Owed::Served => told.outcome == "fetched",
        Owed::Kind(ErrorKind::Throttled { retry_after }) => {
            told.outcome == "throttled" && told.wait == retry_after.map(|wait| wait.as_secs())
        }
        Owed::Kind(kind) => told.outcome == kind.as_str(),
        Owed::ThrottledFor(least) => {
            told.outcome == "throttled" && told.wait.is_some_and(|wait| wait >= least.as_secs())
        }
    }
}
