//! What stands around a request and may not take part in it: the proxies of the environment, and a name that is none.

use super::certs::{HOST, Identity, Pki};
use super::script::{Move, Script};
use super::server::Server;
use super::{Aim, Child, Told, Victim};
use crate::{Hunt, Marker};
use secretfig_source::ErrorKind;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

/// The variables that name proxies, and whether they are for `https`.
const PROXIES: [(&str, bool); 6] = [
    ("https_proxy", true),
    ("HTTPS_PROXY", true),
    ("all_proxy", true),
    ("ALL_PROXY", true),
    ("http_proxy", false),
    ("HTTP_PROXY", false),
];
/// A name that no DNS has (RFC 6761).
const NOBODY: &str = "manager.invalid";
/// For a name server that is silent itself: one try of a second each is what a child gives it.
const DEADLINE: Duration = Duration::from_secs(5);

/// Leads each victim past a proxy that every variable names, one after another and all at once, and to a host that is
/// none. Each has to go straight to where it was told, and to say of an outage which variable it passed over. `test`
/// is as for [`attack`](super::attack()).
///
/// # Panics
/// With everything that was not so.
pub async fn around(test: &'static str, victims: &[Arc<dyn Victim>]) {
    let hunt = Hunt::new();
    let (token, secret, word) =
        (plant(&hunt, "the token"), plant(&hunt, "the secret"), plant(&hunt, "the proxy's"));
    let proxy = Server::plain(Script::answering(vec![Move::reply(502, "", "")])).await.unwrap();
    let by = OsString::from(format!("http://user:{}@{}", word.text(), proxy.address()));
    let pki = Pki::new();
    let (mut runs, mut faults) = (0, Vec::new());
    for victim in victims {
        let told_well = |told: &Told| told.outcome == "reply 200" || told.outcome == "fetched";
        let near = [near(victim, None, &secret).await, near(victim, Some(&pki), &secret).await];
        let schemes =
            [format!("http://{}", near[0].address()), format!("https://{HOST}:{}", near[1].address().port())];
        let all: Vec<_> = PROXIES.iter().map(|(name, _)| (*name, by.clone())).collect();
        let each = PROXIES.iter().map(|(name, _)| vec![(*name, by.clone())]);
        for variables in [all.clone(), Vec::new()].into_iter().chain(each) {
            let names: Vec<_> = variables.iter().map(|(name, _)| *name).collect();
            // the first that is for `https` is the one that is named
            let passed_over =
                PROXIES.iter().find(|(name, https)| *https && names.contains(name)).map(|(name, _)| *name);
            let nobody = format!("https://{NOBODY}:8200");
            let near = if names.len() == 1 { &schemes[..0] } else { &schemes[..] };
            for address in near.iter().chain([&nobody]) {
                let aim = Aim {
                    victim: victim.name().to_owned(),
                    address: address.clone(),
                    authority: pki.trusted(Identity::Good),
                    pin: None,
                    token: token.text().to_owned(),
                    deadline: DEADLINE,
                };
                let mut variables = variables.clone();
                variables.push(("RES_OPTIONS", OsString::from("timeout:1 attempts:1 ndots:1")));
                let child = Child::run(test, &aim, &variables).await;
                runs += 1;
                let run = format!("{}, {address}, {}", victim.name(), names.join(" "));
                hunt.check(format!("{run}: the log"), &child.log);
                hunt.check(format!("{run}: what it says"), &child.output);
                let Some(told) = child.told else {
                    faults.push(format!("{run}: its process died"));
                    continue;
                };
                let as_owed =
                    if *address == nobody { names_nobody(&told, passed_over) } else { told_well(&told) };
                if !as_owed || told.took >= DEADLINE {
                    faults.push(format!(
                        "{run}: {} after {:?} ({:?})",
                        told.outcome,
                        told.took,
                        told.said.last()
                    ));
                }
            }
        }
        faults.extend(
            near.iter()
                .filter(|near| token.find(&near.seen().plain).is_none())
                .map(|near| format!("{}: no token came to {}", victim.name(), near.address())),
        );
    }
    let asked = proxy.seen();
    println!(
        "hostile: {runs} runs past a proxy: it was asked {} times, {} faults",
        asked.connections,
        faults.len()
    );
    if asked.connections > 0 {
        faults.push(format!("the proxy was asked {} times", asked.connections));
    }
    hunt.finish();
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
}

/// A manager on this machine that is in good health.
async fn near(victim: &Arc<dyn Victim>, pki: Option<&Pki>, secret: &Marker) -> Server {
    let (victim, secret) = (victim.clone(), secret.text().to_owned());
    let script = Script::Answering(Box::new(move |request| {
        let (status, body) = victim.answer(request, &secret);
        vec![Move::reply(status, "Content-Type: application/json\r\n", body)]
    }));
    let server = match pki {
        Some(pki) => Server::tls(script, pki.server(Identity::Good)).await,
        None => Server::plain(script).await,
    };
    server.unwrap()
}

/// A transport's fault that tells of the variable where one was passed over, and of the name where none was.
fn names_nobody(told: &Told, passed_over: Option<&str>) -> bool {
    let said = told.said.last().map_or("", String::as_str);
    let hint = passed_over
        .map_or("no address is known of this host".to_owned(), |name| format!("{name} is set and ignored"));
    (told.outcome == "fault Transport" || told.outcome == ErrorKind::Transport.as_str())
        && said.contains(&hint)
}

fn plant(hunt: &Hunt, what: &str) -> Marker {
    hunt.plant(what, super::attack::word())
}
