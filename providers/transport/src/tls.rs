//! TLS: rustls on ring, the platform's authorities and ours, pins, an identity.

use crate::settings::Settings;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::DigitallySignedStruct as Signed;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use secretfig_source::protocol::Refused;
use std::sync::Arc;

/// The SHA-256 of a public key.
pub(crate) type Pin = [u8; 32];

pub(crate) fn pin(text: &str) -> Result<Pin, Refused> {
    let text = text.trim();
    let text = text.strip_prefix("sha256/").map_or(text, |rest| rest.strip_prefix('/').unwrap_or(rest));
    STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(Refused::new(
        "no pin: base64 of the SHA-256 of the server's public key (SPKI) is meant, 44 characters",
    ))
}

/// A configuration of its own per transport: nothing of it is the process's, and no session is resumed that
/// another's checks have let in.
pub(crate) fn config(settings: &Settings) -> Result<ClientConfig, Refused> {
    let (provider, pins) = (Arc::new(default_provider()), settings.pins.clone());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| Refused::new("this build of TLS speaks neither 1.2 nor 1.3"))?;
    let builder = match Verifier::new_with_extra_roots(settings.extra_ca.clone(), provider) {
        Ok(platform) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Checks { platform, pins }))
        }
        // the authorities set by hand were read before: what is left to fail is that there are none at all. Then
        // nobody stands up to TLS, and plain http to loopback goes on
        Err(_) => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(match settings.identity.clone() {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
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
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| {
        Refused::new(match error {
            TlsError::InconsistentKeys(_) => "the client key is not the client certificate's",
            TlsError::InvalidCertificate(_) => "the client certificate cannot be read",
            _ => "the client key is of a kind that is not signed with: RSA from 2048 bits, ECDSA P-256 or P-384, Ed25519",
        })
    })
}

fn certificates(pem: &[u8], none: &'static str) -> Result<Vec<CertificateDer<'static>>, Refused> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    Err(Refused::new(match certificates {
        Ok(certificates) if !certificates.is_empty() => return Ok(certificates),
        // DER begins with a SEQUENCE
        Ok(_) if pem.first() == Some(&0x30) => {
            "the certificate is in DER; PEM is meant: `openssl x509 -inform der`"
        }
        Ok(_) if pem.windows(11).any(|part| part == b"PRIVATE KEY") => {
            "a private key where a certificate is meant"
        }
        Ok(_) => none,
        Err(_) => "a certificate's PEM is broken: its lines between BEGIN and END are incomplete",
    }))
}

type Valid = Result<HandshakeSignatureValid, TlsError>;

/// The platform's checks, and after them the pins. Signatures are the platform's alone.
#[derive(Debug)]
struct Checks {
    platform: Verifier,
    pins: Vec<Pin>,
}

impl ServerCertVerifier for Checks {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verified = self.platform.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        // the server's own key only: which of the intermediates the platform used is not told
        let pinned = webpki::EndEntityCert::try_from(end_entity).is_ok_and(|certificate| {
            self.pins.contains(&hmac_sha256::Hash::hash(&certificate.subject_public_key_info()))
        });
        match pinned || self.pins.is_empty() {
            true => Ok(verified),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(&self, of: &[u8], by: &CertificateDer<'_>, signed: &Signed) -> Valid {
        self.platform.verify_tls12_signature(of, by, signed)
    }

    fn verify_tls13_signature(&self, of: &[u8], by: &CertificateDer<'_>, signed: &Signed) -> Valid {
        self.platform.verify_tls13_signature(of, by, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}
