//! A running server: its output, its signals, and its end.

use crate::Failed;
use crate::install::Package;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a server may take until it answers. Generous: a loaded machine is slow.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// How often a server is asked whether it is ready.
pub(crate) const BEAT: Duration = Duration::from_millis(20);

/// How often a server is started anew, because somebody else took its port meanwhile.
pub(crate) const TRIES: usize = 5;

/// A server that was started, in a process group of its own. It ends when this is dropped.
pub(crate) struct Process {
    server: Child,
    watch: Child,
    output: PathBuf,
    end: Signal,
}

impl Process {
    /// Starts it; what it says goes to that file. The signal is the one by which it ends, at once and for certain.
    pub(crate) fn start(command: &mut Command, output: &Path, end: Signal) -> Result<Self, Failed> {
        let failed = |e: io::Error| Failed(format!("cannot be started: {command:?}: {e}"));
        let file = File::create(output).map_err(failed)?;
        let both = file.try_clone().map_err(failed)?;
        let tried = format!("{command:?}");
        let started = command.process_group(0).stdin(Stdio::null()).stdout(file).stderr(both).spawn();
        let mut server = started.map_err(|e| Failed(format!("cannot be started: {tried}: {e}")))?;
        // A test process that is killed drops nothing. But the pipe it holds ends with it, and then this reads the end
        // of it, and does what the drop would have done.
        let script = format!("read -r _; kill -{} -{}", end.as_raw(), server.id());
        let watch = Command::new("sh")
            .args(["-c", &script])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match watch {
            Ok(watch) => Ok(Self { server, watch, output: output.to_owned(), end }),
            Err(e) => {
                let _ = server.kill();
                let _ = server.wait();
                Err(Failed(format!("cannot be started: sh: {e}")))
            }
        }
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        fs::read(&self.output).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.server.try_wait(), Ok(None))
    }

    /// SIGSTOP: it holds its connections and answers none.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGKILL: it ends in the midst of what it does.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        // one that has ended gets no signal, which is as it should be
        let _ = group.map(|group| kill_process_group(group, signal));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // In this order: while the server was not waited for, its number is nobody else's.
        let _ = self.watch.kill();
        let _ = self.watch.wait();
        self.signal(self.end);
        self.go_on();
        let _ = self.server.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, Failed> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    port.map(|at| at.port()).map_err(|e| Failed(format!("127.0.0.1 has no free port: {e}")))
}

/// What is left to say when that was not enough.
pub(crate) fn ports_taken(package: &Package) -> Failed {
    Failed(format!("{package} cannot be started: {TRIES} ports in turn were taken before it could take them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeping() -> (Process, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let process =
            Process::start(Command::new("sleep").arg("600"), &folder.path().join("output"), Signal::KILL);
        (process.unwrap(), folder)
    }

    /// Whether there is a process of that number, also one that nobody has waited for.
    fn is_there(id: u32) -> bool {
        Command::new("kill").args(["-0", &id.to_string()]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[tokio::test]
    async fn it_ends_with_the_process_that_started_it() {
        let (mut process, _folder) = sleeping();
        assert!(!process.has_ended());
        // what the system does for a process that was killed
        drop(process.watch.stdin.take());
        let ended = async {
            while !process.has_ended() {
                tokio::time::sleep(BEAT).await;
            }
        };
        tokio::time::timeout(LIMIT, ended).await.unwrap();
    }

    #[test]
    fn it_ends_when_it_is_dropped_even_when_it_was_stopped() {
        let (process, _folder) = sleeping();
        let ids = [process.server.id(), process.watch.id()];
        process.stop();
        assert!(ids.into_iter().all(is_there));
        drop(process);
        assert!(!ids.into_iter().any(is_there));
    }
}
