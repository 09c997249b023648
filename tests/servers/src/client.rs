//! Requests to a server's own interface: JSON in, JSON out.

use reqwest::Method;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// One client; a connection for each request, since a server outlives the runtime of the test that asked it first.
#[derive(Clone)]
pub(crate) struct Client(reqwest::Client);

impl Client {
    /// For servers without TLS.
    pub(crate) fn new() -> Self {
        Self::with(RootCertStore::empty())
    }

    /// For a server whose certificate this authority has signed.
    pub(crate) fn trusting(ca: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(certificate.expect("PEM of a certificate")).expect("an authority's certificate");
        }
        Self::with(roots)
    }

    fn with(roots: RootCertStore) -> Self {
        // Given outright: a default for the whole process would be found by the code under test.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("INVARIANT: ring speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(30))
            .build();
        Self(client.expect("INVARIANT: nothing was given that could be refused"))
    }

    /// Status and body; `null` where that is no JSON, or nothing.
    pub(crate) async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<(u16, Value), String> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|e| e.to_string())?;
        let mut request = self.0.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            if headers.iter().all(|(name, _)| *name != "content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body.to_string());
        }
        let reply = request.send().await.map_err(|e| all_of(&e))?;
        let status = reply.status().as_u16();
        let body = reply.bytes().await.map_err(|e| all_of(&e))?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

fn all_of(e: &dyn std::error::Error) -> String {
    let mut said = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        said.push_str(": ");
        said.push_str(&e.to_string());
        cause = e.source();
    }
    said
}
