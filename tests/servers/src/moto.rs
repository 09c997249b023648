//! moto, a server of AWS' interfaces, one per value.

use crate::Failed;
use crate::client::Client;
use crate::install::{Package, Registry};
use crate::process::{BEAT, LIMIT, Process, TRIES, free_port, ports_taken};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, io};
use tempfile::TempDir;

/// moto, Apache-2.0, with what its server imports for these services and no more.
pub(crate) const MOTO: Package = Package {
    name: "moto",
    version: "5.2.5",
    megabytes: 30,
    from: Registry::Wheels(include_str!("../locks/moto.txt")),
};

/// What it leaves out of IAM for Secrets Manager: `DEVIATIONS.md`.
const WRAPPER: &str = include_str!("moto_server.py");

const VERSION: &str = "Version=2010-05-08&ContentType=JSON";

/// The account that it plays, which is fixed.
pub const ACCOUNT: &str = "123456789012";

/// Whoever may do anything with secrets.
const ANYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:*","Resource":"*"}]}"#;

/// An access key of a user.
#[derive(Clone, Default)]
pub struct Keys {
    /// Its id.
    pub access_key_id: String,
    /// What is signed with.
    pub secret_access_key: String,
    user: String,
}

/// AWS Secrets Manager, STS and IAM, in memory. It ends when this is dropped.
///
/// [`Moto::start`] gives one that checks signatures, actions and resources, and knows a user who may do anything with secrets;
/// [`Moto::open`] one that lets everybody do everything. What it does otherwise than AWS is in `DEVIATIONS.md`.
pub struct Moto {
    process: Process,
    _folder: TempDir,
    address: String,
    administrator: String,
    keys: Keys,
    client: Client,
    made: AtomicUsize,
}

/// A Python that has boto3, AWS' own SDK for it, which moto needs, with nothing else of whoever calls; the first time ever,
/// installs it.
///
/// # Panics
/// When it cannot be had, with what was tried.
pub fn python_of_moto() -> Command {
    let folder = MOTO.folder().unwrap_or_else(|e| panic!("{e}"));
    let mut command = Command::new(env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
    command.env_clear().env("PYTHONPATH", folder);
    for name in ["PATH", "HOME"] {
        command.envs(env::var_os(name).map(|value| (name, value)));
    }
    command
}

impl Moto {
    /// Starts one; the first time ever, installs it.
    ///
    /// # Panics
    /// When it cannot be had, with what was tried.
    pub async fn start() -> Moto {
        Self::try_start().await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Starts one that lets everybody do everything, such as assuming a role by a web identity token, which the other one
    /// cannot.
    ///
    /// # Panics
    /// When it cannot be had, with what was tried.
    pub async fn open() -> Moto {
        Self::try_open().await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Starts one that lets everybody do everything.
    ///
    /// # Errors
    /// When it cannot be had: what was tried, what was said, what to do.
    pub async fn try_open() -> Result<Moto, Failed> {
        Self::try_any(false).await
    }

    /// Starts one; the first time ever, installs it.
    ///
    /// # Errors
    /// When it cannot be had: what was tried, what was said, what to do.
    pub async fn try_start() -> Result<Moto, Failed> {
        Self::try_any(true).await
    }

    async fn try_any(checks: bool) -> Result<Moto, Failed> {
        let folder = MOTO.installed().await?;
        for _ in 0..TRIES {
            if let Some(started) = Self::start_at(&folder, free_port()?, checks).await? {
                return Ok(started);
            }
        }
        Err(ports_taken(&MOTO))
    }

    /// None: the port is taken.
    async fn start_at(packages: &Path, port: u16, checks: bool) -> Result<Option<Moto>, Failed> {
        let failed = |e: io::Error| Failed(format!("{MOTO} cannot be started: {e}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let mut command = Command::new(env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
        let wrapper = folder.path().join("moto_server.py");
        std::fs::write(&wrapper, WRAPPER).map_err(failed)?;
        let administrator = format!("administrator-{port}");
        command.arg(&wrapper).args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        // nothing of whoever runs the tests: `AWS_…` and `MOTO_…` steer it, too
        command.env_clear().env("PYTHONPATH", packages).env("ADMINISTRATOR", &administrator);
        if checks {
            command.env("INITIAL_NO_AUTH_ACTION_COUNT", "0");
        }
        for name in ["PATH", "HOME"] {
            command.envs(env::var_os(name).map(|value| (name, value)));
        }
        let process = Process::start(&mut command, &folder.path().join("output"), Signal::KILL)?;
        let mut started = Moto {
            process,
            _folder: folder,
            address: format!("http://127.0.0.1:{port}"),
            administrator,
            keys: Keys::default(),
            client: Client::new(),
            made: AtomicUsize::new(0),
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

    /// The key of a user who may do anything with secrets.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Its id.
    pub fn access_key_id(&self) -> &str {
        &self.keys.access_key_id
    }

    /// What that user signs with.
    pub fn secret_access_key(&self) -> &str {
        &self.keys.secret_access_key
    }

    /// A user with exactly that policy.
    ///
    /// # Panics
    /// When the policy is none.
    pub async fn user(&self, policy: &str) -> Keys {
        self.make_user(policy).await.unwrap_or_else(|e| panic!("{}", self.failed(&e)))
    }

    /// Gives that user this policy in the place of the one before.
    ///
    /// # Panics
    /// When the policy is none.
    pub async fn allow(&self, keys: &Keys, policy: &str) {
        let put = [("UserName", keys.user.as_str()), ("PolicyName", "only"), ("PolicyDocument", policy)];
        self.make("PutUserPolicy", &put).await.unwrap_or_else(|e| panic!("{}", self.failed(&e)));
    }

    /// A role with exactly that policy, which everybody may assume, and its ARN.
    ///
    /// # Panics
    /// When the policy is none.
    pub async fn role(&self, policy: &str) -> String {
        self.make_role(policy).await.unwrap_or_else(|e| panic!("{}", self.failed(&e)))
    }

    /// A call of Secrets Manager as an administrator: `CreateSecret`.
    ///
    /// # Panics
    /// When nothing answers.
    pub async fn call(&self, operation: &str, body: Value) -> (u16, Value) {
        let target = format!("secretsmanager.{operation}");
        let headers = [
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0",
            ),
            ("x-administrator", self.administrator.as_str()),
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        let sent = self.client.send("POST", &format!("{}/", self.address), &headers, &body).await;
        sent.unwrap_or_else(|e| panic!("{}", self.failed(&e)))
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

    /// What was called since the start, and on which resource, by others than an administrator: `GetSecretValue on arn:…`.
    pub fn calls(&self) -> Vec<String> {
        self.process
            .said()
            .lines()
            .filter_map(|line| Some(line.strip_prefix("called ")?.to_owned()))
            .collect()
    }

    async fn set_up(&mut self) -> Result<(), String> {
        let ready = format!("{}/moto-api/", self.address);
        while self.client.send("GET", &ready, &[], &Value::Null).await.is_err() {
            if self.process.has_ended() {
                return Err("it ended".to_owned());
            }
            tokio::time::sleep(BEAT).await;
        }
        self.keys = self.make_user(ANYTHING).await?;
        Ok(())
    }

    async fn make_user(&self, policy: &str) -> Result<Keys, String> {
        let name = format!("user-{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.make("CreateUser", &[("UserName", &name)]).await?;
        let put = [("UserName", name.as_str()), ("PolicyName", "only"), ("PolicyDocument", policy)];
        self.make("PutUserPolicy", &put).await?;
        let made = self.make("CreateAccessKey", &[("UserName", &name)]).await?;
        let key = &made["CreateAccessKeyResponse"]["CreateAccessKeyResult"]["AccessKey"];
        match (key["AccessKeyId"].as_str(), key["SecretAccessKey"].as_str()) {
            (Some(id), Some(secret)) => {
                let (access_key_id, secret_access_key) = (id.to_owned(), secret.to_owned());
                Ok(Keys { access_key_id, secret_access_key, user: name })
            }
            _ => Err(format!("CreateAccessKey: {made}")),
        }
    }

    async fn make_role(&self, policy: &str) -> Result<String, String> {
        // the bare `*` makes it answer 500
        const ANYONE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
        let name = format!("role-{}", self.made.fetch_add(1, Ordering::Relaxed));
        let create = [("RoleName", name.as_str()), ("AssumeRolePolicyDocument", ANYONE)];
        self.make("CreateRole", &create).await?;
        let put = [("RoleName", name.as_str()), ("PolicyName", "only"), ("PolicyDocument", policy)];
        self.make("PutRolePolicy", &put).await?;
        Ok(format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
    }

    /// A call of IAM, as an administrator. Which service is meant, it reads from the signature.
    async fn make(&self, action: &str, fields: &[(&str, &str)]) -> Result<Value, String> {
        let encoded = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let fields =
            fields.iter().map(|(name, value)| format!("&{name}={}", encoded(value))).collect::<String>();
        let url = format!("{}/?{VERSION}&Action={action}{fields}", self.address);
        let scope = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
        let headers = [("authorization", scope), ("x-administrator", self.administrator.as_str())];
        match self.client.send("GET", &url, &headers, &Value::Null).await? {
            (200, made) => Ok(made),
            (status, said) => Err(format!("{action}: {status} {said}")),
        }
    }

    fn failed(&self, why: &str) -> Failed {
        Failed(format!("{MOTO} at {}: {why}\nit said:\n{}", self.address, self.process.said()))
    }
}
