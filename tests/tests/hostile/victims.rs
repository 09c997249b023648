//! Who is led before the server. A new provider adds one.

use async_trait::async_trait;
use secretfig_source::protocol::{Credential, Http, Origin, Request};
use secretfig_tests::hostile::{Aim, Ended, Received, Victim};
use secretfig_transport::{Settings, Transport};
use std::sync::Arc;

pub(crate) fn all() -> Vec<Arc<dyn Victim>> {
    vec![Arc::new(Client)]
}

/// The one client, by itself.
struct Client;

#[async_trait]
impl Victim for Client {
    fn name(&self) -> &'static str {
        "transport"
    }

    fn answer(&self, _: &Received, secret: &str) -> (u16, String) {
        (200, format!(r#"{{"value":"{secret}"}}"#))
    }

    async fn fetch(&self, aim: &Aim) -> Ended {
        let origin = Origin::parse(&aim.address).unwrap();
        let token = Credential::bearer(&origin, &aim.token).unwrap();
        let request = Request::get(&origin, ["v1", "secret"]).unwrap().credential(&token).unwrap();
        transport(aim).send(request, aim.limits()).await.into()
    }
}

/// A client that trusts what the aim says.
fn transport(aim: &Aim) -> Transport {
    let mut settings = Settings::default().extra_ca_pem(aim.authority.as_bytes()).unwrap();
    if let Some(pin) = &aim.pin {
        settings = settings.pin_sha256(pin).unwrap();
    }
    Transport::new(settings).unwrap()
}
