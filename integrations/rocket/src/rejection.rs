//! What a caller sees of a section that cannot be had: that the service is unavailable, and nothing else.

use rocket::catcher::{self, Catcher, Handler};
use rocket::http::{ContentType, Header, Status};
use rocket::response::{self, Responder};
use rocket::{Request, Response, async_trait};
use secretfig::Withheld;
use std::fmt;
use std::io::Cursor;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A request cannot have its section.
///
/// | why | status |
/// | --- | --- |
/// | withheld | 503 |
/// | added by `add_opt` and not there, or asked for by hand and never registered | 500 |
///
/// It is the error of the guard. Whoever sends the request learns neither which section it was nor why: Rocket hands
/// the status to a catcher. Where you have none for 503, the answer is `service unavailable` with `Retry-After: 30` and
/// `Cache-Control: no-store`, and one line at `DEBUG`, target `secretfig`, says which section and why; Rocket itself
/// logs every guard that fails, by its type and this error's `Debug`. [`Rejection::reason`] has the same for a handler
/// that takes `Result<Secrets<S>, Rejection>` and answers in its own way.
///
/// ```
/// use rocket::get;
/// use secretfig_rocket::{Rejection, Secrets};
/// # struct Database;
///
/// #[get("/report")]
/// fn report(db: Result<Secrets<Database>, Rejection>) -> Result<&'static str, Rejection> {
///     match db {
///         Ok(_db) => Ok("report"),
///         Err(e) if e.reason().is_some() => Ok("from a cache"),
///         Err(e) => Err(e), // as if the guard had failed
///     }
/// }
/// # let _ = rocket::routes![report];
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

    /// The status of the response: 503 or 500.
    pub fn status(&self) -> Status {
        match self.why {
            Why::Withheld(_) => Status::ServiceUnavailable,
            Why::NotThere | Why::NotRegistered => Status::InternalServerError,
        }
    }

    /// The body of the response: `service unavailable` or `internal server error`.
    pub fn body_text(&self) -> &'static str {
        match self.why {
            Why::Withheld(_) => "service unavailable",
            Why::NotThere | Why::NotRegistered => "internal server error",
        }
    }

    /// Leaves word for the catcher, if it is one for it. Rocket ends a request at the first guard that fails, so that
    /// the last word is that of the section that refused the request; what came before was an `Option` or a `Result`.
    pub(crate) fn note(&self, request: &Request<'_>) {
        if matches!(self.why, Why::Withheld(_)) {
            *request.local_cache(Noted::default).lock() = Some(self.clone());
        }
    }
}

/// In Rocket's cache of a request, of which there is one per type and which keeps what it was given first.
#[derive(Default)]
struct Noted(Mutex<Option<Rejection>>);

impl Noted {
    fn lock(&self) -> MutexGuard<'_, Option<Rejection>> {
        // it is only ever swapped whole
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes to the catcher of its status, as when the guard fails.
impl<'r> Responder<'r, 'static> for Rejection {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.note(request);
        Err(self.status())
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

/// Answers a request whose section is withheld; a 503 of a request that met no such section as Rocket would. Who made
/// the status of a request that did, a guard or the handler, Rocket does not tell a catcher.
#[derive(Clone)]
pub(crate) struct Unavailable {
    others: Catcher,
}

impl Unavailable {
    /// For the whole application, if its author has no word of their own on a 503 there.
    pub(crate) fn catcher<'c>(mut own: impl Iterator<Item = &'c Catcher>) -> Option<Catcher> {
        let taken = own.any(|own| own.base.path() == "/" && matches!(own.code, None | Some(503)));
        let mut catcher = Catcher::new(503, Self { others: Catcher::default() });
        catcher.name = Some("secretfig: withheld".into());
        (!taken).then_some(catcher)
    }
}

#[async_trait]
impl Handler for Unavailable {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        let noted = request.local_cache(Noted::default).lock().take();
        let Some(Rejection { why: Why::Withheld(withheld), section }) = noted else {
            return self.others.handler.handle(status, request).await;
        };
        // DEBUG, for it is once per request: that the section went is one ERROR line of the core
        tracing::debug!(
            target: "secretfig",
            section,
            reason = %withheld,
            "a request was refused: its section is withheld"
        );
        let body = "service unavailable";
        Response::build()
            .status(status)
            .header(ContentType::Plain)
            .header(Header::new("Retry-After", RETRY_AFTER))
            .header(Header::new("Cache-Control", "no-store"))
            .sized_body(body.len(), Cursor::new(body))
            .ok()
    }
}

/// In seconds. When the section comes back nobody knows: with the source's next good answer. This is long enough to
/// keep a crowd of clients off, and short against the minutes between two looks at a source.
const RETRY_AFTER: &str = "30";
