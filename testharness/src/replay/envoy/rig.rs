//! One Envoy that runs recordings one after the other, each from a fresh start.
//!
//! A recording has a listener of its own, and the filter in it a VM of its own. With the listener both go, and with the VM
//! its metrics and shared data: the next recording starts at zero, whatever became of this one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bootstrap::LISTENERS_FILE;
use crate::envoy::folder::Folder;
use crate::envoy::{Envoy, Launch};
use crate::recording::{Plan, Recording};
use crate::replay::engine::{Ran, Role};
use crate::wait::until;

use super::log::Position;
use super::metrics::Traffic;
use super::ping::Ping;
use super::play::{Play, Stage};
use super::servers::Servers;
use super::setup::{self, CLUSTERS_FILE, LISTENER, PING};

/// An Envoy with its servers.
pub(super) struct Rig {
    envoy: Arc<Envoy>,
    /// Files that Envoy watches.
    folder: Folder,
    module: PathBuf,
    ping: Ping,
    servers: Servers,
    version: u64,
}

/// Statistics by name.
type Figures = BTreeMap<String, Value>;

/// What the names of statistics about listeners from files begin with.
const LISTENERS: &str = "listener_manager.lds";

/// What came of new contents of a file.
#[derive(PartialEq, Eq)]
enum Update {
    Accepted,
    Refused,
}

impl Rig {
    /// Starts an Envoy in which nothing runs yet.
    pub(super) async fn start(binary: &Path, module: &Path) -> Result<Self> {
        let folder = Folder::create()?;
        for file in [LISTENERS_FILE, CLUSTERS_FILE] {
            folder.replace(file, &setup::nothing(0).to_string())?;
        }
        let envoy = match launch(binary, &folder, module, true).await {
            Ok(envoy) => envoy,
            // A module that does not bear to be kept, or an Envoy that does not know how, works as well, if slower.
            Err(_) => launch(binary, &folder, module, false).await?,
        };
        let ping = Ping(envoy.address(PING).await?);
        let envoy = Arc::new(envoy);
        Ok(Self { envoy, folder, module: module.to_owned(), ping, servers: Servers::default(), version: 0 })
    }

    /// Runs a recording. After an error nothing is known about this Envoy any more.
    pub(super) async fn run(&mut self, recording: &Recording, role: Role) -> Result<Ran> {
        let ran = self.try_run(recording, role).await;
        // Where it has crashed, that is the reason for everything else.
        self.envoy.check_running()?;
        ran
    }

    async fn try_run(&mut self, recording: &Recording, role: Role) -> Result<Ran> {
        self.gone().await?;
        if self.servers.stage(recording, self.ping)? {
            let version = self.next();
            let clusters = setup::clusters(self.servers.clusters(), version);
            if self.replace(CLUSTERS_FILE, &clusters, "cluster_manager.cds").await? == Update::Refused {
                bail!("Envoy refused the clusters:\n{}", self.envoy.log()?);
            }
        }
        let stats = self.servers.stats();
        let sent_before = Traffic::read(&self.envoy, &stats).await?.sent;
        let mut log = Position::end(&self.envoy)?;
        let version = self.next();
        let listener = setup::listener(recording, role, self.folder.path(), &self.module, version);
        let update = self.replace(LISTENERS_FILE, &listener, LISTENERS).await?;
        let ran = match (update, &recording.plan) {
            (Update::Refused, _) => Ran::Refused(log.faults(&self.envoy)?.refusal()),
            (Update::Accepted, Plan::ConfigError(_)) => Ran::Exchanges(Vec::new()),
            (Update::Accepted, Plan::Exchanges(exchanges)) => {
                let (envoy, servers) = (Arc::clone(&self.envoy), self.servers.shared());
                let address = self.address().await?;
                let stage = Stage { envoy, ping: self.ping, address, servers, stats, sent_before };
                let play = Play::new(stage, exchanges.clone(), log);
                Ran::Exchanges(play.run().await.context("while the recording ran")?)
            }
        };
        // That it is gone is waited for when another recording comes.
        let nothing = setup::nothing(self.next());
        self.folder.replace(LISTENERS_FILE, &nothing.to_string())?;
        Ok(ran)
    }

    fn next(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Waits until nothing of the last recording is left.
    async fn gone(&self) -> Result<()> {
        until("the last recording's listener and metrics to go", async || {
            self.envoy.check_running()?;
            let filter = format!("{LISTENERS}.version_text|listener_manager.total_listeners|wasmcustom");
            let figures = self.figures(&filter).await?;
            let listeners = |state: &str| figures.get(&format!("listener_manager.total_listeners_{state}"));
            let others = ["warming", "draining"].iter().any(|state| listeners(state) != Some(&json!(0)));
            let clean = !others && !figures.keys().any(|name| name.starts_with("wasmcustom"));
            // After a refusal there is no listener that could go, but the file that it was in may not have been read.
            let read = is_version(&figures, LISTENERS, self.version);
            Ok((read && clean && listeners("active") == Some(&json!(1))).then_some(()))
        })
        .await?;
        // Metrics that are no longer shown still count on until the main thread, the worker and the main thread again
        // have let go of them.
        for _ in 0..2 {
            self.ping.answered().await?;
            self.figures("wasmcustom").await?;
        }
        Ok(())
    }

    /// Where the recording's listener listens.
    async fn address(&self) -> Result<SocketAddr> {
        until("the recording's listener", async || Ok(self.envoy.address(LISTENER).await.ok())).await
    }

    /// Gives a file this version's contents and waits for what Envoy makes of them.
    async fn replace(&self, file: &str, contents: &Value, stats: &str) -> Result<Update> {
        let (filter, refused) =
            (format!("{stats}.(version_text|update_rejected)"), format!("{stats}.update_rejected"));
        let before = self.figures(&filter).await?;
        self.folder.replace(file, &contents.to_string())?;
        until(&format!("Envoy to take the new {file}"), async || {
            self.envoy.check_running()?;
            let now = self.figures(&filter).await?;
            Ok(match (is_version(&now, stats, self.version), now.get(&refused) != before.get(&refused)) {
                (true, _) => Some(Update::Accepted),
                (false, true) => Some(Update::Refused),
                (false, false) => None,
            })
        })
        .await
    }

    /// Statistics whose names match, texts among them.
    async fn figures(&self, filter: &str) -> Result<Figures> {
        let mut answer = self.envoy.ask("GET", &format!("/stats?format=json&filter={filter}")).await?.json();
        let Value::Array(all) = answer["stats"].take() else { bail!("no statistics in {answer}") };
        let figure = |mut own: Value| Some((own["name"].as_str()?.to_owned(), own["value"].take()));
        Ok(all.into_iter().filter_map(figure).collect())
    }
}

/// Whether the version in use is this one.
fn is_version(figures: &Figures, stats: &str, version: u64) -> bool {
    figures.get(&format!("{stats}.version_text")).and_then(Value::as_str)
        == Some(version.to_string().as_str())
}

async fn launch(binary: &Path, folder: &Folder, module: &Path, keep: bool) -> Result<Envoy> {
    // With one worker there is one VM that decides, with one source of chance. And a listener that is removed may go
    // at once.
    let launch = Launch { binary: binary.to_owned(), concurrency: 1 };
    let document = setup::bootstrap(folder.path(), module, keep).to_string();
    Envoy::start_with(&launch, &document, &["--drain-time-s", "0"]).await
}
