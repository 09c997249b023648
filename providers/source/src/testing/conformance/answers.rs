//! Cases: who answers, how many times and in which order.

use super::scene::{Outcome, Scene, broken, holds, staged};
use crate::{Ask, ErrorKind, Fetched, Probe, SourceError};
use futures_util::future::join_all;
use std::future::poll_fn;
use std::task::Poll;

pub(super) async fn info(scene: &Scene<'_>) -> Outcome {
    let (was, is) = (&scene.info, scene.source.info());
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    holds(
        was.scheme.starts_with(|c: char| c.is_ascii_lowercase()) && was.scheme.chars().all(legal),
        "the scheme is none: a lower-case letter, then lower-case letters, digits, `+`, `-`, `.`",
    )?;
    holds(!was.origin.contains(['?', '@']), "the origin holds a query or a user")?;
    holds(was.batch.at_most > 0 && was.concurrency > 0, "a batch or a concurrency of zero")?;
    holds(
        (&was.scheme, &was.origin, was.batch, was.concurrency, was.abilities, was.ttl)
            == (&is.scheme, &is.origin, is.batch, is.concurrency, is.abilities, is.ttl),
        "two calls give two answers",
    )
}

pub(super) async fn sign_in(scene: &Scene<'_>) -> Outcome {
    let (first, second) = (scene.source.sign_in().await, scene.source.sign_in().await);
    for answer in [&first, &second] {
        match answer {
            Ok(Some(identity)) => scene.say("an identity", identity.as_str().to_owned()),
            Ok(None) => {}
            Err(error) => {
                scene.refused(None, error);
                return broken(format!("nobody could be signed in: `{}`", error.kind().as_str()));
            }
        }
    }
    holds(first == second, "the second time gives another identity")
}

pub(super) async fn none(scene: &Scene<'_>) -> Outcome {
    scene.fetch(&[]).await?;
    scene.probe(&[]).await?;
    Ok(())
}

pub(super) async fn order(scene: &Scene<'_>) -> Outcome {
    let (a, value_a) = scene.plant("order-a").await;
    let (b, value_b) = scene.plant("order-b").await;
    let (c, value_c) = scene.plant("order-c").await;
    let none = scene.stage.name("order-none");
    // what is there, what is not, and what is asked for twice, mixed
    let expected = [
        (&a, Some(&value_a)),
        (&none, None),
        (&b, Some(&value_b)),
        (&a, Some(&value_a)),
        (&none, None),
        (&c, Some(&value_c)),
        (&b, Some(&value_b)),
    ];
    let asks: Vec<_> = expected.iter().map(|(name, _)| Ask::new(name.as_str())).collect();
    let answers = scene.fetch(&asks).await?;
    for (n, (answer, (_, value))) in answers.iter().zip(expected).enumerate() {
        let place = format!("ask {} of {}", n + 1, asks.len());
        match (answer, value) {
            (Ok(fetched), Some(value)) => scene.same(fetched, value, &place)?,
            (Ok(_), None) => return broken(format!("{place}: absent, and a value came")),
            (Err(error), Some(_)) => {
                return broken(format!("{place}: there, and answered `{}`", error.kind().as_str()));
            }
            (Err(error), None) => {
                holds(error.kind() == ErrorKind::Absent, format!("{place}: absent, and not told so"))?;
            }
        }
    }
    let probes = scene.probe(&asks).await?;
    for (n, (probe, answer)) in probes.iter().zip(&answers).enumerate() {
        holds(agree(probe, answer), format!("the probe of ask {} does not fit its fetch", n + 1))?;
    }
    Ok(())
}

/// Whether a probe and a fetch of the same moment say the same, as far as the probe can tell.
fn agree(probe: &Result<Probe, SourceError>, answer: &Result<Fetched, SourceError>) -> bool {
    match (probe, answer) {
        (Ok(Probe::Unknown), _) => true,
        (Ok(Probe::Current(revision)), Ok(fetched)) => *revision == fetched.revision,
        (Err(probe), Err(fetch)) => probe.kind() == fetch.kind(),
        _ => false,
    }
}

pub(super) async fn absent(scene: &Scene<'_>) -> Outcome {
    let ask = Ask::new(scene.stage.name("absent"));
    let kind = scene.refusal(ask.clone(), "nobody put it").await?;
    holds(kind == ErrorKind::Absent, format!("answered `{}`", kind.as_str()))?;
    if scene.info.abilities.probe {
        let absent = matches!(scene.probe_one(ask).await?, Err(e) if e.kind() == ErrorKind::Absent);
        holds(absent, "a fetch says so, and a probe does not")?;
    }
    Ok(())
}

pub(super) async fn denied(scene: &Scene<'_>) -> Outcome {
    let (open, value) = scene.plant("denied-open").await;
    let (shut, _) = scene.plant("denied-shut").await;
    scene.get(&shut).await?;
    staged(scene.stage.deny(&shut).await)?;
    let ask = Ask::new(shut.as_str());
    let kind = scene.refusal(ask.clone(), "denied").await?;
    holds(kind == ErrorKind::Denied, format!("answered `{}`", kind.as_str()))?;
    // rights over a value and over its metadata may differ, so a probe may know more; never less
    let probed_absent =
        matches!(scene.probe_one(ask.clone()).await?, Err(e) if e.kind() == ErrorKind::Absent);
    holds(!probed_absent, "a probe says absent")?;
    // and one that is denied takes no other one along
    let answers = scene.fetch(&[Ask::new(open.as_str()), ask, Ask::new(open.as_str())]).await?;
    for (n, answer) in answers.iter().enumerate() {
        match answer {
            Ok(fetched) if n != 1 => scene.same(fetched, &value, "beside a denied one")?,
            Err(error) if n == 1 => {
                holds(error.kind() == ErrorKind::Denied, "among others it is answered otherwise")?;
            }
            _ => return broken("one that is denied changes the answers beside it"),
        }
    }
    Ok(())
}

pub(super) async fn concurrent(scene: &Scene<'_>) -> Outcome {
    let (name, value) = scene.plant("concurrent").await;
    let asks = [Ask::new(name.as_str())];
    let answers = join_all((0..8).map(|_| scene.fetch(&asks))).await;
    let mut revisions = Vec::new();
    for answer in answers {
        match answer?.into_iter().next() {
            Some(Ok(fetched)) => {
                scene.same(&fetched, &value, "one of eight at once")?;
                revisions.push(fetched.revision);
            }
            _ => return broken("one of eight fetches at once failed"),
        }
    }
    holds(revisions.windows(2).all(|two| two[0] == two[1]), "the revisions differ")
}

pub(super) async fn dropped(scene: &Scene<'_>) -> Outcome {
    let (name, value) = scene.plant("dropped").await;
    let before = scene.get(&name).await?;
    let asks = [Ask::new(name.as_str()), Ask::new(name.as_str())];
    for polls in 0..8 {
        let mut fetch = scene.source.fetch(&asks);
        for _ in 0..polls {
            let done = poll_fn(|cx| Poll::Ready(fetch.as_mut().poll(cx).is_ready())).await;
            if done {
                break;
            }
            let_others_run().await;
        }
        drop(fetch);
    }
    let after = scene.get(&name).await?;
    scene.same(&after, &value, "after dropped fetches")?;
    holds(after.revision == before.revision, "the revision moved")
}

/// Gives the executor one turn.
async fn let_others_run() {
    let mut turned = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut turned, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
