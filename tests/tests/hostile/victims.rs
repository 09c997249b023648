//! Who is led before the server. A new provider adds one.

use secretfig_source::protocol::{Credential, Http, Origin, Over, Request};
use secretfig_source::{Ask, Clock, ErrorKind, Source, SourceError, Tick, Unavailable};
use secretfig_tests::hostile::{Aim, Fetch, Received, Victim};
use secretfig_transport::{Settings, Transport};
use secretfig_vault::{Auth, protocol};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

pub(crate) fn all() -> Vec<Arc<dyn Victim>> {
    vec![
        Arc::new(Client),
        Arc::new(Half { name: "vault, by hand", fetch: by_hand }),
        Arc::new(Half { name: "vault, by its SDK", fetch: by_sdk }),
        Arc::new(Aws { name: "aws, by hand", fetch: aws_by_hand }),
        Arc::new(Aws { name: "aws, by its SDK", fetch: aws_by_sdk }),
    ]
}

/// The one client, by itself.
struct Client;

impl Victim for Client {
    fn name(&self) -> &'static str {
        "transport"
    }

    fn answer(&self, _: &Received, secret: &str) -> (u16, String) {
        (200, format!(r#"{{"value":"{secret}"}}"#))
    }

    fn fetch(&self, aim: &Aim) -> Fetch {
        let origin = Origin::parse(&aim.address).unwrap();
        let token = Credential::bearer(&origin, &aim.token).unwrap();
        let request = Request::get(&origin, ["v1", "secret"]).unwrap().credential(&token).unwrap();
        let (transport, limits) = (transport(aim), aim.limits());
        Box::pin(async move { transport.send(request, limits).await.into() })
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

/// A half of the Vault source.
struct Half {
    name: &'static str,
    fetch: fn(&Aim) -> Fetch,
}

impl Victim for Half {
    fn name(&self) -> &'static str {
        self.name
    }

    fn answer(&self, request: &Received, secret: &str) -> (u16, String) {
        vault(&request.path, secret)
    }

    fn asks_for_the_secret(&self, request: &Received) -> bool {
        request.path.starts_with(SECRET)
    }

    fn prepares(&self) -> bool {
        true
    }

    fn redirected(&self, status: u16) -> ErrorKind {
        match status {
            307 => ErrorKind::Unavailable(Unavailable::Standby),
            _ => ErrorKind::Misconfigured,
        }
    }

    fn fetch(&self, aim: &Aim) -> Fetch {
        (self.fetch)(aim)
    }
}

/// Vault's protocol, over that client.
fn by_hand(aim: &Aim) -> Fetch {
    let vault = protocol::Vault::new(settings(aim).unwrap(), [7; 32]).unwrap();
    one(Over::new(vault, transport(aim), Arc::new(Machine::new())).limits(aim.limits()))
}

/// Vault by vaultrs' endpoint types, over a client that it makes of its settings.
fn by_sdk(aim: &Aim) -> Fetch {
    let (settings, clock) = (settings(aim).unwrap().ca(&*aim.authority), Arc::new(Machine::new()));
    let vault = match aim.pin {
        // pins are set by tables and variables only
        Some(_) => secretfig_vault::Vault::over(settings, Arc::new(transport(aim)), clock),
        None => secretfig_vault::Vault::new(settings, clock),
    };
    one(vault.unwrap())
}

/// The path of the one secret.
pub(crate) const SECRET: &str = "/v1/secret/data/";

fn settings(aim: &Aim) -> Result<secretfig_vault::Settings, SourceError> {
    let settings = secretfig_vault::Settings::new(&aim.address, Auth::Token(aim.token.as_str().into()))?;
    Ok(settings.timeout(aim.deadline))
}

fn one(source: impl Source + 'static) -> Fetch {
    Box::pin(async move {
        let mut answers = source.fetch(&[Ask::new("secret/myapp")]).await;
        answers.pop().expect("one answer per ask").into()
    })
}

/// What a Vault says that holds one secret.
pub(crate) fn vault(path: &str, secret: &str) -> (u16, String) {
    let lookup = r#"{"data":{"accessor":"a","creation_time":1764000000,"creation_ttl":0,"display_name":"token","entity_id":"",
        "expire_time":null,"explicit_max_ttl":0,"id":"i","issue_time":"2026-11-23T21:21:31Z","meta":null,"num_uses":0,
        "orphan":true,"path":"auth/token/create","policies":["default"],"renewable":false,"ttl":0,"type":"service"}}"#;
    let mount = r#"{"data":{"accessor":"kv_1","config":{},"description":"","local":false,"options":{"version":"2"},
        "path":"secret/","seal_wrap":false,"type":"kv","uuid":"u"}}"#;
    let body = match path {
        _ if path.starts_with(SECRET) => format!(
            r#"{{"data":{{"data":{{"password":"{secret}"}},"metadata":{{"created_time":"2026-11-23T21:21:31.5Z",
            "custom_metadata":null,"deletion_time":"","destroyed":false,"version":1}}}}}}"#
        ),
        _ if path.contains("lookup-self") => lookup.to_owned(),
        _ if path.contains("sys/internal/ui/mounts") => mount.to_owned(),
        _ => return (404, r#"{"errors":[]}"#.to_owned()),
    };
    (200, body)
}

/// A half of the AWS source. The token is that of its session.
struct Aws {
    name: &'static str,
    fetch: fn(&Aim) -> Fetch,
}

impl Victim for Aws {
    fn name(&self) -> &'static str {
        self.name
    }

    fn answer(&self, _: &Received, secret: &str) -> (u16, String) {
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:myapp-AbCdEf";
        let body = format!(
            r#"{{"ARN":"{arn}","Name":"myapp","VersionId":"v1","SecretString":"{secret}","VersionStages":["AWSCURRENT"],"CreatedDate":1764000000.5}}"#
        );
        (200, body)
    }

    fn fetch(&self, aim: &Aim) -> Fetch {
        (self.fetch)(aim)
    }
}

fn aws_by_hand(aim: &Aim) -> Fetch {
    let aws = secretfig_aws::protocol::SecretsManager::new(aws_settings(aim), [7; 32]).unwrap();
    myapp(Over::new(aws, transport(aim), Arc::new(Machine::new())).limits(aim.limits()))
}

fn aws_by_sdk(aim: &Aim) -> Fetch {
    let source =
        secretfig_aws::SecretsManager::over(aws_settings(aim), transport(aim), Arc::new(Machine::new()));
    myapp(source.unwrap())
}

fn aws_settings(aim: &Aim) -> secretfig_aws::Settings {
    let keys = secretfig_aws::Keys::new("AKIAEXAMPLE", "no secret of this table".into());
    let keys = keys.session_token(aim.token.as_str().into());
    let settings = secretfig_aws::Settings::new("us-east-1", secretfig_aws::Auth::Keys(keys)).unwrap();
    // nobody is there to say who we are, and nobody has to
    let nobody = Origin::parse("http://127.0.0.1:9").unwrap();
    settings.endpoint(Origin::parse(&aim.address).unwrap()).sts_endpoint(nobody).timeout(aim.deadline)
}

fn myapp(source: impl Source + 'static) -> Fetch {
    Box::pin(async move {
        let mut answers = source.fetch(&[Ask::new("myapp")]).await;
        answers.pop().expect("one answer per ask").into()
    })
}

/// The machine's clock, as the core would hand it in.
struct Machine(Instant);

impl Machine {
    fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Machine {
    fn tick(&self) -> Tick {
        Tick::from_start(self.0.elapsed())
    }

    #[allow(clippy::disallowed_methods, reason = "dates in `Retry-After` are the server's, not a test's")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}
