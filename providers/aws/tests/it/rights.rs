//! The policy that `grants()` makes, on a server that enforces it: enough, and no more than enough.

use crate::shared::{HALVES, keys, kinds, settings};
use secretfig_source::{Ask, At, ErrorKind, Grants, Source};
use secretfig_test_servers::{Keys, Moto};
use serde_json::Value;
use std::collections::BTreeSet;

/// What the config asks for: single secrets enough for a batch, one of them at two points, and a folder.
fn asks() -> Vec<Ask> {
    let single = (0..12).map(|n| Ask::new(format!("app/{n}")));
    single.chain([Ask::new("app/0").at(At::Previous), Ask::new("shared/*")]).collect()
}

async fn moto() -> Moto {
    let moto = Moto::start().await;
    for n in 0..12 {
        moto.put(&format!("app/{n}"), "x").await;
    }
    moto.put("app/0", "y").await;
    moto.put("shared/a", "x").await;
    moto.put("shared/b", "x").await;
    moto.put("other/db", "not ours").await;
    moto
}

/// As the core does: batches, what was denied in one of them once more by itself, and then a look at all.
async fn loads(moto: &Moto, user: &Keys, make: crate::shared::Make) -> bool {
    let source = make(settings(moto.address(), keys(user)));
    let (single, others): (Vec<Ask>, Vec<Ask>) =
        asks().into_iter().partition(|ask| *ask.point() == At::Current && !ask.name().ends_with('*'));
    let mut well = source.fetch(&single).await.iter().all(Result::is_ok);
    if !well {
        well = true;
        for ask in &single {
            well &= source.fetch(std::slice::from_ref(ask)).await[0].is_ok();
        }
    }
    for ask in &others {
        well &= source.fetch(std::slice::from_ref(ask)).await[0].is_ok();
    }
    well && source.probe(&asks()).await.iter().all(Result::is_ok)
}

#[tokio::test]
async fn exactly_what_the_config_needs_is_granted() {
    let moto = moto().await;
    let policy = settings(moto.address(), keys(moto.keys())).grants(&asks());
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 2);
    for (half, make) in HALVES {
        let user = moto.user(&policy.to_string()).await;
        let before = moto.calls().len();
        assert!(loads(&moto, &user, make).await, "{half}: {policy:#}");
        // every action that it names was used, and no other one
        let called: BTreeSet<String> = moto.calls()[before..]
            .iter()
            .map(|call| format!("secretsmanager:{}", call.split(' ').next().unwrap()))
            .collect();
        let named: BTreeSet<String> = statements
            .iter()
            .flat_map(|statement| statement["Action"].as_array().unwrap())
            .map(|action| action.as_str().unwrap().to_owned())
            .collect();
        assert_eq!(called, named, "{half}");
        // nothing else may be read
        let source = make(settings(moto.address(), keys(&user)));
        let other = source.fetch(&[Ask::new("other/db")]).await;
        assert_eq!(kinds(&other), [Some(ErrorKind::Denied)], "{half}");
        assert!(
            other[0]
                .as_ref()
                .unwrap_err()
                .what_to_do()
                .contains("allow `secretsmanager:GetSecretValue` on `other/db`")
        );
        for (n, without) in statements.iter().enumerate() {
            let mut less = policy.clone();
            less["Statement"].as_array_mut().unwrap().remove(n);
            let user = moto.user(&less.to_string()).await;
            assert!(!loads(&moto, &user, make).await, "{half}: it loads without {without:#}");
        }
        // nor without any of the resources
        let resources = statements[0]["Resource"].as_array().unwrap();
        for n in [0, resources.len() - 1] {
            let mut less = policy.clone();
            less["Statement"][0]["Resource"].as_array_mut().unwrap().remove(n);
            let user = moto.user(&less.to_string()).await;
            assert!(!loads(&moto, &user, make).await, "{half}: it loads without {}", resources[n]);
        }
    }
}

#[tokio::test]
async fn a_source_tells_what_it_needs() {
    let moto = moto().await;
    let source = crate::shared::sdk(settings(moto.address(), keys(moto.keys())));
    assert!(source.as_grants().is_some());
    assert!(source.grants(&asks()).contains("secret:shared/*"));
}
