//! Cuts what is wanted into calls, per source, and shares those that are under way.

use super::flight::{Flight, Flights, Joined, Seat};
use super::{Errand, Landed, Line, Look, Read};
use crate::plan::SecretId;
use crate::refresh::Asking;
use crate::runtime;
use crate::waiting::{self, Any};
use secretfig_source::{Ask, Fetched, Probe, SourceError, Tick};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

/// What was read, and when the reading began, by the stamp counter: what began later wins, whoever brings it.
pub(crate) struct Got {
    pub(crate) fetched: Fetched,
    pub(crate) started: u64,
}

impl Deref for Got {
    type Target = Fetched;
    fn deref(&self) -> &Fetched {
        &self.fetched
    }
}

/// One answer, when its call began, and whether the breaker refused it.
struct Answered<A> {
    id: SecretId,
    started: u64,
    refused: bool,
    result: Result<A, SourceError>,
}

/// A flight, and whose answers it brings in which place.
type Boarded<E> = (Arc<Flight<Landed<E>>>, Vec<(SecretId, usize)>);

impl Asking {
    /// Fetches these secrets: per source in calls as its batch says, all concurrently.
    pub(crate) async fn fetch(
        &self,
        wanted: &[SecretId],
        until: Tick,
    ) -> BTreeMap<SecretId, Result<Got, SourceError>> {
        self.fetch_or_leave(wanted, until).await.0
    }

    /// The same, and those that nobody was asked for, since their source is left alone.
    pub(crate) async fn fetch_or_leave(
        &self,
        wanted: &[SecretId],
        until: Tick,
    ) -> (BTreeMap<SecretId, Result<Got, SourceError>>, BTreeSet<SecretId>) {
        let answers = self.ask(wanted, until, Read, |line| &line.endpoint.reads).await;
        let left = answers.iter().filter(|answer| answer.refused).map(|answer| answer.id).collect();
        let answers = answers
            .into_iter()
            .map(|Answered { id, started, result, .. }| (id, result.map(|fetched| Got { fetched, started })));
        (answers.collect(), left)
    }

    /// Probes these secrets, cut into calls in the same way.
    pub(crate) async fn probe(
        &self,
        wanted: &[SecretId],
        until: Tick,
    ) -> BTreeMap<SecretId, Result<Probe, SourceError>> {
        let (seeing, blind): (Vec<SecretId>, Vec<SecretId>) = wanted.iter().partition(|id| self.sees(**id));
        let answers = self.ask(&seeing, until, Look, |line| &line.endpoint.looks).await;
        let answers = answers.into_iter().map(|answered| (answered.id, answered.result));
        answers.chain(blind.into_iter().map(|id| (id, Ok(Probe::Unknown)))).collect()
    }

    /// Whether its source can tell without reading; one that cannot is not asked to.
    fn sees(&self, id: SecretId) -> bool {
        let secret = self.plan.secrets.get(id.0 as usize);
        let named = secret.and_then(|secret| self.plan.sources.get(secret.source));
        named.is_some_and(|named| named.source.info().abilities.probe)
    }

    async fn ask<E: Errand>(
        &self,
        wanted: &[SecretId],
        until: Tick,
        errand: fn(Ask) -> E,
        flights: fn(&Line) -> &Flights<Ask, Landed<E>>,
    ) -> Vec<Answered<E::Answer>>
    where
        E::Answer: Clone,
    {
        let mut by_source: BTreeMap<usize, Vec<(SecretId, Ask)>> = BTreeMap::new();
        for id in wanted {
            if let Some(secret) = self.plan.secrets.get(id.0 as usize) {
                by_source.entry(secret.source).or_default().push((*id, secret.ask.clone()));
            }
        }
        let sources = by_source.into_iter().filter_map(|(source, asks)| {
            let line = self.line(source, until)?;
            Some(async move {
                let mut answered = self.ask_source(&line, asks.clone(), errand, flights).await;
                // the one that tried has found the source well: those that were refused meanwhile need not wait for it
                let refused = answered.iter().any(|answer| answer.refused);
                if refused && line.endpoint.open().is_none() {
                    let again = answered.iter().filter(|answer| answer.refused).map(|answer| answer.id);
                    let again: Vec<SecretId> = again.collect();
                    answered.retain(|answer| !answer.refused);
                    let asks = asks.into_iter().filter(|(id, _)| again.contains(id)).collect();
                    answered.extend(self.ask_source(&line, asks, errand, flights).await);
                }
                answered
            })
        });
        waiting::all(sources, usize::MAX).await.into_iter().flatten().collect()
    }

    async fn ask_source<E: Errand>(
        &self,
        line: &Line,
        mut asks: Vec<(SecretId, Ask)>,
        errand: fn(Ask) -> E,
        flights: fn(&Line) -> &Flights<Ask, Landed<E>>,
    ) -> Vec<Answered<E::Answer>>
    where
        E::Answer: Clone,
    {
        // of a source that was left alone, the first call is the one that tries: not always the same, which may be one
        // that fails whatever happens
        let turn = usize::try_from(runtime::random() % (asks.len().max(1) as u64)).unwrap_or(0);
        asks.rotate_left(turn);
        let mints = |ask: &Ask| errand(ask.clone()).mints(&line.named.source);
        let (minting, shared): (Vec<_>, Vec<_>) = asks.into_iter().partition(|(_, ask)| mints(ask));
        let mut calls: Vec<Any<'_, Vec<Answered<E::Answer>>>> = Vec::new();
        for (id, ask) in minting {
            calls.push(Box::pin(self.alone(line, vec![(id, ask)], errand)));
        }
        if runtime::WAITS {
            for (flight, seats) in self.board(line, &shared, errand, flights) {
                calls.push(Box::pin(async move {
                    let flight = Joined::new(flight).await;
                    let answers = seats.into_iter().filter_map(|(id, seat)| {
                        let landed = flight.brought()?;
                        let result = landed.answers.get(seat)?.clone();
                        Some(Answered { id, started: flight.started, refused: landed.refused, result })
                    });
                    answers.collect()
                }));
            }
        } else {
            for call in cut(line, &shared) {
                calls.push(Box::pin(self.alone(line, call, errand)));
            }
        }
        // where callers wait for each other, the endpoint itself counts the calls; whoever sits in a flight must poll it
        let at_once = if runtime::WAITS { usize::MAX } else { line.named.source.info().concurrency };
        waiting::all(calls, at_once).await.into_iter().flatten().collect()
    }

    /// A call that is shared with nobody.
    async fn alone<E: Errand>(
        &self,
        line: &Line,
        call: Vec<(SecretId, Ask)>,
        errand: fn(Ask) -> E,
    ) -> Vec<Answered<E::Answer>> {
        let started = self.stamp();
        let landed = line.call(call.iter().map(|(_, ask)| errand(ask.clone())).collect()).await;
        for ((id, ask), answer) in call.iter().zip(&landed.answers) {
            if let Ok(answer) = answer {
                errand(ask.clone()).note(&self.ledger, *id, &line.named.source, answer);
            }
        }
        let refused = landed.refused;
        let each = call.into_iter().zip(landed.answers);
        let each = each.map(|((id, _), result)| Answered { id, started, refused, result });
        each.collect()
    }

    /// A seat for each of these, on flights under way and on new ones; by flight.
    fn board<E: Errand>(
        &self,
        line: &Line,
        asks: &[(SecretId, Ask)],
        errand: fn(Ask) -> E,
        flights: fn(&Line) -> &Flights<Ask, Landed<E>>,
    ) -> Vec<Boarded<E>> {
        let size = line.named.source.info().batch;
        let keys: Vec<Ask> = asks.iter().map(|(_, ask)| ask.clone()).collect();
        let seats = flights(line).board(&keys, |keys| {
            let begin = |call: &[Ask]| -> Vec<Seat<Landed<E>>> {
                let line = line.clone();
                let errands: Vec<E> = call.iter().map(|ask| errand(ask.clone())).collect();
                let future = Box::pin(async move { line.call(errands).await });
                let flight = Flight::new(self.stamp(), future);
                (0..call.len()).map(|seat| (flight.clone(), seat)).collect()
            };
            keys.chunks(call_size(size, keys.len())).flat_map(begin).collect()
        });
        let mut by_flight: Vec<Boarded<E>> = Vec::new();
        for (key, (flight, seat)) in seats {
            let Some((id, _)) = asks.iter().find(|(_, ask)| *ask == key) else { continue };
            match by_flight.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &flight)) {
                Some((_, seats)) => seats.push((*id, seat)),
                None => by_flight.push((flight, vec![(*id, seat)])),
            }
        }
        by_flight
    }
}

fn cut(line: &Line, asks: &[(SecretId, Ask)]) -> Vec<Vec<(SecretId, Ask)>> {
    let size = call_size(line.named.source.info().batch, asks.len());
    asks.chunks(size).map(<[_]>::to_vec).collect()
}

/// How many go in one call, where so many are wanted.
fn call_size(batch: secretfig_source::Batch, wanted: usize) -> usize {
    if wanted >= batch.from { batch.at_most.max(1) } else { 1 }
}
