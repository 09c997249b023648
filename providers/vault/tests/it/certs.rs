//! An authority of a test's own, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use secretfig_test_servers::Tls;

/// Signs servers and clients.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name, Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// What a server on loopback needs.
    pub(crate) fn server(&self) -> Tls {
        let params = named("openbao", vec!["127.0.0.1".to_owned()]);
        let (certificate, key) = self.sign(params, ExtendedKeyUsagePurpose::ServerAuth);
        Tls { ca: self.pem.clone(), certificate, key }
    }

    /// The certificate of a client of that name, and its key.
    pub(crate) fn client(&self, name: &str) -> (String, String) {
        self.sign(named(name, Vec::new()), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, used: ExtendedKeyUsagePurpose) -> (String, String) {
        params.extended_key_usages = vec![used];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn named(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
