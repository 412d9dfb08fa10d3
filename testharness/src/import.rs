//! Turns what other tools have captured into recordings: HAR files, and the output of Envoy's tap filter.
//!
//! A reader ([`har`], [`tap`]) makes a `Captured` of each request and its answer. Then the way is one: secrets are
//! taken out (`redact`), fields of a connection too (`fields`), and `shelf` writes a file whose text comes from `write`.
//! `docs/capture-recordings.md` is the page for users.

mod captured;
mod fields;
pub mod har;
mod members;
pub(crate) mod query;
pub(crate) mod redact;
mod relative;
mod secret;
pub(crate) mod shelf;
mod sse;
pub mod tap;
mod write;
mod yaml;

use std::path::PathBuf;

use anyhow::Result;

use captured::Captured;
use redact::Redactor;
use shelf::{Existing, Shelf};

/// What to import, and where to.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The captures.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The folder for the recordings; it is created where it does not exist.
    #[arg(long, value_name = "DIR", default_value = "recordings")]
    pub out: PathBuf,
    /// The PayloadProcessorConfig that the recordings are to run with. Default: the built-in one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keeps the values of this header, which would be redacted otherwise. Can be given more than once.
    #[arg(long, value_name = "NAME")]
    pub keep_header: Vec<String>,
    /// Writes one recording with all requests of a capture in place of one for each.
    #[arg(long)]
    pub single: bool,
    /// Takes every request, not only those that look like calls of a model.
    #[arg(long)]
    pub all: bool,
    /// Replaces recordings that are there already.
    #[arg(long)]
    pub force: bool,
}

/// What a reader makes of one capture.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    /// How many requests there are.
    pub(crate) all: usize,
    /// Those that are wanted, with their answers, each with its number in the capture, from 1.
    pub(crate) exchanges: Vec<(usize, Captured)>,
    /// How many are not wanted.
    pub(crate) other: usize,
    /// What could not be read, each with its place.
    pub(crate) broken: Vec<String>,
    /// What is worth knowing about what was read.
    pub(crate) notes: Vec<String>,
}

impl Options {
    /// Options that import these files into a folder; everything else is as by default.
    pub fn new(files: impl IntoIterator<Item = PathBuf>, out: impl Into<PathBuf>) -> Self {
        Self {
            files: files.into_iter().collect(),
            out: out.into(),
            config: None,
            keep_header: Vec::new(),
            single: false,
            all: false,
            force: false,
        }
    }
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The recordings.
    pub written: Vec<PathBuf>,
    /// What is broken, each with its file and its place in it. Everything else was written nevertheless.
    pub broken: Vec<String>,
    /// What is worth knowing about what was written.
    pub notes: Vec<String>,
    /// How many requests do not look like calls of a model.
    pub left_out: usize,
}

impl Report {
    /// Prints it. False if something was broken.
    fn say(&self) -> bool {
        self.written.iter().for_each(|file| println!("{}", file.display()));
        self.notes.iter().for_each(|text| println!("note: {text}"));
        self.broken.iter().for_each(|text| eprintln!("{text}"));
        let left_out = match self.left_out {
            0 => String::new(),
            others => format!("; {others} other requests left out, --all takes them"),
        };
        println!("{} written, {} broken{left_out}", self.written.len(), self.broken.len());
        self.broken.is_empty()
    }
}

/// Imports all files with a reader.
fn import(options: &Options, read: impl Fn(&[u8], &str) -> Result<Capture>) -> Result<Report> {
    let existing = if options.force { Existing::Replace } else { Existing::Refuse };
    let mut shelf = Shelf::open(&options.out, options.config.as_deref(), existing)?;
    let (mut report, mut before) = (Report::default(), 0);
    for file in &options.files {
        let shown = file.display().to_string();
        // A recording is for others, whom the folders of this machine do not concern.
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        let capture = std::fs::read(file).map_err(anyhow::Error::from).and_then(|bytes| read(&bytes, &name));
        let capture = capture
            .unwrap_or_else(|error| Capture { broken: vec![format!("{error:#}")], ..Capture::default() });
        report.broken.extend(capture.broken.iter().map(|text| format!("{shown}: {text}")));
        report.notes.extend(capture.notes.iter().map(|text| format!("{shown}: {text}")));
        report.left_out += capture.other;
        for outcome in put(&mut shelf, options, &name, before, capture.exchanges) {
            match outcome {
                Ok(written) => report.written.push(written),
                Err(error) => report.broken.push(format!("{error:#}")),
            }
        }
        before += capture.all;
    }
    Ok(report)
}

/// Puts what is wanted of one capture on the shelf, without secrets. Numbers go on over captures.
fn put(
    shelf: &mut Shelf,
    options: &Options,
    file: &str,
    before: usize,
    mut wanted: Vec<(usize, Captured)>,
) -> Vec<Result<PathBuf>> {
    let mut redactor = Redactor::new(&options.keep_header);
    wanted.iter().for_each(|(_, captured)| redactor.learn(captured));
    wanted.iter_mut().for_each(|(_, captured)| redactor.redact(captured));
    if !options.single {
        return wanted
            .iter()
            .map(|(number, captured)| shelf.put(&captured.stem(before + number), captured))
            .collect();
    }
    let exchanges: Vec<_> = wanted.iter().map(|(_, captured)| captured).collect();
    match exchanges.is_empty() {
        true => Vec::new(),
        false => vec![shelf.put_all(file, &exchanges)],
    }
}
