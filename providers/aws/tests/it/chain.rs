//! What a person reads who runs it where nobody is signed in.

use crate::shared::{Now, transport};
use secretfig_aws::{SecretsManager, Settings};
use secretfig_source::{ErrorKind, Source};
use secretfig_test_servers::Relay;
use std::collections::BTreeMap;
use std::time::Duration;

fn of(vars: &[(&str, &str)]) -> SecretsManager {
    let nowhere =
        [("AWS_CONFIG_FILE", "/nowhere/config"), ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")];
    let vars = nowhere.into_iter().chain(vars.iter().copied());
    let settings = Settings::read(vars.collect::<BTreeMap<_, _>>(), &BTreeMap::new(), true).unwrap();
    SecretsManager::over(settings, transport(), Now::clock()).unwrap()
}

#[tokio::test]
async fn each_way_that_was_tried_is_told_with_why_it_failed() {
    // a metadata service that knows no role, as on a machine without one
    let hop = Relay::to("http://127.0.0.1:9", Duration::ZERO).await;
    for _ in 0..8 {
        hop.answer(404, "");
    }
    let address = hop.address();
    for (service, instance) in [
        (&*address, "instance: what answers at the metadata service's address is not that of EC2"),
        (
            "http://127.0.0.1:9",
            "instance: the metadata service of this machine does not answer, or has no role",
        ),
    ] {
        let nobody = of(&[("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", service)]);
        let error = nobody.sign_in().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        let said = error.what_to_do();
        for part in [
            "environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
            "web_identity: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are not set",
            "profile: the shared files have no profile `default` with credentials",
            "container: AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI are not set",
            instance,
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    // a way that is set up and fails does not let the next one in
    let file = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/app"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"),
    ];
    let error = of(&file).sign_in().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    let said = error.what_to_do();
    assert!(
        said.starts_with("web_identity is set up and fails: the web identity token file `/nowhere/token`"),
        "{said}"
    );
}

#[tokio::test]
async fn where_no_region_is_found_the_places_are_named() {
    let none = of(&[
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    let error = none.sign_in().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    for part in ["AWS_REGION", "AWS_DEFAULT_REGION", "`[source.aws]`", "profile", "metadata"] {
        assert!(error.what_to_do().contains(part), "{part}: {error}");
    }
}
