//! Several secrets at once, by as few requests as that takes.

use super::{BATCH, Body, SecretsManager, Session, Stop};
use crate::error::{Doing, Refusal, Said, malformed, refusal};
use crate::folder;
use crate::naming::{Id, Place};
use crate::reply::{Value, list, text};
use secretfig_source::protocol::{Answers, Wire};
use secretfig_source::{Ask, At, Fetched, Node};

impl SecretsManager {
    /// One answer for each of these, in their order: current values by batches, where so many are wanted that they are worth
    /// it, then one by one what a batch says nothing of.
    pub(super) async fn get(
        &self,
        wire: &Wire,
        session: &Session,
        wanted: &[(Id, At)],
        worth: Worth,
    ) -> Result<Vec<Result<Fetched, Refusal>>, Stop> {
        let mut answers: Vec<Answer> = Vec::new();
        answers.resize_with(wanted.len(), || None);
        let mut batches = wanted.iter().filter(|(_, at)| *at == At::Current).count() >= worth.from;
        loop {
            let now = wire.now();
            // whom each call is about, and whether it is a batch
            let (mut calls, mut requests) = (Vec::<(bool, Vec<usize>)>::new(), Vec::new());
            for (seat, ((_, at), answer)) in wanted.iter().zip(&answers).enumerate() {
                let batch = batches && *at == At::Current;
                let open = calls.iter_mut().find(|(open, seats)| *open && batch && seats.len() < BATCH.0);
                match open {
                    _ if answer.is_some() => {}
                    Some((_, seats)) => seats.push(seat),
                    None => calls.push((batch, vec![seat])),
                }
            }
            for (batch, seats) in &calls {
                let mut about = seats.iter().filter_map(|seat| wanted.get(*seat));
                let (operation, body) = if *batch {
                    ("BatchGetSecretValue", Body::batch(about.map(|(id, _)| id)))
                } else {
                    ("GetSecretValue", about.next().map_or_else(Body::new, |(id, at)| Body::get(id, at)))
                };
                requests.push(self.call(session, now, operation, body)?);
            }
            for (sent, (batch, seats)) in wire.send(requests).await.into_iter().zip(calls) {
                let about = seats.first().and_then(|seat| wanted.get(*seat)).filter(|_| !batch);
                let doing = about.map_or(Doing::Batch, |(id, _)| Doing::Get(id.as_str()));
                let judged = match self.judged(sent, now, doing) {
                    Ok(tree) => Ok(tree),
                    Err(Stop::Refused(refusal)) => Err(refusal),
                    Err(stop) => return Err(stop),
                };
                for seat in seats {
                    let (Some((id, _)), Some(seat)) = (wanted.get(seat), answers.get_mut(seat)) else {
                        continue;
                    };
                    let answer = match &judged {
                        Ok(tree) if batch => of_batch(tree, id),
                        Ok(tree) => Some(Value::read(tree).map(|value| value.fetched(id))),
                        Err(refusal) => Some(Err(refusal.clone())),
                    };
                    *seat = answer.filter(|answer| !(batch && worth.again && folder::is_of_batch(answer)));
                }
            }
            if !std::mem::take(&mut batches) {
                break;
            }
        }
        let none = || Err(malformed("nothing was answered"));
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(none)).collect())
    }

    pub(super) async fn fetch_all(
        &self,
        wire: &Wire,
        session: &Session,
        asks: &[Ask],
    ) -> Result<Answers<Fetched>, Stop> {
        let mut wanted = Vec::new();
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(match self.place(ask) {
                Ok(Place::Secret(id)) => {
                    wanted.push((id, ask.point().clone()));
                    None
                }
                Ok(Place::Folder(folder)) => {
                    Some(self.folder(wire, session, ask.name(), &folder).await?.map_err(|e| e.of(ask.name())))
                }
                Err(refusal) => Some(Err(refusal.of(ask.name()))),
            });
        }
        // the core asks for as many at once as are worth a batch, and tries again by itself
        let worth = Worth { from: 2, again: false };
        let mut got = self.get(wire, session, &wanted, worth).await?.into_iter();
        for (answer, ask) in answers.iter_mut().zip(asks) {
            if answer.is_none() {
                *answer = got.next().map(|got| got.map_err(|refusal| refusal.of(ask.name())));
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }
}

/// What is known of one of the secrets that are asked for, or nothing yet.
type Answer = Option<Result<Fetched, Refusal>>;

/// From how many secrets on a batch is worth it, and whether what it is denied or throttled for is asked for once more, one by
/// one.
#[derive(Clone, Copy)]
pub(super) struct Worth {
    pub(super) from: usize,
    pub(super) again: bool,
}

/// What a batch says of that secret: its value, or why there is none.
fn of_batch(batch: &Node, id: &Id) -> Answer {
    for error in list(batch, "Errors") {
        let of = text(error, "SecretId").unwrap_or_default();
        if id.is(of, of) {
            let said = Said {
                status: 400,
                code: text(error, "ErrorCode").unwrap_or_default(),
                message: text(error, "Message").unwrap_or_default(),
                wait: None,
            };
            return Some(Err(refusal(&said, Doing::Get(id.as_str()))));
        }
    }
    let of = |value: &&Node| {
        id.is(text(value, "ARN").unwrap_or_default(), text(value, "Name").unwrap_or_default())
    };
    let value = list(batch, "SecretValues").iter().find(of)?;
    Some(Value::read(value).map(|value| value.fetched(id)))
}
