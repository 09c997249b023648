//! A Key Vault and an Entra of a few lines, over TLS, and strict: a bearer token is one that it gave, and has not taken
//! back; a login says all that it has to; a request names its API version.

use crate::hop::{Fault, read};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

pub(crate) const VAULT: &str = "my.vault.azure.test";
pub(crate) const LOGIN: &str = "login.azure.test";

/// What it knows, and what it was asked.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) client_secret: String,
    /// Tokens begin with this, so that they can be looked for.
    pub(crate) token: String,
    pub(crate) value: String,
    /// The token in force; those before it have expired.
    pub(crate) serial: usize,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) logins: usize,
    pub(crate) reads: usize,
}

pub(crate) struct KeyVault {
    pub(crate) address: SocketAddr,
    pub(crate) ca: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl KeyVault {
    pub(crate) async fn start(state: State) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = [VAULT.to_owned(), LOGIN.to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(state));
        let server = Self { address, ca: ca.pem(), state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
                tokio::spawn(async move {
                    let Ok(mut wire) = acceptor.accept(stream).await else { return };
                    let Some(request) = read(&mut wire).await else { return };
                    let answer = state.lock().unwrap().answer(&String::from_utf8(request).unwrap());
                    match answer {
                        Fault::Answer(bytes) => {
                            let _ = wire.write_all(&bytes).await;
                            let _ = wire.shutdown().await;
                        }
                        Fault::Silence => {
                            let _ = wire.read(&mut [0; 1]).await;
                        }
                    }
                });
            }
        });
        server
    }

    pub(crate) fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }
}

impl State {
    fn answer(&mut self, request: &str) -> Fault {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let mut line = head.lines().next().unwrap().split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |name: &str| {
            let pairs = head.lines().filter_map(|line| line.split_once(": "));
            pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
        };
        match (method, header("host"), path) {
            ("POST", Some(LOGIN), "/tenant/oauth2/v2.0/token") => {
                self.logins += 1;
                let said = |pair: &str| body.split('&').any(|said| said == pair);
                let secret = said(&format!("client_secret={}", self.client_secret));
                let whole = said("grant_type=client_credentials")
                    && said("client_id=app")
                    && said("scope=https%3A%2F%2Fvault.azure.test%2F.default");
                match (whole, secret) {
                    (true, true) => {
                        let token = format!("{}{}", self.token, self.serial);
                        json(
                            200,
                            "",
                            &format!(
                                r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}"}}"#
                            ),
                        )
                    }
                    (false, _) => json(400, "", r#"{"error":"invalid_request","error_codes":[90014]}"#),
                    (true, false) => {
                        let quoted = format!(r#"{{"error":"invalid_client","error_description":"{body}"}}"#);
                        json(401, "", &quoted)
                    }
                }
            }
            ("GET", Some(VAULT), path)
                if path.starts_with("/secrets/") && query.starts_with("api-version=") =>
            {
                self.reads += 1;
                let expected = format!("Bearer {}{}", self.token, self.serial);
                if header("authorization") != Some(&expected) {
                    let challenge = "www-authenticate: Bearer authorization=\"https://login.azure.test/tenant\", \
                                     resource=\"https://vault.azure.test\"\r\n";
                    return json(401, challenge, r#"{"error":{"code":"Unauthorized","message":"AKV10000"}}"#);
                }
                if let Some(fault) = self.faults.pop_front() {
                    return fault;
                }
                match path.trim_matches('/').strip_prefix("secrets/") {
                    Some("db") => json(
                        200,
                        "",
                        &format!(r#"{{"value":"{}","id":"https://{VAULT}/secrets/db/1"}}"#, self.value),
                    ),
                    _ => json(404, "", r#"{"error":{"code":"SecretNotFound","message":"not found"}}"#),
                }
            }
            _ => json(400, "", r#"{"error":{"code":"BadParameter","message":"not understood"}}"#),
        }
    }
}

pub(crate) fn json(status: u16, headers: &str, body: &str) -> Fault {
    crate::hop::json(status, headers, body)
}
