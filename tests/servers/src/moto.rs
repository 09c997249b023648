//! moto, a server of AWS' interfaces, one per value.

use crate::Failed;
use crate::client::Client;
use crate::install::{Package, Registry};
use crate::process::{BEAT, LIMIT, Process, TRIES, free_port, ports_taken};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::{env, io};
use tempfile::TempDir;

/// moto, Apache-2.0, with what its server imports for these services and no more.
pub(crate) const MOTO: Package = Package {
    name: "moto",
    version: "5.2.5",
    megabytes: 30,
    from: Registry::Wheels(include_str!("../locks/moto.txt")),
};

/// How many requests it takes before it looks at signatures: those that make whoever signs.
const UNSIGNED: &str = "4";

/// Its own region and account are fixed.
const MAKE: [&str; 3] = [
    "Action=CreateUser&UserName=app",
    "Action=CreatePolicy&PolicyName=app&PolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B\
     %22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22secretsmanager%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D",
    "Action=AttachUserPolicy&UserName=app&PolicyArn=arn:aws:iam::123456789012:policy/app",
];

/// AWS Secrets Manager, STS and IAM, in memory. It checks signatures and policies, and knows one user, who may do
/// anything with secrets. It ends when this is dropped.
///
/// What it does otherwise than AWS: no throttling, no clock skew, 404 instead of 400 for a secret that is not there, and
/// after a stage was moved a read without a stage still gives the old version.
pub struct Moto {
    process: Process,
    _folder: TempDir,
    address: String,
    access_key_id: String,
    secret_access_key: String,
    client: Client,
}

impl Moto {
    /// Starts one; the first time ever, installs it.
    ///
    /// # Panics
    /// When it cannot be had, with what was tried.
    pub async fn start() -> Moto {
        Self::try_start().await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Starts one; the first time ever, installs it.
    ///
    /// # Errors
    /// When it cannot be had: what was tried, what was said, what to do.
    pub async fn try_start() -> Result<Moto, Failed> {
        let folder = MOTO.installed().await?;
        for _ in 0..TRIES {
            if let Some(started) = Self::start_at(&folder, free_port()?).await? {
                return Ok(started);
            }
        }
        Err(ports_taken(&MOTO))
    }

    /// None: the port is taken.
    async fn start_at(packages: &Path, port: u16) -> Result<Option<Moto>, Failed> {
        let failed = |e: io::Error| Failed(format!("{MOTO} cannot be started: {e}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let mut command = Command::new(env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
        command.args([
            "-c",
            "from moto.server import main; main()",
            "-H",
            "127.0.0.1",
            "-p",
            &port.to_string(),
        ]);
        // nothing of whoever runs the tests: `AWS_…` and `MOTO_…` steer it, too
        command.env_clear().env("PYTHONPATH", packages).env("INITIAL_NO_AUTH_ACTION_COUNT", UNSIGNED);
        for name in ["PATH", "HOME"] {
            command.envs(env::var_os(name).map(|value| (name, value)));
        }
        let process = Process::start(&mut command, &folder.path().join("output"), Signal::KILL)?;
        let mut started = Moto {
            process,
            _folder: folder,
            address: format!("http://127.0.0.1:{port}"),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            client: Client::new(),
        };
        match tokio::time::timeout(LIMIT, started.set_up()).await {
            Ok(Ok(())) => Ok(Some(started)),
            _ if started.process.said().contains("ddress already in use") => Ok(None),
            Ok(Err(e)) => Err(started.failed(&e)),
            Err(_) => Err(started.failed(&format!("not ready within {LIMIT:?}"))),
        }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The user's key.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// What the user signs with.
    pub fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }

    async fn set_up(&mut self) -> Result<(), String> {
        let ready = format!("{}/moto-api/", self.address);
        while self.client.send("GET", &ready, &[], &Value::Null).await.is_err() {
            if self.process.has_ended() {
                return Err("it ended".to_owned());
            }
            tokio::time::sleep(BEAT).await;
        }
        for make in MAKE {
            self.make(make).await?;
        }
        let made = self.make("Action=CreateAccessKey&UserName=app").await?;
        let key = &made["CreateAccessKeyResponse"]["CreateAccessKeyResult"]["AccessKey"];
        let (Some(id), Some(secret)) = (key["AccessKeyId"].as_str(), key["SecretAccessKey"].as_str()) else {
            return Err(format!("CreateAccessKey: {made}"));
        };
        (self.access_key_id, self.secret_access_key) = (id.to_owned(), secret.to_owned());
        Ok(())
    }

    /// A call of IAM. Which service is meant, it reads from the signature, which it does not check yet.
    async fn make(&self, action: &str) -> Result<Value, String> {
        let url = format!("{}/?Version=2010-05-08&ContentType=JSON&{action}", self.address);
        let scope = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
        match self.client.send("GET", &url, &[("authorization", scope)], &Value::Null).await? {
            (200, made) => Ok(made),
            (status, said) => Err(format!("{action}: {status} {said}")),
        }
    }

    fn failed(&self, why: &str) -> Failed {
        Failed(format!("{MOTO} at {}: {why}\nit said:\n{}", self.address, self.process.said()))
    }
}
