//! The guard.

use crate::rejection::Rejection;
use crate::sections::NotThere;
use rocket::request::{FromRequest, Outcome};
use rocket::{Ignite, Request, Rocket, Sentinel};
use secretfig::{Held, Section};
use std::fmt;
use std::ops::Deref;

/// One revision of a section, for one request. Derefs to `S`.
///
/// The section comes out of Rocket's managed state, where [`sections`](crate::sections) puts it. Taking it is a look-up
/// by type and one atomic load: no lock, no waiting. What was taken stays as it is until it is dropped, also when the
/// secret rotates meanwhile.
///
/// | written as | when the section is withheld |
/// | --- | --- |
/// | `Secrets<S>` | the request goes to the 503 catcher; without one of yours it is answered `service unavailable` |
/// | `Option<Secrets<S>>` | `None` |
/// | `Result<Secrets<S>, Rejection>` | `Err`, for an answer of one's own |
///
/// In each of these forms the launch is refused if the section is not registered: Rocket asks the guard's [`Sentinel`]
/// for `Option` and `Result` as well.
///
/// `K` tells two sections of one type apart, as [`Section::keyed`] does.
///
/// ```
/// use rocket::{Build, Rocket, get, routes};
/// use secretfig::{Config, Live};
/// use secretfig_rocket::{Secrets, sections};
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
/// #[get("/limit")]
/// fn limit(limits: Secrets<Limits>) -> String {
///     limits.per_minute.to_string()
/// }
///
/// fn rocket(config: &Config<AppConfig>) -> Rocket<Build> {
///     rocket::build().attach(sections(config).add(|app| &app.limits)).mount("/", routes![limit])
/// }
/// ```
pub struct Secrets<S, K = S>(pub Held<S, K>);

#[rocket::async_trait]
impl<'r, S: Send + Sync + 'static, K: 'static> FromRequest<'r> for Secrets<S, K> {
    type Error = Rejection;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Rejection> {
        let rejection = match request.rocket().state::<Section<S, K>>() {
            Some(section) => match section.get() {
                Ok(held) => return Outcome::Success(Self(held)),
                Err(withheld) => Rejection::withheld::<S>(withheld),
            },
            None => missing::<S, K>(request.rocket().state::<NotThere<S, K>>().is_some()),
        };
        rejection.note(request);
        Outcome::Error((rejection.status(), rejection))
    }
}

#[cold]
fn missing<S: 'static, K: 'static>(added: bool) -> Rejection {
    if added {
        return Rejection::not_there::<S>();
    }
    // only for a guard that another guard or a handler asks for by hand: Rocket finds all others at launch
    tracing::error!(
        target: "secretfig",
        section = std::any::type_name::<Secrets<S, K>>(),
        "a request needs a section that was never registered: add it to `secretfig_rocket::sections`"
    );
    Rejection::not_registered::<S>()
}

/// Refuses the launch where the section is not registered, and says which in one ERROR line.
impl<S: Send + Sync + 'static, K: 'static> Sentinel for Secrets<S, K> {
    fn abort(rocket: &Rocket<Ignite>) -> bool {
        let registered =
            rocket.state::<Section<S, K>>().is_some() || rocket.state::<NotThere<S, K>>().is_some();
        if !registered {
            tracing::error!(
                target: "secretfig",
                section = std::any::type_name::<Self>(),
                "a handler takes a section that was never registered, so that Rocket does not launch: add it to \
                 `secretfig_rocket::sections`, and attach that"
            );
        }
        !registered
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
