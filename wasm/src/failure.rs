//! The errors that JavaScript gets: instances of `Error` with what is known of each fault, and no value.

use js_sys::{Array, Object, Reflect};
use secretfig::{Cause, Fault, FaultKind, LoadError, SourceError, Withheld};
use wasm_bindgen::JsValue;

/// One thing that is wrong. It has room for names, and for no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) key: String,
    pub(crate) kind: &'static str,
    pub(crate) source: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) hint: String,
    /// The whole of it, in one line.
    line: String,
}

impl Flaw {
    /// Of an option or a question: nothing was asked of a manager.
    pub(crate) fn new(key: &str, kind: &'static str, message: &str, hint: &str) -> Self {
        let at = if key.is_empty() { "(root)" } else { key };
        Self {
            key: key.to_owned(),
            kind,
            source: None,
            secret: None,
            hint: hint.to_owned(),
            line: format!("{at}: {message} \u{2192} {hint}"),
        }
    }

    pub(crate) fn of_fault(fault: &Fault) -> Self {
        Self {
            key: if fault.key().is_root() { String::new() } else { fault.key().to_string() },
            kind: kind_of(fault.kind()),
            source: fault.source_name().map(Into::into),
            secret: fault.secret_name().map(Into::into),
            hint: fault.what_to_do().to_owned(),
            line: fault.to_string(),
        }
    }

    pub(crate) fn of_source(error: &SourceError) -> Self {
        Self {
            key: String::new(),
            kind: error.kind().as_str(),
            source: Some(error.source_name().to_owned()),
            secret: error.secret_name().map(Into::into),
            hint: error.what_to_do().to_owned(),
            line: error.to_string(),
        }
    }

    pub(crate) fn withheld(key: &str, withheld: &Withheld) -> Self {
        let (kind, hint) = match withheld.cause() {
            Cause::Stale => ("stale", "see why the manager does not answer: `refresh()` tells"),
            Cause::Withdrawn => ("withdrawn", "restore the secret, or take it out of the configuration"),
            _ => ("lease ended", "load anew"),
        };
        Self {
            secret: withheld.secret_name().map(Into::into),
            ..Self::new(key, kind, &withheld.to_string(), hint)
        }
    }

    /// As a plain object: `{key, kind, source, secret, hint, message}`.
    pub(crate) fn to_js(&self) -> JsValue {
        let object = Object::new();
        self.onto(&object);
        set(&object, "message", &JsValue::from_str(&self.line));
        object.into()
    }

    fn onto(&self, object: &JsValue) {
        let optional = |text: &Option<String>| text.as_deref().map_or(JsValue::UNDEFINED, JsValue::from_str);
        set(object, "key", &JsValue::from_str(&self.key));
        set(object, "kind", &JsValue::from_str(self.kind));
        set(object, "source", &optional(&self.source));
        set(object, "secret", &optional(&self.secret));
        set(object, "hint", &JsValue::from_str(&self.hint));
    }
}

/// Its name; of a sign-in the cause, which is what a caller acts upon. That it was the sign-in, the line says.
fn kind_of(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::SignIn(cause, _) => cause.as_str(),
        other => other.name(),
    }
}

/// The error of a load that failed: every fault; its own properties are those of the first.
pub(crate) fn refused(flaws: &[Flaw]) -> JsValue {
    let mut message = String::from("configuration refused");
    for flaw in flaws {
        message.push_str("\n  ");
        message.push_str(&flaw.line);
    }
    error(&message, flaws)
}

/// The error of one question.
pub(crate) fn failed(flaw: Flaw) -> JsValue {
    let message = flaw.line.clone();
    error(&message, &[flaw])
}

pub(crate) fn flaws_of(error: &LoadError) -> Vec<Flaw> {
    error.report().faults().iter().map(Flaw::of_fault).collect()
}

fn error(message: &str, flaws: &[Flaw]) -> JsValue {
    let error: JsValue = js_sys::Error::new(message).into();
    set(&error, "name", &JsValue::from_str("SecretfigError"));
    if let Some(first) = flaws.first() {
        first.onto(&error);
    }
    set(&error, "faults", &flaws.iter().map(Flaw::to_js).collect::<Array>());
    error
}

pub(crate) fn set(object: &JsValue, key: &str, value: &JsValue) {
    // INVARIANT: it is an object just made, which takes every key
    let _ = Reflect::set(object, &JsValue::from_str(key), value);
}
