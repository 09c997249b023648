//! Signing in: one file per way, and the one door that all callers go through.
//!
//! ```text
//!   Vault ─▶ door.session() ─▶ (nobody signed in, or its time is over) ─▶ ways.sign_in() ─▶ lookup-self
//!               │                                                             │
//!               ▼                                                    token, approle, jwt,
//!            Session ─▶ life.rs: renewed at 2/3, replaced when         certificate, userpass
//!                       that stops growing
//! ```
//!
//! What a server has refused is not shown to it again at once (`refused.rs`): a login that is wrong is so the next time,
//! and many of them lock a user out.
//!
//! Nothing here has a task of its own. What is due for a token is done on the way of the next call, and by whoever
//! watches the source: a Keeper always does. A source that nobody asks and nobody watches lets its token die, and
//! signs in again when it is asked.

mod approle;
mod certificate;
mod door;
mod file;
mod jwt;
mod life;
mod refused;
mod userpass;

pub(crate) use door::{Door, Session};
pub(crate) use file::pem;

use crate::adapter::{Adapter, Call, Token};
use crate::error::{Doing, refusal};
use crate::reply::{flag, get, number, text, tree};
use crate::settings::{Auth, Given, SecretId};
use life::Grant;
use refused::Refusals;
use secrecy::{ExposeSecret, SecretString};
use secretfig_source::protocol::Reply;
use secretfig_source::{Clock, Fingerprints, Identity, Node, Revision, SourceError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use vaultrs::api::token::requests::LookupTokenSelfRequest;
use zeroize::Zeroizing;

/// What a login gave.
pub(crate) struct Login {
    token: Token,
    grant: Grant,
    uses: Option<u64>,
    identity: Option<Identity>,
    speaks: bool,
    ours: bool,
    /// Of a token that somebody else keeps alive: which one it is.
    of: Option<Revision>,
}

/// How this source signs in.
pub(crate) struct Ways {
    auth: Auth,
    namespace: Option<String>,
    clock: Arc<dyn Clock>,
    /// A wrapped secret_id, which is taken out of `auth`.
    wrapping: Option<Mutex<Wrapping>>,
    refusals: Refusals,
    prints: Fingerprints,
}

/// A wrapping opens once, while a login may be needed more often. So what was in it is kept, and the wrapping not.
#[derive(Clone)]
enum Wrapping {
    Closed(Given),
    Opened {
        secret_id: SecretString,
        /// Which wrapping it came from.
        of: Revision,
        /// The file where another one may come to lie.
        file: Option<Arc<Path>>,
    },
}

/// A token, and what the server said when it gave it.
struct Granted {
    token: Zeroizing<String>,
    grant: Grant,
    uses: u64,
}

impl Ways {
    /// `key` is random: by it is told what was shown to the server before, without keeping that.
    pub(crate) fn new(
        mut auth: Auth,
        namespace: Option<String>,
        clock: Arc<dyn Clock>,
        key: [u8; 32],
    ) -> Self {
        let wrapping = match &mut auth {
            Auth::AppRole { secret_id, .. } => match std::mem::replace(secret_id, SecretId::None) {
                SecretId::Wrapped(given) => Some(Mutex::new(Wrapping::Closed(given))),
                other => {
                    *secret_id = other;
                    None
                }
            },
            _ => None,
        };
        let (refusals, prints) = (Refusals::default(), Fingerprints::new(key));
        Self { auth, namespace, clock, wrapping, refusals, prints }
    }

    /// Where logins and tokens live; values are read elsewhere, perhaps.
    pub(crate) fn login_namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Whether signing in again can give another token than the one there is.
    fn again(&self) -> bool {
        !matches!(self.auth, Auth::Token(_))
    }

    /// Signs in, and asks who that makes us.
    async fn sign_in(&self, adapter: &Adapter) -> Result<Login, SourceError> {
        let given = match &self.auth {
            Auth::Token(token) => return self.own(adapter, token.expose_secret()).await,
            Auth::TokenFile(path) => {
                let token = file::read(path, "the token file").await?;
                return self.own(adapter, &token).await;
            }
            _ => self.login(adapter).await?,
        };
        let token = adapter.token(&given.token)?;
        let mut login = Login {
            token,
            grant: given.grant,
            uses: None,
            identity: None,
            speaks: true,
            ours: true,
            of: None,
        };
        if given.uses > 0 {
            // a question would cost one of them, and a renewal too
            login.uses = Some(given.uses);
            login.grant.renewable = false;
            login.speaks = false;
            return Ok(login);
        }
        match self.look_up(adapter, &login.token).await? {
            Some(known) => {
                login.identity = known.identity;
                login.grant.max = known.grant.max;
            }
            None => login.speaks = false,
        }
        Ok(login)
    }

    /// A token that was made elsewhere. It is renewed where nobody else does it: an agent cares for its own.
    async fn own(&self, adapter: &Adapter, token: &str) -> Result<Login, SourceError> {
        let of = Some(self.prints.revision("token", [token.as_bytes()]));
        let token = adapter.token(token)?;
        let known = self.look_up(adapter, &token).await?;
        let speaks = known.is_some();
        let known = known.unwrap_or(Known {
            // whether it lives is found out by the first that is asked of it
            grant: Grant { ttl: None, renewable: false, max: None },
            identity: None,
            uses: 0,
        });
        let (grant, identity) = (known.grant, known.identity);
        let mut login = Login { token, grant, uses: None, identity, speaks, ours: false, of };
        if known.uses > 0 {
            login.uses = Some(known.uses);
            login.speaks = false;
        }
        if known.uses > 0 || matches!(self.auth, Auth::TokenFile(_)) {
            login.grant.renewable = false;
        }
        Ok(login)
    }

    /// What the server knows of a token. None: the token has no right to ask.
    async fn look_up(&self, adapter: &Adapter, token: &Token) -> Result<Option<Known>, SourceError> {
        let call = Call::of(&LookupTokenSelfRequest::default());
        let reply = adapter.send(&call, Some(token), self.login_namespace()).await?;
        match reply.status().as_u16() {
            200 => {
                let known = tree(&reply).ok().and_then(|tree| self.known(&tree));
                known.map(Some).ok_or_else(|| refusal(&reply, Doing::Token, self.clock.wall()).into())
            }
            403 if lacks_right(&reply) => Ok(None),
            _ => Err(refusal(&reply, Doing::Token, self.clock.wall()).into()),
        }
    }

    fn known(&self, tree: &Node) -> Option<Known> {
        let data = get(tree, "data")?;
        let ttl = number(data, "ttl")?;
        let most = number(data, "explicit_max_ttl").unwrap_or(0);
        let max = (most > 0).then(|| {
            let born = number(data, "creation_time").map_or(UNIX_EPOCH, |at| UNIX_EPOCH + bounded(at));
            let age = self.clock.wall().duration_since(born).unwrap_or_default();
            bounded(most).saturating_sub(age).max(bounded(ttl))
        });
        let renewable = flag(data, "renewable").unwrap_or(false);
        let identity = text(data, "display_name").filter(|name| !name.is_empty()).map(Identity::new);
        let grant = Grant { ttl: (ttl > 0).then(|| bounded(ttl)), renewable, max };
        Some(Known { grant, identity, uses: number(data, "num_uses").unwrap_or(0) })
    }

    async fn login(&self, adapter: &Adapter) -> Result<Granted, SourceError> {
        let (way, call, shown) = match &self.auth {
            // told apart by the caller
            Auth::Token(_) | Auth::TokenFile(_) => return Err(crate::error::misconfigured("no login").into()),
            Auth::AppRole { mount, role_id, secret_id } => {
                let role_id = self.open(role_id, "the file of the role_id").await?;
                let secret_id = self.secret_id(adapter, mount, secret_id).await?;
                let shown = self.shown(&[&role_id, &secret_id]);
                ("approle", approle::login(mount, &role_id, &secret_id)?, shown)
            }
            Auth::Kubernetes { mount, role, token } => {
                let jwt = self.open(token, "the service account token").await?;
                ("kubernetes", jwt::login(mount, Some(role), &jwt)?, self.shown(&[&jwt]))
            }
            Auth::Jwt { mount, role, token } => {
                let jwt = self.open(token, "the file of the JWT").await?;
                ("jwt", jwt::login(mount, role.as_deref(), &jwt)?, self.shown(&[&jwt]))
            }
            Auth::Certificate { mount, role } => {
                ("cert", certificate::login(mount, role.as_deref())?, self.shown(&[]))
            }
            Auth::Userpass { mount, user, password } => {
                let password = self.open(password, "the file of the password").await?;
                ("userpass", userpass::login(mount, user, &password)?, self.shown(&[&password]))
            }
        };
        self.refusals.checked(&shown, self.clock.tick())?;
        // a secret_id may be good for one login only
        let reply = adapter.send(&call.once(), None, self.login_namespace()).await?;
        let refused = || SourceError::from(refusal(&reply, Doing::SignIn(way), self.clock.wall()));
        if reply.status().as_u16() != 200 {
            let error = match &self.auth {
                Auth::AppRole { mount, .. } => {
                    approle::refused(&reply, mount, self.refusals.was_good(&shown)).unwrap_or_else(refused)
                }
                _ => refused(),
            };
            self.refusals.refused(shown, &error, self.clock.tick());
            return Err(error);
        }
        let tree = tree(&reply).map_err(|_| refused())?;
        let token = get(&tree, "auth").and_then(|auth| text(auth, "client_token")).ok_or_else(refused)?;
        let (grant, uses) = grant_of(&tree).ok_or_else(refused)?;
        self.refusals.taken(shown);
        Ok(Granted { token: Zeroizing::new(token.to_owned()), grant, uses })
    }

    /// By what a login is known that is shown to the server.
    fn shown(&self, parts: &[&str]) -> Revision {
        self.prints.revision("login", parts.iter().map(|part| part.as_bytes()))
    }

    async fn open(&self, given: &Given, what: &'static str) -> Result<Zeroizing<String>, SourceError> {
        match given {
            Given::Text(text) => Ok(Zeroizing::new(text.expose_secret().to_owned())),
            Given::File(path) => file::read(path, what).await,
        }
    }

    async fn secret_id(
        &self,
        adapter: &Adapter,
        mount: &str,
        given: &SecretId,
    ) -> Result<Zeroizing<String>, SourceError> {
        const FILE: &str = "the file of the wrapped secret_id";
        let Some(wrapping) = &self.wrapping else {
            return match given {
                SecretId::Plain(given) | SecretId::Wrapped(given) => {
                    self.open(given, "the file of the secret_id").await
                }
                SecretId::None => Ok(Zeroizing::default()),
            };
        };
        let known = lock(wrapping).clone();
        let (token, file) = match &known {
            Wrapping::Closed(given) => (self.open(given, FILE).await?, given.file()),
            Wrapping::Opened { secret_id, of, file } => {
                let kept = Zeroizing::new(secret_id.expose_secret().to_owned());
                // a new wrapping may lie where the old one was, and where none does, nothing has changed
                let Some(path) = file else { return Ok(kept) };
                match file::read(path, FILE).await {
                    Ok(token) if self.wrapped_in(&token) != *of => (token, file.clone()),
                    _ => return Ok(kept),
                }
            }
        };
        let opened =
            approle::unwrap(adapter, self.login_namespace(), mount, &token, self.clock.wall()).await?;
        let (secret_id, of) = (SecretString::from(opened.as_str()), self.wrapped_in(&token));
        *lock(wrapping) = Wrapping::Opened { secret_id, of, file };
        Ok(opened)
    }

    fn wrapped_in(&self, token: &str) -> Revision {
        self.prints.revision("wrapping", [token.as_bytes()])
    }
}

impl Given {
    fn file(&self) -> Option<Arc<Path>> {
        match self {
            Given::File(path) => Some(path.clone()),
            Given::Text(_) => None,
        }
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What lookup-self tells.
struct Known {
    grant: Grant,
    identity: Option<Identity>,
    uses: u64,
}

/// What a reply to a login, or to a renewal, grants.
fn granted(reply: &Reply) -> Option<Grant> {
    grant_of(&tree(reply).ok()?).map(|(grant, _)| grant)
}

fn grant_of(tree: &Node) -> Option<(Grant, u64)> {
    let auth = get(tree, "auth")?;
    let ttl = number(auth, "lease_duration")?;
    let renewable = flag(auth, "renewable").unwrap_or(false);
    let grant = Grant { ttl: (ttl > 0).then(|| bounded(ttl)), renewable, max: None };
    Some((grant, number(auth, "num_uses").unwrap_or(0)))
}

/// Whether a 403 is that of a token which lives and lacks a right. Both Vault and OpenBao list what a policy denied
/// (`1 error occurred: …`), and say of a dead token no more than `permission denied`, or that it is invalid.
fn lacks_right(reply: &Reply) -> bool {
    crate::reply::Body::read(reply)
        .is_ok_and(|body| body.says("1 error occurred") && !body.says("invalid token"))
}

/// No time that a server states is longer than a hundred years, so that none overflows.
fn bounded(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(100 * 365 * 24 * 3_600))
}

/// Spreads the times of a fleet; without random, all are the same, which costs no secrecy.
fn chance() -> u64 {
    getrandom::u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, StatusCode};
    use secretfig_source::protocol::{Http, HttpError, Limits, Origin, Request};
    use secretfig_source::{Tick, async_trait};
    use std::time::SystemTime;

    struct Still;

    impl Clock for Still {
        fn tick(&self) -> Tick {
            Tick::default()
        }
        fn wall(&self) -> SystemTime {
            UNIX_EPOCH
        }
    }

    /// Opens every wrapping, and lets everyone in.
    struct Open;

    #[async_trait]
    impl Http for Open {
        async fn send(&self, request: Request, _: Limits) -> Result<Reply, HttpError> {
            let body = match request.url().rsplit('/').next() {
                Some("lookup") => r#"{"data":{"creation_path":"auth/approle/role/app/secret-id"}}"#,
                Some("unwrap") => r#"{"data":{"secret_id":"opened"}}"#,
                Some("login") => r#"{"auth":{"client_token":"s.x","lease_duration":60}}"#,
                _ => r#"{"data":{"ttl":60}}"#,
            };
            Ok(Reply::new(StatusCode::OK, HeaderMap::new(), Zeroizing::new(body.as_bytes().to_vec())))
        }
    }

    #[tokio::test]
    async fn a_wrapping_is_kept_no_longer_than_until_it_is_opened() {
        let given = |text: &str| Given::Text(text.into());
        let secret_id = SecretId::Wrapped(given("wrapping"));
        let auth = Auth::AppRole { mount: "approle".to_owned(), role_id: given("role"), secret_id };
        let ways = Ways::new(auth, None, Arc::new(Still), [7; 32]);
        let kept = || lock(ways.wrapping.as_ref().unwrap()).clone();
        assert!(matches!(kept(), Wrapping::Closed(_)));
        assert!(
            matches!(&ways.auth, Auth::AppRole { secret_id: SecretId::None, .. }),
            "nor is it kept there"
        );
        let origin = Origin::parse("https://vault.example").unwrap();
        let adapter = Adapter::new(Arc::new(Open), vec![origin], Limits::default());
        for _ in 0..2 {
            assert!(ways.sign_in(&adapter).await.is_ok());
            let Wrapping::Opened { secret_id, file, .. } = kept() else { panic!("it is kept") };
            assert_eq!((secret_id.expose_secret(), file), ("opened", None));
        }
    }
}
