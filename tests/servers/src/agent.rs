//! What AWS Secrets Manager Agent is to whoever asks it, in front of another server.

use crate::client::Client;
use crate::relay::{header, message};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The [agent](https://github.com/aws/aws-secretsmanager-agent), as its sources have it: it wants the token, refuses what was
/// forwarded and every parameter that it does not know, keeps each answer for a while, asks anew when it is told to, and hands on
/// what AWS says against a request. It is published as sources only, so this one is ours; it ends when this is dropped.
pub struct Agent {
    address: SocketAddr,
    listening: JoinHandle<()>,
    state: Arc<State>,
}

struct State {
    server: String,
    token: String,
    ttl: Duration,
    client: Client,
    kept: Mutex<BTreeMap<Asked, (Instant, String)>>,
    asked: Mutex<Vec<String>>,
}

/// A secret, a version, a stage.
type Asked = (String, Option<String>, Option<String>);

impl Agent {
    /// In front of that server (`http://127.0.0.1:PORT`, which must not look at signatures), for whoever has that token, with
    /// values kept for so long.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn of(server: &str, token: &str, ttl: Duration) -> Agent {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = listener.local_addr().expect("INVARIANT: it is bound");
        let state = Arc::new(State {
            server: server.to_owned(),
            token: token.to_owned(),
            ttl,
            client: Client::new(),
            kept: Mutex::default(),
            asked: Mutex::default(),
        });
        let of = state.clone();
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(of.clone().serve(client));
            }
        });
        Agent { address, listening, state }
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The secrets that it asked the server for, since this was last called.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state.asked))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl State {
    async fn serve(self: Arc<Self>, mut client: TcpStream) {
        while let Some((head, _)) = message(&mut client).await {
            let (status, body) = match self.answer(&head).await {
                Ok(value) => (200, value),
                Err(refused) => refused,
            };
            let reply = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            if client.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, head: &str) -> Result<String, (u16, String)> {
        let mut line = head.split(' ');
        let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path == "/ping" {
            return Ok("healthy".to_owned());
        }
        let refused = |status, why: &str| Err((status, why.to_owned()));
        if header(head, "x-forwarded-for").is_some() {
            return refused(400, "Forwarded");
        }
        let tokens = ["x-aws-parameters-secrets-token", "x-vault-token"].map(|name| header(head, name));
        if !tokens.contains(&Some(&self.token)) {
            return refused(403, "Bad Token");
        }
        match (method, path) {
            ("GET", "/secretsmanager/get") => {}
            ("GET", _) => return refused(404, "Not found"),
            _ => return refused(405, "Not allowed"),
        }
        let (mut asked, mut anew) = (Asked::default(), false);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "secretId" => asked.0 = value,
                "versionId" => asked.1 = Some(value),
                "versionStage" => asked.2 = Some(value),
                "refreshNow" => anew = matches!(&*value, "true" | "1"),
                _ => return refused(400, "unknown parameter"),
            }
        }
        if asked.0.is_empty() {
            return refused(400, "missing parameter secretId");
        }
        let kept = lock(&self.kept).get(&asked).filter(|(at, _)| at.elapsed() < self.ttl).cloned();
        match kept {
            Some((_, value)) if !anew => Ok(value),
            _ => self.ask(asked).await,
        }
    }

    async fn ask(&self, asked: Asked) -> Result<String, (u16, String)> {
        let headers = [
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0",
            ),
            ("x-amz-target", "secretsmanager.GetSecretValue"),
            ("content-type", "application/x-amz-json-1.1"),
        ];
        let mut body = json!({ "SecretId": asked.0 });
        for (name, value) in [("VersionId", &asked.1), ("VersionStage", &asked.2)] {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        lock(&self.asked).push(asked.0.clone());
        let sent = self.client.send("POST", &format!("{}/", self.server), &headers, &body).await;
        let told = |code: &str, message: &str| json!({ "__type": code, "message": message }).to_string();
        let (status, said) = sent.map_err(|_| (502, told("ConnectionError", "Read Error")))?;
        if status != 200 {
            let code = said["__type"].as_str().unwrap_or_default();
            let message = said["message"].as_str().or(said["Message"].as_str()).unwrap_or_default();
            return Err((status, told(code.rsplit('#').next().unwrap_or_default(), message)));
        }
        let mut value = json!({ "CreatedDate": said["CreatedDate"].to_string() });
        for name in ["ARN", "Name", "VersionId", "SecretString", "SecretBinary", "VersionStages"] {
            value[name] = said.get(name).cloned().unwrap_or(Value::Null);
        }
        let value = value.to_string();
        lock(&self.kept).insert(asked, (Instant::now(), value.clone()));
        Ok(value)
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
