//! Cases: what is made by being read.

use super::scene::{Outcome, Scene, Stop, broken, holds, staged};
use crate::{Ask, ErrorKind, Fetched, Lease, Probe};
use std::time::Duration;

/// A secret under leases; gives its name.
async fn leased(scene: &Scene<'_>, plain: &str) -> Result<String, Stop> {
    let (name, _) = scene.plant(plain).await;
    staged(scene.stage.lease(&name).await)?;
    Ok(name)
}

fn lease(fetched: Fetched) -> Result<Lease, Stop> {
    fetched.lease.map_or_else(|| broken("the answer has no lease"), Ok)
}

async fn give_back(scene: &Scene<'_>, lease: &Lease) -> Outcome {
    match scene.source.revoke(lease).await {
        Ok(()) => Ok(()),
        Err(error) => {
            scene.refused(None, &error);
            broken(format!("a lease cannot be given back: `{}`", error.kind().as_str()))
        }
    }
}

pub(super) async fn granted(scene: &Scene<'_>) -> Outcome {
    let name = leased(scene, "leased").await?;
    let told = scene.source.mints(&Ask::new(name.as_str()));
    holds(told, "`mints` does not tell beforehand that reading this makes something")?;
    let (one, two) = (scene.get(&name).await?, scene.get(&name).await?);
    holds(!one.repeatable, "the answer says that reading again gives the same")?;
    holds(one.revision != two.revision, "two leases are one revision")?;
    let silent = match scene.probe_one(Ask::new(name)).await? {
        Ok(Probe::Current(_)) => broken("a probe gives a revision of what no fetch gives twice"),
        _ => Ok(()),
    };
    let (one, two) = (lease(one)?, lease(two)?);
    holds(one.id != two.id, "two reads have one lease")?;
    holds(one.duration > Duration::ZERO, "a lease of no length")?;
    // the id revokes: whoever reads a log must not be able to
    holds(!format!("{one:?} {one:#?}").contains(&*one.id), "the Debug of a lease shows its id")?;
    give_back(scene, &one).await?;
    give_back(scene, &two).await?;
    silent
}

pub(super) async fn renewal(scene: &Scene<'_>) -> Outcome {
    let name = leased(scene, "renewed").await?;
    let lease = lease(scene.get(&name).await?)?;
    let renewed = scene.source.renew(&lease).await;
    if let Err(error) = &renewed {
        scene.refused(None, error);
    }
    let after = give_back(scene, &lease).await;
    match renewed {
        Ok(renewed) => {
            holds(lease.renewable, "a lease that says it cannot be renewed was")?;
            holds(renewed.id == lease.id, "the renewal gives another lease")?;
            holds(renewed.duration > Duration::ZERO, "the renewal grants nothing")?;
        }
        Err(error) => {
            holds(!lease.renewable, format!("renewable, and answered `{}`", error.kind().as_str()))?;
        }
    }
    after
}

pub(super) async fn revocation(scene: &Scene<'_>) -> Outcome {
    let name = leased(scene, "revoked").await?;
    let lease = lease(scene.get(&name).await?)?;
    give_back(scene, &lease).await?;
    match scene.source.renew(&lease).await {
        Ok(_) => return broken("given back, and it can still be renewed"),
        Err(error) => {
            scene.refused(None, &error);
            holds(!error.kind().is_outage(), "renewing what was given back looks like an outage")?;
            holds(error.kind() != ErrorKind::Denied, "renewing what was given back looks like a lost right")?;
        }
    }
    // shutting down twice must not fail
    give_back(scene, &lease).await
}
