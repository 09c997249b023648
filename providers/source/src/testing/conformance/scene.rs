//! How a case asks and listens.

use super::stage::Stage;
use super::traces::{self, Traces};
use crate::{
    Ask, ErrorKind, Exposed, Fetched, Node, Probe, Reading, Revision, Source, SourceError, SourceInfo,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a case comes to. Nothing in it was said by the source.
pub(super) type Outcome = Result<(), Stop>;

pub(super) enum Stop {
    /// A promise is broken, in the suite's own words.
    Broken(String),
    /// It could not be looked at.
    Skipped(&'static str),
}

pub(super) fn broken<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Broken(what.into()))
}

/// Holds, or is broken in those words.
pub(super) fn holds(held: bool, what: impl Into<String>) -> Outcome {
    if held { Ok(()) } else { broken(what) }
}

/// Was done, or the case is skipped.
pub(super) fn staged(done: bool) -> Outcome {
    if done { Ok(()) } else { Err(Stop::Skipped("cannot be staged here")) }
}

pub(super) struct Scene<'a> {
    pub(super) stage: &'a dyn Stage,
    pub(super) source: Arc<dyn Source>,
    pub(super) info: SourceInfo,
    planted: Mutex<BTreeSet<String>>,
    /// What the source said, by kind, to be looked through at the end.
    said: Mutex<BTreeSet<(&'static str, String)>>,
    errors: Mutex<Vec<(Option<Box<str>>, SourceError)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Scene<'a> {
    pub(super) fn new(stage: &'a dyn Stage) -> Self {
        let source = stage.source();
        let info = source.info();
        let (planted, said, errors) = Default::default();
        Self { stage, source, info, planted, said, errors }
    }

    /// The n-th value of that secret, remembered as one that nothing may tell.
    pub(super) fn value(&self, plain: &str, n: usize) -> String {
        let value = traces::planted(plain, n);
        lock(&self.planted).insert(value.clone());
        value
    }

    /// Puts the first revision of that secret; gives the spelled name and the value.
    pub(super) async fn plant(&self, plain: &str) -> (String, String) {
        let (name, value) = (self.stage.name(plain), self.value(plain, 1));
        self.stage.put(&name, value.as_bytes()).await;
        (name, value)
    }

    /// Fetches, and holds the source to one answer per ask.
    pub(super) async fn fetch(&self, asks: &[Ask]) -> Result<Vec<Result<Fetched, SourceError>>, Stop> {
        let answers = self.source.fetch(asks).await;
        for (n, answer) in answers.iter().enumerate() {
            match answer {
                Ok(fetched) => self.heard(fetched),
                Err(error) => self.refused(asks.get(n), error),
            }
        }
        holds(
            answers.len() == asks.len(),
            format!("{} asks were fetched and {} answers came", asks.len(), answers.len()),
        )?;
        Ok(answers)
    }

    /// Fetches one ask.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Result<Fetched, SourceError>, Stop> {
        let answers = self.fetch(&[ask]).await?;
        answers.into_iter().next().map_or_else(|| broken("one ask got no answer"), Ok)
    }

    /// Fetches what is there.
    pub(super) async fn get(&self, name: &str) -> Result<Fetched, Stop> {
        match self.ask(Ask::new(name)).await? {
            Ok(fetched) => Ok(fetched),
            Err(error) => broken(format!("a secret that is there is answered `{}`", error.kind().as_str())),
        }
    }

    /// Fetches what must be refused.
    pub(super) async fn refusal(&self, ask: Ask, when: &str) -> Result<ErrorKind, Stop> {
        match self.ask(ask).await? {
            Ok(_) => broken(format!("{when}: a value came")),
            Err(error) => Ok(error.kind()),
        }
    }

    /// Probes, and holds the source to one answer per ask.
    pub(super) async fn probe(&self, asks: &[Ask]) -> Result<Vec<Result<Probe, SourceError>>, Stop> {
        let answers = self.source.probe(asks).await;
        for (n, answer) in answers.iter().enumerate() {
            match answer {
                Ok(Probe::Current(revision)) => self.say("a revision", revision.as_str().to_owned()),
                Ok(Probe::Unknown) => {}
                Err(error) => self.refused(asks.get(n), error),
            }
        }
        holds(
            answers.len() == asks.len(),
            format!("{} asks were probed and {} answers came", asks.len(), answers.len()),
        )?;
        Ok(answers)
    }

    /// Probes one ask.
    pub(super) async fn probe_one(&self, ask: Ask) -> Result<Result<Probe, SourceError>, Stop> {
        let answers = self.probe(&[ask]).await?;
        answers.into_iter().next().map_or_else(|| broken("one probe got no answer"), Ok)
    }

    /// Holds an answer to the value that was put.
    pub(super) fn same(&self, fetched: &Fetched, value: &str, when: &str) -> Outcome {
        let got = self.bytes(fetched, when)?;
        holds(got == value.as_bytes(), format!("{when}: the value is another one"))
    }

    /// The value by the stage's reading; numbers and booleans are no text that came unchanged.
    pub(super) fn bytes(&self, fetched: &Fetched, when: &str) -> Result<Vec<u8>, Stop> {
        self.bytes_by(fetched, &self.stage.reading(), when)
    }

    /// A value that the manager made up, remembered as one that nothing may tell.
    pub(super) fn made_up(&self, fetched: &Fetched, how: &Reading, when: &str) -> Result<String, Stop> {
        let value = String::from_utf8(self.bytes_by(fetched, how, when)?);
        let value = value.or_else(|_| broken(format!("{when}: the value is no text")))?;
        lock(&self.planted).insert(value.clone());
        Ok(value)
    }

    fn bytes_by(&self, fetched: &Fetched, how: &Reading, when: &str) -> Result<Vec<u8>, Stop> {
        match self.read(fetched, how, when)? {
            Node::Leaf(sealed) => match sealed.expose_secret() {
                Exposed::Text(text) => Ok(text.as_bytes().to_vec()),
                Exposed::Bytes(bytes) => Ok(bytes.to_vec()),
                Exposed::Number(_) => broken(format!("{when}: the text became a number")),
                Exposed::Bool(_) => broken(format!("{when}: the text became a boolean")),
            },
            Node::Null => broken(format!("{when}: the value became null")),
            Node::List(_) => broken(format!("{when}: the value became a list")),
            Node::Table(_) => broken(format!("{when}: the value became a table")),
        }
    }

    pub(super) fn read(&self, fetched: &Fetched, how: &Reading, when: &str) -> Result<Node, Stop> {
        // a reason is static text, and the path holds keys: neither is of the value
        fetched.document.read(how).or_else(|e| broken(format!("{when}: cannot be read: {}", e.reason())))
    }

    pub(super) fn heard(&self, fetched: &Fetched) {
        self.say("the Debug of an answer", format!("{fetched:?} {fetched:#?}"));
        self.revision(&fetched.revision);
    }

    pub(super) fn revision(&self, revision: &Revision) {
        self.say("a revision", format!("{} {revision} {revision:?}", revision.as_str()));
    }

    pub(super) fn say(&self, what: &'static str, text: String) {
        lock(&self.said).insert((what, text));
    }

    pub(super) fn refused(&self, ask: Option<&Ask>, error: &SourceError) {
        self.say("an error", format!("{error}"));
        self.say("an error", format!("{error:?}"));
        lock(&self.errors).push((ask.map(|ask| ask.name().into()), error.clone()));
    }

    pub(super) fn errors(&self) -> MutexGuard<'_, Vec<(Option<Box<str>>, SourceError)>> {
        lock(&self.errors)
    }

    /// What the source said that tells a planted value, and how; by kind of what was said.
    pub(super) fn tales(&self, of: impl Fn(&str) -> bool) -> Outcome {
        let mut traces = Traces::default();
        lock(&self.planted).iter().for_each(|value| traces.add(value));
        for (what, text) in lock(&self.said).iter().filter(|(what, _)| of(what)) {
            if let Some(how) = traces.told(text) {
                return broken(format!("{what} tells a value, {how}"));
            }
        }
        Ok(())
    }
}
