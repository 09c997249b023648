//! Three nodes of OpenBao that share one store.

use crate::Failed;
use crate::client::Client;
use crate::install::OPENBAO;
use crate::openbao::{binary, started};
use crate::process::{BEAT, LIMIT, Process, TRIES, free_port, ports_taken};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{fs, io};
use tempfile::TempDir;

/// Three nodes over loopback, on raft, each unsealing itself: one leads, and two stand by and pass on what they are asked.
/// KV version 2 is at `secret/`. All end when this is dropped.
pub struct Cluster {
    nodes: Vec<Process>,
    // after the nodes, which write into it to the end
    _folder: TempDir,
    addresses: Vec<String>,
    root_token: String,
    client: Client,
}

const NODES: usize = 3;

impl Cluster {
    /// Starts one, and waits until there is a leader and all have joined.
    ///
    /// # Panics
    /// When it cannot be had, with what was tried.
    pub async fn start() -> Cluster {
        Self::try_start().await.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Starts one, and waits until there is a leader and all have joined.
    ///
    /// # Errors
    /// When it cannot be had: what was tried, what was said, what to do.
    pub async fn try_start() -> Result<Cluster, Failed> {
        let binary = binary().await?;
        for _ in 0..TRIES {
            let mut started = Self::start_nodes(&binary)?;
            let why = match tokio::time::timeout(LIMIT, started.set_up()).await {
                Ok(Ok(())) => return Ok(started),
                Ok(Err(why)) => why,
                Err(_) => format!("no leader within {LIMIT:?}"),
            };
            if !started.said().contains("address already in use") {
                return Err(started.failed(&why));
            }
        }
        Err(ports_taken(&OPENBAO))
    }

    /// Where they listen: `http://127.0.0.1:PORT`, also of those that were killed.
    pub fn nodes(&self) -> &[String] {
        &self.addresses
    }

    /// A token that may do everything.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// The one that leads, as soon as there is one.
    ///
    /// # Panics
    /// When there is none within a minute.
    pub async fn leader(&self) -> usize {
        let leader = tokio::time::timeout(LIMIT, self.elected()).await;
        leader.unwrap_or_else(|_| panic!("{}", self.failed(&format!("no leader within {LIMIT:?}"))))
    }

    /// Kills that node, with SIGKILL: connections to it break.
    pub fn kill(&self, node: usize) {
        self.nodes[node].kill();
    }

    /// A request as root, to that node; the path is without `/v1`.
    ///
    /// # Panics
    /// When there is no reply.
    pub async fn call(&self, node: usize, method: &str, path: &str, body: Value) -> (u16, Value) {
        let sent = self.send(node, method, path, &body).await;
        sent.unwrap_or_else(|e| panic!("{}", self.failed(&format!("{method} {path}: {e}"))))
    }

    fn start_nodes(binary: &Path) -> Result<Self, Failed> {
        let failed = |e: io::Error| Failed(format!("{OPENBAO} cannot be started: {e}"));
        let folder = tempfile::tempdir().map_err(failed)?;
        let mut ports = Vec::new();
        for _ in 0..NODES {
            ports.push((free_port()?, free_port()?));
        }
        let mut nodes = Vec::new();
        for node in 0..NODES {
            let store = folder.path().join(format!("node-{node}"));
            fs::create_dir(&store).map_err(failed)?;
            let settings = folder.path().join(format!("node-{node}.hcl"));
            fs::write(&settings, settings_of(node, &ports, &store)).map_err(failed)?;
            let mut command = Command::new(binary);
            command.env_clear().arg("server").arg(format!("-config={}", settings.display()));
            let output = folder.path().join(format!("output-{node}"));
            nodes.push(Process::start(&mut command, &output, Signal::KILL)?);
        }
        let addresses = ports.iter().map(|(port, _)| format!("http://127.0.0.1:{port}")).collect();
        Ok(Self { nodes, _folder: folder, addresses, root_token: String::new(), client: Client::new() })
    }

    async fn set_up(&mut self) -> Result<(), String> {
        for node in &mut self.nodes {
            started(node).await?;
        }
        let init = json!({ "recovery_shares": 1, "recovery_threshold": 1 });
        let (status, body) = self.send(0, "POST", "sys/init", &init).await?;
        let Some(token) = body["root_token"].as_str() else {
            return Err(format!("sys/init: {status} {body}"));
        };
        self.root_token = token.to_owned();
        let leader = self.elected().await;
        let hurry = json!({ "server_stabilization_time": "1s" });
        let path = "sys/storage/raft/autopilot/configuration";
        let (status, body) = self.send(leader, "POST", path, &hurry).await?;
        if status != 204 {
            return Err(format!("{path}: {status} {body}"));
        }
        let kv = json!({ "type": "kv", "options": { "version": "2" } });
        let (status, body) = self.send(leader, "POST", "sys/mounts/secret", &kv).await?;
        if status != 204 {
            return Err(format!("sys/mounts/secret: {status} {body}"));
        }
        for node in 0..NODES {
            while self.send(node, "GET", "secret/config", &Value::Null).await?.0 != 200 {
                tokio::time::sleep(BEAT).await;
            }
        }
        self.all_may_lead(leader).await
    }

    /// A node that has joined votes only after it has caught up, and three that do not all vote outlive no leader.
    async fn all_may_lead(&self, leader: usize) -> Result<(), String> {
        loop {
            let (_, body) = self.send(leader, "GET", "sys/storage/raft/configuration", &Value::Null).await?;
            let servers = body["data"]["config"]["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
            if servers.iter().filter(|server| server["voter"] == true).count() == NODES {
                return Ok(());
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    async fn elected(&self) -> usize {
        loop {
            for node in 0..NODES {
                // a node that was killed does not answer
                let said = self.send(node, "GET", "sys/leader", &Value::Null).await;
                if said.is_ok_and(|(_, body)| body["is_self"] == true) {
                    return node;
                }
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    async fn send(
        &self,
        node: usize,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<(u16, Value), String> {
        let url = format!("{}/v1/{path}", self.addresses[node]);
        self.client.send(method, &url, &[("x-vault-token", &self.root_token)], body).await
    }

    fn said(&self) -> String {
        let mut said = String::new();
        for (address, node) in self.addresses.iter().zip(&self.nodes) {
            let _ = writeln!(said, "{address}:\n{}", node.said());
        }
        said
    }

    fn failed(&self, why: &str) -> Failed {
        Failed(format!("{OPENBAO}, three nodes: {why}\nthey said:\n{}", self.said()))
    }
}

/// The key seals nothing but what a test put there.
fn settings_of(node: usize, ports: &[(u16, u16)], store: &Path) -> String {
    let (port, cluster_port) = ports[node];
    let store = Value::from(store.to_string_lossy());
    let mut others = String::new();
    for (other, _) in ports.iter().filter(|(other, _)| *other != port) {
        let _ = writeln!(others, r#"    retry_join {{ leader_api_addr = "http://127.0.0.1:{other}" }}"#);
    }
    format!(
        r#"storage "raft" {{
    path = {store}
    node_id = "node-{node}"
    performance_multiplier = 1
    autopilot_reconcile_interval = "500ms"
    autopilot_update_interval = "500ms"
{others}}}
listener "tcp" {{
    address = "127.0.0.1:{port}"
    cluster_address = "127.0.0.1:{cluster_port}"
    tls_disable = true
}}
seal "static" {{
    current_key_id = "test"
    current_key = "{}"
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
"#,
        "00".repeat(32)
    )
}
