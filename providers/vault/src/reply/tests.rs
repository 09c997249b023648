//! The shapes of replies, as OpenBao 2.7 gives them, and any others.

use super::*;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use secretfig_source::ErrorKind;
use secretfig_tests::{Hunt, Marker};
use zeroize::Zeroizing;

fn reply(body: &str) -> Reply {
    Reply::new(StatusCode::OK, HeaderMap::new(), Zeroizing::new(body.as_bytes().to_vec()))
}

fn prints() -> Fingerprints {
    Fingerprints::new([7; 32])
}

fn at(text: &str) -> SystemTime {
    time(text).unwrap()
}

const KV2: &str = r#"{"request_id":"x","lease_id":"","data":{"data":{"user":"app","port":5432},"metadata":
    {"created_time":"2026-11-23T21:21:31.289683689Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":10}}}"#;

#[test]
fn a_kv_v2_secret() {
    let fetched = kv2(&reply(KV2)).unwrap();
    assert_eq!(fetched.revision.as_str(), "10 of 2026-11-23T21:21:31.289683689Z");
    assert_eq!(fetched.created, Some(at("2026-11-23T21:21:31.289683689Z")));
    assert!(fetched.repeatable);
    let node = fetched.document.read(&Reading::default()).unwrap();
    assert_eq!((text(&node, "user"), number(&node, "port")), (Some("app"), Some(5432)));
}

#[test]
fn versions_are_numbers() {
    let version = |n: u32, deleted: &str, destroyed: bool| {
        format!(
            r#""{n}":{{"created_time":"2026-01-01T00:00:{:02}Z","deletion_time":"{deleted}","destroyed":{destroyed}}}"#,
            n
        )
    };
    let metadata = |versions: &[String]| {
        let body = format!(r#"{{"data":{{"current_version":11,"versions":{{{}}}}}}}"#, versions.join(","));
        Metadata::read(&reply(&body)).unwrap()
    };
    let now = at("2026-06-01T00:00:00Z");
    let (over, ahead) = ("2026-02-01T00:00:00Z", "2026-12-01T00:00:00Z");
    let all = metadata(&[
        version(2, "", false),
        version(9, "", false),
        version(10, "", false),
        version(11, "", false),
    ]);
    assert_eq!(all.previous(now), Some(10), "10 is above 9, and above 2");
    assert_eq!(all.revision(now).unwrap().unwrap().as_str(), "11 of 2026-01-01T00:00:11Z");
    let gone = metadata(&[version(9, ahead, false), version(10, over, false), version(11, over, false)]);
    assert_eq!(gone.previous(now), Some(9), "a deletion that is still to come");
    assert_eq!(gone.revision(now), Some(Err(Withdrawn::Deleted)));
    let none = metadata(&[version(10, "", true), version(11, "", true)]);
    assert_eq!((none.previous(now), none.revision(now)), (None, Some(Err(Withdrawn::Destroyed))));
}

#[test]
fn metadata_without_the_version_they_call_current_are_malformed_and_not_absent() {
    let read = |data: &str| Metadata::read(&reply(&format!(r#"{{"data":{data}}}"#)));
    for data in [
        r#"{"versions":{}}"#,
        r#"{"current_version":3,"versions":{}}"#,
        r#"{"current_version":3,"versions":{"1":{},"2":{}}}"#,
        r#"{"current_version":-1,"versions":{"1":{}}}"#,
        r#"{"current_version":"1","versions":{"1":{}}}"#,
    ] {
        assert_eq!(read(data).unwrap_err().kind, secretfig_source::ErrorKind::Malformed, "{data}");
    }
    // metadata that somebody wrote before any version
    let none = read(r#"{"current_version":0,"versions":{}}"#).unwrap();
    assert_eq!(none.revision(at("2026-06-01T00:00:00Z")), None);
}

#[test]
fn a_kv_v1_secret_is_told_by_its_bytes() {
    let prints = prints();
    let read = |body: &str| kv1(&reply(body), "db", &prints).unwrap().revision;
    let first = read(r#"{"request_id":"1","data":{"a":"x","b":"y"}}"#);
    assert_eq!(
        first,
        read(r#"{"request_id":"2","data":{"b":"y","a":"x"}}"#),
        "the order of keys is no change"
    );
    assert_ne!(first, read(r#"{"data":{"a":"xb","b":"y"}}"#));
    assert_ne!(read(r#"{"data":{"a":"1"}}"#), read(r#"{"data":{"a":1}}"#));
}

#[test]
fn credentials_come_with_a_lease() {
    let prints = prints();
    let body = |id: &str| {
        format!(
            r#"{{"lease_id":"{id}","renewable":true,"lease_duration":3600,"data":{{"username":"u","password":"p"}},"warnings":["x"]}}"#
        )
    };
    let one = minted(&reply(&body("database/creds/app/one")), "app", &prints).unwrap();
    let two = minted(&reply(&body("database/creds/app/two")), "app", &prints).unwrap();
    let lease = one.lease.clone().unwrap();
    assert_eq!((lease.duration, lease.renewable, one.repeatable), (Duration::from_secs(3600), true, false));
    assert_ne!(one.revision, two.revision);
    assert_eq!(one.warnings.len(), 1);
    assert!(!format!("{one:?}").contains("database/creds/app/one"));
    assert!(minted(&reply(&body("")), "app", &prints).is_err(), "no lease, nothing to give back");
}

#[test]
fn a_rotated_user_is_one_document_per_rotation() {
    let body = |ttl: u64| {
        format!(
            r#"{{"data":{{"last_vault_rotation":"2026-01-01T00:00:00Z","password":"p","rotation_period":60,"ttl":{ttl},"username":"u"}}}}"#
        )
    };
    let now = at("2026-01-01T00:00:10Z");
    let read = |ttl| rotated(&reply(&body(ttl)), "app", &prints(), now).unwrap();
    let fetched = read(50);
    assert_eq!(fetched.expires, Some(at("2026-01-01T00:01:00Z")));
    assert_eq!((fetched.created, fetched.lease), (Some(at("2026-01-01T00:00:00Z")), None));
    let node = fetched.document.read(&Reading::default()).unwrap();
    assert_eq!((text(&node, "password"), get(&node, "ttl").is_some()), (Some("p"), false));
    assert_eq!(fetched.revision, read(49).revision);
    assert_eq!(read(u64::MAX).expires, None, "no time is that late");
}

#[test]
fn a_subtree_is_one_document() {
    let secret = |json: &str| Fetched::new(Document::from_text(json), Revision::new("1"));
    let path = |text: &str| text.split('/').map(Into::into).collect::<Vec<Box<str>>>();
    let found =
        vec![(path("db"), secret(r#"{"user":"u"}"#)), (path("db/replica"), secret(r#"{"user":"r"}"#))];
    let whole = subtree("all", found, &prints()).unwrap();
    let node = whole.document.read(&Reading::default()).unwrap();
    assert!(node.field("db.user").is_some() && node.field("db.replica.user").is_some());
    let clash =
        vec![(path("db"), secret(r#"{"replica":"x"}"#)), (path("db/replica"), secret(r#"{"user":"r"}"#))];
    assert_eq!(subtree("all", clash, &prints()).unwrap_err().kind, ErrorKind::Malformed);
}

#[test]
fn a_withdrawn_version_is_told_by_its_metadata() {
    let body = |metadata: &str| {
        Body::read(&reply(&format!(r#"{{"data":{{"data":null,"metadata":{metadata}}}}}"#))).unwrap()
    };
    assert_eq!(
        body(r#"{"deletion_time":"2026-01-01T00:00:00Z","destroyed":false}"#).withdrawn(),
        Some(Withdrawn::Deleted)
    );
    assert_eq!(body(r#"{"deletion_time":"later","destroyed":false}"#).withdrawn(), Some(Withdrawn::Deleted));
    assert_eq!(body(r#"{"deletion_time":"","destroyed":true}"#).withdrawn(), Some(Withdrawn::Destroyed));
    assert_eq!(body(r#"{"deletion_time":"","destroyed":false}"#).withdrawn(), None);
}

fn read_all(reply: &Reply) -> Vec<Option<Refusal>> {
    let (prints, now) = (prints(), SystemTime::UNIX_EPOCH);
    vec![
        tree(reply).err(),
        kv2(reply).err(),
        kv1(reply, "x", &prints).err(),
        minted(reply, "x", &prints).err(),
        rotated(reply, "x", &prints, now).err(),
        Metadata::read(reply).map(|m| (m.previous(now), m.revision(now))).err(),
        keys(reply).err(),
        looked(reply).err(),
    ]
}

#[test]
fn no_refusal_holds_what_was_replied() {
    let hunt = Hunt::new();
    let marker = hunt.plant("reply", Marker::random());
    let text = serde_json::to_string(marker.text()).unwrap();
    for body in [
        marker.text().to_owned(),
        format!("{{\"data\":{text}}}"),
        format!("{{\"data\":{{{text}:{text}}},\"lease_id\":{text}}}"),
        format!("{{\"data\":{{\"data\":{text},\"metadata\":{{\"version\":{text}}}}}}}"),
        format!("{{\"data\":{{\"keys\":[{text},1],\"versions\":{{{text}:1}},\"current_version\":1}}}}"),
        format!("{{{text}:1,{text}:2}}"),
    ] {
        for refusal in read_all(&reply(&body)).into_iter().flatten() {
            hunt.check_error("a reply of another shape", &refusal.of("x"));
        }
    }
    hunt.finish();
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("-1".to_owned()),
        Just("1e308".to_owned()),
        Just("\"2026-01-01T00:00:00Z\"".to_owned()),
        Just("\"9999-12-31T23:59:60.999999999999Z\"".to_owned()),
        "\"[a-z/]{0,4}\"",
    ];
    leaf.prop_recursive(5, 32, 5, |inner| {
        let key = prop::sample::select(vec![
            "data",
            "metadata",
            "version",
            "versions",
            "keys",
            "lease_id",
            "lease_duration",
            "ttl",
            "1",
            "current_version",
            "deletion_time",
            "last_vault_rotation",
            "errors",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((key, inner), 0..6).prop_map(|pairs| {
                let pairs: Vec<_> =
                    pairs.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200), json in json()) {
        let bytes = Reply::new(StatusCode::OK, HeaderMap::new(), Zeroizing::new(body));
        prop_assert_eq!(read_all(&bytes).len(), read_all(&reply(&json)).len());
    }
}
