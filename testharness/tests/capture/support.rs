//! What the tests share: a recorder in front of a server, and what it makes of requests.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use ipp_testharness::artifacts;
use ipp_testharness::capture::{Options, Outcome, Recorder, Target};
use ipp_testharness::recording::{Exchange, Recording};

/// Gone with everything in it when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("ipp-capture-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The paths of its files, sorted.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(&self.0)?.map(|entry| Ok(entry?.path()));
        let mut files = entries.collect::<Result<Vec<_>>>()?;
        files.sort();
        Ok(files)
    }

    /// The only exchange of a recording.
    pub(crate) fn exchange(&self, name: &str) -> Result<Exchange> {
        let recording = Recording::load(&self.0.join(name))?;
        let [exchange] = recording.exchanges() else { panic!("{name} has several exchanges") };
        Ok(exchange.clone())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Options that record what goes to a server, on a free port.
pub(crate) fn options(server: SocketAddr, out: &Folder) -> Options {
    let target = Target { tls: false, host: server.ip().to_string(), port: server.port() };
    let mut options = Options::new((Ipv4Addr::LOCALHOST, 0).into(), target, out.path());
    options.envoy = Some(artifacts::envoy());
    options
}

/// A recorder of what goes to a server.
pub(crate) async fn recorder(server: SocketAddr, out: &Folder) -> Result<Recorder> {
    Recorder::start(&options(server, out)).await
}

/// All outcomes up to the end of everything that is under way.
pub(crate) async fn outcomes(recorder: &mut Recorder) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    let ended = recorder.drain(&mut |outcome| outcomes.push(outcome)).await?;
    ensure!(ended, "something has not ended: {outcomes:?}");
    Ok(outcomes)
}
