//! What a caller sees of a withheld section: that the service is unavailable, and nothing else.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secretfig::Withheld;
use std::fmt;

/// A section is withheld, so the request cannot be served: 503, `Retry-After: 30`, `service unavailable`.
///
/// Whoever sends the request learns neither which section it was nor why. The operator does: when the response is
/// made, one line at `DEBUG`, target `secretfig`, names both. [`WithheldRejection::reason`] has the same for a handler
/// that takes `Result<Secrets<S>, WithheldRejection>` and answers in its own way.
///
/// ```
/// use axum::http::StatusCode;
/// use secretfig_axum::{Secrets, WithheldRejection};
/// # struct Database;
///
/// async fn report(db: Result<Secrets<Database>, WithheldRejection>) -> StatusCode {
///     match db {
///         Ok(_db) => StatusCode::OK,
///         Err(withheld) => withheld.status(), // or an answer from a cache
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct WithheldRejection {
    withheld: Withheld,
    section: &'static str,
}

/// In seconds. When the section comes back nobody knows: with the source's next good answer. This is long enough to
/// keep a crowd of clients off, and short against the minutes between two looks at a source.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("30");

impl WithheldRejection {
    pub(crate) fn new<S>(withheld: Withheld) -> Self {
        Self { withheld, section: std::any::type_name::<S>() }
    }

    /// Why the section is withheld. For logs and decisions, not for the response: it names the secret.
    pub fn reason(&self) -> &Withheld {
        &self.withheld
    }

    /// The name of the section's type.
    pub fn section(&self) -> &'static str {
        self.section
    }

    /// The status of the response: 503.
    pub fn status(&self) -> StatusCode {
        StatusCode::SERVICE_UNAVAILABLE
    }

    /// The body of the response: `service unavailable`.
    pub fn body_text(&self) -> String {
        BODY.to_owned()
    }
}

const BODY: &str = "service unavailable";

impl IntoResponse for WithheldRejection {
    fn into_response(self) -> Response {
        // DEBUG, for it is once per request: that the section went is one ERROR line of the core
        tracing::debug!(
            target: "secretfig",
            section = self.section,
            reason = %self.withheld,
            "a request was refused: its section is withheld"
        );
        let headers = [
            (header::RETRY_AFTER, RETRY_AFTER),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (self.status(), headers, BODY).into_response()
    }
}

/// What the response says; see [`WithheldRejection::reason`] for why.
impl fmt::Display for WithheldRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BODY)
    }
}

impl fmt::Debug for WithheldRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithheldRejection")
            .field("section", &self.section)
            .field("reason", &self.withheld)
            .finish()
    }
}

/// Has no `source()`: error layers tend to print the whole chain into the response.
impl std::error::Error for WithheldRejection {}
