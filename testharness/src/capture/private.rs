//! A temporary folder that nobody else can read: traces have secrets in them.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};

/// Gone with everything in it when it is dropped.
#[derive(Debug)]
pub(super) struct Private(PathBuf);

impl Private {
    pub(super) fn create() -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("ipp-record-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // It fails if there is one, so that nobody can have prepared it.
        let created = DirBuilder::new().mode(0o700).create(&path);
        created.with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // Left behind, unreadable for others, at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
