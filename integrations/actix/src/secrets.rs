//! The extractor.

use crate::rejection::Rejection;
use crate::sections::NotThere;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use secretfig::{Held, Section};
use std::fmt;
use std::future::{Ready, ready};
use std::ops::Deref;

/// One revision of a section, for one request. Derefs to `S`.
///
/// The section comes out of the `app_data` that [`Sections::require`](crate::Sections::require) installs. Taking it is
/// a look-up by type and one atomic load: no lock, no allocation, no waiting. What was taken stays as it is until it
/// is dropped, also when the secret rotates meanwhile.
///
/// | written as | when the section is withheld | when it was never registered |
/// | --- | --- | --- |
/// | `Secrets<S>` | the request ends with a [`Rejection`], a 503 | a 500 |
/// | `Option<Secrets<S>>` | `None` | `None` as well: Actix hides the difference |
/// | `Result<Secrets<S>, Rejection>` | `Err`, for an answer of one's own | `Err` |
///
/// What was never registered is one ERROR line per request in each of these forms. `require` finds it at start-up.
///
/// `K` tells two sections of one type apart, as [`Section::keyed`] does.
///
/// ```
/// use actix_web::{App, web};
/// use secretfig::{Config, Live};
/// use secretfig_actix::{Secrets, SectionsError, sections};
/// # use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct AppConfig {
///     limits: Live<Limits>,
/// }
///
/// #[derive(Deserialize)]
/// struct Limits {
///     per_minute: u32,
/// }
///
/// async fn limit(Secrets(limits): Secrets<Limits>) -> String {
///     limits.per_minute.to_string()
/// }
///
/// let config = Config::fixed(AppConfig { limits: Live::from(Limits { per_minute: 60 }) });
/// let configure = sections(&config).add(|app| &app.limits).require::<(Limits,)>()?;
/// let app = App::new().configure(configure).route("/limit", web::get().to(limit));
/// # Ok::<_, SectionsError>(())
/// ```
pub struct Secrets<S, K = S>(pub Held<S, K>);

impl<S: 'static, K: 'static> FromRequest for Secrets<S, K> {
    type Error = Rejection;
    type Future = Ready<Result<Self, Rejection>>;

    #[inline]
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // the reference, and no clone of what stands there
        ready(match request.app_data::<Section<S, K>>() {
            Some(section) => match section.get() {
                Ok(held) => Ok(Self(held)),
                Err(withheld) => Err(Rejection::withheld::<S>(withheld)),
            },
            None => Err(missing::<S, K>(request)),
        })
    }
}

#[cold]
fn missing<S: 'static, K: 'static>(request: &HttpRequest) -> Rejection {
    if request.app_data::<NotThere<S, K>>().is_some() {
        return Rejection::not_there::<S>();
    }
    // here and not in the answer, for `Option` would swallow it
    tracing::error!(
        target: "secretfig",
        section = std::any::type_name::<Secrets<S, K>>(),
        "a handler takes a section that was never registered: add it to `sections`, and name it in \
         `sections.require::<(..)>()`, which finds this at start-up"
    );
    Rejection::not_registered::<S>()
}

impl<S, K> Deref for Secrets<S, K> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

/// The same revision.
impl<S, K> Clone for Secrets<S, K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Shows the type, and nothing of the value.
impl<S, K> fmt::Debug for Secrets<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets<{}>", std::any::type_name::<S>())
    }
}
