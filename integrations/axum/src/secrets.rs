//! The extractor.

use crate::rejection::WithheldRejection;
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use secretfig::{Held, Section};
use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;

/// One revision of a section, for one request. Derefs to `S`.
///
/// The section comes out of the router's state by [`FromRef`]; a state without it does not compile. Taking it is one
/// atomic load: no lock, no allocation, no waiting. What was taken stays as it is until it is dropped, also when
/// the secret rotates meanwhile.
///
/// | written as | when the section is withheld |
/// | --- | --- |
/// | `Secrets<S>` | the request ends with [`WithheldRejection`], a 503 |
/// | `Option<Secrets<S>>` | `None` |
/// | `Result<Secrets<S>, WithheldRejection>` | `Err`, for an answer of one's own |
///
/// `K` tells two sections of one type apart, as [`Section::keyed`] does.
///
/// ```
/// use axum::{Router, routing::get};
/// use secretfig::{Config, Live, Section};
/// use secretfig_axum::Secrets;
/// # use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct App {
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
/// let config = Config::fixed(App { limits: Live::from(Limits { per_minute: 60 }) });
/// let section: Section<Limits> = config.section(|app| &app.limits);
/// // the state may be the section itself
/// let app: Router = Router::new().route("/limit", get(limit)).with_state(section);
/// ```
pub struct Secrets<S, K = S>(pub Held<S, K>);

impl<S, K, St> FromRequestParts<St> for Secrets<S, K>
where
    Section<S, K>: FromRef<St>,
    St: Send + Sync,
    S: Send + Sync + 'static,
    K: 'static,
{
    type Rejection = WithheldRejection;

    async fn from_request_parts(_: &mut Parts, state: &St) -> Result<Self, WithheldRejection> {
        match Section::<S, K>::from_ref(state).get() {
            Ok(held) => Ok(Self(held)),
            Err(withheld) => Err(WithheldRejection::new::<S>(withheld)),
        }
    }
}

/// `None` means withheld: a section that is missing from the state does not compile in this form either.
impl<S, K, St> OptionalFromRequestParts<St> for Secrets<S, K>
where
    Section<S, K>: FromRef<St>,
    St: Send + Sync,
    S: Send + Sync + 'static,
    K: 'static,
{
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &St) -> Result<Option<Self>, Infallible> {
        Ok(Section::<S, K>::from_ref(state).get().ok().map(Self))
    }
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
