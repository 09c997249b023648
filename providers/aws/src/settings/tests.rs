use super::*;
use secretfig_tests::{Hunt, Marker};
use std::collections::BTreeMap;

fn read(vars: &[(&str, &str)], table: &[(&str, &str)], strict: bool) -> Result<Settings, SourceError> {
    let table: BTreeMap<_, _> = table.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::read(vars.iter().copied(), &table, strict)
}

#[test]
fn aws_own_variables_are_read() {
    let settings = read(
        &[
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_SESSION_TOKEN", "t"),
            ("AWS_USE_FIPS_ENDPOINT", "True"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566/"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[fd00:ec2::254]/"),
        ],
        &[("region", "eu-west-1"), ("prefix", "prod")],
        true,
    )
    .unwrap();
    assert_eq!(settings.region(), Some("eu-central-1"));
    assert!(settings.fips && !settings.dualstack);
    assert_eq!(settings.endpoint.as_ref().map(Origin::as_str), Some("http://127.0.0.1:4566"));
    assert_eq!(settings.auth.way(), "chain");
    assert!(settings.material.keys.as_ref().is_some_and(|keys| keys.session.is_some()));
    assert!(settings.material.instance_endpoint.is_some());
    assert!(settings.material.agent.is_none());
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let error = read(
        &[
            ("AWS_REGION", "EU!"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("SECRETFIG_AWS_AUTH", "magic"),
            ("LOG_SENSITIVE_BODIES", "true"),
            ("AWS_ROLE_ARN", "x"),
        ],
        &[
            ("timeout", "0"),
            ("tags", "x"),
            ("duplicates", "maybe"),
            ("account", "12"),
            ("kms_keys", "x"),
            ("proxy", "x"),
            ("prefix", "a b"),
            ("secret_access_key", "y"),
            ("nonsense", "y"),
            ("endpoint", "ftp://x"),
        ],
        true,
    )
    .unwrap_err();
    let told = error.what_to_do();
    for part in [
        "`region`",
        "set together",
        "LOG_SENSITIVE_BODIES is refused",
        "`role_arn`",
        "`auth` is one of",
        "`timeout`",
        "`tags`",
        "`duplicates`",
        "`account`",
        "`kms_keys`",
        "`proxy`",
        "`prefix`",
        "secret_access_key: a plain file",
        "nonsense: known are",
        "`endpoint`",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("log_sensitive_bodies`"), "{told}");
}

#[test]
fn ways_need_what_they_need() {
    for (vars, auth) in [
        (
            &[
                ("SECRETFIG_AWS_AUTH", "environment"),
                ("AWS_ACCESS_KEY_ID", "A"),
                ("AWS_SECRET_ACCESS_KEY", "x"),
            ][..],
            "environment",
        ),
        (&[("SECRETFIG_AWS_AGENT", "http://localhost:2773")], "agent"),
        (&[("SECRETFIG_AWS_AUTH", "agent")], "agent"),
        (
            &[
                ("SECRETFIG_AWS_AUTH", "web_identity"),
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app"),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token"),
            ],
            "web_identity",
        ),
        (&[("SECRETFIG_AWS_AUTH", "instance")], "instance"),
        (&[], "chain"),
    ] {
        assert_eq!(read(vars, &[], true).unwrap().auth.way(), auth);
    }
    for vars in [&[("SECRETFIG_AWS_AUTH", "environment")][..], &[("SECRETFIG_AWS_AUTH", "web_identity")]] {
        assert!(read(vars, &[], true).is_err());
    }
}

#[test]
fn no_setting_that_is_secret_is_shown() {
    let hunt = Hunt::new();
    let planted = |what: &str| hunt.plant(what, Marker::random()).text().to_owned();
    let (key, session, agent, container) =
        (planted("key"), planted("session"), planted("agent"), planted("container"));
    let vars = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", &key),
        ("AWS_SESSION_TOKEN", &session),
        ("AWS_TOKEN", &agent),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", &container),
    ];
    let settings = read(&vars, &[], true).unwrap();
    hunt.check("Debug", format!("{settings:?} {settings:#?} {:?}", settings.material.keys).into_bytes());
    let error = read(&vars[1..], &[("secret_access_key", &key), ("agent_token", &agent)], true).unwrap_err();
    hunt.check_error("settings", &error);
    hunt.finish();
}
