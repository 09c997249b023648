//! Certificates as they should be, and as they should not.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::TLS12;
use tokio_rustls::rustls::{ALL_VERSIONS, ServerConfig};

/// Who the server says it is. All but the first three are to be refused by whoever trusts [`Pki::trusted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// `localhost`, of the trusted authority.
    Good,
    /// The same, and nothing newer than TLS 1.2.
    GoodTls12,
    /// The same, by way of an intermediate authority: what the bad intermediates would be.
    GoodChain,
    /// Another name.
    WrongHost,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Signed by itself.
    SelfSigned,
    /// Of an authority that is not trusted, of the same name as the one that is.
    UnknownCa,
    /// Signed by a certificate that may not sign any: `CA:FALSE`.
    NotACa,
    /// For clients, and not for servers.
    WrongUse,
    /// Of an intermediate authority that may only speak for another domain.
    NameConstraint,
    /// Signed with SHA-1.
    Sha1,
}

/// An authority, and what it has signed.
pub struct Pki {
    authority: Issuer<'static, KeyPair>,
    pem: String,
}

/// The host that the certificates are for, which is loopback everywhere.
pub const HOST: &str = "localhost";

impl Pki {
    /// A new authority.
    #[allow(clippy::new_without_default, reason = "it makes keys")]
    pub fn new() -> Self {
        let (authority, pem) = authority();
        Self { authority, pem }
    }

    /// The authority that a client has to trust to accept the good ones, in PEM.
    pub fn trusted(&self, identity: Identity) -> String {
        match identity {
            // of an authority of its own, whose key is gone
            Identity::Sha1 => include_str!("sha1/ca.pem").to_owned(),
            _ => self.pem.clone(),
        }
    }

    /// A server of that identity.
    pub fn server(&self, identity: Identity) -> Arc<ServerConfig> {
        let (chain, key) = self.certificates(identity);
        let versions = if identity == Identity::GoodTls12 { &[&TLS12][..] } else { ALL_VERSIONS };
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_protocol_versions(versions).unwrap().with_no_client_auth();
        Arc::new(config.with_single_cert(chain, key).unwrap())
    }

    fn certificates(&self, identity: Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        if identity == Identity::Sha1 {
            // made once, by `openssl x509 -req -sha1`, since ring signs nothing with SHA-1
            let key = PrivatePkcs8KeyDer::from(include_bytes!("sha1/key.der").to_vec());
            return (vec![include_bytes!("sha1/leaf.der").to_vec().into()], key.into());
        }
        let key = KeyPair::generate().unwrap();
        let leaf = leaf(identity);
        let chain = match identity {
            Identity::SelfSigned => vec![leaf.self_signed(&key).unwrap().der().clone()],
            Identity::UnknownCa => vec![leaf.signed_by(&key, &authority().0).unwrap().der().clone()],
            Identity::GoodChain | Identity::NotACa | Identity::NameConstraint => {
                let between_key = KeyPair::generate().unwrap();
                let between = between(identity);
                let signed = between.signed_by(&between_key, &self.authority).unwrap();
                let issuer = Issuer::new(between, between_key);
                vec![leaf.signed_by(&key, &issuer).unwrap().der().clone(), signed.der().clone()]
            }
            _ => vec![leaf.signed_by(&key, &self.authority).unwrap().der().clone()],
        };
        (chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }
}

fn authority() -> (Issuer<'static, KeyPair>, String) {
    let mut params = named("secretfig hostile tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (Issuer::new(params, key), pem)
}

fn leaf(identity: Identity) -> CertificateParams {
    let host = if identity == Identity::WrongHost { "other.test" } else { HOST };
    let mut params = named(host);
    params.subject_alt_names = CertificateParams::new([host.to_owned()]).unwrap().subject_alt_names;
    params.extended_key_usages = vec![match identity {
        Identity::WrongUse => ExtendedKeyUsagePurpose::ClientAuth,
        _ => ExtendedKeyUsagePurpose::ServerAuth,
    }];
    match identity {
        Identity::Expired => params.not_after = date_time_ymd(2025, 1, 1),
        Identity::NotYetValid => params.not_before = date_time_ymd(2999, 1, 1),
        _ => {}
    }
    params
}

fn between(identity: Identity) -> CertificateParams {
    let mut params = named("in between");
    params.is_ca = match identity {
        Identity::NotACa => IsCa::ExplicitNoCa,
        _ => IsCa::Ca(BasicConstraints::Unconstrained),
    };
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    if identity == Identity::NameConstraint {
        let other = GeneralSubtree::DnsName("other.test".to_owned());
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: vec![other], excluded_subtrees: Vec::new() });
    }
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
