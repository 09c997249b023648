//! A volume as Kubernetes writes it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A volume of Kubernetes' atomic writer: `key -> ..data/key`, `..data -> ..<n>`.
pub(crate) struct Mount {
    at: PathBuf,
    version: u64,
}

impl Mount {
    pub(crate) fn new(at: impl Into<PathBuf>) -> Self {
        let at = at.into();
        fs::create_dir_all(&at).unwrap();
        Self { at, version: 0 }
    }

    /// One new version with these keys (which may have one `/`), in the order of the real writer:
    /// write, swap by rename, bring the visible links up to date, remove the old version.
    pub(crate) fn write<'k>(&mut self, keys: impl IntoIterator<Item = (&'k str, &'k [u8])>) {
        self.version += 1;
        let name = format!("..2026_01_01_00_00_00.{}", self.version);
        let mut visible = Vec::new();
        fs::create_dir(self.at.join(&name)).unwrap();
        for (key, value) in keys {
            let path = self.at.join(&name).join(key);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, value).unwrap();
            visible.push(key.split('/').next().unwrap());
        }
        let old = fs::read_link(self.at.join("..data")).ok();
        symlink(&name, self.at.join("..data_tmp")).unwrap();
        fs::rename(self.at.join("..data_tmp"), self.at.join("..data")).unwrap();
        for key in &visible {
            if fs::symlink_metadata(self.at.join(key)).is_err() {
                symlink(Path::new("..data").join(key), self.at.join(key)).unwrap();
            }
        }
        for entry in fs::read_dir(&self.at).unwrap() {
            let key = entry.unwrap().file_name().into_string().unwrap();
            if !key.starts_with("..") && !visible.contains(&&*key) {
                fs::remove_file(self.at.join(key)).unwrap();
            }
        }
        if let Some(old) = old {
            fs::remove_dir_all(self.at.join(old)).unwrap();
        }
    }
}
