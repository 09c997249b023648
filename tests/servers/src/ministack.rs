//! ministack, another server of AWS' interfaces, which errs in other places than moto.

use crate::Failed;
use crate::client::Client;
use crate::install::{Package, Registry};
use crate::process::{BEAT, LIMIT, Process, TRIES, free_port, ports_taken};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::{env, io};
use tempfile::TempDir;

/// ministack, MIT.
pub(crate) const MINISTACK: Package = Package {
    name: "ministack",
    version: "1.5.33",
    megabytes: 20,
    from: Registry::Wheels(include_str!("../locks/ministack.txt")),
};

/// AWS Secrets Manager, STS, the metadata service of machines in its second version, and that of containers, in memory. It looks at
/// no signature and at no policy. It ends when this is dropped. What else it does otherwise than AWS is in `DEVIATIONS.md`.
pub struct Ministack {
    process: Process,
    _folder: TempDir,
    address: String,
    client: Client,
}

impl Ministack {
    /// Starts one; the first time ever, installs it.
    ///
    /// # Panics
    /// When it cannot be had, with what was tried.
    pub async fn start() -> Ministack {
        Self::try_start().await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Starts one; the first time ever, installs it.
    ///
    /// # Errors
    /// When it cannot be had: what was tried, what was said, what to do.
    pub async fn try_start() -> Result<Ministack, Failed> {
        let folder = MINISTACK.installed().await?;
        for _ in 0..TRIES {
            if let Some(started) = Self::start_at(&folder, free_port()?).await? {
                return Ok(started);
            }
        }
        Err(ports_taken(&MINISTACK))
    }

    /// None: the port is taken.
    async fn start_at(packages: &Path, port: u16) -> Result<Option<Ministack>, Failed> {
        let failed = |e: io::Error| Failed(format!("{MINISTACK} cannot be started: {e}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let mut command = Command::new(env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
        command.args(["-c", "from ministack.app import main; main()"]);
        // nothing of whoever runs the tests; and it listens on all interfaces, unless it is told otherwise
        command.env_clear().env("PYTHONPATH", packages).env("BIND_HOST", "127.0.0.1");
        command.env("GATEWAY_PORT", port.to_string());
        command.env("STATE_DIR", folder.path().join("state")).env("S3_DATA_DIR", folder.path().join("s3"));
        command
            .env("MINISTACK_IMDS_V2_REQUIRED", "1")
            .env("TMPDIR", folder.path())
            .current_dir(folder.path());
        for name in ["PATH", "HOME"] {
            command.envs(env::var_os(name).map(|value| (name, value)));
        }
        let process = Process::start(&mut command, &folder.path().join("output"), Signal::KILL)?;
        let address = format!("http://127.0.0.1:{port}");
        let mut started = Ministack { process, _folder: folder, address, client: Client::new() };
        match tokio::time::timeout(LIMIT, started.ready()).await {
            Ok(Ok(())) => Ok(Some(started)),
            _ if started.process.said().contains("ddress already in use") => Ok(None),
            Ok(Err(e)) => Err(started.failed(&e)),
            Err(_) => Err(started.failed(&format!("not ready within {LIMIT:?}"))),
        }
    }

    /// Where it listens: `http://127.0.0.1:PORT`. The metadata service of machines is there too, at its own paths.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where a container is given credentials.
    pub fn container_credentials(&self) -> String {
        format!("{}/v2/credentials/a-task", self.address)
    }

    /// A call of Secrets Manager: `CreateSecret`.
    ///
    /// # Panics
    /// When nothing answers.
    pub async fn call(&self, operation: &str, body: Value) -> (u16, Value) {
        self.send(operation, &body).await.unwrap_or_else(|e| panic!("{}", self.failed(&e)))
    }

    /// Makes a secret of that text, or gives it another value; its ARN and its version.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn put(&self, name: &str, text: &str) -> (String, String) {
        let (status, mut made) =
            self.call("CreateSecret", json!({ "Name": name, "SecretString": text })).await;
        if status != 200 {
            let (status, put) =
                self.call("PutSecretValue", json!({ "SecretId": name, "SecretString": text })).await;
            assert_eq!(status, 200, "{name}: {put}");
            made = put;
        }
        let of = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
        (of("ARN"), of("VersionId"))
    }

    async fn send(&self, operation: &str, body: &Value) -> Result<(u16, Value), String> {
        let target = format!("secretsmanager.{operation}");
        let headers = [
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0",
            ),
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        self.client.send("POST", &format!("{}/", self.address), &headers, body).await
    }

    async fn ready(&mut self) -> Result<(), String> {
        while !matches!(self.send("ListSecrets", &json!({})).await, Ok((200, _))) {
            if self.process.has_ended() {
                return Err("it ended".to_owned());
            }
            tokio::time::sleep(BEAT).await;
        }
        Ok(())
    }

    fn failed(&self, why: &str) -> Failed {
        Failed(format!("{MINISTACK} at {}: {why}\nit said:\n{}", self.address, self.process.said()))
    }
}
