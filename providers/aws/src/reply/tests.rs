use super::*;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use secretfig_tests::{Hunt, Marker};
use std::time::UNIX_EPOCH;

fn reply(body: &str) -> Reply {
    Reply::new(StatusCode::OK, HeaderMap::new(), Zeroizing::new(body.as_bytes().to_vec()))
}

fn node(body: &str) -> Node {
    tree(&reply(body)).unwrap()
}

fn id() -> Id {
    Id::told("app/db")
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn a_value_is_text_or_bytes_and_never_both() {
    let read = |body: &str| Value::read(&node(body)).map(|value| value.fetched(&id()));
    let text = read(r#"{"VersionId": "v", "SecretString": "00123", "CreatedDate": 1523477145.713}"#).unwrap();
    assert_eq!(text.revision, Revision::new("v"));
    assert_eq!(text.created, Some(at(1_523_477_145) + Duration::from_millis(713)));
    let Ok(Node::Leaf(leaf)) = text.document.read(&Reading::default()) else { panic!("a leaf") };
    assert!(matches!(leaf.expose_secret(), Exposed::Text("00123")));
    let bytes =
        read(r#"{"VersionId": "v", "SecretBinary": "//79", "CreatedDate": 1.523477145713E9}"#).unwrap();
    assert_eq!(
        bytes.created.map(|created| created.duration_since(UNIX_EPOCH).unwrap().as_secs()),
        Some(1_523_477_145)
    );
    let Ok(Node::Leaf(leaf)) = bytes.document.read(&Reading::default()) else { panic!("a leaf") };
    assert!(matches!(leaf.expose_secret(), Exposed::Bytes([0xff, 0xfe, 0xfd])));
    for body in [
        "{}",
        r#"{"SecretString": "x"}"#,
        r#"{"VersionId": "", "SecretString": "x"}"#,
        r#"{"VersionId": "v"}"#,
        r#"{"VersionId": "v", "SecretString": "x", "SecretBinary": "eA=="}"#,
        r#"{"VersionId": "v", "SecretBinary": "not base64"}"#,
        r#"{"VersionId": "v", "SecretString": 5}"#,
    ] {
        assert_eq!(read(body).unwrap_err().kind, ErrorKind::Malformed, "{body}");
    }
}

#[test]
fn a_partial_arn_is_warned_of() {
    let value = || Value::read(&node(r#"{"VersionId": "v", "SecretString": "x"}"#)).unwrap();
    assert!(value().fetched(&id()).warnings.is_empty());
    let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/db";
    assert_eq!(value().fetched(&Id::told(arn)).warnings.len(), 1);
    assert!(value().fetched(&Id::told(&format!("{arn}-AbCdEf"))).warnings.is_empty());
}

#[test]
fn a_description_tells_the_revision_that_a_fetch_would_give() {
    let known = Description::read(&node(
        r#"{"VersionIdsToStages": {"a": ["AWSPREVIOUS"], "b": ["AWSCURRENT", "blue"], "c": ["AWSPENDING"]}}"#,
    ));
    for (point, want) in [
        (At::Current, "b"),
        (At::Previous, "a"),
        (At::Stage("AWSPENDING".into()), "c"),
        (At::Stage("blue".into()), "b"),
        (At::Version("old".into()), "old"),
    ] {
        assert_eq!(known.revision(&point).unwrap(), Revision::new(want));
    }
    assert_eq!(known.revision(&At::Stage("green".into())).unwrap_err().kind, ErrorKind::Absent);
    let deleted = Description::read(&node(
        r#"{"DeletedDate": 1523477145, "VersionIdsToStages": {"b": ["AWSCURRENT"]}}"#,
    ));
    assert_eq!(deleted.revision(&At::Current).unwrap_err().kind, ErrorKind::Withdrawn(Withdrawn::Deleted));
}

#[test]
fn what_is_overdue_stuck_or_about_to_go_is_noted() {
    let day = 86_400;
    let known = Description::read(&node(
        r#"{"RotationEnabled": true, "NextRotationDate": 864000, "LastChangedDate": 864000,
            "VersionIdsToStages": {"b": ["AWSCURRENT"], "c": ["AWSPENDING"]}}"#,
    ));
    let whats = |known: &Description, wall| known.notes(wall).iter().map(Note::what).collect::<Vec<_>>();
    // a rotation that goes on, within its window
    assert!(whats(&known, at(10 * day + 60)).is_empty());
    assert_eq!(whats(&known, at(10 * day + 3 * 3600)), ["rotation-stuck"]);
    assert_eq!(whats(&known, at(12 * day)), ["rotation-overdue", "rotation-stuck"]);
    let done =
        Description { versions: vec![("b".into(), vec!["AWSCURRENT".into(), "AWSPENDING".into()])], ..known };
    assert_eq!(whats(&done, at(12 * day)), ["rotation-overdue"]);
    let off = Description { rotates: false, ..done };
    assert!(whats(&off, at(12 * day)).is_empty());
    let going = Description { deleted: Some(at(day)), ..off };
    let notes = going.notes(at(12 * day));
    assert!(notes[0].text().contains("1970-01-02T00:00:00Z"), "{notes:?}");
}

#[test]
fn no_reply_is_too_odd_and_none_is_shown() {
    let hunt = Hunt::new();
    let marker = hunt.plant("value", Marker::random());
    let text = serde_json::to_string(marker.text()).unwrap();
    for body in [
        format!(r#"{{"VersionId": {text}, "SecretString": [{text}]}}"#),
        format!(r#"{{"VersionId": "v", "SecretString": {text}, "SecretBinary": {text}}}"#),
        format!(r#"{{"VersionId": "v", "SecretBinary": {text}}}"#),
        format!("[{text}]"),
        format!(r#"{{"VersionId": {text}"#),
        marker.text().to_owned(),
        format!("{}{text}", "[".repeat(200)),
    ] {
        let error = tree(&reply(&body)).and_then(|node| Value::read(&node)).err().unwrap();
        hunt.check_error("a reply", &error.of("app/db"));
    }
    for body in [
        "{}",
        r#"{"VersionIdsToStages": []}"#,
        r#"{"VersionIdsToStages": {"a": 1}, "DeletedDate": "x"}"#,
        r#"{"NextRotationDate": -1e400}"#,
        r#"{"NextRotationDate": 1e300}"#,
    ] {
        let known = Description::read(&node(body));
        assert!(known.revision(&At::Current).is_err() && known.notes(at(1)).is_empty());
    }
    hunt.finish();
}

proptest! {
    #[test]
    fn what_an_edge_decodes_is_what_a_library_does(bytes in any::<Vec<u8>>(), text in "[A-Za-z0-9+/=]{0,13}") {
        use base64ct::{Base64, Encoding};
        for text in [Base64::encode_string(&bytes), text] {
            prop_assert_eq!(decoded_small(&text), decoded(&text), "{}", text);
        }
    }
}
