//! Out of the SDK's types into ours. What is secret is taken, not copied.

use crate::error::Refusal;
use crate::reply::{Description, Payload, Value, valueless};
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use aws_sdk_secretsmanager::primitives::{Blob, DateTime};
use aws_sdk_secretsmanager::types::SecretValueEntry;
use std::time::SystemTime;
use zeroize::Zeroizing;

pub(super) fn of_get(mut got: GetSecretValueOutput) -> Result<Value, Refusal> {
    value(got.version_id.take(), got.created_date, got.secret_string.take(), got.secret_binary.take())
}

pub(super) fn of_entry(mut got: SecretValueEntry) -> Result<Value, Refusal> {
    value(got.version_id.take(), got.created_date, got.secret_string.take(), got.secret_binary.take())
}

fn value(
    version: Option<String>,
    created: Option<DateTime>,
    text: Option<String>,
    bytes: Option<Blob>,
) -> Result<Value, Refusal> {
    let (text, bytes) = (text.map(Zeroizing::new), bytes.map(|bytes| Zeroizing::new(bytes.into_inner())));
    let payload = match (text, bytes) {
        (Some(text), None) => Payload::Text(text),
        (None, Some(bytes)) => Payload::Bytes(bytes),
        _ => return Err(valueless()),
    };
    let version = version.filter(|id| !id.is_empty()).ok_or_else(crate::reply::versionless)?;
    Ok(Value { version: version.into(), created: created.and_then(time), payload })
}

pub(super) fn of_description(described: DescribeSecretOutput) -> Description {
    let versions = described.version_ids_to_stages.unwrap_or_default().into_iter();
    let mut versions: Vec<(Box<str>, Vec<Box<str>>)> =
        versions.map(|(id, stages)| (id.into(), stages.into_iter().map(Into::into).collect())).collect();
    versions.sort();
    Description {
        versions,
        deleted: described.deleted_date.and_then(time),
        changed: described.last_changed_date.and_then(time),
        rotates: described.rotation_enabled.unwrap_or_default(),
        next_rotation: described.next_rotation_date.and_then(time),
    }
}

fn time(at: DateTime) -> Option<SystemTime> {
    let milliseconds = at.to_millis().ok().and_then(|ms| u64::try_from(ms).ok())?;
    SystemTime::UNIX_EPOCH.checked_add(std::time::Duration::from_millis(milliseconds))
}
