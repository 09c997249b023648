//! Whom TLS lets in: authorities, names, pins, an identity.

use crate::server::{AMPLE, Server, get, ok};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use secretfig_source::protocol::{HttpError, HttpFault};
use secretfig_transport::{Settings, Transport};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// An authority, and what it has signed.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

pub(crate) struct Leaf {
    pub(crate) certificate: Certificate,
    pub(crate) key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("ours")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn sign(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.signed_by(&key, &self.0).unwrap(), key }
    }
}

impl Leaf {
    pub(crate) fn acceptor(&self, clients: Option<&Authority>) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from(authority.0.der().to_vec())).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let chain = vec![self.certificate.der().clone()];
        TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
    }

    /// By another way than the transport's: from the key pair, not from the certificate.
    fn pin(&self) -> String {
        use base64::Engine;
        let spki = rcgen::PublicKeyData::subject_public_key_info(&self.key);
        base64::engine::general_purpose::STANDARD.encode(hmac_sha256::Hash::hash(&spki))
    }
}

pub(crate) async fn serve(leaf: &Leaf, clients: Option<&Authority>) -> Server {
    Server::tls(leaf.acceptor(clients), |mut line| async move {
        line.say(ok("secret")).await;
        line.end().await;
    })
    .await
}

/// Settings that find `vault.test` at this server.
pub(crate) fn at(server: &Server) -> Settings {
    Settings::default().resolve("vault.test", server.address)
}

async fn ask(settings: Settings) -> Result<usize, HttpError> {
    let transport = Transport::new(settings).unwrap();
    get(&transport, "https://vault.test/v1", AMPLE).await.map(|reply| reply.body().len())
}

async fn refused(server: &Server, settings: Settings, hint: &str) {
    let error = ask(settings).await.unwrap_err();
    assert_eq!(error.fault(), HttpFault::Tls);
    let told = error.of_source("vault").to_string();
    assert!(told.contains(hint), "{told}");
    assert!(server.seen().is_empty(), "a request reached a server that TLS refuses");
}

#[tokio::test]
async fn an_extra_authority_is_known_and_another_is_not() {
    let (ours, theirs) = (Authority::new(), Authority::named("theirs"));
    let leaf = ours.sign("vault.test", |_| ());
    let server = serve(&leaf, None).await;
    refused(&server, at(&server), "authority that is not known").await;
    refused(&server, at(&server).extra_ca_pem(theirs.pem().as_bytes()).unwrap(), "not known").await;
    // made anew under its name, as happens with an authority in a cluster
    refused(
        &server,
        at(&server).extra_ca_pem(Authority::new().pem().as_bytes()).unwrap(),
        "was it made anew",
    )
    .await;
    let both = format!("{}\n# ours\n{}", theirs.pem(), ours.pem());
    assert_eq!(ask(at(&server).extra_ca_pem(both.as_bytes()).unwrap()).await, Ok(6));
}

#[tokio::test]
async fn a_certificate_has_to_fit_the_name_the_time_and_the_use() {
    let ours = Authority::new();
    for (leaf, hint) in [
        (ours.sign("other.test", |_| ()), "for another name"),
        (
            ours.sign("vault.test", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1)),
            "has expired",
        ),
        (
            ours.sign("vault.test", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1)),
            "not valid yet",
        ),
        (
            ours.sign("vault.test", |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }),
            "does not stand up to the checks",
        ),
    ] {
        let server = serve(&leaf, None).await;
        refused(&server, at(&server).extra_ca_pem(ours.pem().as_bytes()).unwrap(), hint).await;
    }
}

#[tokio::test]
async fn a_pin_adds_to_the_checks_and_replaces_none() {
    let ours = Authority::new();
    let leaf = ours.sign("vault.test", |_| ());
    let other = ours.sign("vault.test", |_| ()).pin();
    let server = serve(&leaf, None).await;
    let known = || at(&server).extra_ca_pem(ours.pem().as_bytes()).unwrap();
    refused(&server, known().pin_sha256(&other).unwrap(), "none of the pinned ones").await;
    // pinned, and of an unknown authority
    refused(&server, at(&server).pin_sha256(&leaf.pin()).unwrap(), "authority that is not known").await;
    assert_eq!(ask(known().pin_sha256(&leaf.pin()).unwrap()).await, Ok(6));
    let prefixed = format!("sha256//{}", leaf.pin());
    assert_eq!(ask(known().pin_sha256(&other).unwrap().pin_sha256(&prefixed).unwrap()).await, Ok(6));
}

#[tokio::test]
async fn an_identity_is_shown_to_who_asks_for_one() {
    let (ours, clients) = (Authority::new(), Authority::named("clients"));
    let leaf = ours.sign("vault.test", |_| ());
    let client = |authority: &Authority| {
        authority.sign("app", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
    };
    let server = serve(&leaf, Some(&clients)).await;
    let known = || at(&server).extra_ca_pem(ours.pem().as_bytes()).unwrap();
    refused(&server, known(), "client certificate").await;
    let (app, stranger) = (client(&clients), client(&ours));
    let show = |leaf: &Leaf| {
        let (chain, key) = (leaf.certificate.pem(), leaf.key.serialize_pem());
        known().client_identity_pem(chain.as_bytes(), key.as_bytes()).unwrap()
    };
    refused(&server, show(&stranger), "client certificate").await;
    assert_eq!(ask(show(&app)).await, Ok(6));
}

#[tokio::test]
async fn what_does_not_speak_tls_is_told_so() {
    let server = Server::plain(|line| line.end()).await;
    // it answers at once, as a proxy's or another service's port does
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    refused(&server, Settings::default().resolve("vault.test", address), "does not speak TLS").await;
}

#[test]
fn what_is_wrong_with_a_file_is_said() {
    let ours = Authority::new();
    let (leaf, other) = (ours.sign("app", |_| ()), ours.sign("app", |_| ()));
    let (pem, key) = (leaf.certificate.pem(), leaf.key.serialize_pem());
    let broken = pem.replace("-----END CERTIFICATE-----", "");
    let der = leaf.certificate.der().to_vec();
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, hint) in [
        (&b""[..], "holds no certificate"),
        (b"\n\n", "holds no certificate"),
        (&der, "is in DER"),
        (key.as_bytes(), "a private key where"),
        (broken.as_bytes(), "PEM is broken"),
        (no_certificate.as_bytes(), "cannot be read"),
    ] {
        let refused = Settings::default().extra_ca_pem(text).map(|_| ()).unwrap_err();
        assert!(refused.reason().contains(hint), "{refused}: {hint}");
    }
    // put together here, since whoever looks for keys in this repository is to find none
    let no_key = |held: &str| {
        ["BEGIN", "END"].map(|end| format!("-----{end} PRIVATE KEY-----\n")).join(&format!("{held}\n"))
    };
    for (chain, key, hint) in [
        (pem.as_str(), "", "no private key"),
        (&pem, &pem, "no private key"),
        (&pem, &no_key("!!"), "PEM is broken"),
        (&pem, &other.key.serialize_pem(), "not the client certificate's"),
        (&key, &key, "a private key where"),
        (&pem, &no_key("AAAA"), "of a kind"),
    ] {
        let refused = Settings::default()
            .client_identity_pem(chain.as_bytes(), key.as_bytes())
            .map(|_| ())
            .unwrap_err();
        assert!(refused.reason().contains(hint), "{refused}: {hint}");
    }
    for pin in ["", "sha256/", "abc", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF", &"a".repeat(64)] {
        assert!(Settings::default().pin_sha256(pin).is_err(), "{pin}");
    }
}
