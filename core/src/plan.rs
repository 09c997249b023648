//! Everything that is frozen at load: layers, origins, and which secrets are wanted where.

use crate::guarded::Guarded;
use crate::layers::{Frozen, Profile};
use crate::report::{Fault, FaultKind, Place};
use crate::secrets::Wanted;
use crate::tree::{KeyPath, Kind, Origin, OriginId, Plain, Slot, UseId};
use secretfig_source::{Ask, Source};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// Where values of a plain layer come from, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginInfo {
    /// A file with its line, a variable, a place in code.
    pub(crate) name: String,
    /// The file, for paths that are relative to it.
    pub(crate) file: Option<PathBuf>,
    /// Whether it is the environment.
    pub(crate) environment: bool,
}

/// Which secret of the store: one per source and ask, however many uses it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SecretId(pub(crate) u32);

impl SecretId {
    /// Of a use that does not count: of another profile, or beaten whatever it holds.
    pub(crate) const UNUSED: Self = Self(u32::MAX);
    /// Of a use without a source, which is a fault already.
    pub(crate) const FAILED: Self = Self(u32::MAX - 1);

    pub(crate) fn nth(n: usize) -> Self {
        Self(u32::try_from(n).unwrap_or(u32::MAX))
    }
}

/// One use of a secret: a `[secrets]` entry, a `SecretLayer::put`, or a reference.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) path: KeyPath,
    pub(crate) wanted: Wanted,
    pub(crate) secret: SecretId,
    pub(crate) origin: OriginId,
}

/// One secret that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) source: usize,
    pub(crate) ask: Ask,
}

/// A source under the name that messages give it.
#[derive(Clone)]
pub(crate) struct NamedSource {
    pub(crate) name: String,
    pub(crate) source: Arc<Guarded>,
}

/// The frozen plan of a configuration.
pub(crate) struct Plan {
    pub(crate) layers: Vec<Frozen>,
    pub(crate) profile: Profile,
    pub(crate) strict: bool,
    /// Whether a whole layer could not be read: what is missing then is not told as well.
    pub(crate) broken: bool,
    pub(crate) origins: Arc<[OriginInfo]>,
    pub(crate) uses: Vec<Use>,
    pub(crate) secrets: Vec<Secret>,
    pub(crate) sources: Vec<NamedSource>,
}

impl Plan {
    pub(crate) fn origin(&self, id: OriginId) -> Option<&OriginInfo> {
        self.origins.get(id.0 as usize)
    }

    pub(crate) fn secret_of(&self, id: UseId) -> Option<(&Use, &Secret, &NamedSource)> {
        let used = self.uses.get(id.0 as usize)?;
        let secret = self.secrets.get(used.secret.0 as usize)?;
        Some((used, secret, self.sources.get(secret.source)?))
    }

    /// Where a value came from, for a fault: without a revision.
    pub(crate) fn place(&self, origin: Origin) -> Place {
        let layer = self.origin(origin.layer).map(|info| info.name.clone());
        match origin.secret.and_then(|id| self.secret_of(id)) {
            None => Place { layer, ..Place::default() },
            Some((_, secret, source)) => Place {
                layer,
                source: Some(source.name.clone()),
                secret: Some(secret.ask.to_string()),
                revision: None,
            },
        }
    }

    /// The uses whose secrets are at, above (but not at the root) or below a path.
    pub(crate) fn uses_at(&self, path: &KeyPath) -> impl Iterator<Item = (UseId, &Use)> {
        let all = self.uses.iter().enumerate();
        let all = all.map(|(n, used)| (UseId(u32::try_from(n).unwrap_or(u32::MAX)), used));
        let counts = |used: &Use| used.secret < SecretId::FAILED;
        all.filter(move |(_, used)| {
            counts(used) && used.path.meets(path) && (!used.path.is_root() || path.is_root())
        })
    }

    /// The leaf a merged slot came from, deepest first secret.
    pub(crate) fn place_of(&self, slot: &Slot<'_>) -> Place {
        self.place(slot.origin)
    }
}

/// What layers write into while they are frozen.
pub(crate) struct Draft {
    pub(crate) origins: Vec<OriginInfo>,
    pub(crate) references: Vec<Reference>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) remarks: Vec<String>,
    /// Schemes of sources that the builder was given besides the known ones.
    pub(crate) schemes: BTreeSet<String>,
}

/// A use of a secret, met while layers are frozen.
pub(crate) struct Reference {
    pub(crate) path: KeyPath,
    pub(crate) by: By,
    pub(crate) wanted: Wanted,
    pub(crate) origin: OriginId,
    pub(crate) profile: Profile,
}

/// How the source of a use is found.
pub(crate) enum By {
    /// By the scheme of a reference.
    Scheme(String),
    /// It is this one.
    Source(Arc<dyn Source>),
    /// There is none; that is a fault already.
    Nowhere,
}

impl Draft {
    pub(crate) fn new(schemes: BTreeSet<String>) -> Self {
        let nowhere = OriginInfo { name: "no layer".to_owned(), file: None, environment: false };
        Self {
            origins: vec![nowhere],
            references: Vec::new(),
            faults: Vec::new(),
            remarks: Vec::new(),
            schemes,
        }
    }

    pub(crate) fn origin(&mut self, name: impl Into<String>) -> OriginId {
        self.origin_info(OriginInfo { name: name.into(), file: None, environment: false })
    }

    pub(crate) fn origin_info(&mut self, info: OriginInfo) -> OriginId {
        self.origins.push(info);
        OriginId(u32::try_from(self.origins.len() - 1).unwrap_or(u32::MAX))
    }

    /// A text of a plain layer: a reference where it is one, text otherwise.
    pub(crate) fn text(
        &mut self,
        profile: &Profile,
        path: &KeyPath,
        origin: OriginId,
        text: Zeroizing<Box<str>>,
        loose: bool,
    ) -> Kind {
        let known = |scheme: &str| self.schemes.contains(scheme);
        if let Some(scheme) = crate::reference::scheme_of(&text, known) {
            match crate::reference::parse(&text) {
                Ok(wanted) => {
                    let scheme = scheme.to_owned();
                    return self.reference(profile, path, origin, scheme, wanted);
                }
                Err(reason) => {
                    let layer = self.origins.get(origin.0 as usize).map(|info| info.name.clone());
                    let place = Place { layer, ..Place::default() };
                    let fault = Fault::new(path.clone(), FaultKind::Setting(reason)).at(place);
                    self.faults.push(fault.hint("write it as `scheme://name#field`, percent-encoded"));
                    return Kind::Null;
                }
            }
        }
        Kind::Leaf(if loose { Plain::Loose(text) } else { Plain::Text(text) })
    }

    pub(crate) fn reference(
        &mut self,
        profile: &Profile,
        path: &KeyPath,
        origin: OriginId,
        scheme: String,
        wanted: Wanted,
    ) -> Kind {
        Kind::Use(self.wants(profile, path, origin, By::Scheme(scheme), wanted))
    }

    /// Notes a use of a secret.
    pub(crate) fn wants(
        &mut self,
        profile: &Profile,
        path: &KeyPath,
        origin: OriginId,
        by: By,
        wanted: Wanted,
    ) -> UseId {
        let id = UseId(u32::try_from(self.references.len()).unwrap_or(u32::MAX));
        let (path, profile) = (path.clone(), profile.clone());
        self.references.push(Reference { path, by, wanted, origin, profile });
        id
    }
}

/// Takes over a text at exact size; the old block is wiped.
pub(crate) fn wiped(mut text: String) -> Zeroizing<Box<str>> {
    if text.len() == text.capacity() {
        return Zeroizing::new(text.into_boxed_str());
    }
    let exact = Zeroizing::new(Box::from(text.as_str()));
    text.zeroize();
    exact
}
