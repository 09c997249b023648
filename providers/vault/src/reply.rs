//! What the server replies, straight into sealed leaves: no plain tree in between, and nothing that prints.

use crate::error::{Refusal, malformed};
use secretfig_source::protocol::Reply;
use secretfig_source::{
    Document, Exposed, Fetched, Fingerprints, Format, Identity, Lease, Limits, Node, Reading, Revision,
    Withdrawn,
};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The reply's JSON, whatever its status. It is an object, or malformed.
pub(crate) fn tree(reply: &Reply) -> Result<Node, Refusal> {
    // the transport has bounded the body; the secret's own limits hold where its document is read
    let limits = Limits { max_bytes: reply.body().len(), max_depth: 128 };
    let how = Reading { format: Format::Json, allow_empty: true, limits, ..Reading::default() };
    match reply.document().read(&how) {
        Ok(tree @ Node::Table(_)) => Ok(tree),
        _ => Err(malformed("the reply is no JSON object; check what answers at this address")),
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

/// A whole number in a table, which is not negative.
pub(crate) fn number(node: &Node, key: &str) -> Option<u64> {
    match get(node, key)? {
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Number(literal) => literal.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// A boolean in a table.
pub(crate) fn flag(node: &Node, key: &str) -> Option<bool> {
    match get(node, key)? {
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Bool(yes) => Some(yes),
            _ => None,
        },
        _ => None,
    }
}

/// A time of the server, RFC 3339 in UTC.
#[cfg(feature = "full")]
pub(crate) fn time(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

/// Whether it is such a time.
#[cfg(feature = "full")]
fn is_time(text: &str) -> bool {
    time(text).is_some()
}

/// Whether it can be nothing else than such a time, or a number.
#[cfg(not(feature = "full"))]
fn is_time(text: &str) -> bool {
    text.len() <= 35
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.' | b'T' | b'Z'))
}

/// Whether a refusal is the server's own. What a proxy or an ingress says of itself (403, 404) is no word on a secret, on
/// a right or on a token.
pub(crate) fn is_the_servers(reply: &Reply) -> bool {
    Body::read(reply).is_ok_and(|body| body.is_the_servers())
}

/// A reply read for what is wrong.
pub(crate) struct Body(Node);

impl Body {
    pub(crate) fn read(reply: &Reply) -> Result<Self, Refusal> {
        tree(reply).map(Self)
    }

    /// Whether one of its `errors` says this, in any case of letters.
    pub(crate) fn says(&self, phrase: &str) -> bool {
        self.has("errors", phrase)
    }

    /// Whether one of its `warnings` says this, in any case of letters.
    pub(crate) fn warns(&self, phrase: &str) -> bool {
        self.has("warnings", phrase)
    }

    fn has(&self, list: &str, phrase: &str) -> bool {
        let Some(Node::List(texts)) = get(&self.0, list) else { return false };
        let phrase = phrase.as_bytes();
        let says =
            |text: &str| text.as_bytes().windows(phrase.len()).any(|part| part.eq_ignore_ascii_case(phrase));
        texts.iter().filter_map(exposed).any(says)
    }

    /// Whether the server itself may have said it, and not what stands in front: it lists errors, or answers with
    /// data or warnings, also where it has nothing to list.
    fn is_the_servers(&self) -> bool {
        matches!(get(&self.0, "errors"), Some(Node::List(_)))
            || ["data", "warnings"].iter().any(|key| get(&self.0, key).is_some())
    }

    /// Whether a KV v2 version was there: deleted, or destroyed.
    pub(crate) fn withdrawn(&self) -> Option<Withdrawn> {
        Version::read(get(get(&self.0, "data")?, "metadata")?)?.withdrawn(None)
    }
}

/// What a KV v2 mount tells of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    created: Option<Box<str>>,
    deleted: Option<Deleted>,
    destroyed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deleted {
    /// It is, or will be, at that time.
    At(SystemTime),
    /// At a time that cannot be read.
    Sometime,
}

impl Version {
    fn read(node: &Node) -> Option<Self> {
        let deleted = text(node, "deletion_time").filter(|time| !time.is_empty());
        Some(Self {
            // only a time is passed on as part of a revision, and no other text
            created: text(node, "created_time").filter(|text| is_time(text)).map(Into::into),
            #[cfg(feature = "full")]
            deleted: deleted.map(|text| time(text).map_or(Deleted::Sometime, Deleted::At)),
            #[cfg(not(feature = "full"))]
            deleted: deleted.map(|_| Deleted::Sometime),
            destroyed: flag(node, "destroyed").unwrap_or(false),
        })
    }

    /// How it was taken away. A deletion may be set for a time that has not come (`delete_version_after`); without a
    /// `now` it counts as done.
    pub(crate) fn withdrawn(&self, now: Option<SystemTime>) -> Option<Withdrawn> {
        match self.deleted {
            _ if self.destroyed => Some(Withdrawn::Destroyed),
            Some(Deleted::At(at)) if now.is_some_and(|now| at > now) => None,
            Some(_) => Some(Withdrawn::Deleted),
            None => None,
        }
    }

    /// The number with the time of creation: once the metadata is deleted, numbers begin at 1 again.
    fn revision(&self, number: u64) -> Revision {
        match &self.created {
            Some(created) => Revision::new([&*number.to_string(), " of ", created].concat()),
            None => Revision::new(number.to_string()),
        }
    }
}

/// The metadata of a KV v2 secret: its versions, in the order of numbers (a JSON object has them in the order of
/// texts, where 10 comes before 2).
#[derive(Debug)]
pub(crate) struct Metadata {
    current: u64,
    versions: BTreeMap<u64, Version>,
}

impl Metadata {
    pub(crate) fn read(reply: &Reply) -> Result<Self, Refusal> {
        let bad = || malformed("the reply is no metadata of a KV v2 secret");
        let tree = tree(reply)?;
        let data = get(&tree, "data").ok_or_else(bad)?;
        let current = number(data, "current_version").ok_or_else(bad)?;
        let Some(Node::Table(versions)) = get(data, "versions") else { return Err(bad()) };
        let read = |(number, node): (&str, &Node)| Some((number.parse().ok()?, Version::read(node)?));
        let versions = versions
            .iter()
            .map(|(number, node)| read((number, node)))
            .collect::<Option<BTreeMap<u64, Version>>>()
            .ok_or_else(bad)?;
        // 0: there is none yet
        if current != 0 && !versions.contains_key(&current) {
            return Err(bad());
        }
        Ok(Self { current, versions })
    }

    /// The revision that a read would give now; `Err` where it was withdrawn. `None`: it never had a version.
    pub(crate) fn revision(&self, now: SystemTime) -> Option<Result<Revision, Withdrawn>> {
        let version = self.versions.get(&self.current)?;
        Some(match version.withdrawn(Some(now)) {
            Some(how) => Err(how),
            None => Ok(version.revision(self.current)),
        })
    }

    /// The highest live version below the latest.
    pub(crate) fn previous(&self, now: SystemTime) -> Option<u64> {
        let below = self.versions.range(..self.current).rev();
        below
            .map(|(number, version)| (*number, version))
            .find(|(_, v)| v.withdrawn(Some(now)).is_none())
            .map(|(n, _)| n)
    }
}

/// A KV v2 secret.
pub(crate) fn kv2(reply: &Reply) -> Result<Fetched, Refusal> {
    let bad = || malformed("the reply is no KV v2 secret");
    let tree = tree(reply)?;
    let data = get(&tree, "data").ok_or_else(bad)?;
    let metadata = get(data, "metadata").ok_or_else(bad)?;
    let number = number(metadata, "version").ok_or_else(bad)?;
    let version = Version::read(metadata).ok_or_else(bad)?;
    let document = get(data, "data").filter(|data| matches!(data, Node::Table(_))).ok_or_else(bad)?;
    let fetched = Fetched::new(Document::from_node(document.clone()), version.revision(number));
    #[cfg(feature = "full")]
    if let Some(created) = version.created.as_deref().and_then(time) {
        return Ok(fetched.created(created));
    }
    Ok(fetched)
}

/// A KV v1 secret, whose revision is told by its bytes.
pub(crate) fn kv1(reply: &Reply, name: &str, prints: &Fingerprints) -> Result<Fetched, Refusal> {
    let bad = || malformed("the reply is no KV v1 secret");
    let tree = tree(reply)?;
    let data = get(&tree, "data").filter(|data| matches!(data, Node::Table(_))).ok_or_else(bad)?;
    Ok(Fetched::new(Document::from_node(data.clone()), prints.revision(name, parts(data))))
}

/// Credentials that were made by being read, with their lease.
#[cfg(feature = "full")]
pub(crate) fn minted(reply: &Reply, name: &str, prints: &Fingerprints) -> Result<Fetched, Refusal> {
    let bad = || malformed("the reply is no credential with a lease");
    let tree = tree(reply)?;
    let data = get(&tree, "data").filter(|data| matches!(data, Node::Table(_))).ok_or_else(bad)?;
    let lease = lease(&tree).ok_or_else(bad)?;
    // the id itself is never printed: who has it, and a token, can revoke it
    let revision = prints.revision(name, [lease.id.as_bytes()]);
    let mut fetched = Fetched::new(Document::from_node(data.clone()), revision).lease(lease);
    if matches!(get(&tree, "warnings"), Some(Node::List(warnings)) if !warnings.is_empty()) {
        fetched = fetched
            .warning("the server added a warning, such as of a lease it cut short; its audit log has it");
    }
    Ok(fetched)
}

/// Credentials of a user that the server rotates. `ttl` says until when, and is no part of the document: it is another
/// at each read of one password.
#[cfg(feature = "full")]
pub(crate) fn rotated(
    reply: &Reply,
    name: &str,
    prints: &Fingerprints,
    now: SystemTime,
) -> Result<Fetched, Refusal> {
    let bad = || malformed("the reply is no credential of a static role");
    let tree = tree(reply)?;
    let data = get(&tree, "data").ok_or_else(bad)?;
    let left = number(data, "ttl");
    let Node::Table(table) = data else { return Err(bad()) };
    let mut data = BTreeMap::new();
    for (key, node) in table {
        if **key != *"ttl" {
            data.insert(key.clone(), node.clone());
        }
    }
    let data = Node::Table(data);
    let last = text(&data, "last_vault_rotation").filter(|text| time(text).is_some());
    let revision = match last {
        Some(last) => Revision::new(format!("rotated {last}")),
        None => prints.revision(name, parts(&data)),
    };
    let created = last.and_then(time);
    let mut fetched = Fetched::new(Document::from_node(data), revision);
    fetched.created = created;
    fetched.expires =
        left.filter(|left| *left > 0).and_then(|left| now.checked_add(Duration::from_secs(left)));
    Ok(fetched)
}

/// The lease of a reply, from its outermost table.
pub(crate) fn lease(tree: &Node) -> Option<Lease> {
    let id = text(tree, "lease_id").filter(|id| !id.is_empty())?;
    let duration = Duration::from_secs(number(tree, "lease_duration")?);
    Some(Lease::new(id, duration, flag(tree, "renewable").unwrap_or(false)))
}

/// What a folder holds: a name with a slash at its end is a folder.
pub(crate) fn keys(reply: &Reply) -> Result<Vec<Box<str>>, Refusal> {
    let bad = || malformed("the reply is no list of names");
    let tree = tree(reply)?;
    let Some(Node::List(keys)) = get(&tree, "data").and_then(|data| get(data, "keys")) else {
        return Err(bad());
    };
    keys.iter().map(|key| exposed(key).map(Into::into)).collect::<Option<_>>().ok_or_else(bad)
}

/// Who a token belongs to, and for how long.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) identity: Option<Identity>,
    /// Seconds; 0 for ever.
    pub(crate) ttl: u64,
    /// Seconds it was made for; 0 for ever.
    pub(crate) made_for: u64,
    pub(crate) renewable: bool,
}

/// The reply to `lookup-self`.
pub(crate) fn looked(reply: &Reply) -> Result<Looked, Refusal> {
    let bad = || malformed("the reply tells nothing of a token");
    let tree = tree(reply)?;
    let data = get(&tree, "data").ok_or_else(bad)?;
    let identity = text(data, "display_name").filter(|name| !name.is_empty());
    Ok(Looked {
        identity: identity.map(Identity::new),
        ttl: number(data, "ttl").ok_or_else(bad)?,
        made_for: number(data, "creation_ttl").unwrap_or(0),
        renewable: flag(data, "renewable").unwrap_or(false),
    })
}

/// The bytes of a tree, in the order of its keys, each part marked by what it is.
fn parts(node: &Node) -> Vec<&[u8]> {
    fn walk<'a>(node: &'a Node, parts: &mut Vec<&'a [u8]>) {
        match node {
            Node::Null => parts.push(b"null"),
            Node::Leaf(leaf) => match leaf.expose_secret() {
                Exposed::Text(text) => parts.extend([b"text".as_slice(), text.as_bytes()]),
                Exposed::Number(literal) => parts.extend([b"number".as_slice(), literal.as_bytes()]),
                Exposed::Bool(yes) => parts.push(if yes { b"true" } else { b"false" }),
                Exposed::Bytes(bytes) => parts.extend([b"bytes".as_slice(), bytes]),
            },
            Node::List(list) => {
                parts.push(b"list");
                list.iter().for_each(|node| walk(node, parts));
                parts.push(b"end");
            }
            Node::Table(table) => {
                parts.push(b"table");
                for (key, node) in table {
                    parts.extend([b"key".as_slice(), key.as_bytes()]);
                    walk(node, parts);
                }
                parts.push(b"end");
            }
        }
    }
    let mut found = Vec::new();
    walk(node, &mut found);
    found
}

/// The document of a subtree: the tables of its secrets, nested as their paths are, and a revision of all of theirs.
pub(crate) fn subtree(
    name: &str,
    found: Vec<(Vec<Box<str>>, Fetched)>,
    prints: &Fingerprints,
) -> Result<Fetched, Refusal> {
    let mut root = Node::Table(BTreeMap::new());
    let mut created: Option<SystemTime> = None;
    let mut revisions = Vec::new();
    let how = Reading { allow_empty: true, ..Reading::default() };
    for (path, fetched) in found {
        let node = fetched
            .document
            .read(&how)
            .map_err(|_| malformed("one of its secrets is too large or too deep"))?;
        if !graft(&mut root, &path, node) {
            return Err(malformed(
                "a secret of the folder has a key of the same name as a folder beside it; ask for them one by one",
            ));
        }
        created = created.max(fetched.created);
        revisions.push((path.join("/"), fetched.revision));
    }
    let revision = subtree_revision(name, &revisions, prints);
    let mut whole = Fetched::new(Document::from_node(root), revision);
    whole.created = created;
    Ok(whole)
}

/// The revision of a subtree, of those of its secrets by their paths.
pub(crate) fn subtree_revision(name: &str, all: &[(String, Revision)], prints: &Fingerprints) -> Revision {
    prints.revision(
        name,
        all.iter().flat_map(|(path, revision)| [path.as_bytes(), revision.as_str().as_bytes()]),
    )
}

/// Puts a node at a path; tables meet key by key. `false` where something else is there.
fn graft(at: &mut Node, path: &[Box<str>], node: Node) -> bool {
    let Node::Table(table) = at else { return false };
    match (path.split_first(), node) {
        (Some((first, rest)), node) => {
            graft(table.entry(first.clone()).or_insert_with(|| Node::Table(BTreeMap::new())), rest, node)
        }
        (None, Node::Table(new)) => new.into_iter().all(|(key, node)| table.insert(key, node).is_none()),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests;
