//! From the merged tree to the application's own type.
//!
//! * `target`: what a place gives to which target.
//! * `access`: tables, lists and enums, which put the path on every error. `scalar`: keys, and elements of a list in
//!   text. `parts`: the devices of our own types. `text`: what environment text may become.
//! * `error`, `screen`: an error knows what was expected, and nothing of what was found.
//! * `standin`: what stands where a value is missing or wrong, so that decoding goes on.
//! * `gather`, `blame`: decode again and again until every fault is known, each at its own key.
//! * `schema`: the keys that the type asks for.
//!
//! The decoder borrows from the tree and calls `visit_borrowed_str`: serde's private buffer (behind `flatten`
//! and `untagged`) then keeps a reference and copies no secret text.

mod access;
mod blame;
mod error;
mod gather;
mod parts;
mod scalar;
mod schema;
mod screen;
mod standin;
mod target;
mod text;

pub(crate) use access::Path;
pub(crate) use error::What;
pub(crate) use gather::{Found, Unchecked, decode, decode_at};
pub(crate) use schema::key_paths;
#[cfg(feature = "cli")]
pub(crate) use schema::{Example, Outline};
pub use schema::{Key, KeyKind, Schema};

use crate::plan::OriginInfo;
use crate::tree::{Hole, KeyPath, LeafText, Merged, Slot};
use error::Error;
use serde::de::{self, Visitor};
use standin::{Copies, Entry, StandIn};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The newtype names by which our own types ask for more than serde offers. Any other deserializer sees a
/// plain newtype.
pub(crate) const LIVE: &str = "$secretfig::Live";
pub(crate) const STRICT: &str = "$secretfig::Strict";
pub(crate) const CHECKED: &str = "$secretfig::Checked";
#[cfg(feature = "models")]
pub(crate) const TEXT_OR_TABLE: &str = "$secretfig::TextOrTable";

/// What one decoding walk notes on its way.
#[derive(Default)]
pub(crate) struct Walk {
    /// Stand-ins and dropped keys, by path.
    overlay: BTreeMap<KeyPath, Entry>,
    /// The type's own spelling of keys that were missing.
    missing: BTreeMap<KeyPath, &'static str>,
    /// How many stand-ins were given out in this walk.
    used_standin: std::cell::Cell<usize>,
    /// Whether plain leaves may satisfy `Strict<T>`.
    strict: bool,
    notes: RefCell<Notes>,
    /// Whether to note all that a next walk may need (not on the first, clean walk).
    thorough: bool,
    /// Whether a stand-in option is walked into: for the schema.
    into_options: bool,
    copies: Copies,
    origins: Arc<[OriginInfo]>,
}

impl Walk {
    /// What the overlay has at that place.
    fn entry(&self, path: &Path<'_>) -> Option<Entry> {
        if self.overlay.is_empty() { None } else { self.overlay.get(&path.to_key_path()).copied() }
    }
}

#[derive(Default)]
struct Notes {
    /// `Live` parts met, by path.
    lives: Vec<KeyPath>,
    /// Places whose type says that it holds a secret: `Strict`, bytes, our models.
    sealed: Vec<KeyPath>,
    /// Keys that no field took.
    unknown: Vec<KeyPath>,
    /// The fields of every struct met.
    fields: BTreeMap<KeyPath, &'static [&'static str]>,
    /// How many candidates the last ask at a stand-in had.
    asked: BTreeMap<KeyPath, usize>,
    /// Which candidate a stand-in was.
    given: BTreeMap<KeyPath, (usize, Option<&'static str>)>,
    /// The places of stand-ins, in the order in which they were asked for: by their copy of the texts.
    handed: Vec<KeyPath>,
    /// Places read by `deserialize_any`.
    any: BTreeSet<KeyPath>,
    /// Values read as the name of a variant: the tags of internally tagged enums.
    tags: BTreeSet<KeyPath>,
    /// The key last offered to a table, for two spellings of one field.
    last_key: Option<KeyPath>,
    /// What the models found wrong.
    invalid: Vec<(KeyPath, &'static str)>,
    /// What each key asked for.
    kinds: BTreeMap<KeyPath, KeyKind>,
}

/// The deserializer of one place.
pub(crate) struct De<'de, 'w> {
    at: At<'de>,
    walk: &'de Walk,
    path: Path<'w>,
}

#[derive(Clone, Copy)]
enum At<'de> {
    Slot(&'de Slot<'de>),
    StandIn(StandIn),
}

type Res<T> = Result<T, Error>;

/// A stand-in that is given out: which candidate, and its copy of the texts.
struct Given {
    candidate: usize,
    copy: usize,
    name: Option<&'static str>,
}

impl<'de> De<'de, '_> {
    fn root(slot: &'de Slot<'de>, walk: &'de Walk) -> Self {
        Self { at: At::Slot(slot), walk, path: Path::ROOT }
    }

    fn note_sealed(&self) {
        self.walk.notes.borrow_mut().sealed.push(self.path.to_key_path());
    }

    fn note(&self, kind: KeyKind) {
        if self.walk.thorough {
            self.walk.notes.borrow_mut().kinds.insert(self.path.to_key_path(), kind);
        }
    }

    /// Lets a visitor see a value; its error gets this place.
    fn visit<V: Visitor<'de>>(&self, visitor: V, run: impl FnOnce(V) -> Res<V::Value>) -> Res<V::Value> {
        // what it says now, it says of the type: it has not seen the value
        let own = self.walk.thorough.then(|| (&visitor as &dyn de::Expected).to_string());
        run(visitor).map_err(|e| {
            let e = e.at(|| self.path.to_key_path());
            match own {
                Some(own) => e.expecting(&own),
                None => e,
            }
        })
    }

    /// The value here is of another type than the visitor takes.
    fn wrong<V: Visitor<'de>>(&self, visitor: V) -> Res<V::Value> {
        self.visit(visitor, |visitor| Err(de::Error::invalid_type(de::Unexpected::Other("value"), &visitor)))
    }

    fn refuse<T>(&self, what: What) -> Res<T> {
        Err(Error::new(what).at(|| self.path.to_key_path()))
    }

    /// Text that may be parsed into what the target asks for.
    fn parsable(&self) -> Option<&'de str> {
        match self.at {
            At::Slot(slot) => match slot.node.leaf_text()? {
                LeafText::Parsed(text) => Some(text.trim()),
                LeafText::Strict(_) => None,
            },
            At::StandIn(_) => None,
        }
    }

    fn leaf_text(&self) -> Option<&'de str> {
        match self.at {
            At::Slot(slot) => match slot.node.leaf_text()? {
                LeafText::Parsed(text) | LeafText::Strict(text) => Some(text),
            },
            At::StandIn(_) => None,
        }
    }

    /// The file a value stands in. A secret stands in none: the file that names it says nothing of its paths.
    fn file(&self) -> Option<Cow<'_, str>> {
        let At::Slot(slot) = self.at else { return None };
        let info = self.walk.origins.get(slot.origin.layer.0 as usize).filter(|_| !slot.is_secret())?;
        Some(info.file.as_ref()?.to_string_lossy())
    }

    fn standin(&self) -> Option<StandIn> {
        match self.at {
            At::StandIn(standin) => Some(standin),
            At::Slot(slot) if matches!(slot.node, Merged::Hole) => Some(StandIn::default()),
            At::Slot(_) => None,
        }
    }

    /// Which candidate to give out, of `count`; noted so that the next round knows how many there were.
    fn give(&self, standin: StandIn, count: usize) -> Given {
        self.walk.used_standin.set(self.walk.used_standin.get() + 1);
        if !self.walk.thorough {
            return Given { candidate: 0, copy: 0, name: None };
        }
        let path = self.path.to_key_path();
        let chosen = standin.at(&self.walk.overlay, &path);
        let mut notes = self.walk.notes.borrow_mut();
        let candidate = chosen.number.min(count.saturating_sub(1));
        notes.asked.insert(path.clone(), count);
        notes.given.insert(path.clone(), (candidate, chosen.name));
        notes.handed.push(path);
        Given { candidate, copy: notes.handed.len() - 1, name: chosen.name }
    }

    /// A stand-in that is none of the usual texts.
    fn note_given(&self, text: &'static str) {
        if self.walk.thorough {
            self.walk.notes.borrow_mut().given.insert(self.path.to_key_path(), (0, Some(text)));
        }
    }

    /// The text of a stand-in.
    fn given_text(&self, given: &Given) -> &'de str {
        given.name.unwrap_or_else(|| self.walk.copies.text(given.copy, given.candidate))
    }
}

/// Whether a table is short of a secret.
fn has_hole(slot: &Slot<'_>) -> bool {
    matches!(slot.node, Merged::Hole | Merged::Table(_, Hole::Yes))
}
