//! The policy under which exactly these secrets can be read, as IAM takes it.

use crate::error::Refusal;
use crate::naming::{Folder, Place, checked};
use crate::protocol::BATCH;
use crate::settings::Settings;
use secretfig_source::Ask;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The policy. JSON has no comments, so a name that is none is left out here; a load tells of it.
pub(crate) fn policy(settings: &Settings, asks: &[Ask]) -> String {
    let region = settings.region().unwrap_or("*");
    let partition = partition(region);
    let account = settings.account.as_deref().unwrap_or("*");
    let mut resources = BTreeSet::new();
    let mut folders = false;
    let mut single = 0;
    for ask in asks {
        match of(settings, ask) {
            Ok(Place::Secret(id)) => {
                single += 1;
                resources.insert(id.resource(partition, region, account));
            }
            Ok(Place::Folder(Folder { prefix, .. })) => {
                folders = true;
                resources
                    .insert(format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{prefix}*"));
            }
            Err(_) => {}
        }
    }
    let mut statements = Vec::new();
    if !resources.is_empty() {
        statements.push(statement(
            "ReadSecrets",
            &["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            &resources.into_iter().collect::<Vec<_>>(),
            None,
        ));
    }
    // neither of these can be narrowed to single secrets; what a batch reads is allowed by the statement above
    // https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
    let mut any = Vec::new();
    if folders || single >= BATCH.1 {
        any.push("secretsmanager:BatchGetSecretValue");
    }
    if folders {
        any.push("secretsmanager:ListSecrets");
    }
    if !any.is_empty() {
        statements.push(statement("ReadSeveralAtOnce", &any, &["*".to_owned()], None));
    }
    if !settings.kms_keys.is_empty() && !statements.is_empty() {
        let via = json!({ "StringLike": { "kms:ViaService": format!("secretsmanager.{region}.{}", domain(partition)) } });
        statements.push(statement("DecryptSecrets", &["kms:Decrypt"], &settings.kms_keys, Some(via)));
    }
    if let Some(role) = settings.material.assume_role.as_ref().filter(|_| !statements.is_empty()) {
        statements.push(statement("AssumeRole", &["sts:AssumeRole"], std::slice::from_ref(role), None));
    }
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    // INVARIANT: a tree of texts can be written
    serde_json::to_string_pretty(&policy).unwrap_or_default() + "\n"
}

fn of(settings: &Settings, ask: &Ask) -> Result<Place, Refusal> {
    checked(ask.point())?;
    settings.names.place(ask.name())
}

fn statement(sid: &str, actions: &[&str], resources: &[String], condition: Option<Value>) -> Value {
    let mut map = Map::new();
    map.insert("Sid".to_owned(), json!(sid));
    map.insert("Effect".to_owned(), json!("Allow"));
    map.insert("Action".to_owned(), json!(actions));
    map.insert("Resource".to_owned(), json!(resources));
    if let Some(condition) = condition {
        map.insert("Condition".to_owned(), condition);
    }
    Value::Object(map)
}

/// The partition that a region lies in, as ARNs spell it.
fn partition(region: &str) -> &'static str {
    const BY_REGION: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    BY_REGION.iter().find(|(begins, _)| region.starts_with(begins)).map_or("aws", |(_, partition)| *partition)
}

fn domain(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        "aws-eusc" => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Auth, Keys};
    use secretfig_source::At;

    fn settings() -> Settings {
        let mut settings =
            Settings::new("eu-central-1", Auth::Keys(Keys::new("AKIA", "secret".into()))).unwrap();
        settings.account = Some("123456789012".to_owned());
        settings
    }

    fn told(settings: &Settings, asks: &[Ask]) -> Value {
        serde_json::from_str(&policy(settings, asks)).unwrap()
    }

    #[test]
    fn exactly_what_is_asked_for_is_granted() {
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:b-AbCdEf";
        let asks =
            [Ask::new("app/a").at(At::Previous), Ask::new("app/a"), Ask::new(arn), Ask::new("no name")];
        assert_eq!(
            told(&settings(), &asks),
            json!({ "Version": "2012-10-17", "Statement": [{
                "Sid": "ReadSecrets",
                "Effect": "Allow",
                "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
                "Resource": ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/a-??????", arn],
            }]})
        );
        let folder = told(&settings(), &[Ask::new("app/*")]);
        assert_eq!(
            folder["Statement"][0]["Resource"],
            json!(["arn:aws:secretsmanager:eu-central-1:123456789012:secret:app/*"])
        );
        assert_eq!(
            folder["Statement"][1]["Action"],
            json!(["secretsmanager:BatchGetSecretValue", "secretsmanager:ListSecrets"])
        );
        let many: Vec<_> = (0..11).map(|n| Ask::new(format!("app/{n}"))).collect();
        assert_eq!(
            told(&settings(), &many)["Statement"][1]["Action"],
            json!(["secretsmanager:BatchGetSecretValue"])
        );
        assert_eq!(told(&settings(), &many[..10])["Statement"].as_array().unwrap().len(), 1);
        assert_eq!(told(&settings(), &[Ask::new("no name")])["Statement"], json!([]));
    }

    #[test]
    fn keys_and_roles_are_granted_where_they_are_named() {
        let mut settings = settings();
        settings.kms_keys = vec!["arn:aws:kms:eu-central-1:123456789012:key/1".to_owned()];
        settings.material.assume_role = Some("arn:aws:iam::123456789012:role/app".to_owned());
        let policy = told(&settings, &[Ask::new("app/a")]);
        assert_eq!(
            policy["Statement"][1]["Condition"]["StringLike"]["kms:ViaService"],
            "secretsmanager.eu-central-1.amazonaws.com"
        );
        assert_eq!(policy["Statement"][2]["Resource"], json!(["arn:aws:iam::123456789012:role/app"]));
    }
}
