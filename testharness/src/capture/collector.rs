//! Puts the lines of the access log and the traces together, and makes a recording of each pair.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::import::query::redacted;
use crate::import::redact::Redactor;
use crate::import::shelf::Shelf;
use crate::import::tap::{self, Trace};

use super::bootstrap::{ACCESS_LOG, TRACE};
use super::ended::{Ended, ID};
use super::private::Private;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether there is a recording.
    pub kind: Kind,
    /// Method and path.
    pub request: String,
    /// The recording, or why there is none.
    pub what: String,
}

/// Whether there is a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is.
    Recorded,
    /// There is none because nothing whole came of the request.
    Skipped,
    /// There should be one.
    Failed,
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Recorded => write!(out, "{}: {}", self.request, self.what),
            Kind::Skipped => write!(out, "{}: not recorded, {}", self.request, self.what),
            Kind::Failed => write!(out, "{}: NOT RECORDED: {}", self.request, self.what),
        }
    }
}

/// Reads what Envoy writes.
#[derive(Debug)]
pub(super) struct Collector {
    private: Private,
    shelf: Shelf,
    keep: Vec<String>,
    /// Bytes of the access log that were read.
    read: u64,
    /// Lines of it.
    lines: u64,
    /// The traces that are there, by their numbers.
    traces: BTreeMap<String, PathBuf>,
    /// What has ended, and since when it waits for its trace to be written to the end.
    waiting: Vec<(Ended, Instant)>,
    /// The number of the next recording.
    next: usize,
}

/// How long a trace may take to be written to the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The headers of a request are always shorter, as a trace has them.
const HEAD: u64 = 1 << 20;

impl Collector {
    pub(super) fn new(private: Private, shelf: Shelf, keep: &[String]) -> Self {
        Self {
            private,
            shelf,
            keep: keep.to_vec(),
            read: 0,
            lines: 0,
            traces: BTreeMap::new(),
            waiting: Vec::new(),
            next: 1,
        }
    }

    /// All of so many requests have ended, and nothing is left to do for any.
    pub(super) fn is_done(&self, requests: u64) -> bool {
        self.lines >= requests && self.waiting.is_empty()
    }

    /// Makes recordings of what has ended since.
    pub(super) fn collect(&mut self) -> Result<Vec<Outcome>> {
        let now = Instant::now();
        for line in self.new_lines()? {
            self.lines += 1;
            self.waiting.extend(Ended::parse(&line).map(|ended| (ended, now)));
        }
        if self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        self.find_traces()?;
        let mut outcomes = Vec::new();
        for (ended, since) in std::mem::take(&mut self.waiting) {
            match self.outcome(&ended, since.elapsed() > PATIENCE) {
                Some(outcome) => {
                    outcomes.push(outcome);
                    if let Some(trace) = self.traces.remove(&ended.id) {
                        // The folder goes in the end.
                        let _ = std::fs::remove_file(trace);
                    }
                }
                None => self.waiting.push((ended, since)),
            }
        }
        Ok(outcomes)
    }

    /// What became of a request; none if that is not known yet.
    fn outcome(&mut self, ended: &Ended, late: bool) -> Option<Outcome> {
        let request = redacted(&ended.request);
        if let Some(what) = ended.unusable() {
            // The trace has to go too, once it is there. What Envoy refused early never gets one.
            if !late && !self.traces.contains_key(&ended.id) {
                return None;
            }
            return Some(Outcome { kind: Kind::Skipped, request, what });
        }
        let trace = self
            .traces
            .get(&ended.id)
            .context("Envoy wrote no trace of it")
            .and_then(|file| whole(file, ended));
        let outcome = match trace {
            Err(_) if !late => return None,
            Err(error) => Err(error),
            Ok(trace) => self.record(trace),
        };
        Some(match outcome {
            Ok(file) => Outcome { kind: Kind::Recorded, request, what: file.display().to_string() },
            Err(error) => Outcome { kind: Kind::Failed, request, what: format!("{error:#}") },
        })
    }

    fn record(&mut self, trace: Trace) -> Result<PathBuf> {
        let mut captured = trace.captured()?;
        captured.headers = captured.headers.iter().filter(|(name, _)| *name != ID.as_bytes()).collect();
        captured.source = "recorded".to_owned();
        let mut redactor = Redactor::new(&self.keep);
        redactor.learn(&captured);
        redactor.redact(&mut captured);
        // Numbers go on where an earlier run has ended.
        while self.shelf.has(&captured.stem(self.next)) {
            self.next += 1;
        }
        let file = self.shelf.put(&captured.stem(self.next), &captured)?;
        self.next += 1;
        Ok(file)
    }

    /// The whole lines that the access log has got since.
    fn new_lines(&mut self) -> Result<Vec<String>> {
        let path = self.private.path().join(ACCESS_LOG);
        let mut log = match File::open(&path) {
            Ok(log) => log,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let mut bytes = Vec::new();
        log.seek(SeekFrom::Start(self.read))?;
        log.read_to_end(&mut bytes)?;
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.read += end as u64;
        Ok(String::from_utf8_lossy(&bytes[..end]).lines().map(str::to_owned).collect())
    }

    /// Looks into new traces for their numbers.
    fn find_traces(&mut self) -> Result<()> {
        let folder = self.private.path();
        for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            let trace = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TRACE));
            if trace
                && !self.traces.values().any(|known| *known == path)
                && let Some(id) = id(&path)
            {
                self.traces.insert(id, path);
            }
        }
        Ok(())
    }
}

/// The number in the headers of a trace; none if they are not written yet.
fn id(path: &Path) -> Option<String> {
    let head = File::open(path).ok()?.take(HEAD);
    let mut documents =
        serde_json::Deserializer::from_reader(std::io::BufReader::new(head)).into_iter::<Value>();
    let first = documents.next()?.ok()?;
    let headers = first["http_streamed_trace_segment"]["request_headers"]["headers"].as_array()?;
    let field = headers.iter().find(|field| field["key"] == ID)?;
    Some(field["value"].as_str()?.to_owned())
}

/// The trace of a request, if all of it is written.
fn whole(path: &Path, ended: &Ended) -> Result<Trace> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let mut traces = tap::traces(&bytes)?;
    let Some(trace) = traces.pop().filter(|_| traces.is_empty()) else { bail!("its trace is not one trace") };
    let trace = trace?;
    let lengths = trace.lengths();
    if lengths != (ended.received, ended.sent) {
        let (received, sent) = lengths;
        bail!(
            "its trace has {received} and {sent} bytes of bodies, but {} and {} have passed",
            ended.received,
            ended.sent
        );
    }
    Ok(trace)
}
