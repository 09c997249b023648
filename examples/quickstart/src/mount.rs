//! A volume of secrets as the kubelet writes it.
//!
//! ```text
//! secrets/
//!   ..2026_08_24_09_30_00.1234567890/   one version of all keys
//!     database  jwt  mail-api-key
//!   ..data -> ..2026_08_24_09_30_00.1234567890
//!   database -> ..data/database
//!   jwt -> ..data/jwt
//! ```
//!
//! A rotation writes a new folder beside the old one and renames one link over `..data`: whoever reads sees all of the
//! old version or all of the new one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secretfig::{Clock, SystemClock};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The folder that stands in for a container's file system: `config.toml` and the mounted secrets.
pub(crate) struct Mount {
    root: PathBuf,
    /// What each key holds now; the cluster would know.
    keys: BTreeMap<&'static str, String>,
    /// Removes the folder in the end, unless someone wants to look into it.
    temporary: Option<TempDir>,
}

impl Mount {
    /// Lays out a folder with values that nobody has chosen: a new one, or `keep`, which is left behind, old versions
    /// and all.
    pub(crate) fn new(keep: Option<PathBuf>, config: &str, broken: bool) -> io::Result<Self> {
        let (root, temporary) = match keep {
            Some(root) => (root, None),
            None => {
                let folder = tempfile::Builder::new().prefix("secretfig-quickstart-").tempdir()?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        fs::create_dir_all(root.join("secrets"))?;
        fs::write(root.join("config.toml"), config)?;
        let mut mount = Self { root, keys: if broken { unusable()? } else { usable()? }, temporary };
        mount.write()?;
        Ok(mount)
    }

    /// Where `config.toml` is: `APP_CONFIG_DIR`.
    pub(crate) fn config_dir(&self) -> &Path {
        &self.root
    }

    /// Where the secrets are: `SECRETFIG_FILES_DIR`.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// What someone with access to the cluster does: a new signing key, all else as it was.
    pub(crate) fn rotate_jwt(&mut self) -> io::Result<()> {
        self.keys.insert("jwt", jwt(48)?);
        self.write()
    }

    /// The order of the kubelet: write the new version, swap the link, bring the visible links up to date, remove the
    /// old version.
    fn write(&mut self) -> io::Result<()> {
        let at = self.secrets();
        let now = humantime::format_rfc3339_seconds(SystemClock::default().wall()).to_string();
        let time = now.trim_end_matches('Z').replace(['-', ':', 'T'], "_");
        let version = tempfile::Builder::new().prefix(&format!("..{time}.")).tempdir_in(&at)?.keep();
        for (key, value) in &self.keys {
            private(&version.join(key), value)?;
        }
        let old = fs::read_link(at.join("..data")).ok();
        link(Path::new(version.file_name().unwrap_or_default()), &at.join("..data_tmp"))?;
        fs::rename(at.join("..data_tmp"), at.join("..data"))?;
        for key in self.keys.keys() {
            if fs::symlink_metadata(at.join(key)).is_err() {
                link(&Path::new("..data").join(key), &at.join(key))?;
            }
        }
        if let (Some(old), Some(_)) = (old, &self.temporary) {
            fs::remove_dir_all(at.join(old))?;
        }
        Ok(())
    }
}

/// What the application needs.
fn usable() -> io::Result<BTreeMap<&'static str, String>> {
    Ok(BTreeMap::from([
        ("database", database("orders")?.to_string()),
        ("reports", database("reports")?.to_string()),
        ("jwt", jwt(48)?),
        // as `kubectl create secret generic --from-file` keeps it: the newline of the file is there, too
        ("mail-api-key", format!("{}\n", random(24)?)),
    ]))
}

/// The faults of `broken.toml` that lie in secrets.
fn unusable() -> io::Result<BTreeMap<&'static str, String>> {
    let mut cut_off = database("orders")?.to_string();
    cut_off.truncate(cut_off.len() - 2);
    let keys = [("database", cut_off), ("reports", database("reports")?.to_string()), ("jwt", jwt(12)?)];
    Ok(BTreeMap::from(keys))
}

/// The layout of AWS Secrets Manager, which rotation functions write.
fn database(name: &str) -> io::Result<serde_json::Value> {
    Ok(json!({
        "engine": "postgres",
        "host": "db.internal",
        "port": 5432,
        "username": format!("u_{}", random(16)?),
        "password": random(24)?,
        "dbname": name,
    }))
}

fn jwt(bytes: usize) -> io::Result<String> {
    Ok(json!({ "algorithm": "HS256", "signing_key": random(bytes)?, "issuer": "quickstart" }).to_string())
}

fn random(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// A file that its owner may read and nobody may write: `defaultMode: 0400`.
fn private(path: &Path, value: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o400);
    options.open(path)?.write_all(value.as_bytes())
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "a volume of Kubernetes is made of links, as Unix has them",
    ))
}
