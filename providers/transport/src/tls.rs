//! TLS: rustls on ring, the platform's authorities and ours, pins, an identity.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme, version};
use rustls_platform_verifier::Verifier;
use secretfig_source::protocol::Refused;
use std::fmt;
use std::sync::Arc;

/// The SHA-256 of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin([u8; 32]);

impl Pin {
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        let text = text.trim();
        let text = text.strip_prefix("sha256/").map_or(text, |rest| rest.strip_prefix('/').unwrap_or(rest));
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(Refused::new(
            "no pin: base64 of the SHA-256 of the server's public key (SPKI) is meant, 44 characters",
        ))
    }

    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
        Some(Self(hmac_sha256::Hash::hash(&certificate.subject_public_key_info())))
    }
}

/// A configuration of its own per transport: nothing of it is the process's, and no session is resumed that
/// another's checks have let in.
pub(crate) fn config(
    extra_ca: Vec<CertificateDer<'static>>,
    pins: Vec<Pin>,
    identity: Option<Arc<CertifiedKey>>,
) -> Result<ClientConfig, Refused> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // the authorities set by hand were read before: what is left to fail is that there are none at all, which
    // is a matter of TLS alone, and plain http to loopback goes on
    let authorities = Verifier::new_with_extra_roots(extra_ca, provider.clone()).ok();
    let verifier = Arc::new(Checks { authorities, pins, provider: provider.clone() });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|_| Refused::new("this build of TLS speaks neither 1.2 nor 1.3"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    Ok(match identity {
        Some(identity) => {
            let resolver: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(identity));
            builder.with_client_cert_resolver(resolver)
        }
        None => builder.with_no_client_auth(),
    })
}

/// The certificates of a PEM file, each one that an authority may have.
pub(crate) fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Refused> {
    let certificates = certificates(pem, "the CA file holds no certificate in PEM")?;
    match certificates.iter().all(|der| webpki::anchor_from_trusted_cert(der).is_ok()) {
        true => Ok(certificates),
        false => Err(Refused::new("a certificate of the CA file cannot be read: X.509 version 3 is meant")),
    }
}

/// A chain and its key.
pub(crate) fn identity(chain: &[u8], key: &[u8]) -> Result<CertifiedKey, Refused> {
    let chain = certificates(chain, "the client certificate's file holds no certificate in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
        Refused::new(match error {
            PemError::NoItemsFound => {
                "the client key's file holds no private key in PEM; one with a passphrase is not read"
            }
            _ => "the client key's PEM is broken",
        })
    })?;
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()).map_err(|error| {
        Refused::new(match error {
            rustls::Error::InconsistentKeys(_) => "the client key is not the client certificate's",
            rustls::Error::InvalidCertificate(_) => "the client certificate cannot be read",
            _ => "the client key is of a kind that is not signed with: RSA from 2048 bits, ECDSA P-256 or P-384, Ed25519",
        })
    })
}

fn certificates(pem: &[u8], none: &'static str) -> Result<Vec<CertificateDer<'static>>, Refused> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        // DER begins with a SEQUENCE
        Ok(_) if pem.first() == Some(&0x30) => {
            Err(Refused::new("the certificate is in DER; PEM is meant: `openssl x509 -inform der`"))
        }
        Ok(_) if pem.windows(11).any(|part| part == b"PRIVATE KEY") => {
            Err(Refused::new("a private key where a certificate is meant"))
        }
        Ok(_) => Err(Refused::new(none)),
        Err(_) => {
            Err(Refused::new("a certificate's PEM is broken: its lines between BEGIN and END are incomplete"))
        }
    }
}

/// The server's certificate has none of the pinned keys.
#[derive(Debug)]
pub(crate) struct Unpinned;

/// There is no authority to check by.
#[derive(Debug)]
pub(crate) struct NoAuthorities;

impl fmt::Display for Unpinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none of the pinned keys")
    }
}

impl fmt::Display for NoAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no authorities")
    }
}

impl std::error::Error for Unpinned {}
impl std::error::Error for NoAuthorities {}

/// The platform's checks, and after them the pins. Signatures are the platform's alone.
#[derive(Debug)]
struct Checks {
    authorities: Option<Verifier>,
    pins: Vec<Pin>,
    provider: Arc<CryptoProvider>,
}

impl Checks {
    fn authorities(&self) -> Result<&Verifier, rustls::Error> {
        self.authorities.as_ref().ok_or_else(|| refused(NoAuthorities))
    }
}

fn refused(why: impl std::error::Error + Send + Sync + 'static) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
}

impl ServerCertVerifier for Checks {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let authorities = self.authorities()?;
        let verified =
            authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        // the server's own key only: which of the intermediates the platform used is not told
        if self.pins.is_empty() || Pin::of(end_entity).is_some_and(|pin| self.pins.contains(&pin)) {
            Ok(verified)
        } else {
            Err(refused(Unpinned))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
