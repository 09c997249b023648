//! AWS' published vectors, as its own SDKs carry them (`aws-signing-test-suite/v4` of
//! <https://github.com/smithy-lang/smithy-rs>, Apache-2.0): the request as it is sent, what is signed of it, and the signature.

use super::*;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// Those of paths that are to be normalised or encoded: no path but `/` is ever signed here. And one of a header folded over
/// several lines, which no client sends.
const OTHERS: [&str; 18] = [
    "get-header-value-multiline",
    "get-relative-normalized",
    "get-relative-relative-normalized",
    "get-relative-relative-unnormalized",
    "get-relative-unnormalized",
    "get-slash-dot-slash-normalized",
    "get-slash-dot-slash-unnormalized",
    "get-slash-normalized",
    "get-slash-pointless-dot-normalized",
    "get-slash-pointless-dot-unnormalized",
    "get-slash-unnormalized",
    "get-slashes-normalized",
    "get-slashes-unnormalized",
    "get-space-normalized",
    "get-space-unnormalized",
    "get-utf8",
    "get-vanilla-utf8-query",
    "get-vanilla-query-order-encoded",
];

#[test]
fn aws_published_vectors() {
    let published: Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let all = published["vectors"].as_array().unwrap();
    let mut held = 0;
    for case in all {
        let text = |key: &str| case[key].as_str().unwrap();
        let name = text("name");
        if OTHERS.contains(&name) {
            continue;
        }
        let context = &case["context"];
        let of = |key: &str| context[key].as_str().unwrap();
        let stamp = stamp(humantime::parse_rfc3339(of("timestamp")).unwrap());
        let (head, body) = text("request").split_once("\n\n").unwrap_or((text("request"), ""));
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let (method, target) = (first.next().unwrap(), first.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header =
            |line: &'_ str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let mut headers: Vec<(String, String)> = lines.filter_map(header).collect();
        headers.push(("x-amz-date".to_owned(), stamp.clone()));
        if context["sign_body"] == true {
            headers.push(("x-amz-content-sha256".to_owned(), hash(body.as_bytes()).to_string()));
        }
        let credentials = &published["credentials"][case["as"].as_u64().unwrap() as usize];
        let token = credentials["token"].as_str().filter(|_| context["omit_session_token"] != true);
        headers.extend(token.map(|token| ("x-amz-security-token".to_owned(), token.to_owned())));
        let headers = in_order(&headers);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut query: Vec<&str> = query.split('&').collect();
        query.sort_by_key(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = &*query.join("&");
        let what = Signable { method, path, query, headers: &headers, body: body.as_bytes() };
        let (canonical, signed) = canonical(&what);
        assert_eq!(*canonical, text("canonical"), "{name}");
        let scope = Scope { region: of("region"), service: of("service"), stamp: &stamp };
        let id = credentials["access_key_id"].as_str().unwrap();
        let key = credentials["secret_access_key"].as_str().unwrap();
        let authorization = authorization(id, key, &scope, &what);
        let scope = "20150830/us-east-1/service/aws4_request";
        let signature = text("signature");
        assert_eq!(
            *authorization,
            format!(
                "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}"
            ),
            "{name}"
        );
        held += 1;
    }
    assert_eq!((held, OTHERS.len()), (all.len() - OTHERS.len(), 18));
}

/// As requests have them here: each name once, in their order, without blanks that say nothing.
fn in_order(headers: &[(String, String)]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let known = all.entry(name.clone()).or_default();
        *known = if known.is_empty() { value } else { [known, ",", &value].concat() };
    }
    all
}

proptest! {
    #[test]
    fn a_stamp_is_what_a_library_says(second in 0u64..253_402_300_800) {
        let at = UNIX_EPOCH + Duration::from_secs(second);
        let said = humantime::format_rfc3339_seconds(at).to_string().replace(['-', ':'], "");
        prop_assert_eq!(stamp(at), said);
    }
}

#[test]
fn a_stamp_is_a_time_in_utc() {
    assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(1_440_938_160)), "20150830T123600Z");
    assert_eq!(stamp(UNIX_EPOCH - Duration::from_secs(1)), "19700101T000000Z");
}

#[test]
fn every_part_of_a_request_is_signed() {
    let headers = [("host", "a"), ("x-amz-date", "b")];
    let what = || Signable { method: "POST", path: "/", query: "", headers: &headers, body: b"{}" };
    let scope = || Scope { region: "eu-central-1", service: "secretsmanager", stamp: "20150830T123600Z" };
    let plain = authorization("AKIA", "a key", &scope(), &what());
    let others = [
        authorization("AKIA", "another", &scope(), &what()),
        authorization("AKIA", "a key", &Scope { region: "us-east-1", ..scope() }, &what()),
        authorization("AKIA", "a key", &Scope { service: "sts", ..scope() }, &what()),
        authorization("AKIA", "a key", &Scope { stamp: "20150830T123601Z", ..scope() }, &what()),
        authorization("AKIA", "a key", &scope(), &Signable { method: "GET", ..what() }),
        authorization("AKIA", "a key", &scope(), &Signable { path: "/a", ..what() }),
        authorization("AKIA", "a key", &scope(), &Signable { query: "a=b", ..what() }),
        authorization("AKIA", "a key", &scope(), &Signable { headers: &headers[..1], ..what() }),
        authorization("AKIA", "a key", &scope(), &Signable { body: b"[]", ..what() }),
    ];
    let signature = |text: &str| text.rsplit_once('=').map(|(_, signature)| signature.to_owned());
    for other in &others {
        assert_ne!(signature(other), signature(&plain));
    }
    assert!(!plain.contains("a key"));
}
