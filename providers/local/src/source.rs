//! The age store as a [`Source`].

use crate::error::{Refusal, SCHEME, misconfigured};
use crate::identity::{self, Keys};
use crate::naming;
use crate::open::{self, Access};
use crate::settings::Settings;
use crate::tree::Tree;
use crate::turns::{Caller, KEPT, Turn, Turns};
use crate::watch::Watch;
use secretfig_source::{
    Abilities, Ask, At, Document, ErrorKind, Exposed, Fetched, Fingerprints, Identity, Listing, Node, Probe,
    Revision, Source, SourceError, SourceInfo, Unavailable, async_trait,
};
use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

/// How long a store or a key behind a passphrase may take. scrypt at the usual 2^18 takes a second on a whole CPU; a
/// tenth of one is not rare. It leaves a start-up of 15 s some time for everything else.
const SCRYPT: Duration = Duration::from_secs(12);

/// An age-encrypted file as a source of secrets. Clones share everything.
///
/// It works inside of a tokio runtime that has time enabled.
///
/// ```
/// use secretfig_local::{Local, Settings};
/// use secretfig_source::{Ask, Node, Reading, Source};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// # let key = age::x25519::Identity::generate();
/// # std::fs::write(folder.join("key"), secrecy::ExposeSecret::expose_secret(&key.to_string())).unwrap();
/// # let text = b"[database]\nuser = 'app'\npassword = 's3cr3t'\n";
/// # std::fs::write(folder.join("secrets.age"), age::encrypt(&key.to_public(), text).unwrap()).unwrap();
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let settings = Settings::new().file(folder.join("secrets.age")).identity_file(folder.join("key"));
/// let local = Local::new(settings)?;
/// let answers = local.fetch(&[Ask::new("database"), Ask::new("database/user")]).await;
/// let [Ok(database), Ok(user)] = &answers[..] else { panic!("{answers:?}") };
/// let Ok(Node::Table(table)) = database.document.read(&Reading::default()) else { panic!() };
/// assert_eq!(table.keys().map(|k| &**k).collect::<Vec<_>>(), ["password", "user"]);
/// assert_eq!(user.revision, database.revision); // of one moment
/// # Ok::<(), secretfig_source::SourceError>(())
/// # })?;
/// # Ok::<(), secretfig_source::SourceError>(())
/// ```
#[derive(Clone)]
pub struct Local {
    inner: Arc<Inner>,
    watch: Arc<Watch>,
}

struct Inner {
    settings: Settings,
    /// Whether the store was there at some time.
    seen: AtomicBool,
    /// The secrets of the store that was decrypted last, for probes. No values.
    known: Mutex<Option<Arc<Known>>>,
    /// Tells whether a secret holds what it held before.
    prints: Fingerprints,
    turns: Turns<Look>,
}

/// What is kept of a decrypted store.
struct Known {
    digest: Revision,
    secrets: HashMap<Box<str>, Stamp>,
}

/// Of one secret: a mark of its content under a key of this process, and the digest of the ciphertext that brought
/// this content. A change of another secret moves the file's digest, and not this: were it a new revision, a key that
/// still verifies tokens would be taken for the one before.
#[derive(Clone)]
struct Stamp {
    content: Revision,
    revision: Revision,
}

/// A store that was decrypted.
struct Look {
    known: Arc<Known>,
    tree: Tree,
    warnings: Vec<&'static str>,
    costly: bool,
}

impl Local {
    /// The store that these settings describe. Nothing is read yet.
    ///
    /// # Errors
    /// `Misconfigured` for settings that cannot work; `Unavailable` if the system gives no random
    /// bytes for the key under which contents are told apart.
    pub fn new(settings: Settings) -> Result<Self, SourceError> {
        let settings = settings.checked()?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|_| {
            SourceError::new(ErrorKind::Unavailable(Unavailable::Failing), SCHEME)
                .hint("the system gives no random bytes")
        })?;
        let prints = Fingerprints::new(*key);
        let (seen, known, turns) = (AtomicBool::new(false), Mutex::default(), Turns::new());
        let inner = Inner { settings, seen, known, prints, turns };
        Ok(Self { inner: Arc::new(inner), watch: Arc::new(Watch::new()) })
    }

    /// The store that the environment names, which is handed in: `std::env::vars_os()`. The table is
    /// at [`Settings`].
    ///
    /// # Errors
    /// As [`Settings::from_env`] and [`Local::new`].
    pub fn from_env<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Self, SourceError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self::new(Settings::from_env(vars)?)
    }
}

#[async_trait]
impl Source for Local {
    fn info(&self) -> SourceInfo {
        let mut abilities = Abilities::NONE;
        abilities.probe = true;
        abilities.watch = true;
        abilities.empty = true;
        // All asks of a wave in one call: one read, one decryption, one moment. And one call at a time:
        // a passphrase costs scrypt's memory.
        let info = SourceInfo::new(SCHEME, self.inner.settings.file.display().to_string())
            .batch(1024, 1)
            .concurrency(1)
            .abilities(abilities);
        if self.inner.settings.passphrase.is_none() {
            return info
                .late("the file system of the store or of the key does not answer; look at its mount");
        }
        info.attempt(SCRYPT).late(
            "opening the store is held up by the work factor of its passphrase, or by the CPU limit of this process; \
             raise the limit, or let `secretfig local rekey` write it with the usual work factor",
        )
    }

    /// Finds the store, and reads the identity. Tells the public keys, `age1…`, or `passphrase`.
    async fn sign_in(&self) -> Result<Option<Identity>, SourceError> {
        let inner = self.inner.clone();
        Ok(blocking(move |_| inner.sign_in()).await??)
    }

    async fn fetch(&self, asks: &[Ask]) -> Vec<Result<Fetched, SourceError>> {
        let inner = self.inner.clone();
        let look = match blocking(move |caller| inner.look(&caller)).await {
            Ok(Ok(look)) => look,
            Ok(Err(refusal)) | Err(refusal) => {
                return asks.iter().map(|ask| Err(refusal.clone().of(ask.name()))).collect();
            }
        };
        asks.iter().map(|ask| look.answer(ask).map_err(|refusal| refusal.of(ask.name()))).collect()
    }

    /// Reads the ciphertext and compares its digest; decrypts only what was not decrypted before, to
    /// learn which secrets have moved.
    async fn probe(&self, asks: &[Ask]) -> Vec<Result<Probe, SourceError>> {
        let (inner, wanted) = (self.inner.clone(), asks.to_vec());
        match blocking(move |caller| inner.probe(&wanted, &caller)).await {
            Ok(Ok(answers)) => {
                let answers = asks.iter().zip(answers);
                answers.map(|(ask, answer)| answer.map_err(|refusal| refusal.of(ask.name()))).collect()
            }
            Ok(Err(refusal)) | Err(refusal) => {
                asks.iter().map(|ask| Err(refusal.clone().of(ask.name()))).collect()
            }
        }
    }

    async fn changed(&self) {
        self.watch.changed(&self.inner.settings.file).await;
    }

    async fn close(&self, _limit: Duration) {
        self.watch.close();
    }
}

/// Lists the values of the store: `database/password`. The tables that hold them can be asked for
/// too, and are not listed.
#[async_trait]
impl Listing for Local {
    async fn list(&self, prefix: &str) -> Result<Vec<Arc<str>>, SourceError> {
        let inner = self.inner.clone();
        let look = blocking(move |caller| inner.look(&caller)).await??;
        let names = look.tree.leaves().into_iter().filter(|name| name.starts_with(prefix));
        Ok(names.map(Arc::from).collect())
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

impl Inner {
    fn sign_in(&self) -> Result<Option<Identity>, Refusal> {
        let ciphertext = self.ciphertext()?;
        // read, so that a missing file is told now
        let passphrase = || identity::passphrase(&self.settings);
        if open::wants_passphrase(&ciphertext) {
            // what else is set does not open it, and is not looked at
            passphrase()?.ok_or_else(open::no_passphrase).map_err(|refusal| self.about(refusal))?;
            return Ok(Some(Identity::new("passphrase")));
        }
        // a key may be behind a passphrase itself
        let turn = self.turns.wait();
        let keys = identity::keys(&self.settings)?;
        drop(turn);
        let ours: Vec<String> = keys.recipients().map(|key| key.to_string()).collect();
        if ours.is_empty() {
            passphrase()?;
            return Ok(Some(Identity::new("passphrase")));
        }
        Ok(Some(Identity::new(ours.join(", "))))
    }

    fn about(&self, refusal: Refusal) -> Refusal {
        refusal.about(&format!("store `{}`", self.settings.file.display()))
    }

    /// The bytes of the store.
    fn ciphertext(&self) -> Result<Vec<u8>, Refusal> {
        let Settings { file, max_bytes, .. } = &self.settings;
        let about = |refusal| self.about(refusal);
        match open::read(file, open::ciphertext_bound(*max_bytes)) {
            Ok(mut bytes) => {
                self.seen.store(true, Ordering::Relaxed);
                Ok(std::mem::take(&mut *bytes))
            }
            Err(_) if is_missing(file) && self.seen.load(Ordering::Relaxed) => {
                let hint = "it was there and is gone; is it being replaced, or no longer mounted?";
                Err(about(Refusal::new(ErrorKind::Unavailable(Unavailable::Failing), hint)))
            }
            Err(_) if is_missing(file) => Err(about(misconfigured(
                "it is not there; make it with `secretfig local init`, or set SECRETFIG_AGE_FILE",
            ))),
            Err(refusal) => Err(about(refusal)),
        }
    }

    /// What is in the store now.
    fn look(self: &Arc<Self>, caller: &Caller) -> Result<Arc<Look>, Refusal> {
        let turn = self.turn(caller)?;
        let ciphertext = self.ciphertext()?;
        let digest = open::revision(&ciphertext);
        let look = match turn.take(&digest) {
            Some(look) => look,
            None => Arc::new(self.decrypted(&ciphertext)?),
        };
        if turn.is_awaited() || caller.is_gone() {
            self.leave(&turn, &digest, &look);
        }
        Ok(look)
    }

    /// Leaves to the next look what is dear, and for a while only.
    fn leave(self: &Arc<Self>, turn: &Turn<'_, Look>, digest: &Revision, look: &Arc<Look>) {
        if let (true, Ok(runtime)) = (look.costly, Handle::try_current()) {
            turn.leave(digest.clone(), look.clone());
            let (inner, left) = (Arc::downgrade(self), Arc::downgrade(look));
            runtime.spawn(async move {
                tokio::time::sleep(KEPT).await;
                if let Some(inner) = inner.upgrade() {
                    inner.turns.forget(&left);
                }
            });
        }
    }

    /// The turn of a caller, unless it was given up meanwhile: nothing is decrypted for nobody.
    fn turn(&self, caller: &Caller) -> Result<Turn<'_, Look>, Refusal> {
        let turn = self.turns.wait();
        match caller.is_gone() {
            true => Err(Refusal::new(ErrorKind::Timeout, "nobody waits for the answer any more")),
            false => Ok(turn),
        }
    }

    fn decrypted(&self, ciphertext: &[u8]) -> Result<Look, Refusal> {
        let settings = &self.settings;
        let about = |refusal| self.about(refusal);
        let costly = Cell::new(false);
        let keys = || -> Result<Keys, Refusal> {
            let (keys, cost) = identity::keys_and_cost(settings)?;
            costly.set(cost);
            Ok(keys)
        };
        let passphrase = || identity::passphrase(settings);
        let opened = open::decrypt(ciphertext, &keys, &passphrase, settings.max_bytes).map_err(about)?;
        let costly = costly.get() || matches!(opened.access, Access::Passphrase);
        let tree = Tree::read(opened.plaintext).map_err(about)?;
        let known = self.stamped(open::revision(ciphertext), &tree);
        Ok(Look { known, tree, warnings: identity::warnings(settings), costly })
    }

    /// Each secret keeps its revision for as long as it keeps its content.
    fn stamped(&self, digest: Revision, tree: &Tree) -> Arc<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = |name: &str| known.as_ref()?.secrets.get(name);
        let stamp = |(name, node): (Box<str>, &Node)| {
            let mut content = Vec::new();
            parts(node, &mut content);
            let content = self.prints.revision(&name, content);
            let stamp = match before(&name) {
                Some(before) if before.content == content => before.clone(),
                _ => Stamp { content, revision: digest.clone() },
            };
            (name, stamp)
        };
        let secrets = tree.named().into_iter().map(stamp).collect();
        known.insert(Arc::new(Known { digest, secrets })).clone()
    }

    fn probe(
        self: &Arc<Self>,
        asks: &[Ask],
        caller: &Caller,
    ) -> Result<Vec<Result<Probe, Refusal>>, Refusal> {
        let known = match self.known_as(&open::revision(&self.ciphertext()?)) {
            Some(known) => known,
            None => self.opened(caller)?,
        };
        let answer = |ask: &Ask| {
            checked(ask)?;
            let stamp = known.secrets.get(ask.name()).ok_or_else(absent)?;
            Ok(Probe::Current(stamp.revision.clone()))
        };
        Ok(asks.iter().map(answer).collect())
    }

    /// The secrets of the store, and what was decrypted for them left to the fetch that follows. Whoever had the turn
    /// before may have done all of it.
    fn opened(self: &Arc<Self>, caller: &Caller) -> Result<Arc<Known>, Refusal> {
        let turn = self.turn(caller)?;
        let ciphertext = self.ciphertext()?;
        let digest = open::revision(&ciphertext);
        if let Some(known) = self.known_as(&digest) {
            return Ok(known);
        }
        let look = Arc::new(self.decrypted(&ciphertext)?);
        self.leave(&turn, &digest, &look);
        Ok(look.known.clone())
    }

    /// What is known of the ciphertext of this digest, if it was the last that was decrypted.
    fn known_as(&self, digest: &Revision) -> Option<Arc<Known>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|known| known.digest == *digest)
    }
}

impl Look {
    fn answer(&self, ask: &Ask) -> Result<Fetched, Refusal> {
        let node = self.tree.find(&checked(ask)?).ok_or_else(absent)?;
        // what has a name that can be asked for has a stamp
        let stamp = self.known.secrets.get(ask.name()).ok_or_else(absent)?;
        let mut fetched = Fetched::new(Document::from_node(node.clone()), stamp.revision.clone());
        fetched.warnings = self.warnings.clone();
        Ok(fetched)
    }
}

/// The segments of what is asked for.
fn checked(ask: &Ask) -> Result<Vec<&str>, Refusal> {
    let segments = naming::parse(ask.name())?;
    if *ask.point() != At::Current {
        return Err(misconfigured("the store has one version; ask for the current one"));
    }
    Ok(segments)
}

/// The content, in parts that tell one tree from every other.
fn parts<'n>(node: &'n Node, into: &mut Vec<&'n [u8]>) {
    match node {
        Node::Null => into.push(b"null"),
        Node::Leaf(leaf) => {
            let (kind, bytes): (&[u8], &[u8]) = match leaf.expose_secret() {
                Exposed::Text(text) => (b"text", text.as_bytes()),
                Exposed::Number(text) => (b"number", text.as_bytes()),
                Exposed::Bytes(bytes) => (b"bytes", bytes),
                Exposed::Bool(true) => (b"bool", b"true"),
                Exposed::Bool(false) => (b"bool", b"false"),
            };
            into.extend([kind, bytes]);
        }
        Node::List(list) => {
            into.push(b"list");
            list.iter().for_each(|node| parts(node, into));
            into.push(b"end");
        }
        Node::Table(table) => {
            into.push(b"table");
            for (key, node) in table {
                into.extend([b"key".as_slice(), key.as_bytes()]);
                parts(node, into);
            }
            into.push(b"end");
        }
    }
}

fn absent() -> Refusal {
    Refusal::new(
        ErrorKind::Absent,
        "there is nothing of that name in the store; `secretfig local list` tells the names, `secretfig local set` \
         adds one",
    )
}

fn is_missing(path: &std::path::Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// Disk work and scrypt, off the runtime's own threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce(Caller) -> T + Send + 'static) -> Result<T, Refusal> {
    let Ok(runtime) = Handle::try_current() else {
        return Err(misconfigured("the store is read inside of a tokio runtime"));
    };
    let (caller, here) = Caller::new();
    let done = runtime.spawn_blocking(move || work(caller)).await;
    drop(here);
    done.map_err(|_| {
        Refusal::new(
            ErrorKind::Unavailable(Unavailable::Failing),
            "the runtime is shutting down, or reading the store broke off",
        )
    })
}

#[cfg(test)]
mod tests;
