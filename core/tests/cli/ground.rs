//! A folder of its own for each test, and the program in it, with nothing of the machine's environment.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) struct Ground(tempfile::TempDir);

/// How a run of the program ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(ground.path("home")).unwrap();
        ground
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A file that nobody else may read, so that nothing is remarked.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// Secrets as mounted files, read by the standard layers.
    pub(crate) fn with_secrets(config: &str, secrets: &[(&str, &str)]) -> Self {
        let ground = Self::new();
        ground.write("config.toml", config);
        std::fs::create_dir(ground.path("secrets")).unwrap();
        secrets.iter().for_each(|(name, value)| ground.write(&format!("secrets/{name}"), value));
        ground
    }

    /// A program of this crate, in this folder.
    pub(crate) fn program<S: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, args: &[S]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"));
        if self.path("secrets").exists() {
            command.env("SECRET_PROVIDER", "files").env("SECRETFIG_FILES_DIR", self.path("secrets"));
        }
        command
    }

    pub(crate) fn secretfig<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        self.program(env!("CARGO_BIN_EXE_secretfig"), args)
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        Ran::of(self.secretfig(args).stdin(Stdio::null()).output().unwrap())
    }

    pub(crate) fn run_with<S: AsRef<OsStr>>(&self, args: &[S], stdin: impl AsRef<[u8]>) -> Ran {
        Ran::piped(self.secretfig(args), stdin)
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub(crate) fn piped(mut command: Command, stdin: impl AsRef<[u8]>) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // a program that refuses at once has closed its end
        let _ = child.stdin.take().unwrap().write_all(stdin.as_ref());
        Self::of(child.wait_with_output().unwrap())
    }

    /// It succeeded.
    pub(crate) fn fine(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// It ended with that code and said this.
    pub(crate) fn refused(self, code: i32, said: &str) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(self.err.contains(said), "{said} is not in: {}", self.err);
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}
