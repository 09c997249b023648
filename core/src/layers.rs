//! Merging, by figment's rules.
//!
//! Layers stand in the order in which the builder was given them. Per profile they are folded by their
//! verbs; then `default`, the selected profile and `global` are merged in this order. That is figment's
//! own rule (`coalesce.rs`, `Figment::merged`), and a property test in `tests/` holds this file to it.
//!
//! Two deviations, and no others:
//!
//! 1. a `null` that would win over a value is ignored, and noted;
//! 2. in strict profiles a plain value never beats a secret: a plain leaf or list against anything that
//!    holds a secret, a plain table against a secret leaf. Tables of both kinds unite.

use crate::KeyPath;
use crate::tree::{Beaten, Hole, Keys, Kind, Merged, Origin, OriginId, Slot, Table, UseId, Value, Why};
use secretfig_source::Node;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A figment profile: `default`, `global`, or a custom one. Compared without case.
///
/// ```
/// use secretfig::Profile;
/// assert_eq!(Profile::from("Production"), Profile::from("production"));
/// assert!(Profile::from("staging").is_custom());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Profile(Cow<'static, str>);

impl Profile {
    /// The profile below every other.
    pub const DEFAULT: Profile = Profile(Cow::Borrowed("default"));
    /// The profile above every other.
    pub const GLOBAL: Profile = Profile(Cow::Borrowed("global"));

    /// A profile of that name.
    pub fn new(name: &str) -> Self {
        Self(Cow::Owned(name.trim().to_lowercase()))
    }

    /// Its name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is neither `default` nor `global`.
    pub fn is_custom(&self) -> bool {
        *self != Self::DEFAULT && *self != Self::GLOBAL
    }
}

impl From<&str> for Profile {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Profile {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::tree::Clean(&self.0))
    }
}

/// figment's four verbs: who wins where two layers have the same key, and whether lists are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// The new layer wins.
    Merge,
    /// The layers before win.
    Join,
    /// As `Join`; lists are concatenated.
    Adjoin,
    /// As `Merge`; lists are concatenated.
    Admerge,
}

impl Verb {
    pub(crate) fn new_wins(self) -> bool {
        matches!(self, Verb::Merge | Verb::Admerge)
    }

    fn concatenates(self) -> bool {
        matches!(self, Verb::Adjoin | Verb::Admerge)
    }
}

/// One frozen layer.
pub(crate) struct Frozen {
    pub(crate) verb: Verb,
    pub(crate) data: Data,
}

pub(crate) enum Data {
    /// A plain layer: a table per profile.
    Plain(BTreeMap<Profile, Table>),
    /// Secrets at their key paths, all in one profile.
    Secrets { profile: Profile, uses: Vec<(KeyPath, UseId, OriginId)> },
}

/// What a use of a secret is replaced by in this merge.
#[derive(Clone, Copy)]
pub(crate) enum Given<'d> {
    /// What it holds.
    Node(&'d Node),
    /// It could not be had, or is not there yet: a hole.
    Hole,
    /// It is optional and absent: the layer has nothing there.
    Absent,
}

/// Merges for a profile. `given` has one entry per use.
pub(crate) fn merge<'l>(
    layers: &'l [Frozen],
    profile: &Profile,
    strict: bool,
    keep_beaten: bool,
    given: &[Given<'l>],
) -> Slot<'l> {
    let fold = Fold { strict, keep_beaten, given };
    let mut by_profile = [None, None, None];
    let selected = profile.is_custom().then_some(profile);
    for layer in layers {
        for (n, wanted) in [Some(&Profile::DEFAULT), selected, Some(&Profile::GLOBAL)].into_iter().enumerate()
        {
            if let Some(new) = wanted.and_then(|wanted| fold.layer(layer, wanted)) {
                by_profile[n] = Some(match by_profile[n].take() {
                    None => new,
                    Some(old) => fold.two(old, new, layer.verb),
                });
            }
        }
    }
    let merged = by_profile.into_iter().flatten().reduce(|low, high| fold.two(low, high, Verb::Merge));
    merged.unwrap_or_else(|| {
        Slot::new(Merged::Table(Keys::default(), Hole::No), Origin { layer: OriginId(0), secret: None })
    })
}

struct Fold<'f, 'l> {
    strict: bool,
    keep_beaten: bool,
    given: &'f [Given<'l>],
}

impl<'l> Fold<'_, 'l> {
    /// What a layer has for a profile.
    fn layer(&self, layer: &'l Frozen, wanted: &Profile) -> Option<Slot<'l>> {
        match &layer.data {
            Data::Plain(profiles) => {
                let table = profiles.get(wanted)?;
                let origin = table.values().next().map_or(OriginId(0), |value| value.origin);
                Some(Slot::new(self.table(table), Origin { layer: origin, secret: None }))
            }
            Data::Secrets { profile, uses } => {
                if profile != wanted {
                    return None;
                }
                let mut root: Option<Slot<'l>> = None;
                for (path, secret, origin) in uses {
                    if let Some(slot) = self.secret(*secret, *origin) {
                        let slot = path.iter_from(slot, *origin);
                        root = Some(match root {
                            None => slot,
                            Some(old) => self.two(old, slot, Verb::Merge),
                        });
                    }
                }
                root
            }
        }
    }

    fn table(&self, table: &'l Table) -> Merged<'l> {
        let slots = table.iter().filter_map(|(key, value)| Some((&**key, self.value(value)?)));
        Merged::Table(Keys::sorted(table.len(), slots), Hole::No)
    }

    fn value(&self, value: &'l Value) -> Option<Slot<'l>> {
        let node = match &value.kind {
            Kind::Null => Merged::Null,
            Kind::Leaf(plain) => Merged::Plain(plain),
            Kind::List(items) => Merged::List(items.iter().filter_map(|item| self.value(item)).collect()),
            Kind::Table(table) => self.table(table),
            Kind::Use(secret) => return self.secret(*secret, value.origin),
        };
        Some(Slot::new(node, Origin { layer: value.origin, secret: None }))
    }

    fn secret(&self, secret: UseId, layer: OriginId) -> Option<Slot<'l>> {
        let origin = Origin { layer, secret: Some(secret) };
        match self.given.get(secret.0 as usize).copied().unwrap_or(Given::Hole) {
            Given::Node(node) => Some(sealed(node, origin)),
            Given::Hole => Some(Slot::new(Merged::Hole, origin)),
            Given::Absent => None,
        }
    }

    /// figment's `coalesce`, with the two deviations.
    fn two(&self, mut old: Slot<'l>, mut new: Slot<'l>, verb: Verb) -> Slot<'l> {
        let new_wins = verb.new_wins();
        match (&mut old.node, &mut new.node) {
            (Merged::Table(a, hole), Merged::Table(b, other)) => {
                if *other == Hole::Yes {
                    *hole = Hole::Yes;
                }
                a.unite(std::mem::take(b), |a, b| self.two(a, b, verb));
                if new_wins {
                    old.origin = new.origin;
                }
                old.beaten.append(&mut new.beaten);
                return old;
            }
            // a hole may have been a table: what stands beside it stays, and what is missing is its fault
            (Merged::Hole, Merged::Table(_, hole)) => {
                *hole = Hole::Yes;
                return new;
            }
            (Merged::Table(_, hole), Merged::Hole) => {
                *hole = Hole::Yes;
                return old;
            }
            (Merged::List(a), Merged::List(b)) if verb.concatenates() => {
                a.append(b);
                if new.origin.secret.is_some() {
                    old.origin.secret = new.origin.secret;
                }
                old.beaten.append(&mut new.beaten);
                return old;
            }
            _ => {}
        }
        let (mut winner, loser, mut why) =
            if new_wins { (new, old, Why::Lower) } else { (old, new, Why::Lower) };
        let mut swap = false;
        if matches!(winner.node, Merged::Null) && !matches!(loser.node, Merged::Null) {
            (swap, why) = (true, Why::Null);
        } else if !matches!(loser.node, Merged::Null) && !winner.is_secret() && loser.is_secret() {
            (swap, why) = if self.strict { (true, Why::PlainUnderSecret) } else { (false, Why::Overridden) };
        }
        let mut loser = loser;
        if swap {
            std::mem::swap(&mut winner, &mut loser);
        }
        if self.keep_beaten {
            winner.beaten.append(&mut loser.beaten);
            winner.beaten.push(Beaten { origin: first_secret(&loser), why });
        }
        winner
    }
}

/// The origin to show for a beaten slot: of the secret in it, where there is one.
fn first_secret(slot: &Slot<'_>) -> Origin {
    let inner = match &slot.node {
        Merged::Table(table, _) => table.values().find(|slot| slot.is_secret()),
        Merged::List(items) => items.iter().find(|slot| slot.is_secret()),
        _ => None,
    };
    inner.map_or(slot.origin, first_secret)
}

/// A document's node as a merged one.
fn sealed<'l>(node: &'l Node, origin: Origin) -> Slot<'l> {
    let node = match node {
        Node::Null => Merged::Null,
        Node::Leaf(leaf) => Merged::Sealed(leaf),
        Node::List(items) => Merged::List(items.iter().map(|item| sealed(item, origin)).collect()),
        Node::Table(table) => {
            let slots = table.iter().map(|(key, node)| (&**key, sealed(node, origin)));
            Merged::Table(Keys::sorted(table.len(), slots), Hole::No)
        }
    };
    Slot::new(node, origin)
}

impl KeyPath {
    /// Wraps a slot in one table per key, innermost last.
    fn iter_from<'l>(&'l self, slot: Slot<'l>, layer: OriginId) -> Slot<'l> {
        self.iter().rev().fold(slot, |inner, key| {
            let table = Keys::sorted(1, std::iter::once((key, inner)));
            Slot::new(Merged::Table(table, Hole::No), Origin { layer, secret: None })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Number, Plain};
    use secretfig_source::Sealed;

    fn plain(n: u128) -> Value {
        Value::new(OriginId(1), Kind::Leaf(Plain::Number(Number::Unsigned(n))))
    }

    fn layer(verb: Verb, profile: &Profile, entries: Vec<(&str, Value)>) -> Frozen {
        let table = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Frozen { verb, data: Data::Plain(BTreeMap::from([(profile.clone(), table)])) }
    }

    fn secret(verb: Verb, profile: &Profile, path: &str) -> Frozen {
        let uses = vec![(KeyPath::parse(path), UseId(0), OriginId(2))];
        Frozen { verb, data: Data::Secrets { profile: profile.clone(), uses } }
    }

    fn show(slot: &Slot<'_>) -> String {
        match &slot.node {
            Merged::Null => "null".to_owned(),
            Merged::Plain(Plain::Number(Number::Unsigned(n))) => n.to_string(),
            Merged::Plain(_) => "plain".to_owned(),
            Merged::Sealed(_) => "sealed".to_owned(),
            Merged::Hole => "hole".to_owned(),
            Merged::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
            Merged::Table(table, _) => {
                let entries = table.iter().map(|(key, slot)| format!("{key}={}", show(slot)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// A nested `[production]` key against an earlier and a later secret: profiles come after verbs, so that
    /// only the secret's own profile decides, not where it stands.
    #[test]
    fn a_profiles_key_against_an_earlier_and_a_later_secret() {
        let production = Profile::from("production");
        let leaf = Node::Leaf(Sealed::text("x"));
        let given = [Given::Node(&leaf)];
        for secret_first in [true, false] {
            for (secrets, strict, want) in [
                (Profile::GLOBAL, false, "{k=sealed}"),
                (Profile::GLOBAL, true, "{k=sealed}"),
                (Profile::DEFAULT, false, "{k=1}"),
                (Profile::DEFAULT, true, "{k=sealed}"),
            ] {
                let plain = layer(Verb::Merge, &production, vec![("k", plain(1))]);
                let secret = secret(Verb::Merge, &secrets, "k");
                let layers = if secret_first { [secret, plain] } else { [plain, secret] };
                let merged = merge(&layers, &production, strict, false, &given);
                assert_eq!(show(&merged), want, "{secrets} strict {strict} secret first {secret_first}");
            }
        }
    }

    #[test]
    fn a_null_never_wins_and_is_noted() {
        let null = || Value::new(OriginId(3), Kind::Null);
        for (verb, low, high) in [(Verb::Merge, plain(1), null()), (Verb::Join, null(), plain(1))] {
            let layers = [
                layer(Verb::Merge, &Profile::DEFAULT, vec![("k", low)]),
                layer(verb, &Profile::DEFAULT, vec![("k", high)]),
            ];
            let merged = merge(&layers, &Profile::DEFAULT, false, true, &[]);
            assert_eq!(show(&merged), "{k=1}");
            let slot = merged.at(&KeyPath::parse("k")).unwrap();
            assert_eq!(slot.beaten.iter().map(|b| b.why).collect::<Vec<_>>(), [Why::Null]);
        }
    }

    #[test]
    fn in_strict_profiles_a_plain_value_never_beats_a_secret() {
        let leaf = Node::Leaf(Sealed::text("x"));
        let table = Node::Table(BTreeMap::from([("p".into(), Node::Leaf(Sealed::text("x")))]));
        let inner = |n| Value::new(OriginId(1), Kind::Table(Table::from([("q".into(), plain(n))])));
        for (secret_is, against, strict, relaxed) in [
            (&leaf, plain(1), "{k=sealed}", "{k=1}"),
            (&leaf, inner(1), "{k=sealed}", "{k={q=1}}"),
            (&table, plain(1), "{k={p=sealed}}", "{k=1}"),
            (&table, inner(1), "{k={p=sealed,q=1}}", "{k={p=sealed,q=1}}"),
        ] {
            let given = [Given::Node(secret_is)];
            let layers = [
                secret(Verb::Merge, &Profile::GLOBAL, "k"),
                layer(Verb::Merge, &Profile::GLOBAL, vec![("k", against)]),
            ];
            assert_eq!(show(&merge(&layers, &Profile::DEFAULT, true, false, &given)), strict);
            assert_eq!(show(&merge(&layers, &Profile::DEFAULT, false, false, &given)), relaxed);
        }
    }

    #[test]
    fn holes_keep_what_stands_beside_them() {
        let host = Value::new(OriginId(1), Kind::Table(Table::from([("host".into(), plain(1))])));
        let layers = [
            layer(Verb::Merge, &Profile::DEFAULT, vec![("db", host)]),
            secret(Verb::Merge, &Profile::GLOBAL, "db"),
        ];
        let merged = merge(&layers, &Profile::DEFAULT, true, false, &[Given::Hole]);
        let db = merged.at(&KeyPath::parse("db")).unwrap();
        assert!(matches!(&db.node, Merged::Table(table, Hole::Yes) if table.len() == 1));
        let merged = merge(&layers, &Profile::DEFAULT, true, false, &[Given::Absent]);
        assert_eq!(show(&merged), "{db={host=1}}");
    }
}
