//! The fields of an event, a span or a record: whether something in them is to be hidden, and what is handed on then.

use super::names::Names;
use super::text::{MASK, redacted};
use super::wiped::Wiped;
use std::error::Error;
use std::fmt;
use tracing::field::{DebugValue, Field, FieldSet, Value, ValueSet, Visit, debug};
use zeroize::Zeroizing;

/// As deep as the causes of an error are followed: one that is its own cause would go on for ever.
const CAUSES: usize = 64;

/// Whether one of the fields is to be hidden, or something in it.
pub(super) struct Look<'a> {
    names: &'a Names,
    pub(super) found: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self { names, found: false }
    }

    fn field(&mut self, field: &Field, inside: impl FnOnce(&Names) -> bool) {
        self.found = self.found || hides(self.names, field) || inside(self.names);
    }
}

/// A message is looked through, and never hidden as a whole.
fn hides(names: &Names, field: &Field) -> bool {
    field.name() != "message" && names.hides(field.name())
}

fn is_told(text: fmt::Arguments<'_>, names: &Names) -> bool {
    redacted(Wiped::of(text).as_str(), names).is_some()
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let next = |error: &&'e (dyn Error + 'static)| (*error).source();
    std::iter::successors(Some(error), next).take(CAUSES)
}

macro_rules! plain {
    ($($record:ident $type:ty),+) => {
        $(fn $record(&mut self, field: &Field, _: $type) {
            self.field(field, |_| false);
        })+
    };
}

impl Visit for Look<'_> {
    plain! { record_f64 f64, record_i64 i64, record_u64 u64, record_i128 i128, record_u128 u128, record_bool bool }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, |names| redacted(value, names).is_some());
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.field(field, |names| tells(value, names));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.field(field, |names| {
            causes(value).any(|error| {
                is_told(format_args!("{error}"), names)
                    || is_told(format_args!("{error:#}"), names)
                    || is_told(format_args!("{error:?}"), names)
                    || is_told(format_args!("{error:#?}"), names)
            })
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, |names| {
            is_told(format_args!("{value:?}"), names) || is_told(format_args!("{value:#?}"), names)
        });
    }
}

/// Whether bytes are a text with a secret in it.
fn tells(bytes: &[u8], names: &Names) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| redacted(text, names).is_some())
}

/// The fields as they are handed on: copies, since a visitor is lent each value for one call only.
pub(super) struct Kept<'a> {
    names: &'a Names,
    fields: Vec<Option<Copied>>,
}

/// Each in the type it had.
enum Copied {
    Hidden(DebugValue<Mask>),
    F64(f64),
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    Bool(bool),
    Text(Wiped),
    Bytes(Zeroizing<Box<[u8]>>),
    Error(Box<dyn Error + 'static>),
    Debug(DebugValue<Printed>),
}

impl Copied {
    fn value(&self) -> &dyn Value {
        match self {
            Copied::Hidden(mask) => mask,
            Copied::F64(n) => n,
            Copied::I64(n) => n,
            Copied::U64(n) => n,
            Copied::I128(n) => n,
            Copied::U128(n) => n,
            Copied::Bool(yes) => yes,
            Copied::Text(text) => text.as_ref(),
            Copied::Bytes(bytes) => &**bytes,
            Copied::Error(error) => error,
            Copied::Debug(printed) => printed,
        }
    }
}

impl<'a> Kept<'a> {
    pub(super) fn new(names: &'a Names, fields: &FieldSet) -> Self {
        Self { names, fields: fields.iter().map(|_| None).collect() }
    }

    /// Hands them on as the values of that set of fields, which they were visited as.
    pub(super) fn lend<R>(&self, fields: &FieldSet, then: impl FnOnce(&ValueSet<'_>) -> R) -> R {
        let values: Vec<_> = self.fields.iter().map(|field| field.as_ref().map(Copied::value)).collect();
        then(&fields.value_set_all(&values))
    }

    fn put(&mut self, field: &Field, copy: impl FnOnce(&Names) -> Copied) {
        let hidden = hides(self.names, field);
        if let Some(place) = self.fields.get_mut(field.index()) {
            *place = Some(if hidden { Copied::Hidden(debug(Mask)) } else { copy(self.names) });
        }
    }
}

macro_rules! copied {
    ($($record:ident $Variant:ident $type:ty),+) => {
        $(fn $record(&mut self, field: &Field, value: $type) {
            self.put(field, |_| Copied::$Variant(value));
        })+
    };
}

impl Visit for Kept<'_> {
    copied! {
        record_f64 F64 f64, record_i64 I64 i64, record_u64 U64 u64, record_i128 I128 i128, record_u128 U128 u128,
        record_bool Bool bool
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |names| Copied::Text(shown(format_args!("{value}"), names)));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.put(field, |names| match tells(value, names) {
            true => Copied::Hidden(debug(Mask)),
            false => Copied::Bytes(Zeroizing::new(value.into())),
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, |names| {
            let all: Vec<_> = causes(value).collect();
            let told = all
                .into_iter()
                .rev()
                .fold(None, |cause, error| Some(Box::new(Told::of(error, cause, names))));
            told.map_or(Copied::Hidden(debug(Mask)), |told| Copied::Error(told))
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |names| Copied::Debug(debug(Printed::of(value, names))));
    }
}

fn shown(text: fmt::Arguments<'_>, names: &Names) -> Wiped {
    let text = Wiped::of(text);
    redacted(text.as_str(), names).unwrap_or(text)
}

struct Mask;

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// What `{:?}` and `{:#?}` print of a value.
struct Printed {
    plain: Wiped,
    pretty: Wiped,
}

impl Printed {
    fn of(value: &dyn fmt::Debug, names: &Names) -> Self {
        Self {
            plain: shown(format_args!("{value:?}"), names),
            pretty: shown(format_args!("{value:#?}"), names),
        }
    }
}

impl fmt::Debug for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if f.alternate() { &self.pretty } else { &self.plain }.as_str())
    }
}

/// An error that says what another said.
struct Told {
    plain: Wiped,
    alternate: Wiped,
    debug: Printed,
    cause: Option<Box<Told>>,
}

impl Told {
    fn of(error: &dyn Error, cause: Option<Box<Told>>, names: &Names) -> Self {
        Self {
            plain: shown(format_args!("{error}"), names),
            alternate: shown(format_args!("{error:#}"), names),
            debug: Printed::of(&error, names),
            cause,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if f.alternate() { &self.alternate } else { &self.plain }.as_str())
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.debug, f)
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
