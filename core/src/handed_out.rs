//! What left by `Config::expose`, leaf by leaf: whoever took it never asks again, so that here is noticed when
//! another value is in force.
//!
//! No value is kept for that. A leaf is remembered by an HMAC under a key that lives only in this process, as sources
//! without version keys tell their revisions apart.

use crate::assemble::{Have, merged, parse};
use crate::health::RestartNeeded;
use crate::plan::{Plan, SecretId};
use crate::publish::Publisher;
use crate::tree::{Clean, KeyPath, Merged, Slot};
use hmac_sha256::HMAC;
use secretfig_source::{Exposed, Revision};
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What was asked for, and what was there.
pub(crate) struct HandedOut {
    /// None where the machine has no random: there a leaf is told by its secret's revision. A print under a key that
    /// someone knows could be tried out.
    key: Option<Zeroizing<[u8; 32]>>,
    asked: Vec<KeyPath>,
    left: BTreeMap<KeyPath, Left>,
    /// What has moved since, brought up to date with every publication.
    pub(crate) restarts: Vec<RestartNeeded>,
}

/// A place that was asked for. Elements of a list are places of their own, of one key.
struct Left {
    key: KeyPath,
    /// None where nothing stood there.
    leaf: Option<Leaf>,
    /// Whether it was logged that it has moved.
    told: bool,
}

/// What stands at such a place.
struct Leaf {
    /// None for a leaf of a plain layer.
    secret: Option<(SecretId, Revision)>,
    print: [u8; 32],
}

/// A place where another value is in force than the one that left.
struct Moved {
    key: KeyPath,
    secret: SecretId,
    handed_out: Option<Revision>,
    current: Option<Revision>,
    told: bool,
}

impl HandedOut {
    pub(crate) fn new() -> Self {
        let (asked, left, restarts) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { key: crate::runtime::key(), asked, left, restarts }
    }
}

impl<T> Publisher<T> {
    /// Remembers what leaves, and gives what is to be read for it: both of one moment. A key that leaves again has
    /// been taken anew, so that what left before is forgotten.
    pub(crate) fn hand_out(&mut self, patterns: &[KeyPath]) -> (Arc<Plan>, Vec<Have>) {
        let (plan, have) = self.at_hand();
        let handed = &mut self.handed_out;
        handed.left.retain(|_, left| !asks(patterns, &left.key));
        for (path, (key, leaf)) in leaves(handed.key.as_deref(), &plan, &have, patterns) {
            handed.left.insert(path, Left { key, leaf: Some(leaf), told: false });
        }
        handed.asked.extend_from_slice(patterns);
        handed.asked.sort_unstable();
        handed.asked.dedup();
        self.tell_restarts();
        (plan, have)
    }

    /// Looks at what left, and logs what has moved, once for each time that it left.
    pub(crate) fn tell_restarts(&mut self) {
        if self.handed_out.asked.is_empty() {
            return; // it costs a merge
        }
        let (plan, have) = self.at_hand();
        let handed = &mut self.handed_out;
        let mut now = leaves(handed.key.as_deref(), &plan, &have, &handed.asked);
        for (path, (key, _)) in &now {
            let nothing = || Left { key: key.clone(), leaf: None, told: false };
            handed.left.entry(path.clone()).or_insert_with(nothing);
        }
        let revision = |secret: SecretId| match have.get(secret.0 as usize) {
            Some(Have::Got(fetched)) => Some(fetched.revision.clone()),
            _ => None,
        };
        let moved: Vec<Moved> = handed
            .left
            .iter_mut()
            .filter_map(|(path, left)| left.moved(now.remove(path).map(|(_, leaf)| leaf), &revision))
            .collect();
        for restart in restarts(&plan, moved.iter().filter(|moved| !moved.told)) {
            tracing::warn!(target: "secretfig", "{}", Clean(&restart.to_string()));
        }
        handed.restarts = restarts(&plan, moved.iter());
    }
}

impl Left {
    fn moved(&mut self, now: Option<Leaf>, revision: &dyn Fn(SecretId) -> Option<Revision>) -> Option<Moved> {
        let print = |leaf: &Option<Leaf>| leaf.as_ref().map(|leaf| leaf.print);
        if print(&self.leaf) == print(&now) {
            return None;
        }
        // the secret that left, unless that is as it was: then the one that has come in above it
        let left = self.leaf.as_ref().and_then(|leaf| leaf.secret.clone());
        let still = |(secret, left): &(SecretId, Revision)| revision(*secret).as_ref() == Some(left);
        let other = now
            .and_then(|leaf| leaf.secret)
            .filter(|(other, _)| left.as_ref().is_none_or(|left| left.0 != *other && still(left)));
        let (secret, handed_out, current) = match (left, other) {
            (_, Some((other, now))) => (other, None, Some(now)),
            (Some((secret, left)), None) => (secret, Some(left), revision(secret)),
            // plain then and plain now: no secret has moved
            (None, None) => return None,
        };
        let told = std::mem::replace(&mut self.told, true);
        Some(Moved { key: self.key.clone(), secret, handed_out, current, told })
    }
}

/// One for each secret and revision that left, with its keys.
fn restarts<'m>(plan: &Plan, moved: impl Iterator<Item = &'m Moved>) -> Vec<RestartNeeded> {
    let mut by: Vec<(SecretId, &Option<Revision>, RestartNeeded)> = Vec::new();
    for Moved { key, secret, handed_out, current, .. } in moved {
        let key = key.to_string();
        match by.iter_mut().find(|(id, left, _)| id == secret && *left == handed_out) {
            // elements of one list are neighbours
            Some((.., restart)) if restart.keys.last() == Some(&key) => {}
            Some((.., restart)) => restart.keys.push(key),
            None => {
                let Some(asked) = plan.secrets.get(secret.0 as usize) else { continue };
                let source = plan.sources.get(asked.source);
                let restart = RestartNeeded {
                    keys: vec![key],
                    source: source.map(|named| named.name.clone()).unwrap_or_default(),
                    secret: asked.ask.to_string(),
                    handed_out: handed_out.as_ref().map(ToString::to_string),
                    current: current.as_ref().map(ToString::to_string),
                };
                by.push((*secret, handed_out, restart));
            }
        }
    }
    by.into_iter().map(|(.., restart)| restart).collect()
}

/// Whether the value under that key was asked for.
fn asks(patterns: &[KeyPath], key: &KeyPath) -> bool {
    let mut at = Some(key.clone());
    while let Some(path) = at {
        if patterns.iter().any(|pattern| path.matches(pattern)) {
            return true;
        }
        at = path.parent();
    }
    false
}

/// All that is asked for, by its place, with its key.
fn leaves(
    key: Option<&[u8; 32]>,
    plan: &Plan,
    have: &[Have],
    patterns: &[KeyPath],
) -> BTreeMap<KeyPath, (KeyPath, Leaf)> {
    let of = |slot: &Slot<'_>| {
        let used = slot.origin.secret.and_then(|used| plan.uses.get(used.0 as usize));
        let secret = used.and_then(|used| match have.get(used.secret.0 as usize)? {
            Have::Got(fetched) => Some((used.secret, fetched.revision.clone())),
            Have::Absent | Have::Failed => None,
        });
        let print = match (key, &secret) {
            (Some(key), _) => print(key, &slot.node),
            (None, Some((_, revision))) => HMAC::mac(revision.as_str(), [0; 32]),
            (None, None) => [0; 32], // the layers themselves never change
        };
        Leaf { secret, print }
    };
    let mut leaves = BTreeMap::new();
    let (parsed, _) = parse(plan, have);
    merged(plan, &parsed, false, |root| {
        walk(root, &KeyPath::root(), None, patterns, &mut |path, key, slot| {
            leaves.insert(path.clone(), (key.clone(), of(slot)));
        });
    });
    leaves
}

/// Walks the chosen leaves; below a list with its key, for it leaves whole.
fn walk(
    slot: &Slot<'_>,
    path: &KeyPath,
    list: Option<&KeyPath>,
    patterns: &[KeyPath],
    leaf: &mut dyn FnMut(&KeyPath, &KeyPath, &Slot<'_>),
) {
    let chosen = || list.is_some() || asks(patterns, path);
    match &slot.node {
        Merged::Table(keys, _) => {
            for (key, slot) in keys {
                walk(slot, &path.child(key), list, patterns, leaf);
            }
        }
        Merged::List(items) if chosen() => {
            for (n, slot) in items.iter().enumerate() {
                walk(slot, &path.child(&n.to_string()), list.or(Some(path)), patterns, leaf);
            }
        }
        Merged::Plain(_) | Merged::Sealed(_) if chosen() => leaf(path, list.unwrap_or(path), slot),
        Merged::List(_) | Merged::Plain(_) | Merged::Sealed(_) | Merged::Null | Merged::Hole => {}
    }
}

fn print(key: &[u8; 32], node: &Merged<'_>) -> [u8; 32] {
    match node {
        Merged::Sealed(sealed) => match sealed.expose_secret() {
            Exposed::Text(text) | Exposed::Number(text) => HMAC::mac(text, key),
            Exposed::Bytes(bytes) => HMAC::mac(bytes, key),
            Exposed::Bool(yes) => HMAC::mac(yes.to_string(), key),
        },
        plain => HMAC::mac(crate::explain::plain(plain).as_bytes(), key),
    }
}
