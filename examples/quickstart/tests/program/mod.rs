//! The program, run as a newcomer would, and the values that it made.

use secretfig_local::{Local, Settings};
use secretfig_source::{Ask, Exposed, Format, Node, Reading, Source};
use secretfig_tests::{Hunt, Marker};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn quickstart(args: &[&str], keep: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    // nothing of whoever runs the tests
    command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(keep.map(|folder| ("QUICKSTART_KEEP", folder)));
    command
}

pub(crate) fn run(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Every value that was made: of the store, and of the store as it was before the rotation. A text may hold several.
pub(crate) fn plant_all(
    hunt: &Hunt,
    folder: &Path,
    names: &[&str],
    values: fn(&str) -> Vec<String>,
) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut planted = 0;
    for store in ["secrets.age", "before.age"].map(|name| folder.join(name)) {
        if !store.exists() {
            continue;
        }
        let settings = Settings::new().file(&store).identity_file(folder.join("identity.txt"));
        let asks: Vec<Ask> = names.iter().copied().map(Ask::new).collect();
        let answers = runtime.block_on(Local::new(settings).unwrap().fetch(&asks));
        for (ask, answer) in asks.iter().zip(answers) {
            // the broken store has no mail key
            let Ok(fetched) = answer else { continue };
            let Node::Leaf(leaf) = fetched.document.read(&text()).unwrap() else {
                panic!("{ask} is no text")
            };
            let Exposed::Text(text) = leaf.expose_secret() else { panic!("{ask} is no text") };
            for value in values(text) {
                planted += 1;
                hunt.plant(format!("a value of {ask}"), Marker::new(value));
            }
        }
    }
    // the secret key itself
    let identity = fs::read_to_string(folder.join("identity.txt")).unwrap();
    let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    hunt.plant("the identity", Marker::new(key));
    planted
}

fn text() -> Reading {
    Reading { format: Format::Text, ..Reading::default() }
}

/// The program while it serves; it ends also where a test fails.
pub(crate) struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    /// `127.0.0.1:PORT`
    pub(crate) at: String,
}

impl Running {
    /// Waits until it serves.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Self { child, lines, at: String::new() };
        running.at = running
            .lines
            .by_ref()
            .find_map(|line| line.unwrap().strip_prefix("serving: http://").map(str::to_owned))
            .unwrap();
        assert!(running.lines.any(|line| line.unwrap() == "until Ctrl-C"));
        running
    }

    /// Head and body of the reply.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.at).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.at).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    }

    /// Ctrl-C. What it said on standard error.
    pub(crate) fn interrupt(mut self) -> String {
        let interrupted = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(interrupted.success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
