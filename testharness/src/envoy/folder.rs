//! A temporary folder with files that are replaced as a whole, which is the only change that Envoy's watchers
//! see.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};

/// Gone with everything in it when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn create() -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("ipp-envoy-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes beside the file, then renames.
    pub(crate) fn replace(&self, file: &str, contents: &str) -> Result<PathBuf> {
        let (path, next) = (self.0.join(file), self.0.join(format!("{file}.next")));
        std::fs::write(&next, contents).with_context(|| format!("writing {}", next.display()))?;
        std::fs::rename(&next, &path).with_context(|| format!("replacing {}", path.display()))?;
        Ok(path)
    }

    pub(crate) fn read(&self, file: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.read_bytes(file)?).into_owned())
    }

    pub(crate) fn read_bytes(&self, file: &str) -> Result<Vec<u8>> {
        let path = self.0.join(file);
        std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left behind in the system's temporary folder at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
