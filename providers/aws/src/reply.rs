//! What AWS replies, straight into sealed leaves: no plain tree in between, and nothing that prints. The SDK half brings the
//! same parts out of the SDK's types.

use crate::error::{Refusal, Said, malformed};
#[cfg(feature = "full")]
use crate::naming::Id;
use secretfig_source::protocol::Reply;
use secretfig_source::{Document, Exposed, Fetched, Format, Limits, Node, Reading, Revision};
use std::time::SystemTime;
use zeroize::Zeroizing;

#[cfg(feature = "full")]
use {
    crate::naming,
    secretfig_source::{At, ErrorKind, Note, Withdrawn},
    std::time::Duration,
};

/// The reply's JSON, whatever its status. It is an object, or malformed.
pub(crate) fn tree(reply: &Reply) -> Result<Node, Refusal> {
    // the transport has bounded the body; the secret's own limits hold where its document is read
    let limits = Limits { max_bytes: reply.body().len(), max_depth: 32 };
    let how = Reading { format: Format::Json, allow_empty: true, limits, ..Reading::default() };
    match reply.document().read(&how) {
        Ok(tree @ Node::Table(_)) => Ok(tree),
        _ => Err(malformed("the reply is no JSON object; check what answers at this endpoint")),
    }
}

/// The key of a table, by exactly that name.
pub(crate) fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    match node {
        Node::Table(table) => table.get(key),
        _ => None,
    }
}

/// A text in a table.
pub(crate) fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    exposed(get(node, key)?)
}

fn exposed(node: &Node) -> Option<&str> {
    match node {
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// What a list holds; nothing where there is no list.
pub(crate) fn list<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    match get(node, key) {
        Some(Node::List(items)) => items,
        _ => &[],
    }
}

/// A time: seconds since 1970, with a fraction, and at times with an exponent.
#[cfg(feature = "full")]
pub(crate) fn time(node: &Node, key: &str) -> Option<SystemTime> {
    let Node::Leaf(leaf) = get(node, key)? else { return None };
    let Exposed::Number(literal) = leaf.expose_secret() else { return None };
    let since = Duration::try_from_secs_f64(literal.parse().ok()?).ok()?;
    // it comes in milliseconds; what a binary fraction adds to them is not AWS'
    let since = Duration::from_secs(since.as_secs())
        + Duration::from_micros((u64::from(since.subsec_micros()) + 500) / 1000 * 1000);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// What a refused request was answered with, for [`refusal`](crate::error::refusal): the code and the message.
pub(crate) struct Words(pub(crate) Option<Node>);

impl Words {
    #[cfg(feature = "full")]
    pub(crate) fn of(reply: &Reply) -> Self {
        Self(tree(reply).ok())
    }

    pub(crate) fn said<'a>(&'a self, reply: &'a Reply, wall: SystemTime) -> Said<'a> {
        let of = |keys: &[&str]| keys.iter().find_map(|key| text(self.0.as_ref()?, key));
        let code = of(&["__type", "code"]);
        // an edge is handed no headers
        #[cfg(feature = "full")]
        let code = code.or_else(|| reply.header("x-amzn-errortype"));
        Said {
            status: reply.status().as_u16(),
            code: code.unwrap_or_default(),
            message: of(&["message", "Message"]).unwrap_or_default(),
            wait: reply.retry_after(wall),
        }
    }
}

/// A value, as either half got it.
#[cfg(feature = "full")]
pub(crate) struct Value {
    pub(crate) version: Box<str>,
    pub(crate) created: Option<SystemTime>,
    pub(crate) payload: Payload,
}

/// Text, or bytes.
#[cfg(feature = "full")]
pub(crate) enum Payload {
    Text(Zeroizing<String>),
    Bytes(Zeroizing<Vec<u8>>),
}

/// The answer to an ask, out of a reply to GetSecretValue, for an edge.
#[cfg(not(feature = "full"))]
pub(crate) fn fetched(node: &Node) -> Result<Fetched, Refusal> {
    let document = match (text(node, "SecretString"), text(node, "SecretBinary")) {
        (Some(text), None) => Document::from_text(text),
        (None, Some(binary)) => Document::from_bytes(decoded(binary).ok_or_else(valueless)?),
        _ => return Err(valueless()),
    };
    let version = text(node, "VersionId").filter(|id| !id.is_empty()).ok_or_else(valueless)?;
    Ok(Fetched::new(document, Revision::new(version)))
}

#[cfg(feature = "full")]
impl Value {
    /// Out of a reply to GetSecretValue, or one of the values of a batch.
    pub(crate) fn read(node: &Node) -> Result<Self, Refusal> {
        let version = text(node, "VersionId").filter(|id| !id.is_empty());
        let version = version
            .ok_or_else(|| malformed("the reply tells no version; check what answers at this endpoint"))?;
        let payload = match (text(node, "SecretString"), text(node, "SecretBinary")) {
            (Some(text), None) => Payload::Text(Zeroizing::new(text.to_owned())),
            (None, Some(binary)) => {
                Payload::Bytes(decoded(binary).ok_or_else(|| malformed("the reply's bytes are no base64"))?)
            }
            _ => return Err(valueless()),
        };
        Ok(Self { version: version.into(), created: time(node, "CreatedDate"), payload })
    }

    /// The answer to an ask for that secret.
    pub(crate) fn fetched(self, id: &Id) -> Fetched {
        let document = match self.payload {
            Payload::Text(text) => Document::from_text(&text),
            Payload::Bytes(bytes) => Document::from_bytes(bytes),
        };
        let mut fetched = Fetched::new(document, Revision::new(self.version));
        fetched.created = self.created;
        match id.is_partial() {
            true => fetched.warning(
                "its ARN lacks the six characters at its end, and may find another secret: give the whole ARN, or the name",
            ),
            false => fetched,
        }
    }
}

pub(crate) fn versionless() -> Refusal {
    malformed("the reply tells no version; check what answers at this endpoint")
}

#[cfg(feature = "full")]
fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    use base64ct::{Base64, Encoding};
    Base64::decode_vec(text).ok().map(Zeroizing::new)
}

/// The same, in a tenth of the room. A test holds the two to each other.
#[cfg(any(test, not(feature = "full")))]
fn decoded_small(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (mut bytes, mut held, mut bits) = (Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3)), 0, 0);
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    for digit in digits.bytes() {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (held, bits) = (held << 6 | u32::from(six), bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    (held == 0).then_some(bytes)
}

#[cfg(not(feature = "full"))]
use decoded_small as decoded;

pub(crate) fn valueless() -> Refusal {
    malformed("the secret has no value, or two; write it anew: `aws secretsmanager put-secret-value`")
}

/// What is known of a secret beside its value.
#[cfg(feature = "full")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Description {
    /// Each version that carries labels, with them.
    pub(crate) versions: Vec<(Box<str>, Vec<Box<str>>)>,
    pub(crate) deleted: Option<SystemTime>,
    pub(crate) changed: Option<SystemTime>,
    pub(crate) rotates: bool,
    pub(crate) next_rotation: Option<SystemTime>,
}

/// A rotation has a window, and is not late within it; nor is one stuck that has just begun.
#[cfg(feature = "full")]
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
#[cfg(feature = "full")]
const ROTATING: Duration = Duration::from_secs(3600);

#[cfg(feature = "full")]
impl Description {
    /// Out of a reply to DescribeSecret.
    pub(crate) fn read(node: &Node) -> Self {
        Self {
            versions: versions(node, "VersionIdsToStages"),
            deleted: time(node, "DeletedDate"),
            changed: time(node, "LastChangedDate"),
            rotates: matches!(get(node, "RotationEnabled"), Some(Node::Leaf(leaf)) if matches!(leaf.expose_secret(), Exposed::Bool(true))),
            next_rotation: time(node, "NextRotationDate"),
        }
    }

    /// Which revision a fetch would give.
    pub(crate) fn revision(&self, at: &At) -> Result<Revision, Refusal> {
        if self.deleted.is_some() {
            return Err(Refusal::new(
                ErrorKind::Withdrawn(Withdrawn::Deleted),
                "it is scheduled for deletion; bring it back: `aws secretsmanager restore-secret --secret-id …`",
            ));
        }
        let found = match (at, naming::stage(at)) {
            (At::Version(id), _) => return Ok(Revision::new(&**id)),
            (_, stage) => stage.and_then(|stage| self.carrying(stage)),
        };
        let none = || {
            Refusal::new(
                ErrorKind::Absent,
                "the secret is there, and no version of it carries this staging label",
            )
        };
        found.map(Revision::new).ok_or_else(none)
    }

    fn carrying(&self, stage: &str) -> Option<&str> {
        self.versions.iter().find(|(_, stages)| stages.iter().any(|one| &**one == stage)).map(|(id, _)| &**id)
    }

    /// What a person should know.
    pub(crate) fn notes(&self, wall: SystemTime) -> Vec<Note> {
        let mut notes = Vec::new();
        let date =
            |at: SystemTime| humantime::format_rfc3339_seconds(at.max(SystemTime::UNIX_EPOCH)).to_string();
        if let Some(deleted) = self.deleted {
            notes.push(Note::new(
                "deletion-scheduled",
                format!(
                    "it was marked for deletion on {}; `aws secretsmanager restore-secret` brings it back",
                    date(deleted)
                ),
            ));
        }
        if let Some(next) = self.next_rotation.filter(|next| self.rotates && *next + PATIENCE < wall) {
            notes.push(Note::new(
                "rotation-overdue",
                format!("it was to be rotated by {}; look at the log of its rotation function", date(next)),
            ));
        }
        let pending = self.carrying("AWSPENDING").filter(|id| self.carrying("AWSCURRENT") != Some(*id));
        if pending.is_some() && self.changed.is_none_or(|changed| changed + ROTATING < wall) {
            notes.push(Note::new(
                "rotation-stuck",
                "a rotation has begun and not ended: AWSPENDING is on another version than AWSCURRENT, and no other rotation \
                 begins. Look at the log of its rotation function; `aws secretsmanager cancel-rotate-secret` ends it",
            ));
        }
        notes
    }
}

/// Version ids with their labels.
#[cfg(feature = "full")]
pub(crate) fn versions(node: &Node, key: &str) -> Vec<(Box<str>, Vec<Box<str>>)> {
    let Some(Node::Table(table)) = get(node, key) else { return Vec::new() };
    let labels = |node: &Node| match node {
        Node::List(labels) => labels.iter().filter_map(exposed).map(Into::into).collect(),
        _ => Vec::new(),
    };
    table.iter().map(|(id, node)| (id.clone(), labels(node))).collect()
}

#[cfg(test)]
#[cfg(feature = "full")]
mod tests;
