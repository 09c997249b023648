//! Cases: what is refused, and what a refusal says.

use super::scene::{Outcome, Scene, Stop, broken, holds, staged};
use crate::{Ask, At, ErrorKind, Lease, Probe};
use std::time::Duration;

pub(super) async fn unclaimed(scene: &Scene<'_>) -> Outcome {
    let can = scene.info.abilities;
    let points = [
        (can.previous, At::Previous, "`previous`"),
        (can.versions, At::Version("1".into()), "`versions`"),
        (can.stages, At::Stage("AWSCURRENT".into()), "`stages`"),
    ];
    if can.leases && points.iter().all(|(claimed, ..)| *claimed) {
        return Err(Stop::Skipped("all is claimed"));
    }
    let (name, _) = scene.plant("unclaimed").await;
    for (claimed, at, what) in points {
        if !claimed {
            let kind = scene.refusal(Ask::new(name.as_str()).at(at), what).await?;
            holds(kind == ErrorKind::Misconfigured, format!("{what}: answered `{}`", kind.as_str()))?;
        }
    }
    if !can.leases {
        let lease = Lease::new("conformance", Duration::from_secs(60), true);
        for answer in [scene.source.renew(&lease).await.map(drop), scene.source.revoke(&lease).await] {
            let Err(error) = answer else { return broken("`leases`: a lease it never gave is taken") };
            scene.refused(None, &error);
            holds(error.kind() == ErrorKind::Misconfigured, "`leases`: not refused as a setting")?;
        }
    }
    Ok(())
}

/// Names that a path, a URL, a header or a template may turn into another secret's name.
fn hostile(name: &str) -> Vec<(&'static str, String)> {
    let (head, leaf) = name.split_at(name.rfind('/').map_or(0, |slash| slash + 1));
    let first: String = leaf.chars().take(1).map(|c| format!("%{:02x}", u32::from(c))).collect();
    let rest: String = leaf.chars().skip(1).collect();
    vec![
        ("empty", String::new()),
        ("a blank", " ".into()),
        ("a dot", ".".into()),
        ("two dots", "..".into()),
        ("a slash", "/".into()),
        ("up and down again", format!("{name}/../{leaf}")),
        ("up from the top", format!("../{name}")),
        ("up through another", format!("a/../../{name}")),
        ("a dot before", format!("{head}./{leaf}")),
        ("a dot after", format!("{name}/.")),
        ("a slash before", format!("//{name}")),
        ("a slash after", format!("{name}/")),
        ("encoded dots", format!("x/%2e%2e/{name}")),
        ("twice encoded dots", format!("x/%252e%252e/{name}")),
        ("an encoded slash", format!("x%2f..%2f{name}")),
        ("an encoded letter", format!("{head}{first}{rest}")),
        ("backslashes", format!("x\\..\\{name}")),
        ("a query", format!("{name}?version=1")),
        ("a fragment", format!("{name}#x")),
        ("a parameter", format!("{name};x")),
        ("another place", format!("https://example.invalid/{name}")),
        ("a user", format!("x@{name}")),
        ("a template", format!("{name}/{{secret-version}}")),
        ("a wildcard", format!("{head}*")),
        ("a NUL", format!("{name}\0")),
        ("a line break", format!("{name}\n")),
        ("a header", format!("{name}\r\nX-Injected: 1")),
        ("an escape sequence", format!("\u{1b}[2J{name}")),
        ("a blank after", format!("{name} ")),
        ("a right-to-left mark", format!("\u{202e}{name}")),
        ("5,000 characters", "x".repeat(5000)),
        ("5,000 steps up", format!("{}{name}", "../".repeat(5000))),
    ]
}

pub(super) async fn steering_names(scene: &Scene<'_>) -> Outcome {
    let (name, value) = scene.plant("steer").await;
    let folders = scene.stage.folders();
    for (what, hostile) in hostile(&name).into_iter().filter(|(what, _)| !(folders && *what == "a wildcard"))
    {
        let ask = Ask::new(hostile);
        scene.refusal(ask.clone(), what).await?;
        let probed = scene.probe_one(ask).await?;
        holds(!matches!(probed, Ok(Probe::Current(_))), format!("{what}: a probe gives a revision"))?;
    }
    scene.same(&scene.get(&name).await?, &value, "after hostile names")
}

pub(super) async fn steering_points(scene: &Scene<'_>) -> Outcome {
    let can = scene.info.abilities;
    let (name, value) = scene.plant("steer-points").await;
    let mut ran = false;
    for (what, hostile) in hostile(&name) {
        let points = [(can.versions, At::Version as fn(_) -> _), (can.stages, At::Stage)];
        for (_, point) in points.into_iter().filter(|(claimed, _)| *claimed) {
            ran = true;
            let ask = Ask::new(name.as_str()).at(point(hostile.as_str().into()));
            scene.refusal(ask, what).await?;
        }
    }
    scene.same(&scene.get(&name).await?, &value, "after hostile versions")?;
    if ran { Ok(()) } else { Err(Stop::Skipped("not claimed")) }
}

pub(super) async fn outage(scene: &Scene<'_>) -> Outcome {
    let (name, value) = scene.plant("outage").await;
    let before = scene.get(&name).await?;
    staged(scene.stage.outage(true).await)?;
    let ask = Ask::new(name.as_str());
    let asks = [ask.clone(), Ask::new(scene.stage.name("outage-none")), ask.clone()];
    let during = scene.fetch(&asks).await;
    let probed = scene.probe_one(ask).await;
    // ended before anything is judged: the cases after this one need the place
    staged(scene.stage.outage(false).await)?;
    for answer in during? {
        match answer {
            Ok(_) => return broken("a value came: it was remembered, or nothing was out"),
            Err(e) => holds(e.kind().is_outage(), format!("answered `{}`, no outage", e.kind().as_str()))?,
        }
    }
    match probed? {
        Ok(Probe::Current(_)) => return broken("a probe gave a revision"),
        Ok(_) => {}
        Err(e) => holds(e.kind().is_outage(), format!("a probe answered `{}`", e.kind().as_str()))?,
    }
    let after = scene.get(&name).await?;
    scene.same(&after, &value, "after the outage")?;
    holds(after.revision == before.revision, "the outage moved the revision")
}

pub(super) async fn errors(scene: &Scene<'_>) -> Outcome {
    for (asked, error) in scene.errors().iter() {
        let (kind, text) = (error.kind().as_str(), error.to_string());
        holds(error.source_name() == scene.info.scheme, format!("`{kind}`: names another source"))?;
        holds(!error.what_to_do().trim().is_empty(), format!("`{kind}`: does not say what to do"))?;
        holds(!text.contains(unprintable), format!("`{kind}`: writes control characters"))?;
        let about = error.secret_name();
        let names_it = |asked: &str| about == Some(asked) || asked.len() > 1000 && about.is_some();
        let (named, definite) = (asked.as_deref().is_some_and(names_it), error.kind().is_definite());
        holds(named || about.is_none() || asked.is_none(), format!("`{kind}`: about another secret"))?;
        holds(named || asked.is_none() || !definite, format!("`{kind}`: does not name its secret"))?;
    }
    Ok(())
}

/// What changes how a terminal or an editor shows the rest of a line.
fn unprintable(c: char) -> bool {
    c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
}

pub(super) async fn revisions(scene: &Scene<'_>) -> Outcome {
    scene.tales(|what| what == "a revision")
}

pub(super) async fn nothing_told(scene: &Scene<'_>) -> Outcome {
    scene.say("the Debug of the source's info", format!("{:?}", scene.source.info()));
    scene.tales(|what| what != "a revision")
}
