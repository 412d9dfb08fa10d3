//! The folder that recordings go to. Everything that is put there has been read back first.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::message::Headers;
use crate::recording::Recording;

use super::captured::{Captured, safe};
use super::relative;
use super::write::{Document, Written};

/// What happens to a recording that has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and the new one is an error.
    Refuse,
    /// It goes.
    Replace,
}

/// A folder for recordings.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
    config: Option<String>,
    existing: Existing,
    written: BTreeSet<PathBuf>,
}

impl Shelf {
    /// Opens a folder, which is created where it does not exist.
    pub(crate) fn open(folder: &Path, config: Option<&Path>, existing: Existing) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let config =
            config.map(|file| relative::path(folder, file).context("the configuration")).transpose()?;
        let config = config.map(|path| path.to_string_lossy().into_owned());
        Ok(Self { folder: folder.to_owned(), config, existing, written: BTreeSet::new() })
    }

    /// Whether there is a file for a recording of that name.
    pub(crate) fn has(&self, stem: &str) -> bool {
        self.file(stem).exists()
    }

    /// Puts a recording of one exchange there.
    pub(crate) fn put(&mut self, stem: &str, captured: &Captured) -> Result<PathBuf> {
        let model = captured.model().map_or_else(String::new, |model| format!(", {model}"));
        let name = format!("{} {}{model}", captured.method, captured.route());
        self.place(stem, &name, &[captured]).with_context(|| captured.source.clone())
    }

    /// Puts a recording of everything that came from a file there.
    pub(crate) fn put_all(&mut self, source: &str, exchanges: &[&Captured]) -> Result<PathBuf> {
        let stem = Path::new(source).file_stem().unwrap_or_default().to_string_lossy();
        let stem = format!("imported-{}", safe(&stem, 80));
        let name = format!("{} requests of {source}", exchanges.len());
        self.place(&stem, &name, exchanges).with_context(|| source.to_owned())
    }

    fn file(&self, stem: &str) -> PathBuf {
        self.folder.join(format!("{stem}.yaml"))
    }

    fn place(&mut self, stem: &str, name: &str, exchanges: &[&Captured]) -> Result<PathBuf> {
        // Two captures of one run may have the same requests.
        let stems = std::iter::once(stem.to_owned()).chain((2..).map(|number| format!("{stem}-{number}")));
        let free = stems.into_iter().find(|stem| !self.written.contains(&self.file(stem)));
        let stem = free.unwrap_or_else(|| stem.to_owned());
        let file = self.file(&stem);
        if self.existing == Existing::Refuse && file.exists() {
            bail!("{} is there already; --force replaces it", file.display());
        }
        let document = |encoded| {
            let config = self.config.as_deref();
            Document { stem: &stem, name, config, exchanges, encoded }.write()
        };
        // The first try is for people. Should it ever not mean the same, the second one does.
        let tidy = self.write(&file, &document(false)).and_then(|()| check(&file, exchanges));
        if tidy.is_err() {
            let done = self.write(&file, &document(true)).and_then(|()| check(&file, exchanges));
            if done.is_err() {
                // What could not be written well is not left behind.
                let _ = std::fs::remove_file(&file);
            }
            done?;
        }
        self.written.insert(file.clone());
        Ok(file)
    }

    fn write(&self, file: &Path, written: &Written) -> Result<()> {
        for (name, contents) in &written.files {
            let path = self.folder.join(name);
            std::fs::write(&path, contents).with_context(|| format!("writing {}", path.display()))?;
        }
        std::fs::write(file, &written.text).with_context(|| format!("writing {}", file.display()))
    }
}

/// The recording is read as what was captured.
fn check(file: &Path, exchanges: &[&Captured]) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let recording = Recording::read(file, &text).context("a recording cannot hold this request")?;
    ensure!(recording.exchanges().len() == exchanges.len(), "it does not have all exchanges");
    for (read, captured) in recording.exchanges().iter().zip(exchanges) {
        let (request, upstream) = (&read.request, &read.upstream);
        let same = request.method == captured.method
            && request.path == captured.path
            && request.headers == captured.headers
            && request.trailers == captured.trailers
            && request.body == captured.body
            && upstream.status == captured.status
            && without_type(&upstream.headers) == without_type(&captured.response_headers)
            && upstream.body() == captured.response;
        ensure!(same, "it does not say what was captured");
    }
    Ok(())
}

/// Without content-type, which a reader adds where it is missing.
fn without_type(headers: &Headers) -> Headers {
    headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"content-type")).collect()
}
