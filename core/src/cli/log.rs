//! `-v`: the audit on stderr.

use super::say;
use crate::tree::Clean;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Metadata, Subscriber};

/// Has every audit line printed on stderr from now on. Where the process has a subscriber already, that one goes on.
pub(super) fn audit_to_stderr() {
    let _ = tracing::subscriber::set_global_default(Audit);
}

struct Audit;

impl Subscriber for Audit {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target() == "secretfig::audit"
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line("audit:".to_owned());
        event.record(&mut line);
        say::err(&line.0);
    }

    // no span is enabled
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        // writing to a string does not fail
        let _ = write!(self.0, " {}={}", field.name(), Clean(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}
