//! The running service, and all that it prints.

use super::{LIMIT, Service, until};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// A service that was started. It ends with the test, however that goes.
pub(super) struct Process {
    child: Child,
    out: Said,
    err: Said,
}

/// What came out of it in the end.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    pub(super) err: String,
}

/// What it has said so far.
struct Said {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Process {
    /// Starts it with these variables, and with nothing of whoever runs the tests.
    pub(super) fn start(service: &Service, variables: Vec<(&'static str, OsString)>) -> Self {
        let mut command = Command::new(service.binary);
        command.env_clear().envs(variables).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = Said::by(child.stdout.take().unwrap());
        let err = Said::by(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// The address that it prints once it listens.
    pub(super) async fn address(&mut self, service: &Service) -> SocketAddr {
        let begins = format!("{}: http://", service.name);
        until("the address is printed", async || {
            let ended = self.child.try_wait().unwrap();
            let out = self.out.so_far();
            assert!(ended.is_none(), "it ended: {}\n{out}{}", ended.unwrap_or_default(), self.err.so_far());
            // a line that is whole
            let line =
                out.split_inclusive('\n').find_map(|line| line.strip_prefix(&*begins)?.strip_suffix('\n'));
            line.map(|address| address.parse().unwrap())
        })
        .await
    }

    pub(super) async fn signal(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(mut self) -> Ended {
        let status =
            tokio::time::timeout(LIMIT, self.child.wait()).await.expect("it ends by itself").unwrap();
        Ended { status, out: self.out.all().await, err: self.err.all().await }
    }
}

impl Said {
    fn by(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let to = text.clone();
        let reader = tokio::spawn(async move {
            let mut part = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = pipe.read(&mut part).await {
                to.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&part[..read]);
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    async fn all(mut self) -> String {
        (&mut self.reader).await.unwrap();
        self.so_far()
    }
}
