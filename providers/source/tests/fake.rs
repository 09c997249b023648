//! The conformance suite, on the fake that keeps every promise and on fakes that break one each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use futures_util::FutureExt;
use secretfig_source::testing::{FakeSource, Stage, Wait, conformance};
use secretfig_source::{
    Abilities, Ask, At, Clock, Document, ErrorKind, Fetched, Lease, Node, Probe, Reading, Revision, Source,
    SourceError, SourceInfo, Tick, Withdrawn, async_trait,
};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

/// A clock that moves a second whenever it is read.
#[derive(Default)]
struct Ticking(Mutex<u64>);

impl Clock for Ticking {
    fn tick(&self) -> Tick {
        Tick::from_start(Duration::from_secs(*self.0.lock().unwrap()))
    }
    fn wall(&self) -> SystemTime {
        let mut seconds = self.0.lock().unwrap();
        *seconds += 1;
        SystemTime::UNIX_EPOCH + Duration::from_secs(*seconds)
    }
}

/// The fake as a stage, behind a source that may break a promise.
struct Staged {
    fake: FakeSource,
    breaks: Breaks,
    put: Mutex<Vec<Vec<u8>>>,
}

impl Staged {
    fn new(fake: FakeSource, breaks: Breaks) -> Self {
        Self { fake, breaks, put: Mutex::default() }
    }
}

#[async_trait]
impl Stage for Staged {
    fn source(&self) -> Arc<dyn Source> {
        Arc::new(Broken { fake: self.fake.clone(), breaks: self.breaks, kept: Mutex::default() })
    }
    async fn put(&self, name: &str, value: &[u8]) {
        self.put.lock().unwrap().push(value.to_vec());
        self.fake.put_bytes(name, value);
    }
    async fn turn(&self, name: &str) -> Option<Reading> {
        let value = {
            let mut put = self.put.lock().unwrap();
            let value = format!("gzxwvq-{}-kqzvwx", put.len());
            put.push(value.clone().into_bytes());
            value
        };
        self.fake.put(name, &value);
        Some(self.reading())
    }
    async fn remove(&self, name: &str) {
        self.fake.remove(name);
    }
    async fn deny(&self, name: &str) -> bool {
        self.fake.deny(name);
        true
    }
    async fn outage(&self, on: bool) -> bool {
        match on {
            true => self.fake.stop(),
            false => self.fake.start(),
        }
        true
    }
    async fn step_back(&self, name: &str) -> bool {
        self.fake.step_back(name);
        true
    }
    async fn withdraw(&self, name: &str) -> bool {
        self.fake.withdraw(name, Withdrawn::Disabled);
        true
    }
    async fn lease(&self, name: &str) -> bool {
        self.fake.lease(name, Duration::from_secs(3600));
        true
    }
    async fn within(&self, limit: Duration, wait: Wait<'_>) -> bool {
        tokio::time::timeout(limit, wait).await.is_ok()
    }
}

/// Ways to break the contract.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Breaks {
    Nothing,
    Order,
    DeniedAsAbsent,
    ValueInRevision,
    DigestInRevision,
    ValueInError,
    TrimsNames,
    NumbersGuessed,
    OneAnswerShort,
    Remembers,
    Hangs,
    Panics,
    SameRevision,
    LosesNotices,
    OtherSecretNamed,
    LeasesLive,
    MintsUntold,
}

struct Broken {
    fake: FakeSource,
    breaks: Breaks,
    kept: Mutex<Vec<(Ask, Fetched)>>,
}

fn text(fetched: &Fetched) -> String {
    let how = Reading { allow_empty: true, ..Reading::default() };
    match fetched.document.read(&how) {
        Ok(Node::Leaf(sealed)) => match sealed.expose_secret() {
            secretfig_source::Exposed::Text(text) => text.to_owned(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

impl Broken {
    fn spoil(&self, answer: Result<Fetched, SourceError>, ask: &Ask) -> Result<Fetched, SourceError> {
        match (self.breaks, answer) {
            (Breaks::DeniedAsAbsent, Err(e)) if e.kind() == ErrorKind::Denied => {
                Err(SourceError::new(ErrorKind::Absent, "fake").secret(ask.name()))
            }
            (Breaks::OtherSecretNamed, Err(e)) => Err(e.secret("another")),
            (Breaks::ValueInError, Err(e)) => {
                let value = self.kept.lock().unwrap().last().map(|(_, kept)| text(kept)).unwrap_or_default();
                Err(e.hint_naming(format!("the body was {value}")))
            }
            (Breaks::ValueInRevision, Ok(mut fetched)) => {
                fetched.revision = Revision::new(text(&fetched));
                Ok(fetched)
            }
            (Breaks::DigestInRevision, Ok(mut fetched)) => {
                use hmac_sha256::Hash;
                let digest = Hash::hash(text(&fetched).as_bytes());
                let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
                fetched.revision = Revision::new(hex);
                Ok(fetched)
            }
            (Breaks::SameRevision, Ok(mut fetched)) => {
                fetched.revision = Revision::new("latest");
                Ok(fetched)
            }
            (Breaks::NumbersGuessed, Ok(mut fetched)) if text(&fetched) == "00123" => {
                fetched.document = Document::from_text("123");
                Ok(fetched)
            }
            (_, answer) => answer,
        }
    }
}

#[async_trait]
impl Source for Broken {
    fn info(&self) -> SourceInfo {
        self.fake.info()
    }
    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        if self.breaks == Breaks::Hangs && asks.len() == 2 {
            std::future::pending::<()>().await;
        }
        assert!(!(self.breaks == Breaks::Panics && asks[0].name().contains("/../")), "as asked");
        let trimmed: Vec<_> =
            asks.iter().map(|ask| Ask::new(ask.name().trim()).at(ask.point().clone())).collect();
        let asks = if self.breaks == Breaks::TrimsNames { &trimmed } else { asks };
        let mut answers = self.fake.fetch(asks).await;
        for (answer, ask) in answers.iter_mut().zip(asks) {
            if let Ok(fetched) = answer {
                self.kept.lock().unwrap().push((ask.clone(), fetched.clone()));
            }
            let kept =
                self.kept.lock().unwrap().iter().rfind(|(kept, _)| kept == ask).map(|(_, f)| f.clone());
            match (&*answer, kept) {
                (Err(e), Some(kept)) if self.breaks == Breaks::Remembers && e.kind().is_outage() => {
                    *answer = Ok(kept);
                }
                _ => *answer = self.spoil(answer.clone(), ask),
            }
        }
        match self.breaks {
            Breaks::Order => answers.reverse(),
            Breaks::OneAnswerShort if answers.len() > 2 => drop(answers.pop()),
            _ => {}
        }
        answers
    }
    fn mints(&self, ask: &Ask) -> bool {
        self.breaks != Breaks::MintsUntold && self.fake.mints(ask)
    }
    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        self.fake.probe(asks).await
    }
    async fn changed(&self) {
        if self.breaks == Breaks::LosesNotices {
            let _ = self.fake.changed().now_or_never();
        }
        self.fake.changed().await;
    }
    async fn renew(&self, lease: &Lease) -> Result<Lease, SourceError> {
        match self.fake.renew(lease).await {
            Err(_) if self.breaks == Breaks::LeasesLive => Ok(lease.clone()),
            answer => answer,
        }
    }
    async fn revoke(&self, lease: &Lease) -> Result<(), SourceError> {
        self.fake.revoke(lease).await
    }
}

fn whole() -> FakeSource {
    let fake = FakeSource::new().watching().with_clock(Arc::new(Ticking::default()));
    fake.identity("the one who tests");
    fake
}

#[tokio::test(start_paused = true)]
async fn the_fake_keeps_every_promise() {
    let fake = whole();
    let done = conformance(&Staged::new(fake.clone(), Breaks::Nothing)).await;
    println!("{done}");
    assert_eq!(
        done.to_string(),
        "conformance of fake: 33 cases ran, 1 skipped (what is not claimed is refused: all is claimed)"
    );
    assert_eq!((fake.leases(), fake.minted(), fake.revoked()), (0, 4, 4));
}

#[tokio::test(start_paused = true)]
async fn a_fake_without_abilities_refuses_what_it_does_not_claim() {
    let fake = FakeSource::named("plain").abilities(Abilities::NONE);
    fake.blind();
    let done = conformance(&Staged::new(fake, Breaks::Nothing)).await;
    assert!(done.ran.contains(&"what is not claimed is refused"));
    assert!(done.skipped.iter().all(|(_, why)| *why == "not claimed"), "{done}");
}

/// What the suite says of a source that breaks a promise.
async fn complaint(breaks: Breaks) -> String {
    let stage = Staged::new(whole(), breaks);
    let Err(payload) = AssertUnwindSafe(conformance(&stage)).catch_unwind().await else {
        panic!("{breaks:?} was not noticed");
    };
    let text = payload.downcast_ref::<String>().expect("a panic with a text").clone();
    for value in stage.put.lock().unwrap().iter().filter(|value| value.len() > 4) {
        if let Ok(value) = std::str::from_utf8(value) {
            assert!(!text.contains(value), "{breaks:?}: the complaint holds a value");
        }
    }
    text
}

#[tokio::test(start_paused = true)]
async fn each_broken_promise_is_told_in_words_of_our_own() {
    for (breaks, told) in [
        (Breaks::Order, "one answer per ask, in order: ask 1 of 7: the value is another one"),
        (Breaks::DeniedAsAbsent, "denied is not absent: answered `absent`"),
        (Breaks::ValueInRevision, "revisions tell no value: a revision tells a value, in clear"),
        (Breaks::DigestInRevision, "revisions tell no value: a revision tells a value, by its SHA-256"),
        (Breaks::ValueInError, "nothing said holds a value: an error tells a value, in clear"),
        (Breaks::TrimsNames, "names that steer: a line break: a value came"),
        (Breaks::NumbersGuessed, "text unchanged: leading zeros: the value is another one"),
        (Breaks::OneAnswerShort, "one answer per ask, in order: 7 asks were fetched and 6 answers came"),
        (Breaks::Remembers, "an outage: a value came"),
        (Breaks::Hangs, "previous: no end within 120 s"),
        (Breaks::Panics, "names that steer: the source, or its stage, panicked"),
        (Breaks::SameRevision, "rotation: rotated, and the revision is the same"),
        (
            Breaks::SameRevision,
            "rotation by the manager: as it was created: probe and fetch give two revisions",
        ),
        (Breaks::LosesNotices, "watch: a rotation while nobody waits is lost"),
        (Breaks::OtherSecretNamed, "errors say enough: `absent`: about another secret"),
        (Breaks::LeasesLive, "revocation: given back, and it can still be renewed"),
        (Breaks::MintsUntold, "`mints` does not tell beforehand that reading this makes something"),
    ] {
        let complaint = complaint(breaks).await;
        assert!(complaint.contains(told), "{breaks:?}:\n{complaint}");
    }
}

async fn get(fake: &FakeSource, name: &str) -> Result<(String, String), ErrorKind> {
    match fake.fetch(&[Ask::new(name)]).await.remove(0) {
        Ok(fetched) => Ok((text(&fetched), fetched.revision.to_string())),
        Err(e) => Err(e.kind()),
    }
}

fn is(value: &str, revision: &str) -> Result<(String, String), ErrorKind> {
    Ok((value.to_owned(), revision.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_stalled_fake_counts_who_waits_and_wakes_them_all() {
    let fake = FakeSource::new().with("a", "old").with("b", "x");
    fake.stall();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let fake = fake.clone();
            tokio::spawn(async move { get(&fake, "a").await })
        })
        .collect();
    assert!(tokio::time::timeout(Duration::from_secs(60), get(&fake, "a")).await.is_err());
    let probe = fake.clone();
    let probing = tokio::spawn(async move { probe.probe(&[Ask::new("a")]).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((fake.fetches("a"), fake.probes("a"), fake.calls()), (4, 1, 4));
    fake.rotate("a", "new");
    fake.resume();
    for task in waiting {
        assert_eq!(task.await.unwrap(), is("new", "2"));
    }
    assert_eq!(probing.await.unwrap(), [Ok(Probe::Current(Revision::new("2")))]);

    fake.stall_only("a");
    assert_eq!(get(&fake, "b").await, is("x", "1"));
    assert!(get(&fake, "a").now_or_never().is_none());
    fake.resume();
    assert_eq!(get(&fake, "a").await, is("new", "2"));
}

#[tokio::test]
async fn failures_last_as_long_as_they_were_set_for() {
    let fake = FakeSource::new().with("a", "x");
    fake.fail_next("a", ErrorKind::Timeout, 2);
    assert_eq!(get(&fake, "a").await, Err(ErrorKind::Timeout));
    assert!(fake.probe(&[Ask::new("a")]).await[0].is_err());
    assert_eq!(get(&fake, "a").await, is("x", "1"));
    let throttled = ErrorKind::Throttled { retry_after: Some(Duration::from_secs(2)) };
    fake.fail("a", throttled);
    assert_eq!(get(&fake, "a").await, Err(throttled));
    assert_eq!(get(&fake, "a").await, Err(throttled));
    fake.heal("a");
    fake.deny("a");
    fake.deny("never-put");
    assert_eq!(get(&fake, "never-put").await, Err(ErrorKind::Denied));
    assert_eq!(get(&fake, "a").await, Err(ErrorKind::Denied));
    fake.allow("a");
    fake.withdraw("a", Withdrawn::Deleted);
    assert_eq!(get(&fake, "a").await, Err(ErrorKind::Withdrawn(Withdrawn::Deleted)));
    fake.restore("a");
    assert_eq!(get(&fake, "a").await, is("x", "1"));
    fake.remove("a");
    fake.put("a", "y");
    assert_eq!(get(&fake, "a").await, is("y", "2"), "never taken for the one that was removed");
    fake.refuse_sign_in();
    assert_eq!(fake.sign_in().await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    fake.accept_sign_in();
    assert_eq!((fake.sign_in().await, fake.sign_ins()), (Ok(None), 2));
}

#[tokio::test]
async fn history_moves_as_a_test_says() {
    let fake = FakeSource::new().with("a", "1st");
    let turn = fake.clone();
    fake.after_fetch("a", move || turn.rotate("a", "2nd"));
    assert_eq!(get(&fake, "a").await, is("1st", "1"));
    assert_eq!(fake.probe(&[Ask::new("a")]).await, [Ok(Probe::Current(Revision::new("2")))]);
    fake.label("a", "AWSPENDING", "3rd");
    assert_eq!(get(&fake, "a").await, is("2nd", "2"));
    let pending = Ask::new("a").at(At::Stage("AWSPENDING".into()));
    assert_eq!(text(fake.fetch(&[pending]).await[0].as_ref().unwrap()), "3rd");
    fake.step_back("a");
    assert_eq!(get(&fake, "a").await, is("1st", "1"));
    fake.step_back("a");
    assert_eq!(get(&fake, "a").await, is("2nd", "2"));
    fake.amend("a", |fetched| fetched.warning("old"));
    assert_eq!(fake.fetch(&[Ask::new("a")]).await[0].as_ref().unwrap().warnings, ["old"]);
    assert_eq!(format!("{fake:?}"), r#"FakeSource { scheme: "fake", names: ["a"] }"#);
}

#[tokio::test]
async fn a_shaky_fake_fails_its_share_and_batches_fail_alone() {
    let fake = FakeSource::new().with("a", "x").with("b", "y").batch(20, 2);
    fake.shake(ErrorKind::Transport, 3);
    let mut failed = 0;
    for _ in 0..100 {
        failed += usize::from(get(&fake, "a").await.is_err());
    }
    assert_eq!((failed, fake.upstream()), (30, 100));
    fake.shake(ErrorKind::Transport, 0);
    fake.fail_batches(ErrorKind::Denied);
    let both = fake.fetch(&[Ask::new("a"), Ask::new("b")]).await;
    assert!(both.iter().all(|answer| answer.as_ref().is_err_and(|e| e.kind() == ErrorKind::Denied)));
    assert_eq!(get(&fake, "a").await, is("x", "1"));
    fake.fail_batches(None);
    assert!(fake.fetch(&[Ask::new("a"), Ask::new("b")]).await.iter().all(Result::is_ok));
    let _ = fake.probe(&[Ask::new("a")]).await;
    let _ = fake.sign_in().await;
    assert_eq!(fake.upstream(), 105);
}

#[tokio::test]
async fn notices_and_leases_are_kept_count_of() {
    let fake = FakeSource::new().with("mint", "x");
    fake.notify();
    fake.notify();
    assert!(fake.changed().now_or_never().is_some(), "kept for who comes");
    assert!(fake.changed().now_or_never().is_none(), "once");
    fake.rotate("mint", "y");
    assert!(fake.changed().now_or_never().is_none(), "only a watching fake notices by itself");

    fake.lease("mint", Duration::from_secs(60));
    assert!(fake.mints(&Ask::new("mint")) && !fake.mints(&Ask::new("another")));
    let lease = fake.fetch(&[Ask::new("mint")]).await.remove(0).unwrap().lease.unwrap();
    fake.renewals_grant("mint", Duration::from_secs(5));
    assert_eq!(fake.renew(&lease).await.unwrap().duration, Duration::from_secs(5));
    assert_eq!((fake.minted(), fake.renewed(), fake.revoked(), fake.leases()), (1, 1, 0, 1));
    fake.end_leases("mint");
    assert_eq!(fake.renew(&lease).await.unwrap_err().kind(), ErrorKind::Absent);
    assert_eq!((fake.revoke(&lease).await, fake.revoked(), fake.leases()), (Ok(()), 0, 0));
}
