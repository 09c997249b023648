//! One case in a process of its own: the test program, run again for one test.

use super::{Aim, Ended, Victim};
use secretfig_source::ErrorKind;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

const AIM: &str = "SECRETFIG_HOSTILE_AIM";
/// What the line begins with on which a child tells what came of its case.
const TOLD: &str = "hostile, told: ";
/// Of what it logged, so much is looked at: a storm logs for as long as it lasts.
const LOGGED: usize = 4 << 20;
/// How long a child may take beside its deadline: starting, reading the platform's authorities.
const LIMIT: Duration = Duration::from_secs(60);

/// What came of a case, as its process tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// `reply 302`, `fault Timeout`, `fetched`, or the kind of a source's error.
    pub outcome: String,
    /// Of a throttled one, the seconds to wait that were asked for.
    pub wait: Option<u64>,
    /// `Display` and `Debug` of it, both ways.
    pub said: Vec<String>,
    /// From the call to its answer.
    pub took: Duration,
    /// How late a bare timer was, beside it on another thread: the machine's own lateness. Nothing where it took less
    /// than its deadline.
    pub timer_late: Duration,
    /// The most memory that the process held, in bytes.
    pub peak: u64,
}

/// A child that has ended.
pub struct Child {
    /// What came of its case; nothing where it died of it.
    pub told: Option<Told>,
    /// Everything it printed.
    pub output: Vec<u8>,
    /// Everything that was logged in it at TRACE, up to 4 MiB.
    pub log: Vec<u8>,
}

impl Child {
    /// Runs the test `test` of this program for that aim alone, with these variables and nothing of whoever runs the
    /// tests.
    ///
    /// # Panics
    /// Where it cannot be started, or does not end.
    pub async fn run(test: &str, aim: &Aim, variables: &[(&str, OsString)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
        command.env_clear().env(AIM, serde_json::to_string(aim).unwrap());
        command.envs(variables.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (out, err) = (tokio::spawn(all_of(out)), tokio::spawn(all_of(err)));
        let ended = tokio::time::timeout(aim.deadline * 8 + LIMIT, child.wait()).await;
        assert!(ended.is_ok(), "{}: a case that does not end", aim.victim);
        let (output, log) = (out.await.unwrap(), err.await.unwrap());
        let text = String::from_utf8_lossy(&output).into_owned();
        let told = text.lines().find_map(|line| line.split_once(TOLD)).map(|(_, told)| told);
        Self { told: told.map(|told| serde_json::from_str(told).unwrap()), output, log }
    }
}

/// The child's half: to be called by the test that [`Child::run`] was told of.
///
/// # Panics
/// Where it is called by hand, or knows no such victim.
pub fn child(victims: &[Arc<dyn Victim>]) {
    let aim = std::env::var(AIM).expect("it is called by the other tests, with an aim");
    let aim: Aim = serde_json::from_str(&aim).unwrap();
    // with the feature `tracing-log`, which others may switch on, the first sets what the second would
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    let _ = tracing_log::LogTracer::init();
    let victim = victims.iter().find(|victim| victim.name() == aim.victim).expect("a victim of that name");
    let timer = std::thread::spawn({
        let deadline = aim.deadline;
        move || runtime().block_on(late(deadline))
    });
    let (ended, took) = runtime().block_on(async {
        let asking = victim.fetch(&aim);
        let began = Instant::now();
        let ended = asking.await;
        (ended, began.elapsed())
    });
    // before anything is made of the answer
    let peak = peak();
    let (outcome, wait, said) = tell(&ended);
    // what ended before its deadline is late by nothing, and most do: nobody waits for their timers
    let timer_late = if took < aim.deadline { Duration::ZERO } else { timer.join().unwrap() };
    let told = Told { outcome, wait, said, took, timer_late, peak };
    println!("\n{TOLD}{}", serde_json::to_string(&told).unwrap());
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn late(deadline: Duration) -> Duration {
    let began = Instant::now();
    tokio::time::sleep(deadline).await;
    began.elapsed().saturating_sub(deadline)
}

fn tell(ended: &Ended) -> (String, Option<u64>, Vec<String>) {
    let debug = |value: &dyn std::fmt::Debug| vec![format!("{value:?}"), format!("{value:#?}")];
    match ended {
        Ended::Reply(reply) => (format!("reply {}", reply.status().as_u16()), None, debug(reply)),
        Ended::Fault(error) => {
            let mut said = debug(error);
            said.push(error.of_source("any").to_string());
            (format!("fault {:?}", error.fault()), None, said)
        }
        Ended::Fetched(fetched) => ("fetched".to_owned(), None, debug(fetched)),
        Ended::Refused(error) => {
            let wait = match error.kind() {
                ErrorKind::Throttled { retry_after } => retry_after.map(|wait| wait.as_secs()),
                _ => None,
            };
            let mut said = debug(error);
            said.push(error.to_string());
            (error.kind().as_str().to_owned(), wait, said)
        }
    }
}

/// `VmHWM`.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the figures of this process, on Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// To the end, and the first 4 MiB of it.
async fn all_of(mut pipe: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = vec![0; 64 << 10];
    while let Ok(read @ 1..) = pipe.read(&mut part).await {
        let room = LOGGED.saturating_sub(all.len());
        all.extend_from_slice(&part[..read.min(room)]);
    }
    all
}
