//! `load()`: asks every source in one wave, assembles, and tells every fault at once.

use crate::assemble::{self, Have, Unknown, place_of_secret};
use crate::builder::Builder;
use crate::config::{Config, assembler};
use crate::decode;
use crate::freeze;
use crate::guarded::info_of;
use crate::leases::Desk;
use crate::plan::{Draft, Plan, SecretId};
use crate::policy::{Errand, Read};
use crate::publish::Publisher;
use crate::refresh::Asking;
use crate::report::{Fault, FaultKind, LoadError, Report};
use crate::runtime::{self, SystemClock};
use crate::store::{Sets, State, guards};
use crate::tree::KeyPath;
use crate::waiting;
use secretfig_source::{At, ErrorKind, Fetched, Revision, Source, SourceError, Tick};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) async fn load<T>(mut builder: Builder<T>) -> Result<Config<T>, LoadError>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let clock = builder.clock.take().unwrap_or_else(|| Arc::new(SystemClock::default()));
    let until = clock.tick().after(builder.deadline);
    let (freshness, validate) = (builder.freshness, builder.validate.take());
    let knobs = (builder.policy, builder.attempt, builder.deadline);
    let mut draft = Draft::new(builder.factories.keys().cloned().chain(schemes(&builder.sources)).collect());
    let plan = Arc::new(freeze::plan(builder, &mut draft));
    let mut asking = Asking::new(plan.clone(), clock.clone(), knobs);
    // whatever way this ends, what was made and is not served is given back
    let sweep = asking.ledger.sweep((0..plan.secrets.len()).map(SecretId::nth));
    let asked = clock.tick();
    let mut wave = wave(&mut asking, until).await;
    draft.faults.append(&mut wave.faults);
    draft.remarks.append(&mut wave.remarks);
    let assemble = assembler::<T>(plan.clone(), validate);
    let mut made = assemble(&wave.have, Some(clock.wall()));
    if let (Ok(whole), true) = (&made, draft.faults.is_empty()) {
        let sets = Sets::new(&plan, &whole.lives);
        draft.faults.extend(previous_faults(&plan, &whole.lives));
        match rest(&asking, &sets, &mut wave, until).await {
            Ok(false) => {}
            Ok(true) => made = assemble(&wave.have, Some(clock.wall())),
            Err(torn) => draft.faults.extend(torn),
        }
    }
    let mut made = match made {
        Ok(made) if draft.faults.is_empty() => made,
        other => {
            // a misspelt key is the likeliest cause of a missing one
            match other {
                Ok(made) => unknown::<T>(&made.unknown, &mut draft.remarks),
                Err(unmade) => {
                    draft.faults.extend(unmade.faults);
                    unknown::<T>(&unmade.unknown, &mut draft.remarks);
                    draft.remarks.extend(unmade.remarks);
                }
            }
            let failed = sweep.give_back().await;
            draft.remarks.extend(failed.into_iter().map(|(name, kind)| {
                format!(
                    "the lease of `{name}` could not be given back ({}): it ends by itself",
                    kind.as_str()
                )
            }));
            let report =
                Report { profile: plan.profile.to_string(), faults: draft.faults, remarks: draft.remarks };
            return Err(LoadError::new(report));
        }
    };
    let (parsed, _) = assemble::parse(&plan, &wave.have);
    draft.remarks.extend(assemble::remarks(&plan, &parsed, |_| true));
    drop(parsed);
    unknown::<T>(&made.unknown, &mut draft.remarks);
    for remark in &draft.remarks {
        tracing::warn!(target: "secretfig", "{}", crate::tree::Clean(remark));
    }
    let now = clock.tick();
    let desk = Desk::new(asking.woken.clone());
    let states = plan.secrets.iter().enumerate().map(|(n, secret)| {
        let id = SecretId::nth(n);
        let of_source = plan.sources.get(secret.source).and_then(|named| named.source.info().ttl);
        let mut state = State::new(&plan, id, &freshness, of_source);
        let have = wave.have.get(n).cloned().unwrap_or_default();
        let lent = match &have {
            Have::Got(fetched) => desk.lend(fetched, asked, None),
            Have::Absent | Have::Failed => None,
        };
        state.publish(have, lent, 1, now);
        state.previous = wave.previous.remove(&id);
        state.due = now.after(runtime::jittered(state.ttl, runtime::random()));
        state
    });
    let states: Vec<State> = states.collect();
    made.leases = guards(&states);
    asking.ledger.settle(|id, lease| {
        let state = states.get(id.0 as usize).and_then(|state| state.lent.as_ref());
        state.is_some_and(|lent| lent.lease == *lease)
    });
    // of an answer that another has replaced
    sweep.give_back().await;
    let publisher = Publisher::new(plan, freshness, Some(assemble), states, Arc::new(made), desk);
    asking.loading = false;
    Ok(Config::from_parts(publisher, asking, draft.remarks))
}

pub(crate) fn schemes(sources: &[Arc<dyn Source>]) -> Vec<String> {
    sources.iter().filter_map(|source| Some(info_of(&**source)?.scheme.into_owned())).collect()
}

/// What the first wave brought.
struct Wave {
    have: Vec<Have>,
    previous: BTreeMap<SecretId, Arc<Fetched>>,
    faults: Vec<Fault>,
    remarks: Vec<String>,
}

async fn wave(asking: &mut Asking, until: Tick) -> Wave {
    let plan = asking.plan.clone();
    let mut wave = Wave {
        have: vec![Have::Failed; plan.secrets.len()],
        previous: BTreeMap::new(),
        faults: Vec::new(),
        remarks: Vec::new(),
    };
    let mut out_of_reach = BTreeSet::new();
    for (n, signed) in asking.sign_in(until).await.into_iter().enumerate() {
        match signed {
            Ok(identity) => asking.identities.push(identity),
            Err(e) => {
                asking.identities.push(None);
                out_of_reach.insert(n);
                wave.faults.push(sign_in_fault(&plan, n, &e));
            }
        }
    }
    let all = (0..plan.secrets.len()).map(SecretId::nth);
    let wanted: Vec<SecretId> =
        all.filter(|id| !out_of_reach.contains(&plan.secrets[id.0 as usize].source)).collect();
    let (fetched, previous) =
        waiting::both(asking.fetch(&wanted, until), previous(asking, &wanted, until)).await;
    for (id, result) in fetched {
        let optional = plan.uses.iter().filter(|used| used.secret == id).all(|used| used.wanted.optional);
        wave.have[id.0 as usize] = match result {
            Ok(got) => {
                for warning in &got.warnings {
                    let name = &plan.secrets[id.0 as usize].ask;
                    wave.remarks.push(format!("`{name}`: {warning}"));
                }
                Have::Got(Arc::new(got.fetched))
            }
            Err(e) if e.kind() == ErrorKind::Absent && optional => Have::Absent,
            Err(e) => {
                wave.faults.push(source_fault(&plan, id, &e));
                Have::Failed
            }
        };
    }
    for (id, result) in previous {
        match result {
            Ok(fetched) => {
                wave.previous.insert(id, Arc::new(fetched));
            }
            Err(e) if e.kind() == ErrorKind::Absent => {}
            Err(e) => wave.remarks.push(format!("the previous revision could not be had: {e}")),
        }
    }
    wave
}

/// The previous revisions, where an entry keeps them and the source has such a thing.
async fn previous(
    asking: &Asking,
    wanted: &[SecretId],
    until: Tick,
) -> Vec<(SecretId, Result<Fetched, SourceError>)> {
    let plan = &asking.plan;
    let each = wanted.iter().filter_map(|id| {
        let keep = plan.uses.iter().any(|used| used.secret == *id && used.wanted.keep_previous);
        let secret = plan.secrets.get(id.0 as usize)?;
        let named = plan.sources.get(secret.source)?;
        // what is made by being read has nothing before it
        let keep = keep && !named.source.mints(&secret.ask);
        (keep && named.source.info().abilities.previous).then_some(async move {
            let ask = secret.ask.clone().at(At::Previous);
            let line = asking.line(secret.source, until)?;
            let read = Read(ask);
            let result = line.one(read.clone()).await;
            if let Ok(fetched) = &result {
                read.note(&asking.ledger, *id, &named.source, fetched);
            }
            Some((*id, result))
        })
    });
    waiting::all(each, usize::MAX).await.into_iter().flatten().collect()
}

fn sign_in_fault(plan: &Plan, source: usize, e: &SourceError) -> Fault {
    let behind = plan.secrets.iter().filter(|secret| secret.source == source);
    let names = behind.map(|secret| secret.ask.to_string()).collect();
    let named = plan.sources.get(source);
    let origin = named.map(|named| named.source.info().origin).unwrap_or_default();
    let mut fault = Fault::new(KeyPath::root(), FaultKind::SignIn(e.kind(), names)).hint(e.what_to_do());
    fault.place.source = named.map(|named| format!("{} at {origin}", named.name));
    fault
}

pub(crate) fn source_fault(plan: &Plan, id: SecretId, e: &SourceError) -> Fault {
    let used = plan.uses.iter().find(|used| used.secret == id);
    let path = used.map(|used| used.path.clone()).unwrap_or_default();
    let origin = used.map_or(crate::tree::OriginId(0), |used| used.origin);
    Fault::new(path, FaultKind::Source(e.kind()))
        .at(place_of_secret(plan, id, origin, &[]))
        .hint(e.what_to_do())
}

/// Lets every set of more than one secret come to rest. `true`: something moved and was read again.
async fn rest(asking: &Asking, sets: &Sets, wave: &mut Wave, until: Tick) -> Result<bool, Vec<Fault>> {
    let all: BTreeSet<usize> = (0..wave.have.len()).map(|n| sets.of(SecretId::nth(n))).collect();
    // what was made by being read is of its own moment, and is not read again
    let steady = |id: &SecretId| match wave.have.get(id.0 as usize) {
        Some(Have::Got(fetched)) => fetched.repeatable,
        _ => true,
    };
    let members = all.into_iter().map(|set| sets.members(set).into_iter().filter(steady).collect()).collect();
    let mut read: BTreeMap<SecretId, Revision> = BTreeMap::new();
    for (n, have) in wave.have.iter().enumerate() {
        if let Have::Got(fetched) = have {
            read.insert(SecretId::nth(n), fetched.revision.clone());
        }
    }
    let mut again = BTreeMap::new();
    let unrest = asking.rest(members, &mut read, &mut again, until).await;
    if !unrest.failed.is_empty() {
        return Err(unrest.failed.iter().map(|(id, e)| source_fault(&asking.plan, *id, e)).collect());
    }
    let torn = unrest.torn;
    if !torn.is_empty() {
        let fault = |id: &SecretId| {
            let e = SourceError::new(ErrorKind::Malformed, "").hint(
                "it kept changing while it was read together with the others of its section; try again",
            );
            source_fault(&asking.plan, *id, &e)
        };
        return Err(torn.iter().map(fault).collect());
    }
    let moved = !again.is_empty();
    let mut faults = Vec::new();
    for (id, result) in again {
        match result {
            Ok(got) => wave.have[id.0 as usize] = Have::Got(Arc::new(got.fetched)),
            Err(e) => faults.push(source_fault(&asking.plan, id, &e)),
        }
    }
    if faults.is_empty() { Ok(moved) } else { Err(faults) }
}

/// `keep_previous` needs a section that exactly one secret feeds.
fn previous_faults(plan: &Plan, lives: &[KeyPath]) -> Vec<Fault> {
    let keeping = plan.uses.iter().filter(|used| used.wanted.keep_previous);
    let faults = keeping.filter_map(|used| {
        let feeds = lives.iter().filter(|live| live.meets(&used.path));
        let alone = feeds.clone().all(|live| {
            let secrets: BTreeSet<SecretId> = plan.uses_at(live).map(|(_, used)| used.secret).collect();
            secrets.len() == 1
        });
        if feeds.count() > 0 && alone {
            return None;
        }
        let reason = "`keep_previous` is for a `Live` section that exactly one secret feeds";
        let fault = Fault::new(used.path.clone(), FaultKind::Setting(reason));
        Some(fault.at(place_of_secret(plan, used.secret, used.origin, &[])))
    });
    faults.collect()
}

/// One remark per key that no field takes, with the nearest that one does. Variables without such a neighbour are
/// told together where they are many: a layer of the whole environment has all of the machine's.
fn unknown<T: DeserializeOwned>(unknown: &[Unknown], remarks: &mut Vec<String>) {
    const MANY: usize = 3;
    if unknown.is_empty() {
        return;
    }
    let known = decode::key_paths::<T>();
    let mut variables = Vec::new();
    for Unknown { path, layer, environment } in unknown {
        let parent = path.parent().unwrap_or_default();
        let beside = known.iter().filter(|key| key.parent().as_ref() == Some(&parent));
        let beside: Vec<&str> = beside.filter_map(KeyPath::last).collect();
        match path.last().and_then(|key| assemble::nearest(key, &beside)) {
            Some(near) => {
                let near = parent.child(near);
                remarks.push(format!("no field takes `{path}` of {layer}: did you mean `{near}`?"));
            }
            None if *environment => variables.push((path, layer)),
            None => remarks.push(format!("no field takes `{path}` of {layer}")),
        }
    }
    if variables.len() > MANY {
        let first: Vec<String> = variables.iter().take(MANY).map(|(path, _)| format!("`{path}`")).collect();
        let rest = variables.len() - MANY;
        remarks.push(format!("no field takes {} and {rest} more keys of the environment", first.join(", ")));
    } else {
        remarks.extend(variables.iter().map(|(path, layer)| format!("no field takes `{path}` of {layer}")));
    }
}
