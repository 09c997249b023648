//! The doors to figment: any of its providers, or a whole `Figment`, comes in as a layer; chosen values go out as
//! a `Figment`.

use crate::builder::Layer;
use crate::layers::Profile;
use crate::plan::{Draft, OriginInfo, wiped};
use crate::report::{Fault, FaultKind};
use crate::tree::{KeyPath, Kind, Number, OriginId, Plain, Table, Value};
use figment::value::{Num, Tag, Value as Foreign};
use figment::{Metadata, Source as FigmentSource};
use std::collections::BTreeMap;

impl From<figment::Profile> for Profile {
    fn from(profile: figment::Profile) -> Self {
        Profile::new(profile.as_str().as_str())
    }
}

/// For applications whose own error type takes figment's: the report, as a message.
impl From<crate::LoadError> for figment::Error {
    fn from(e: crate::LoadError) -> Self {
        figment::Error::from(e.to_string())
    }
}

/// As figment itself does, the provider is read here and now; what it failed with is told by `load()`.
impl<P: figment::Provider> From<P> for Layer {
    #[track_caller]
    fn from(provider: P) -> Self {
        let mut metadata: BTreeMap<Option<Tag>, Metadata> = BTreeMap::new();
        if let Some(map) = provider.__metadata_map() {
            metadata.extend(map.into_iter().map(|(tag, data)| (Some(tag), data)));
        }
        let own = provider.metadata();
        let data = provider.data().map_err(|e| {
            // a whole `Figment` holds its layers' errors, and only figment can tell which is of which layer
            let resolved = figment::Figment::from(&provider).extract::<serde::de::IgnoredAny>().err();
            faults(resolved.unwrap_or(e), &own)
        });
        let profile = provider.profile().map(Profile::from);
        metadata.insert(None, own);
        Layer::figment(Box::new(FigmentLayer { data, metadata }), profile, std::panic::Location::caller())
    }
}

pub(crate) struct FigmentLayer {
    data: Result<figment::value::Map<figment::Profile, figment::value::Dict>, Vec<Fault>>,
    metadata: BTreeMap<Option<Tag>, Metadata>,
}

impl FigmentLayer {
    pub(crate) fn freeze(
        self,
        draft: &mut Draft,
        location: &std::panic::Location<'_>,
    ) -> BTreeMap<Profile, Table> {
        let data = match self.data {
            Ok(data) => data,
            Err(faults) => {
                draft.faults.extend(faults);
                return BTreeMap::new();
            }
        };
        let mut reader = Reader { draft, metadata: &self.metadata, location, made: BTreeMap::new() };
        data.into_iter()
            .map(|(profile, dict)| {
                let profile = Profile::from(profile);
                let entries = dict.into_iter().map(|(key, value)| {
                    let value = reader.value(&profile, value, &KeyPath::of([key.as_str()]));
                    (key.into_boxed_str(), value)
                });
                let table = entries.collect();
                (profile, table)
            })
            .collect()
    }
}

struct Reader<'r> {
    draft: &'r mut Draft,
    metadata: &'r BTreeMap<Option<Tag>, Metadata>,
    location: &'r std::panic::Location<'r>,
    made: BTreeMap<(Option<Tag>, String), OriginId>,
}

impl Reader<'_> {
    fn value(&mut self, profile: &Profile, value: Foreign, path: &KeyPath) -> Value {
        let (origin, guessing) = self.origin(profile, value.tag(), path);
        let kind = match value {
            Foreign::String(_, text) => self.draft.text(profile, path, origin, wiped(text), false),
            Foreign::Char(_, c) => Kind::Leaf(Plain::Text(wiped(c.to_string()))),
            Foreign::Bool(_, yes) => Kind::Leaf(Plain::Bool(yes)),
            Foreign::Num(_, n) if guessing => Kind::Leaf(Plain::Guessed(number(n))),
            Foreign::Num(_, n) => Kind::Leaf(Plain::Number(number(n))),
            Foreign::Empty(..) => Kind::Null,
            Foreign::Array(_, items) => {
                let items = items.into_iter().enumerate();
                Kind::List(
                    items.map(|(n, item)| self.value(profile, item, &path.child(&n.to_string()))).collect(),
                )
            }
            Foreign::Dict(_, dict) => Kind::Table(
                dict.into_iter()
                    .map(|(key, value)| {
                        let value = self.value(profile, value, &path.child(&key));
                        (key.into_boxed_str(), value)
                    })
                    .collect(),
            ),
        };
        Value::new(origin, kind)
    }

    /// The origin by figment's own Metadata, and whether that provider guesses types of text.
    fn origin(&mut self, profile: &Profile, tag: Tag, path: &KeyPath) -> (OriginId, bool) {
        let key = Some(tag).filter(|tag| self.metadata.contains_key(&Some(*tag)));
        let Some(metadata) = self.metadata.get(&key) else { return (OriginId(0), false) };
        let environment = metadata.name.contains("environment variable");
        let name = match &metadata.source {
            Some(FigmentSource::File(file)) => format!("{} {}", metadata.name, file.display()),
            Some(FigmentSource::Code(place)) => format!("{} at {place}", metadata.name),
            Some(FigmentSource::Custom(custom)) => format!("{} {custom}", metadata.name),
            _ if environment => {
                let keys: Vec<&str> = path.iter().collect();
                let foreign = figment::Profile::new(profile.as_str());
                format!("{} {}", metadata.name, metadata.interpolate(&foreign, &keys))
            }
            _ => format!("{} at {}", metadata.name, metadata.provide_location.unwrap_or(self.location)),
        };
        let file = metadata.source.as_ref().and_then(|source| source.file_path()).map(Into::into);
        let draft = &mut *self.draft;
        let id = *self
            .made
            .entry((key, name.clone()))
            .or_insert_with(|| draft.origin_info(OriginInfo { name, file, environment }));
        (id, environment)
    }
}

fn number(n: Num) -> Number {
    match (n.to_u128(), n.to_i128()) {
        (Some(n), _) => Number::Unsigned(n),
        (None, Some(n)) => Number::Signed(n),
        (None, None) => Number::Float(n.to_f64().unwrap_or(f64::NAN)),
    }
}

/// figment's errors own the values they are about: of each only kind, key and file are kept.
fn faults(error: figment::Error, own: &Metadata) -> Vec<Fault> {
    use figment::error::Kind as K;
    let one = |e: figment::Error| {
        let kind = match &e.kind {
            K::Message(_) => "it cannot read what it was given",
            K::InvalidType(..) => "a value of a wrong type",
            K::InvalidValue(..) => "a value that is not accepted",
            K::InvalidLength(..) => "a value of a wrong length",
            K::UnknownVariant(..) => "an unknown variant",
            K::UnknownField(..) => "an unknown field",
            K::MissingField(_) => "a missing field",
            K::DuplicateField(_) => "a field given twice",
            K::ISizeOutOfRange(_) | K::USizeOutOfRange(_) => "a number out of range",
            K::Unsupported(_) | K::UnsupportedKey(..) => "a type that figment does not support",
        };
        let from = e.metadata.as_ref().unwrap_or(own);
        let layer = match from.source.as_ref().and_then(|source| source.file_path()) {
            Some(file) => format!("{} {}", from.name, file.display()),
            None => from.name.to_string(),
        };
        Fault::new(KeyPath::of(e.path.iter().map(String::as_str)), FaultKind::Provider(kind)).layer(layer)
    };
    error.into_iter().map(one).collect()
}

/// The chosen values of a merged tree as figment values, for [`crate::Config::expose`].
pub(crate) mod out {
    use crate::tree::{KeyPath, LeafText, Merged, Number, Plain, Slot};
    use figment::value::{Dict, Value as Foreign};

    pub(crate) fn dict(root: &Slot<'_>, patterns: &[KeyPath]) -> Dict {
        match table(root, patterns, &KeyPath::root()) {
            Some(Foreign::Dict(_, dict)) => dict,
            _ => Dict::new(),
        }
    }

    fn table(slot: &Slot<'_>, patterns: &[KeyPath], path: &KeyPath) -> Option<Foreign> {
        let all = patterns.iter().any(|pattern| path.matches(pattern));
        match &slot.node {
            Merged::Table(keys, _) => {
                let entries = keys.iter().filter_map(|(key, slot)| {
                    let path = path.child(key);
                    let value = if all { value(slot) } else { table(slot, patterns, &path) };
                    Some(((*key).to_owned(), value?))
                });
                let dict: Dict = entries.collect();
                (all || !dict.is_empty()).then(|| Foreign::from(dict))
            }
            _ if all => value(slot),
            _ => None,
        }
    }

    fn value(slot: &Slot<'_>) -> Option<Foreign> {
        Some(match (&slot.node, slot.node.leaf_text()) {
            (Merged::Null | Merged::Hole, _) => return None,
            (Merged::Plain(Plain::Bool(yes)), _) => Foreign::from(*yes),
            (Merged::Plain(Plain::Number(n) | Plain::Guessed(n)), _) => match n {
                Number::Unsigned(n) => u64::try_from(*n).map_or(Foreign::from(*n), Foreign::from),
                Number::Signed(n) => i64::try_from(*n).map_or(Foreign::from(*n), Foreign::from),
                Number::Float(n) => Foreign::from(*n),
            },
            (Merged::Plain(Plain::Loose(text)), _) => guess(text),
            (_, Some(LeafText::Strict(text) | LeafText::Parsed(text))) => Foreign::from(text),
            // bytes: as figment has them, a list of numbers
            (Merged::Sealed(sealed), None) => match sealed.expose_secret() {
                secretfig_source::Exposed::Bytes(bytes) => Foreign::from(bytes.to_vec()),
                _ => return None,
            },
            (Merged::List(items), _) => Foreign::from(items.iter().filter_map(value).collect::<Vec<_>>()),
            (Merged::Table(keys, _), _) => {
                let entries = keys.iter().filter_map(|(key, slot)| Some(((*key).to_owned(), value(slot)?)));
                Foreign::from(entries.collect::<Dict>())
            }
            (Merged::Plain(_), None) => return None,
        })
    }

    /// Environment text, for targets that figment decodes: a number or boolean where it prints back the same.
    fn guess(text: &str) -> Foreign {
        match (text.parse::<bool>(), text.parse::<i64>()) {
            (Ok(yes), _) => Foreign::from(yes),
            (_, Ok(n)) if n.to_string() == text => Foreign::from(n),
            _ => Foreign::from(text),
        }
    }
}
