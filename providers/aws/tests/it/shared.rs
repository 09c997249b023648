//! What all of these need: settings for a server, and a source of either half.

use secretfig_aws::{Auth, Keys, SecretsManager, Settings, protocol};
use secretfig_source::protocol::{Origin, Over};
use secretfig_source::{Clock, ErrorKind, Exposed, Fetched, Node, Reading, Source, SourceError, Tick};
use secretfig_transport::Transport;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// As time goes.
pub(crate) struct Now(Instant);

impl Now {
    #[allow(clippy::disallowed_methods, reason = "tokio's, which a test may pause")]
    pub(crate) fn clock() -> Arc<dyn Clock> {
        Arc::new(Self(Instant::now()))
    }
}

impl Clock for Now {
    fn tick(&self) -> Tick {
        Tick::from_start(self.0.elapsed())
    }
    #[allow(clippy::disallowed_methods, reason = "signatures are of now")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

pub(crate) fn settings(server: &str, auth: Auth) -> Settings {
    let origin = Origin::parse(server).unwrap();
    Settings::new("us-east-1", auth).unwrap().endpoint(origin.clone()).sts_endpoint(origin)
}

pub(crate) fn keys(of: &secretfig_test_servers::Keys) -> Auth {
    Auth::Keys(Keys::new(&*of.access_key_id, of.secret_access_key.as_str().into()))
}

/// Keys that a server takes which looks at none.
pub(crate) fn any_keys() -> Auth {
    Auth::Keys(Keys::new("AKIAANY", "any".into()))
}

pub(crate) fn transport() -> Transport {
    Transport::new(secretfig_transport::Settings::default()).unwrap()
}

/// The half on AWS' SDK.
pub(crate) fn sdk(settings: Settings) -> SecretsManager {
    SecretsManager::over(settings, transport(), Now::clock()).unwrap()
}

/// The half by hand.
pub(crate) fn by_hand(settings: Settings) -> Over<protocol::SecretsManager, Transport> {
    Over::new(protocol::SecretsManager::new(settings, [7; 32]).unwrap(), transport(), Now::clock())
}

pub(crate) type Make = fn(Settings) -> Arc<dyn Source>;

pub(crate) const HALVES: [(&str, Make); 2] = [
    ("on AWS' SDK", |settings| Arc::new(sdk(settings))),
    ("by hand", |settings| Arc::new(by_hand(settings))),
];

pub(crate) fn text(fetched: &Result<Fetched, SourceError>) -> String {
    let document = &fetched.as_ref().unwrap().document;
    let Ok(Node::Leaf(leaf)) = document.read(&Reading::default()) else { panic!("a leaf") };
    let Exposed::Text(text) = leaf.expose_secret() else { panic!("a text") };
    text.to_owned()
}

pub(crate) fn kinds<T>(answers: &[Result<T, SourceError>]) -> Vec<Option<ErrorKind>> {
    answers.iter().map(|answer| answer.as_ref().err().map(SourceError::kind)).collect()
}
