//! A `tracing` layer that hides values by the names of their fields, whatever prints or sends them.
//!
//! It is put around each layer that writes:
//!
//! ```
//! use secretfig::redact::Redact;
//! use tracing_subscriber::filter::LevelFilter;
//! use tracing_subscriber::prelude::*;
//!
//! let subscriber = tracing_subscriber::registry()
//!     .with(LevelFilter::INFO)
//!     .with(Redact::around(tracing_subscriber::fmt::layer()).hide("ssn").show("token_hash"));
//!
//! # tracing::subscriber::with_default(subscriber, || {
//! tracing::info!(user = "ada", password = "hunter2", url = "https://ada:hunter2@example.com/?page=1", "signed in");
//! // INFO signed in user="ada" password=[redacted] url="https://[redacted]@example.com/?page=1"
//! # });
//! // in a program: subscriber.init();
//! ```
//!
//! # What is hidden
//!
//! * **Fields** of events and spans, also those recorded later, whose name has a word for a secret in it: `password`,
//!   `secret`, `token`, `api_key`, `credentials`, `authorization`, `dsn` and the like, in any spelling (`user.apiKey`,
//!   `DB_PASSWORD`). Numbers, bytes and booleans too.
//! * **Values inside of texts**, under such names: in `Debug` of structs, maps and lists of pairs, pretty or not; in JSON,
//!   escaped at any depth, also in its keys; in `key=value` and `key: value`; in the query and the user part of a URL;
//!   after `Bearer`; in a private key in PEM or of age. That holds for every field, for messages, and for errors with all
//!   their causes.
//!
//! Names are judged by whole words, and by how a word ends: `PGPASSWORD` is hidden; `secretary`, `tokenizer` and
//! `passenger` stay. A name that ends in a word *about* a
//! secret stays as well: `secret_name`, `token_ttl`, `key_path`, `password_hash_algorithm`. [`hide`](Redact::hide) and
//! [`show`](Redact::show) add an application's own.
//!
//! A value becomes `[redacted]`, whatever its length. Where it cannot be told where a value ends, all the rest of that text
//! is hidden. All other fields keep their types, so JSON stays JSON; an event with nothing to hide is passed on as it is.
//!
//! # What it cannot do
//!
//! * It knows names, not values. A password in free prose (`it is hunter2`), in a field named `value`, or put into quotes
//!   that do not escape it, is not seen. Nor is the value of a pair whose name follows it without quotes
//!   (`value: …`, `name: DB_PASSWORD`), or has a blank in it (`["API key", …]`). It is a net under types that do not print
//!   ([`SecretString`](crate::SecretString) and the models), and no reason to log secrets.
//! * It guards the layer that it is put around. Two `fmt` layers share what they print of a span: wrap both.
//! * Attributes that are given to a tracer behind `tracing`'s back, such as by `OpenTelemetrySpanExt::set_attribute`, do
//!   not pass through it.
//! * `event_enabled` of the layer inside of it is asked about the event as it was given: it is to decide, and not to write.
//! * A layer inside of it cannot be found by its type (`Dispatch::downcast_ref`): forwarding that takes `unsafe`, of which
//!   this crate has none. So `OpenTelemetrySpanExt::set_parent` finds nothing to act on.
//!
//! # What it costs
//!
//! A field that is recorded by `Debug` is printed twice more, plain and pretty, and looked through. An event with a struct
//! of twelve headers and nothing to hide took 38 µs where `fmt` alone, writing to nowhere, took 3 µs: some 14 times.
//!
//! # Filters
//!
//! A filter for one layer belongs outside: `Redact::around(layer).with_filter(filter)`. Inside, it works as well, but then
//! `tracing` asks it anew at each event, where it would otherwise remember its answer.
//!
//! Lines of this library's own crates are passed on as they are: they hold the *names* of secrets, under the field
//! `secret`, and never a value.

mod names;
mod text;
mod values;
mod wiped;

use names::Names;
use std::any::type_name;
use std::fmt;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use values::{Kept, Look};

/// Our own crates, whose fields named `secret` hold the name of one.
const OURS: [&str; 11] = [
    "secretfig",
    "secretfig_source",
    "secretfig_transport",
    "secretfig_files",
    "secretfig_local",
    "secretfig_aws",
    "secretfig_vault",
    "secretfig_azure",
    "secretfig_axum",
    "secretfig_actix",
    "secretfig_rocket",
];

/// A layer that hides values by name from the layer inside of it. See the [module](self).
///
/// ```
/// use secretfig::redact::Redact;
/// use tracing_subscriber::prelude::*;
///
/// let layer = Redact::around(tracing_subscriber::fmt::layer()).hide("card_number");
/// let subscriber = tracing_subscriber::registry().with(layer);
/// # drop(subscriber);
/// ```
pub struct Redact<L> {
    inner: L,
    names: Names,
    /// Whether the inner layer may hold a filter of its own. Layers ask each other by `downcast_raw`, which is `unsafe` to
    /// pass on; so it is told by the name of its type, and in doubt the answer is yes, which costs a little time.
    may_filter: bool,
}

impl<L> Redact<L> {
    /// Around this layer, with the built-in names.
    pub fn around(layer: L) -> Self {
        let name = type_name::<L>();
        let may_filter = ["Filtered<", "Option<", "Vec<", "dyn "].iter().any(|part| name.contains(part));
        Self { inner: layer, names: Names::default(), may_filter }
    }

    /// Hides this name too, in all its spellings and wherever it is a part of a longer name: `ssn` also hides
    /// `customer.SSN`, but not `lesson`, and not `ssn_count`, which tells about one.
    #[must_use]
    pub fn hide(mut self, name: impl AsRef<str>) -> Self {
        self.names.hide(name.as_ref());
        self
    }

    /// Shows what has exactly this name, in all its spellings, though it sounds like a secret: `token_hash` also shows
    /// `tokenHash`. Wins over [`hide`](Redact::hide).
    #[must_use]
    pub fn show(mut self, name: impl AsRef<str>) -> Self {
        self.names.show(name.as_ref());
        self
    }

    /// Whether there is something to hide.
    fn finds(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Look<'_>)) -> bool {
        let target = metadata.target().split("::").next().unwrap_or_default();
        if OURS.contains(&target) {
            return false;
        }
        let mut look = Look::new(&self.names);
        record(&mut look);
        look.found
    }
}

impl<L: fmt::Debug> fmt::Debug for Redact<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redact")
            .field("inner", &self.inner)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl<S, L> Layer<S> for Redact<L>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    L: Layer<S>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if !self.finds(metadata, |look| attributes.record(look)) {
            return self.inner.on_new_span(attributes, id, context);
        }
        let mut kept = Kept::new(&self.names, metadata.fields());
        attributes.record(&mut kept);
        kept.lend(metadata.fields(), |values| {
            let attributes = match attributes.parent() {
                Some(parent) => Attributes::child_of(parent.clone(), metadata, values),
                None if attributes.is_root() => Attributes::new_root(metadata, values),
                None => Attributes::new(metadata, values),
            };
            self.inner.on_new_span(&attributes, id, context);
        });
    }

    fn on_record(&self, span: &Id, record: &Record<'_>, context: Context<'_, S>) {
        // of a span that is not there, nothing can be recorded
        let Some(metadata) = context.metadata(span) else { return };
        if !self.finds(metadata, |look| record.record(look)) {
            return self.inner.on_record(span, record, context);
        }
        let mut kept = Kept::new(&self.names, metadata.fields());
        record.record(&mut kept);
        kept.lend(metadata.fields(), |values| self.inner.on_record(span, &Record::new(values), context));
    }

    fn event_enabled(&self, event: &Event<'_>, context: Context<'_, S>) -> bool {
        // it decides and does not write, and so is spared the copy
        self.inner.event_enabled(event, context)
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if !self.finds(metadata, |look| event.record(look)) {
            return self.inner.on_event(event, context);
        }
        let mut kept = Kept::new(&self.names, metadata.fields());
        event.record(&mut kept);
        kept.lend(metadata.fields(), |values| {
            let event = if event.is_contextual() {
                Event::new(metadata, values)
            } else {
                Event::new_child_of(event.parent().cloned(), metadata, values)
            };
            self.inner.on_event(&event, context);
        });
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.inner.register_callsite(metadata)
    }

    /// No bound for other layers where the inner one is filtered without a bound, or is none: they would lose their lines.
    fn max_level_hint(&self) -> Option<LevelFilter> {
        let hint = self.inner.max_level_hint();
        let unbound = self.may_filter && hint.is_none_or(|hint| hint == LevelFilter::OFF);
        if unbound { Some(LevelFilter::TRACE) } else { hint }
    }

    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.inner.on_register_dispatch(dispatch);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.inner.on_layer(subscriber);
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        self.inner.enabled(metadata, context)
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        self.inner.on_follows_from(span, follows, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        self.inner.on_enter(id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        self.inner.on_exit(id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.inner.on_close(id, context);
    }

    fn on_id_change(&self, old: &Id, new: &Id, context: Context<'_, S>) {
        self.inner.on_id_change(old, new, context);
    }
}
