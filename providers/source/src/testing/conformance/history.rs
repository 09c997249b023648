//! Cases: revisions, and what happens to a secret over time.

use super::scene::{Outcome, Scene, Stop, broken, holds, staged};
use super::stage::Wait;
use crate::{Ask, At, ErrorKind, Fetched, Probe, Revision};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// How long a source may take to notice by itself that something moved.
const NOTICE_LIMIT: Duration = Duration::from_secs(30);

/// A secret with two revisions, fetched at each.
struct Turned {
    name: String,
    values: [String; 2],
    answers: [Fetched; 2],
}

async fn turned(scene: &Scene<'_>, plain: &str) -> Result<Turned, Stop> {
    let (name, old) = scene.plant(plain).await;
    let first = scene.get(&name).await?;
    let new = scene.value(plain, 2);
    scene.stage.rotate(&name, new.as_bytes()).await;
    let second = scene.get(&name).await?;
    scene.same(&second, &new, "after the rotation")?;
    Ok(Turned { name, values: [old, new], answers: [first, second] })
}

pub(super) async fn rotation(scene: &Scene<'_>) -> Outcome {
    let (name, value) = scene.plant("rotation-kept").await;
    let (one, two) = (scene.get(&name).await?, scene.get(&name).await?);
    scene.same(&two, &value, "read twice")?;
    holds(one.revision == two.revision, "unchanged, and the revision is another one")?;
    holds(one.repeatable, "reading gives the same again, and the answer says it does not")?;
    let turned = turned(scene, "rotation").await?;
    let [first, second] = &turned.answers;
    holds(first.revision != second.revision, "rotated, and the revision is the same")
}

/// What the manager rotates by itself: the same until it does so, and another revision from then on.
pub(super) async fn turned_by_manager(scene: &Scene<'_>) -> Outcome {
    let name = scene.stage.name("turned");
    let mut before: Option<(Revision, String)> = None;
    for when in ["as it was created", "after the manager has rotated it"] {
        let Some(how) = scene.stage.turn(&name).await else { return staged(false) };
        let (one, two) = (scene.get(&name).await?, scene.get(&name).await?);
        let (value, again) = (scene.made_up(&one, &how, when)?, scene.made_up(&two, &how, when)?);
        holds(value == again, format!("{when}: read twice, and the value is another one"))?;
        holds(one.revision == two.revision, format!("{when}: unchanged, and the revision is another one"))?;
        holds(one.repeatable, format!("{when}: the answer says that reading makes another one"))?;
        if scene.info.abilities.probe {
            let probed = probed(scene, &name, when).await?;
            holds(probed == one.revision, format!("{when}: probe and fetch give two revisions"))?;
        }
        if let Some((revision, value_before)) = before {
            holds(value != value_before, format!("{when}: the value is the old one"))?;
            holds(one.revision != revision, format!("{when}: the revision is the old one"))?;
        }
        before = Some((one.revision, value));
    }
    Ok(())
}

async fn probed(scene: &Scene<'_>, name: &str, when: &str) -> Result<Revision, Stop> {
    match scene.probe_one(Ask::new(name)).await? {
        Ok(Probe::Current(revision)) => Ok(revision),
        Ok(_) => broken(format!("{when}: `probe` is claimed, and it cannot tell")),
        Err(error) => broken(format!("{when}: answered `{}`", error.kind().as_str())),
    }
}

pub(super) async fn probe(scene: &Scene<'_>) -> Outcome {
    let (name, _) = scene.plant("probe").await;
    let first = probed(scene, &name, "before the rotation").await?;
    let fetched = scene.get(&name).await?;
    holds(first == fetched.revision, "the probe and then the fetch give two revisions")?;
    scene.stage.rotate(&name, scene.value("probe", 2).as_bytes()).await;
    // at once: nothing may be remembered from before
    let second = probed(scene, &name, "after the rotation").await?;
    holds(second != first, "the rotation is not seen")?;
    let fetched = scene.get(&name).await?;
    holds(second == fetched.revision, "after the rotation, probe and fetch give two revisions")
}

/// Holds one point of a secret's history to what was there.
async fn point(scene: &Scene<'_>, turned: &Turned, at: At, n: usize, when: &str) -> Outcome {
    let ask = Ask::new(turned.name.as_str()).at(at);
    match scene.ask(ask.clone()).await? {
        Ok(fetched) => {
            scene.same(&fetched, &turned.values[n], when)?;
            let revision = &turned.answers[n].revision;
            holds(fetched.revision == *revision, format!("{when}: not the revision it had as current"))?;
        }
        Err(error) => return broken(format!("{when}: answered `{}`", error.kind().as_str())),
    }
    match scene.probe_one(ask).await? {
        Ok(Probe::Current(revision)) => {
            holds(revision == turned.answers[n].revision, format!("{when}: a probe gives another revision"))
        }
        Ok(_) => Ok(()),
        Err(error) => broken(format!("{when}: a probe answers `{}`", error.kind().as_str())),
    }
}

pub(super) async fn previous(scene: &Scene<'_>) -> Outcome {
    let (single, _) = scene.plant("previous-single").await;
    let kind = scene.refusal(Ask::new(single).at(At::Previous), "there is only one revision").await?;
    holds(kind == ErrorKind::Absent, format!("of a single revision: answered `{}`", kind.as_str()))?;
    let turned = turned(scene, "previous").await?;
    point(scene, &turned, At::Previous, 0, "the previous one").await?;
    point(scene, &turned, At::Current, 1, "the current one").await?;
    // both in one call: a batch must not take one for the other
    let ask = Ask::new(turned.name.as_str());
    let answers = scene.fetch(&[ask.clone().at(At::Previous), ask]).await?;
    for (answer, value) in answers.iter().zip(&turned.values) {
        match answer {
            Ok(fetched) => scene.same(fetched, value, "previous and current in one call")?,
            Err(_) => return broken("previous and current in one call: one is refused"),
        }
    }
    Ok(())
}

pub(super) async fn versions(scene: &Scene<'_>) -> Outcome {
    let turned = turned(scene, "versions").await?;
    for n in [0, 1] {
        let id = scene.stage.version(&turned.answers[n].revision);
        point(scene, &turned, At::Version(id.into()), n, ["the older version", "the newer version"][n])
            .await?;
    }
    let unknown = Ask::new(turned.name.as_str()).at(At::Version("no-such-version".into()));
    scene.refusal(unknown, "a version that nobody made").await?;
    Ok(())
}

pub(super) async fn stages(scene: &Scene<'_>) -> Outcome {
    let turned = turned(scene, "stages").await?;
    let (current, previous) = scene.stage.labels();
    point(scene, &turned, At::Stage(current.into()), 1, "the label of current").await?;
    point(scene, &turned, At::Stage(previous.into()), 0, "the label of previous").await?;
    let unknown = Ask::new(turned.name.as_str()).at(At::Stage("NOSUCHLABEL".into()));
    scene.refusal(unknown, "a label that nobody set").await?;
    Ok(())
}

pub(super) async fn created(scene: &Scene<'_>) -> Outcome {
    let turned = turned(scene, "created").await?;
    let [first, second] = turned.answers.each_ref().map(|answer| answer.created);
    holds(first.is_some() && second.is_some(), "`created` is claimed, and an answer has none")?;
    holds(first <= second, "the newer revision is older")?;
    holds(scene.get(&turned.name).await?.created == second, "read again, the time is another one")
}

pub(super) async fn step_back(scene: &Scene<'_>) -> Outcome {
    let turned = turned(scene, "step-back").await?;
    staged(scene.stage.step_back(&turned.name).await)?;
    let back = scene.get(&turned.name).await?;
    scene.same(&back, &turned.values[0], "after the step back")?;
    holds(back.revision == turned.answers[0].revision, "the earlier value came back, not its revision")?;
    if scene.info.abilities.probe {
        let revision = probed(scene, &turned.name, "after the step back").await?;
        holds(revision == back.revision, "after the step back, probe and fetch give two revisions")?;
    }
    Ok(())
}

/// Holds fetch and probe of something that is gone to a refusal that says so.
async fn gone(scene: &Scene<'_>, name: &str, gone: impl Fn(ErrorKind) -> bool) -> Outcome {
    let kind = scene.refusal(Ask::new(name), "it is gone").await?;
    holds(gone(kind), format!("answered `{}`", kind.as_str()))?;
    match scene.probe_one(Ask::new(name)).await? {
        Ok(Probe::Current(_)) => broken("a probe still gives a revision"),
        Ok(_) => holds(!scene.info.abilities.probe, "`probe` is claimed, and it cannot tell"),
        Err(error) => holds(gone(error.kind()), format!("a probe answers `{}`", error.kind().as_str())),
    }
}

pub(super) async fn removal(scene: &Scene<'_>) -> Outcome {
    let (name, _) = scene.plant("removal").await;
    let (other, value) = scene.plant("removal-other").await;
    scene.get(&name).await?;
    scene.stage.remove(&name).await;
    gone(scene, &name, |kind| matches!(kind, ErrorKind::Absent | ErrorKind::Withdrawn(_))).await?;
    scene.same(&scene.get(&other).await?, &value, "beside a removed one")
}

pub(super) async fn withdrawal(scene: &Scene<'_>) -> Outcome {
    let (name, _) = scene.plant("withdrawal").await;
    scene.get(&name).await?;
    staged(scene.stage.withdraw(&name).await)?;
    gone(scene, &name, |kind| matches!(kind, ErrorKind::Withdrawn(_))).await
}

pub(super) async fn watch(scene: &Scene<'_>) -> Outcome {
    let (name, _) = scene.plant("watch").await;
    let waiting = waiting(scene).await?;
    scene.stage.rotate(&name, scene.value("watch", 2).as_bytes()).await;
    let seen = scene.stage.within(NOTICE_LIMIT, waiting).await;
    holds(seen, "a rotation does not end `changed`")?;
    let newest = scene.value("watch", 3);
    scene.stage.rotate(&name, newest.as_bytes()).await;
    let seen = scene.stage.within(NOTICE_LIMIT, scene.source.changed()).await;
    holds(seen, "a rotation while nobody waits is lost: the next `changed` does not end")?;
    scene.same(&scene.get(&name).await?, &newest, "after it was noticed")
}

/// A wait that is under way, past whatever the source still had to say.
async fn waiting<'s>(scene: &'s Scene<'_>) -> Result<Wait<'s>, Stop> {
    for _ in 0..64 {
        let mut changed = scene.source.changed();
        let over = poll_fn(|cx| Poll::Ready(changed.as_mut().poll(cx).is_ready())).await;
        if !over {
            return Ok(changed);
        }
    }
    broken("nothing moves, and `changed` ends at once, every time")
}
