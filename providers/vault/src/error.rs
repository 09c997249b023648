//! From what the server says to what a user does: one table, and no foreign text.
//!
//! Of a reply the status counts, what was being done, and whether one of a few known sentences stands among its
//! `errors`. Those sentences are never passed on: a proxy, or a plugin, may put anything there.

use crate::naming::{Kind, Place};
use crate::reply::{Body, is_the_servers};
use secretfig_source::protocol::Reply;
use secretfig_source::{ErrorKind, SourceError, Unavailable, Withdrawn};
use std::borrow::Cow;
use std::time::SystemTime;

/// The scheme of references to this source, and its name in messages: `vault://secret/myapp/database#password`.
pub const SCHEME: &str = "vault";

/// Why there is no answer: a kind, and what to do. The secret is named by whoever was asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) kind: ErrorKind,
    /// In a block of its own, so that a refusal is small to hand on.
    hint: Box<Cow<'static, str>>,
}

impl Refusal {
    pub(crate) fn new(kind: ErrorKind, hint: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, hint: Box::new(hint.into()) }
    }

    /// For an answer about one secret.
    pub(crate) fn of(self, secret: &str) -> SourceError {
        SourceError::from(self).secret(secret)
    }

    /// What the user should do.
    pub(crate) fn hint(&self) -> &str {
        &self.hint
    }
}

impl From<Refusal> for SourceError {
    fn from(refusal: Refusal) -> Self {
        let error = SourceError::new(refusal.kind, SCHEME);
        match *refusal.hint {
            Cow::Borrowed(hint) => error.hint(hint),
            Cow::Owned(hint) => error.hint_naming(hint),
        }
    }
}

impl From<SourceError> for Refusal {
    fn from(error: SourceError) -> Self {
        Self::new(error.kind(), error.what_to_do().to_owned())
    }
}

pub(crate) fn misconfigured(hint: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(ErrorKind::Misconfigured, hint)
}

pub(crate) fn malformed(hint: &'static str) -> Refusal {
    Refusal::new(ErrorKind::Malformed, hint)
}

/// What was being done when a reply came that is none of the expected ones.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Doing<'a> {
    /// A login, by the way of that name.
    SignIn(&'static str),
    #[cfg(feature = "full")]
    /// Looking up a wrapping token, or opening it.
    Unwrap,
    /// `lookup-self` and `renew-self`.
    Token,
    /// Asking of what kind the mount is.
    Mount(&'a Place),
    /// Reading a value, or minting one.
    Read(&'a Place, Kind),
    #[cfg(feature = "full")]
    /// Reading a KV v2 secret's metadata.
    Metadata(&'a Place),
    #[cfg(feature = "full")]
    /// Listing a folder.
    List(&'a Place, Kind),
    #[cfg(feature = "full")]
    /// Renewing a lease.
    Renew,
    #[cfg(feature = "full")]
    /// Giving a lease back.
    Revoke,
}

impl<'a> Doing<'a> {
    fn place(self) -> Option<&'a Place> {
        match self {
            Doing::Mount(place) | Doing::Read(place, _) => Some(place),
            #[cfg(feature = "full")]
            Doing::Metadata(place) | Doing::List(place, _) => Some(place),
            _ => None,
        }
    }

    /// Whether it is done below a mount's own paths, which differ by its kind.
    fn takes_values(self) -> bool {
        match self {
            Doing::Read(..) => true,
            #[cfg(feature = "full")]
            Doing::List(..) => true,
            _ => false,
        }
    }
}

/// The table: what a reply means that was not the expected one.
pub(crate) fn refusal(reply: &Reply, doing: Doing<'_>, wall: SystemTime) -> Refusal {
    let body = Body::read(reply).ok();
    let says = |phrase: &str| body.as_ref().is_some_and(|body| body.says(phrase));
    let unavailable = |why: Unavailable, hint: &'static str| Refusal::new(ErrorKind::Unavailable(why), hint);
    match reply.status().as_u16() {
        200..300 => {
            malformed("the server answers, but not as Vault does; check what listens at this address")
        }
        307 => unavailable(
            Unavailable::Standby,
            "this node is a standby that sends its callers elsewhere, which is not followed: give the address of the \
             active node, or of all nodes",
        ),
        300..400 => misconfigured(
            "the address answers with a redirect, which is not followed: give the server's own address",
        ),
        403 | 404 if !is_the_servers(reply) => malformed(
            "a proxy or an ingress in front of the server answers in its place; check the address, and whether what \
             stands there still finds the server",
        ),
        400 => bad_request(&says, doing),
        401 => Refusal::new(
            ErrorKind::Unauthenticated,
            "something in front of the server wants a sign-in of its own; give the server's own address",
        ),
        403 => denied(doing),
        404 => absent(body.as_ref(), doing),
        405 => misconfigured(match doing {
            Doing::SignIn(_) => "the sign-in mount is of another kind; set `auth_mount`",
            _ => "the mount does not do this: it is of another kind than `mounts` says",
        }),
        408 => Refusal::new(ErrorKind::Timeout, "a proxy gave up on the server; check that it answers"),
        412 => {
            unavailable(Unavailable::Behind, "the node has not yet seen our last write; it is tried again")
        }
        413 => Refusal::new(ErrorKind::TooLarge, "what was sent is larger than the server takes"),
        429 => Refusal::new(
            ErrorKind::Throttled { retry_after: reply.retry_after(wall) },
            "a rate limit quota of the server; it is tried again. `vault list sys/quotas/rate-limit` shows which",
        ),
        472 => unavailable(
            Unavailable::Standby,
            "this cluster is a disaster recovery secondary and serves nobody: give the address of the primary",
        ),
        473 => unavailable(
            Unavailable::Standby,
            "this node is a performance standby that does not serve this: give the address of the active node",
        ),
        501 => unavailable(Unavailable::Uninitialised, "initialise the server: `vault operator init`"),
        502 => unavailable(
            Unavailable::Failing,
            match doing {
                Doing::Read(_, Kind::Database) => {
                    "the database behind the server fails; look at it, and at the server's log"
                }
                _ => "something behind the server, or a proxy in front of it, fails; look at their logs",
            },
        ),
        503 if says("sealed") => {
            unavailable(Unavailable::Sealed, "unseal the server: `vault operator unseal`")
        }
        503 => unavailable(
            Unavailable::Failing,
            "the server is in maintenance, without an active node, or down behind its proxy: `vault status`",
        ),
        500..600 => unavailable(Unavailable::Failing, "the server fails; look at its own log"),
        _ => malformed("no status that Vault answers with; check what listens at this address"),
    }
}

fn bad_request(says: &dyn Fn(&str) -> bool, doing: Doing<'_>) -> Refusal {
    let definite = |kind, hint: &'static str| Refusal::new(kind, hint);
    if says("namespace not found") {
        return misconfigured("there is no such namespace; check `namespace` and `login_namespace`");
    }
    if says("upgrading from non-versioned") {
        let failing = ErrorKind::Unavailable(Unavailable::Failing);
        return definite(failing, "the mount is being upgraded to versions; it is tried again");
    }
    match doing {
        Doing::SignIn(way) => Refusal::new(
            ErrorKind::Unauthenticated,
            ["the sign-in by ", way, " was refused: check its role, its secret and whether that has expired"]
                .concat(),
        ),
        #[cfg(feature = "full")]
        Doing::Unwrap => definite(
            ErrorKind::Unauthenticated,
            "the wrapping token was used already, or has expired. If nobody of yours used it, somebody read the \
             secret_id on its way: treat it as tampering, destroy that secret_id and wrap a new one",
        ),
        #[cfg(feature = "full")]
        Doing::Renew if says("lease not found") || says("lease expired") => {
            definite(ErrorKind::Absent, "the lease is over; a new credential is needed")
        }
        #[cfg(feature = "full")]
        Doing::Renew if says("not renewable") => {
            definite(ErrorKind::Misconfigured, "the lease cannot be renewed; a new credential is needed")
        }
        #[cfg(feature = "full")]
        Doing::Revoke if says("lease not found") => definite(ErrorKind::Absent, "the lease is over already"),
        #[cfg(feature = "full")]
        Doing::Read(place, Kind::Database) if says("unknown role") => {
            let role = place.path().last().map(|role| &**role).unwrap_or_default();
            Refusal::new(
                ErrorKind::Absent,
                format!("the database mount `{}` has no role `{role}`", place.mount()),
            )
        }
        _ => misconfigured("the server calls the request wrong; check the name, and what kind its mount is"),
    }
}

fn denied(doing: Doing<'_>) -> Refusal {
    let grant = |path: String, capability: &str| {
        let hint =
            ["the token's policies need: path \"", &path, "\" { capabilities = [\"", capability, "\"] }"]
                .concat();
        Refusal::new(ErrorKind::Denied, hint)
    };
    match doing {
        Doing::SignIn(way) => Refusal::new(
            ErrorKind::Unauthenticated,
            [
                "the sign-in by ",
                way,
                " was refused: check the role and its bounds, `auth_mount` and `login_namespace`",
            ]
            .concat(),
        ),
        #[cfg(feature = "full")]
        Doing::Unwrap => Refusal::new(ErrorKind::Unauthenticated, "the wrapping token was refused"),
        Doing::Token => Refusal::new(
            ErrorKind::Unauthenticated,
            "the token is not accepted: it is wrong, expired, revoked, or of another namespace or server",
        ),
        Doing::Mount(place) => unknown_mount(place),
        Doing::Read(place, kind) => grant(place.policy_path(kind), "read"),
        #[cfg(feature = "full")]
        Doing::Metadata(place) => grant(place.metadata_policy_path(), "read"),
        #[cfg(feature = "full")]
        Doing::List(place, kind) => grant(place.folder_policy_path(kind), "list"),
        #[cfg(feature = "full")]
        Doing::Renew => grant("sys/leases/renew".to_owned(), "update"),
        #[cfg(feature = "full")]
        Doing::Revoke => grant("sys/leases/revoke".to_owned(), "update"),
    }
}

/// Its kind cannot be asked for: there is no such mount, or we have no right below it. The server does not say
/// which.
pub(crate) fn unknown_mount(place: &Place) -> Refusal {
    let mount = place.mount();
    Refusal::new(
        ErrorKind::Denied,
        [
            "the server does not tell of what kind the mount `",
            &mount,
            "` is: there is none, or no policy of the token grants anything in it. Where both are right, say the kind: \
             `mounts = \"",
            &mount,
            "=v2\"` (or v1, database)",
        ]
        .concat(),
    )
}

fn absent(body: Option<&Body>, doing: Doing<'_>) -> Refusal {
    let says = |phrase: &str| body.is_some_and(|body| body.says(phrase));
    if says("namespace not found") {
        return misconfigured("there is no such namespace; check `namespace` and `login_namespace`");
    }
    if let Some(place) = doing.place() {
        if says("no handler for route") || says("unsupported path") {
            let rest = "`, or a mount of another kind; check the name, `mount` and `mounts`";
            return misconfigured(["nothing is mounted at `", &place.mount(), rest].concat());
        }
        if doing.takes_values() && body.is_some_and(|body| body.warns("versioned K/V secrets engine")) {
            let (mount, rest) = (place.mount(), "=v2` in `mounts`, or leave its kind out");
            return misconfigured(["the mount `", &mount, "` has versions: write `", &mount, rest].concat());
        }
    }
    let no_login = || {
        misconfigured(
            "there is no such sign-in mount, or this is no Vault; check `auth_mount`, `login_namespace` and the address",
        )
    };
    match doing {
        Doing::SignIn(_) | Doing::Token => no_login(),
        #[cfg(feature = "full")]
        Doing::Unwrap => no_login(),
        Doing::Mount(_) => {
            misconfigured("this server does not tell of what kind its mounts are; set `mounts`")
        }
        Doing::Read(place, kind) => match body.and_then(Body::withdrawn) {
            Some(how) => withdrawn(place, how),
            None => not_there(place, kind),
        },
        #[cfg(feature = "full")]
        Doing::Metadata(place) => not_there(place, Kind::V2),
        #[cfg(feature = "full")]
        Doing::List(place, kind) => not_there(place, kind),
        #[cfg(feature = "full")]
        Doing::Renew | Doing::Revoke => {
            Refusal::new(ErrorKind::Absent, "the server knows no such lease; a new credential is needed")
        }
    }
}

/// A version that was there.
pub(crate) fn withdrawn(place: &Place, how: Withdrawn) -> Refusal {
    let path = place.cli_path();
    let hint = match how {
        Withdrawn::Destroyed => {
            ["this version is destroyed for good; write a new one: `vault kv put ", &path, " …`"].concat()
        }
        _ => [
            "this version is deleted; bring it back: `vault kv undelete -versions=N ",
            &path,
            "`, or write a new one",
        ]
        .concat(),
    };
    Refusal::new(ErrorKind::Withdrawn(how), hint)
}

/// Nothing of that name, which is told with the path that was asked: a default mount may have come in front of it.
pub(crate) fn not_there(place: &Place, kind: Kind) -> Refusal {
    let path = place.cli_path();
    let more = match (place.path().first().map(|first| &**first), kind) {
        (Some("data" | "metadata"), Kind::V2) => {
            "; write the name without `data/`, as `vault kv get` takes it"
        }
        _ if place.defaulted() => {
            "; `mount` was put in front of the name. Where it begins with a mount of its own, list that in `mounts`"
        }
        _ => "; check the name, or create it",
    };
    Refusal::new(ErrorKind::Absent, ["there is nothing at `", &path, "`", more].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naming::Names;
    use http::{HeaderMap, StatusCode};
    use secretfig_tests::{Hunt, Marker};
    use zeroize::Zeroizing;

    fn reply(status: u16, body: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        Reply::new(status, headers, Zeroizing::new(body.as_bytes().to_vec()))
    }

    fn place(name: &str) -> Place {
        Names::default().place(name).unwrap()
    }

    const DENIED: &str = r#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;
    const NOTHING: &str = r#"{"errors":[]}"#;
    const VERSIONED: &str = r#"{"data":null,"warnings":["Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."]}"#;

    #[test]
    fn the_table() {
        use ErrorKind as K;
        let db = place("database/creds/app");
        let kv = place("secret/myapp/db");
        let read = Doing::Read(&kv, Kind::V2);
        let creds = Doing::Read(&db, Kind::Database);
        let deleted = r#"{"data":{"data":null,"metadata":{"deletion_time":"2026-11-23T21:21:31Z","destroyed":false,"version":2}}}"#;
        let destroyed =
            r#"{"data":{"data":null,"metadata":{"deletion_time":"","destroyed":true,"version":2}}}"#;
        let unavailable = K::Unavailable;
        for (status, body, doing, kind, hint) in [
            (200, "<html>", read, K::Malformed, "not as Vault does"),
            (204, "", read, K::Malformed, "not as Vault does"),
            (301, "", read, K::Misconfigured, "redirect"),
            (307, "", read, unavailable(Unavailable::Standby), "active node"),
            (400, "{}", Doing::SignIn("approle"), K::Unauthenticated, "by approle was refused"),
            (400, "", Doing::Unwrap, K::Unauthenticated, "tampering"),
            (400, r#"{"errors":["lease not found"]}"#, Doing::Renew, K::Absent, "the lease is over"),
            (400, r#"{"errors":["unknown role: app"]}"#, creds, K::Absent, "no role `app`"),
            (400, "nonsense", read, K::Misconfigured, "calls the request wrong"),
            (
                400,
                r#"{"errors":["Upgrading from non-versioned to versioned data."]}"#,
                read,
                unavailable(Unavailable::Failing),
                "upgraded",
            ),
            (401, "", read, K::Unauthenticated, "in front of the server"),
            (403, DENIED, read, K::Denied, "path \"secret/data/myapp/db\" { capabilities = [\"read\"] }"),
            (403, DENIED, creds, K::Denied, "path \"database/creds/app\""),
            (403, DENIED, Doing::Metadata(&kv), K::Denied, "path \"secret/metadata/myapp/db\""),
            (403, DENIED, Doing::Renew, K::Denied, "sys/leases/renew"),
            (403, DENIED, Doing::Token, K::Unauthenticated, "expired"),
            (403, DENIED, Doing::Mount(&kv), K::Denied, "mounts = \"secret=v2\""),
            (403, DENIED, Doing::SignIn("jwt"), K::Unauthenticated, "auth_mount"),
            (404, NOTHING, read, K::Absent, "nothing at `secret/myapp/db`"),
            (404, r#"{"data":null,"warnings":["x"]}"#, read, K::Absent, "nothing at"),
            (404, VERSIONED, Doing::Read(&kv, Kind::V1), K::Misconfigured, "has versions"),
            (404, VERSIONED, Doing::List(&kv, Kind::V1), K::Misconfigured, "`secret=v2`"),
            (403, "<html>", read, K::Malformed, "in its place"),
            (404, "", read, K::Malformed, "in its place"),
            (404, "default backend - 404", creds, K::Malformed, "in its place"),
            (404, r#"{"message":"no Route matched"}"#, Doing::Renew, K::Malformed, "in its place"),
            (403, r#"{"errors":"denied"}"#, Doing::Token, K::Malformed, "in its place"),
            (404, deleted, read, K::Withdrawn(Withdrawn::Deleted), "undelete"),
            (404, destroyed, read, K::Withdrawn(Withdrawn::Destroyed), "destroyed for good"),
            (
                404,
                r#"{"errors":["no handler for route \"x\"."]}"#,
                read,
                K::Misconfigured,
                "nothing is mounted",
            ),
            (404, r#"{"errors":["namespace not found"]}"#, read, K::Misconfigured, "no such namespace"),
            (404, NOTHING, Doing::SignIn("approle"), K::Misconfigured, "auth_mount"),
            (405, "", read, K::Misconfigured, "another kind"),
            (412, "", read, unavailable(Unavailable::Behind), "not yet seen"),
            (429, "", read, K::Throttled { retry_after: Some(std::time::Duration::from_secs(7)) }, "quota"),
            (472, "", read, unavailable(Unavailable::Standby), "disaster recovery"),
            (473, "", read, unavailable(Unavailable::Standby), "performance standby"),
            (500, "", read, unavailable(Unavailable::Failing), "own log"),
            (501, "", read, unavailable(Unavailable::Uninitialised), "initialise"),
            (502, "", creds, unavailable(Unavailable::Failing), "database behind"),
            (502, "", read, unavailable(Unavailable::Failing), "proxy"),
            (503, r#"{"errors":["Vault is sealed"]}"#, read, unavailable(Unavailable::Sealed), "unseal"),
            (503, "<html>", read, unavailable(Unavailable::Failing), "maintenance"),
            (599, "", read, unavailable(Unavailable::Failing), "own log"),
            (418, "", read, K::Malformed, "no status"),
        ] {
            let refusal = refusal(&reply(status, body), doing, SystemTime::UNIX_EPOCH);
            assert_eq!(refusal.kind, kind, "{status} {body} {doing:?}");
            assert!(refusal.hint().contains(hint), "{status} {body}: {}", refusal.hint());
        }
    }

    #[test]
    fn a_name_copied_from_the_api_is_told() {
        let place = place("secret/data/myapp/db");
        let refusal = refusal(&reply(404, NOTHING), Doing::Read(&place, Kind::V2), SystemTime::UNIX_EPOCH);
        assert!(refusal.hint().contains("without `data/`"), "{}", refusal.hint());
    }

    #[test]
    fn no_body_is_passed_on() {
        let hunt = Hunt::new();
        let marker = hunt.plant("body", Marker::random());
        let text = serde_json::to_string(marker.text()).unwrap();
        let kv = place("secret/myapp/db");
        let bodies = [
            format!(r#"{{"errors":[{text}]}}"#),
            format!(r#"{{"data":{{"data":{{"x":{text}}},"metadata":{{"deletion_time":{text}}}}}}}"#),
            marker.text().to_owned(),
        ];
        for status in 200..600 {
            for body in &bodies {
                for doing in [
                    Doing::SignIn("approle"),
                    Doing::Unwrap,
                    Doing::Token,
                    Doing::Mount(&kv),
                    Doing::Read(&kv, Kind::V2),
                    Doing::Read(&kv, Kind::Database),
                    Doing::Metadata(&kv),
                    Doing::List(&kv, Kind::V2),
                    Doing::Renew,
                    Doing::Revoke,
                ] {
                    let error =
                        refusal(&reply(status, body), doing, SystemTime::UNIX_EPOCH).of("secret/myapp/db");
                    hunt.check_error("a refused request", &error);
                }
            }
        }
        hunt.finish();
    }
}
