//! The half on AWS' SDK and the half by hand: at the wire the same requests, and out of the same replies the same documents.

use crate::shared::{HALVES, keys, settings, text};
use secretfig_aws::{Auth, Given};
use secretfig_source::{Ask, At, Probe, Source, SourceError};
use secretfig_test_servers::{Ministack, Moto, Relay};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// What went over the wire: the operation, and its body as JSON, or as a set of fields.
fn sent(hop: &Relay) -> BTreeSet<String> {
    let passed = hop.passed();
    let said = |body: &str| match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(mut fields)) => {
            // the SDK says what is the default, too
            fields.retain(|key, value| !(key == "IncludePlannedDeletion" && *value == false));
            Value::Object(fields).to_string()
        }
        _ => {
            // for how long, only the half by hand says, since it reads no date out of the reply
            let fields = body.split('&').filter(|field| !field.starts_with("DurationSeconds"));
            fields.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("&")
        }
    };
    passed.iter().map(|one| format!("{} {}", one.what, said(&one.body))).collect()
}

fn shown(answers: &[Result<Probe, SourceError>]) -> Vec<String> {
    answers.iter().map(|answer| format!("{answer:?}")).collect()
}

#[tokio::test]
async fn the_same_is_asked_for_and_understood() {
    let moto = Moto::start().await;
    let (arn, first) = moto.put("app/a", "one").await;
    moto.put("app/a", "two").await;
    moto.put("app/b", "b").await;
    moto.put("folder/x", "x").await;
    moto.put("folder/y", "y").await;
    let hop = Relay::to(moto.address(), Duration::ZERO).await;
    let calls: [Vec<Ask>; 9] = [
        vec![Ask::new("app/a")],
        vec![Ask::new(&*arn).at(At::Previous)],
        vec![Ask::new("app/a").at(At::Version(first.as_str().into()))],
        vec![Ask::new("app/a").at(At::Stage("AWSCURRENT".into()))],
        vec![Ask::new("app/a"), Ask::new("app/b"), Ask::new("app/none"), Ask::new("app/a").at(At::Previous)],
        vec![Ask::new("folder/*")],
        vec![Ask::new("app/none")],
        vec![Ask::new("no name"), Ask::new("app/b")],
        vec![Ask::new("app/a").at(At::Version("x".into()))],
    ];
    let mut requests = 0;
    for asks in calls {
        let mut seen = Vec::new();
        for (half, make) in HALVES {
            let tagged = settings(&hop.address(), keys(moto.keys())).tags("").unwrap();
            let source = make(tagged);
            source.sign_in().await.unwrap();
            let who = sent(&hop);
            let fetched = source.fetch(&asks).await;
            let fetched: Vec<String> = fetched
                .iter()
                .map(|answer| match answer {
                    // a folder's revision is of a key of the source's own
                    Ok(got) if asks[0].name().ends_with('*') => format!("{:?}", got.created.is_some()),
                    Ok(got) => format!("{} {} {:?}", got.revision, text(answer), got.created),
                    Err(error) => format!("{error}"),
                })
                .collect();
            let asked = sent(&hop);
            let probed = match asks[0].name() {
                name if name.ends_with('*') => Vec::new(),
                _ => shown(&source.probe(&asks).await),
            };
            seen.push((half, who, fetched, asked, probed, sent(&hop)));
        }
        let (one, other) = (&seen[0], &seen[1]);
        requests += one.3.len();
        assert_eq!(
            (&one.1, &one.2, &one.3, &one.4, &one.5),
            (&other.1, &other.2, &other.3, &other.4, &other.5)
        );
    }
    assert!(requests >= 10, "{requests} different requests were compared");
}

#[tokio::test]
async fn a_role_is_asked_for_in_the_same_words() {
    let server = Ministack::start().await;
    let hop = Relay::to(server.address(), Duration::ZERO).await;
    let mut seen = Vec::new();
    for (_, make) in HALVES {
        let auth = Auth::WebIdentity {
            role_arn: "arn:aws:iam::123456789012:role/app".to_owned(),
            session_name: Some("a.service@here".to_owned()),
            token: Given::Text("header.claims+/=.signature".into()),
        };
        make(settings(&hop.address(), auth)).sign_in().await.unwrap();
        seen.push(sent(&hop));
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].iter().any(|one| one.contains("Action=AssumeRoleWithWebIdentity")), "{seen:?}");
}

#[tokio::test]
async fn regions_are_found_where_the_sdk_finds_them() {
    use aws_sdk_secretsmanager::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
    let rules = DefaultResolver::new();
    let regions = [
        "us-east-1",
        "eu-central-1",
        "ap-southeast-5",
        "cn-north-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
        "eusc-de-east-1",
    ];
    let (mut same, mut other) = (0, Vec::new());
    for region in regions {
        for (fips, dualstack) in [(false, false), (true, false), (false, true), (true, true)] {
            let params =
                Params::builder().region(region).use_fips(fips).use_dual_stack(dualstack).build().unwrap();
            // some have no such endpoints: then it does not matter what we would ask
            let Ok(endpoint) = rules.resolve_endpoint(&params).await else { continue };
            let settings = secretfig_aws::Settings::new(region, crate::shared::any_keys()).unwrap();
            let ours = crate::shared::by_hand(settings.fips(fips).dualstack(dualstack)).info().origin;
            if ours == endpoint.url() {
                same += 1;
            } else {
                other.push(format!(
                    "{region}, FIPS {fips}, dual-stack {dualstack}: {ours}, and not {}",
                    endpoint.url()
                ));
            }
        }
    }
    assert!(other.is_empty() && same >= 20, "{same} are the same; {other:#?}");
}
