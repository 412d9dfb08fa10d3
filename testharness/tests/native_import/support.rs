//! What the tests share: captures, a folder for what becomes of them, and the strict reader.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ipp_testharness::import::Options;
use ipp_testharness::recording::{Exchange, Recording};

/// Gone with everything in it when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("ipp-import-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn text(&self, name: &str) -> String {
        let path = self.0.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The names of its files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The only exchange of a recording, read as it will be when it is replayed.
    pub(crate) fn exchange(&self, name: &str) -> Exchange {
        let mut exchanges = self.exchanges(name);
        assert_eq!(exchanges.len(), 1, "{name}");
        exchanges.remove(0)
    }

    /// All exchanges of a recording.
    pub(crate) fn exchanges(&self, name: &str) -> Vec<Exchange> {
        let recording = Recording::load(&self.0.join(name)).unwrap_or_else(|error| panic!("{error}"));
        recording.exchanges().to_vec()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A capture beside these tests.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native_import/fixtures").join(name)
}

/// Options that import captures from beside these tests.
pub(crate) fn options(names: &[&str], out: &Folder) -> Options {
    Options::new(names.iter().map(|name| fixture(name)), out.path())
}
