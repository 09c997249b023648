//! What a caller sees of a section that cannot be had: a status and two words, and nothing else.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use secretfig::Withheld;
use std::fmt;

/// A request cannot have its section.
///
/// | why | status | body | headers |
/// | --- | --- | --- | --- |
/// | withheld | 503 | `service unavailable` | `Retry-After: 30`, `Cache-Control: no-store` |
/// | never registered, or added by `add_opt` and not there | 500 | `internal server error` | `Cache-Control: no-store` |
///
/// Whoever sends the request learns neither which section it was nor why. The operator does: when the response for a
/// withheld one is made, one line at `DEBUG`, target `secretfig`, names both; one that is not there is an `ERROR` line. [`Rejection::reason`] has the same for a handler that takes `Result<Secrets<S>, Rejection>` and
/// answers in its own way.
///
/// ```
/// use actix_web::http::StatusCode;
/// use actix_web::{HttpResponse, ResponseError};
/// use secretfig_actix::{Rejection, Secrets};
/// # struct Database;
///
/// async fn report(db: Result<Secrets<Database>, Rejection>) -> HttpResponse {
///     match db {
///         Ok(_db) => HttpResponse::Ok().finish(),
///         Err(e) if e.reason().is_some() => HttpResponse::Accepted().body("from a cache"),
///         Err(e) => e.error_response(),
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Rejection {
    why: Why,
    section: &'static str,
}

#[derive(Clone, PartialEq, Eq)]
enum Why {
    Withheld(Withheld),
    NotThere,
    NotRegistered,
}

/// In seconds. When the section comes back nobody knows: with the source's next good answer. This is long enough to
/// keep a crowd of clients off, and short against the minutes between two looks at a source.
const RETRY_AFTER: &str = "30";

impl Rejection {
    pub(crate) fn withheld<S>(withheld: Withheld) -> Self {
        Self { why: Why::Withheld(withheld), section: std::any::type_name::<S>() }
    }

    pub(crate) fn not_there<S>() -> Self {
        Self { why: Why::NotThere, section: std::any::type_name::<S>() }
    }

    pub(crate) fn not_registered<S>() -> Self {
        Self { why: Why::NotRegistered, section: std::any::type_name::<S>() }
    }

    /// Why the section is withheld; `None` if it is not, but is not there at all. For logs and decisions, not for
    /// the response: it names the secret.
    pub fn reason(&self) -> Option<&Withheld> {
        match &self.why {
            Why::Withheld(withheld) => Some(withheld),
            Why::NotThere | Why::NotRegistered => None,
        }
    }

    /// The name of the section's type.
    pub fn section(&self) -> &'static str {
        self.section
    }

    /// The body of the response: `service unavailable` or `internal server error`.
    pub fn body_text(&self) -> &'static str {
        match self.why {
            Why::Withheld(_) => "service unavailable",
            Why::NotThere | Why::NotRegistered => "internal server error",
        }
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        match self.why {
            Why::Withheld(_) => StatusCode::SERVICE_UNAVAILABLE,
            Why::NotThere | Why::NotRegistered => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match &self.why {
            // DEBUG, for it is once per request: that the section went is one ERROR line of the core
            Why::Withheld(withheld) => {
                tracing::debug!(
                    target: "secretfig",
                    section = self.section,
                    reason = %withheld,
                    "a request was refused: its section is withheld"
                );
                response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
            }
            // here and not where it is taken, for `Option` does without it
            Why::NotThere => tracing::error!(
                target: "secretfig",
                section = self.section,
                "a handler cannot do without a section that the configuration does not have: take \
                 `Option<Secrets<..>>`, or name it in `sections.require::<(..)>()`, which finds this at start-up"
            ),
            Why::NotRegistered => {} // told where it was taken
        }
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
            .body(self.body_text())
    }
}

/// What the response says; see [`Rejection::reason`] for why.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.body_text())
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Rejection");
        shown.field("section", &self.section);
        match &self.why {
            Why::Withheld(withheld) => shown.field("reason", withheld),
            Why::NotThere => shown.field("reason", &format_args!("the configuration has no such part")),
            Why::NotRegistered => shown.field("reason", &format_args!("it was never registered")),
        };
        shown.finish()
    }
}

/// Has no `source()`: error layers tend to print the whole chain into the response.
impl std::error::Error for Rejection {}
