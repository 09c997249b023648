//! What is asked for and comes: points of a history, bytes, batches, folders, notes.

use crate::shared::{HALVES, any_keys, by_hand, keys, kinds, sdk, settings, text};
use base64ct::{Base64, Encoding};
use secretfig_aws::Duplicates;
use secretfig_source::{
    Ask, At, ErrorKind, Exposed, Listing, Node, Note, Probe, Reading, Revision, Source, Withdrawn,
};
use secretfig_test_servers::{Ministack, Moto, Relay, longest_chain};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn any_point_of_a_history_by_name_arn_and_part_of_one() {
    let server = Ministack::start().await;
    let (arn, first) = server.put("app/db", "one").await;
    let (_, second) = server.put("app/db", "two").await;
    let pending = json!({ "SecretId": "app/db", "SecretString": "three", "VersionStages": ["AWSPENDING"] });
    assert_eq!(server.call("PutSecretValue", pending).await.0, 200);
    let partial = arn.rsplit_once('-').unwrap().0;
    for (half, make) in HALVES {
        let source = make(settings(server.address(), any_keys()));
        for name in ["app/db", &arn, partial] {
            for (at, want) in [
                (At::Current, "two"),
                (At::Previous, "one"),
                (At::Stage("AWSPENDING".into()), "three"),
                (At::Version(first.as_str().into()), "one"),
                (At::Version(second.as_str().into()), "two"),
            ] {
                let ask = Ask::new(name).at(at);
                let got = source.fetch(std::slice::from_ref(&ask)).await;
                assert_eq!(text(&got[0]), want, "{half}: {ask}");
                assert_eq!(got[0].as_ref().unwrap().warnings.is_empty(), name != partial, "{half}: {ask}");
                let probed = source.probe(std::slice::from_ref(&ask)).await;
                assert_eq!(
                    probed[0].as_ref().unwrap(),
                    &Probe::Current(got[0].as_ref().unwrap().revision.clone())
                );
            }
        }
        let wrong = [
            Ask::new("app/db").at(At::Stage("AWSOTHER".into())),
            Ask::new("app/none"),
            Ask::new("app/db").at(At::Version("x".into())),
        ];
        let absent = Some(ErrorKind::Absent);
        assert_eq!(
            kinds(&source.fetch(&wrong).await),
            [absent, absent, Some(ErrorKind::Misconfigured)],
            "{half}"
        );
    }
}

#[tokio::test]
async fn bytes_come_as_they_are() {
    let moto = Moto::start().await;
    let binary = json!({ "Name": "app/key", "SecretBinary": Base64::encode_string(&[0, 255, 1]) });
    assert_eq!(moto.call("CreateSecret", binary).await.0, 200);
    moto.put("app/text", "x").await;
    for (half, make) in HALVES {
        let source = make(settings(moto.address(), keys(moto.keys())));
        let single = source.fetch(&[Ask::new("app/key")]).await;
        let batched = source.fetch(&[Ask::new("app/key"), Ask::new("app/text")]).await;
        for got in [&single[0], &batched[0]] {
            let Ok(Node::Leaf(leaf)) = got.as_ref().unwrap().document.read(&Reading::default()) else {
                panic!("{half}")
            };
            assert!(matches!(leaf.expose_secret(), Exposed::Bytes([0, 255, 1])), "{half}");
        }
    }
}

#[tokio::test]
async fn a_batch_keeps_what_each_of_its_names_came_to() {
    let moto = Moto::start().await;
    let policy = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "secretsmanager:BatchGetSecretValue", "Resource": "*" },
        { "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": [
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/*",
        ] },
    ] });
    let user = moto.user(&policy.to_string()).await;
    for n in 0..12 {
        moto.put(&format!("app/{n}"), &format!("value {n}")).await;
    }
    moto.put("other/db", "not ours").await;
    assert_eq!(moto.call("DeleteSecret", json!({ "SecretId": "app/11" })).await.0, 200);
    for (half, make) in HALVES {
        let source = make(settings(moto.address(), keys(&user)));
        let mut asks: Vec<Ask> = (0..12).map(|n| Ask::new(format!("app/{n}"))).collect();
        asks.extend([Ask::new("other/db"), Ask::new("app/none")]);
        let got = source.fetch(&asks).await;
        for (n, got) in got.iter().take(11).enumerate() {
            assert_eq!(text(got), format!("value {n}"), "{half}");
        }
        let deleted = ErrorKind::Withdrawn(Withdrawn::Deleted);
        assert_eq!(
            kinds(&got[11..]),
            [Some(deleted), Some(ErrorKind::Denied), Some(ErrorKind::Absent)],
            "{half}"
        );
        assert_eq!(got[12].as_ref().unwrap_err().secret_name(), Some("other/db"));
    }
    // and one that is denied as a whole says so of each: the core asks for each by itself then
    let none = moto.user(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}"#).await;
    for (half, make) in HALVES {
        let source = make(settings(moto.address(), keys(&none)));
        let denied = Some(ErrorKind::Denied);
        assert_eq!(
            kinds(&source.fetch(&[Ask::new("app/0"), Ask::new("app/1")]).await),
            [denied, denied],
            "{half}"
        );
        assert_eq!(text(&source.fetch(&[Ask::new("app/0")]).await[0]), "value 0", "{half}");
    }
}

#[tokio::test]
async fn a_folder_of_pages_by_prefix_and_tag() {
    let moto = Moto::start().await;
    for n in 0..130 {
        let tags = json!([{ "Key": "env", "Value": if n % 2 == 0 { "prod" } else { "test" } }]);
        let made = json!({ "Name": format!("shop/p{n:03}"), "SecretString": format!("{n}"), "Tags": tags });
        assert_eq!(moto.call("CreateSecret", made).await.0, 200);
    }
    moto.put("shopping/list", "not ours").await;
    for (tags, count) in [("", 130), ("env=prod", 65)] {
        for (half, make) in HALVES {
            let source = make(settings(moto.address(), keys(moto.keys())).tags(tags).unwrap());
            let got = source.fetch(&[Ask::new("shop/*")]).await.remove(0).unwrap();
            let Ok(Node::Table(table)) = got.document.read(&Reading::default()) else { panic!("{half}") };
            assert_eq!(table.len(), count, "{half}, {tags}");
            let probed = source.probe(&[Ask::new("shop/*")]).await.remove(0).unwrap();
            assert_eq!(probed, Probe::Current(got.revision), "{half}, {tags}");
        }
    }
    let source = sdk(settings(moto.address(), keys(moto.keys())));
    assert_eq!(Listing::list(&source, "shop").await.unwrap().len(), 130);
    assert!(Listing::list(&source, "none").await.unwrap().is_empty());
    let error = source.fetch(&[Ask::new("none/*")]).await.remove(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Absent);
}

#[tokio::test]
async fn of_two_secrets_that_mean_one_key_the_setting_says_which_counts() {
    let moto = Moto::start().await;
    moto.put("app/db", r#"{"user":"first"}"#).await;
    moto.put("app/db/user", "last").await;
    for (half, make) in HALVES {
        for (which, want) in
            [(Duplicates::Refuse, None), (Duplicates::First, Some("first")), (Duplicates::Last, Some("last"))]
        {
            let source = make(settings(moto.address(), keys(moto.keys())).duplicates(which));
            let got = source.fetch(&[Ask::new("app/*")]).await.remove(0);
            let Some(want) = want else {
                assert_eq!(got.unwrap_err().kind(), ErrorKind::Malformed, "{half}");
                continue;
            };
            let how = Reading { field: Some("db.user".into()), ..Reading::default() };
            let Ok(Node::Leaf(leaf)) = got.unwrap().document.read(&how) else { panic!("{half}") };
            assert!(matches!(leaf.expose_secret(), Exposed::Text(text) if text == want), "{half}");
        }
    }
}

#[tokio::test]
async fn two_hundred_secrets_are_no_more_than_two_requests_deep() {
    let moto = Moto::start().await;
    for n in 0..200 {
        moto.put(&format!("app/{n}"), "x").await;
    }
    let hop = Relay::to(moto.address(), Duration::from_millis(20)).await;
    let asks: Vec<Ask> = (0..200).map(|n| Ask::new(format!("app/{n}"))).collect();
    for (half, make) in HALVES {
        let source = make(settings(&hop.address(), keys(moto.keys())));
        let info = source.info();
        assert_eq!((info.batch.at_most, info.batch.from), (20, 11));
        source.sign_in().await.unwrap();
        // as the core cuts them: ten calls, all at once
        let calls: Vec<_> = asks.chunks(20).map(|asks| source.fetch(asks)).collect();
        let answers = futures_util::future::join_all(calls).await;
        assert!(answers.iter().flatten().all(Result::is_ok), "{half}");
        let passed = hop.passed();
        assert_eq!(
            passed.iter().filter(|one| one.what.ends_with("BatchGetSecretValue")).count(),
            10,
            "{half}"
        );
        assert_eq!(
            (passed.len(), longest_chain(&passed)),
            (11, 2),
            "{half}: who we are, and ten batches at once"
        );
    }
}

#[tokio::test]
async fn a_rotation_that_is_stuck_and_a_deletion_are_noted() {
    let server = Ministack::start().await;
    let (_, version) = server.put("app/db", "one").await;
    let source = sdk(settings(server.address(), any_keys()));
    let ask = Ask::new("app/db");
    let probe = async || source.probe(std::slice::from_ref(&ask)).await.remove(0);
    assert_eq!(probe().await.unwrap(), Probe::Current(Revision::new(version)));
    assert!(source.notes(&ask).is_empty());
    assert_eq!(server.call("DeleteSecret", json!({ "SecretId": "app/db" })).await.0, 200);
    assert_eq!(probe().await.unwrap_err().kind(), ErrorKind::Withdrawn(Withdrawn::Deleted));
    assert_eq!(source.notes(&ask).iter().map(Note::what).collect::<Vec<_>>(), ["deletion-scheduled"]);
    assert_eq!(server.call("RestoreSecret", json!({ "SecretId": "app/db" })).await.0, 200);
    probe().await.unwrap();
    assert!(source.notes(&ask).is_empty());
    // the other half keeps its own
    let other = by_hand(settings(server.address(), any_keys()));
    other.probe(std::slice::from_ref(&ask)).await.remove(0).unwrap();
    assert!(other.protocol().notes(&ask).is_empty());
}
