//! A running Envoy: started from a bootstrap, watched, and gone with everything it wrote when it is dropped.

mod admin;
pub(crate) mod folder;
mod health;
mod log;

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bootstrap::{Bootstrap, Filter, LISTENERS_FILE};
use crate::wait::{START, until, until_for};
use folder::Folder;

pub use admin::Stats;
pub(crate) use health::TRAPS;
pub use log::Level;

/// One Envoy process.
pub struct Envoy {
    child: Mutex<Child>,
    admin: SocketAddr,
    folder: Folder,
}

/// How to start one.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The binary.
    pub binary: PathBuf,
    /// Worker threads.
    pub concurrency: u32,
}

const CONFIG: &str = "bootstrap";
const LOG: &str = "envoy.log";
const ACCESS_LOG: &str = "stdout.log";
const ADMIN_ADDRESS: &str = "admin.address";

impl Envoy {
    /// Starts the Envoy `binary` with this description and waits until it is ready.
    pub async fn start(binary: &Path, bootstrap: &Bootstrap) -> Result<Self> {
        let folder = Folder::create()?;
        if bootstrap.listeners_from_file {
            folder.replace(LISTENERS_FILE, &bootstrap.listeners_file(folder.path(), 1).to_string())?;
        }
        for filter in bootstrap.listeners.iter().flat_map(|listener| &listener.filters) {
            folder.replace(&filter.file_name(), &filter.file(1).to_string())?;
        }
        let document = bootstrap.document(folder.path()).to_string();
        let launch = Launch { binary: binary.to_owned(), concurrency: bootstrap.concurrency };
        Self::run(&launch, folder, "json", &document, false, &[]).await
    }

    /// Starts an Envoy with the text of a YAML configuration and waits until it is ready.
    pub async fn start_yaml(launch: &Launch, text: &str) -> Result<Self> {
        Self::run(launch, Folder::create()?, "yaml", text, false, &[]).await
    }

    /// The same with more arguments.
    pub async fn start_with(launch: &Launch, text: &str, arguments: &[&str]) -> Result<Self> {
        Self::run(launch, Folder::create()?, "yaml", text, false, arguments).await
    }

    /// The same in a process group of its own: the Ctrl-C of a terminal does not reach it, so that its owner can
    /// wait for what is under way.
    pub async fn start_apart(launch: &Launch, text: &str) -> Result<Self> {
        Self::run(launch, Folder::create()?, "yaml", text, true, &[]).await
    }

    /// What `envoy --mode validate` says about the text of a YAML configuration: nothing when it is good.
    pub async fn validate_yaml(binary: &Path, text: &str) -> Result<()> {
        let folder = Folder::create()?;
        let config = folder.replace(&format!("{CONFIG}.yaml"), text)?;
        let mut command = tokio::process::Command::new(binary);
        command.args(["--mode", "validate", "--disable-hot-restart", "-c"]).arg(config).kill_on_drop(true);
        let output = command.output().await.with_context(|| format!("running {}", binary.display()))?;
        if !output.status.success() {
            bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    async fn run(
        launch: &Launch,
        folder: Folder,
        format: &str,
        document: &str,
        apart: bool,
        arguments: &[&str],
    ) -> Result<Self> {
        let config = folder.replace(&format!("{CONFIG}.{format}"), document)?;
        let mut command = Command::new(&launch.binary);
        // Hot restart is what would keep two of them from running side by side.
        command.args([
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--component-log-level",
            "wasm:info",
        ]);
        command.arg("--concurrency").arg(launch.concurrency.to_string()).arg("-c").arg(config);
        command.args(["--file-flush-interval-msec", "50"]);
        command.arg("--admin-address-path").arg(folder.path().join(ADMIN_ADDRESS));
        command.args(arguments).stdin(Stdio::null());
        command.stdout(File::create(folder.path().join(ACCESS_LOG))?);
        command.stderr(File::create(folder.path().join(LOG))?);
        if apart {
            command.process_group(0);
        }
        let child = command.spawn().with_context(|| format!("starting {}", launch.binary.display()))?;
        let mut envoy =
            Self { child: Mutex::new(child), admin: SocketAddr::from(([127, 0, 0, 1], 0)), folder };
        envoy.admin = until_for(START, "Envoy's admin address", || async { envoy.admin_address() }).await?;
        until_for(START, "Envoy to be ready", || async {
            envoy.check_running()?;
            // An Envoy that refuses its configuration may take the connection along when it ends.
            Ok(envoy.ask("GET", "/ready").await.is_ok_and(|answer| answer.status == 200).then_some(()))
        })
        .await?;
        Ok(envoy)
    }

    fn admin_address(&self) -> Result<Option<SocketAddr>> {
        self.check_running()?;
        let text = self.folder.read(ADMIN_ADDRESS).unwrap_or_default();
        Ok(text.trim().parse().ok())
    }

    /// Gives the listeners other contents, when they come from a file, and waits until Envoy has accepted or
    /// refused them.
    pub async fn replace_listeners(&self, bootstrap: &Bootstrap, version: u64) -> Result<Update> {
        let file = bootstrap.listeners_file(self.folder.path(), version);
        self.replace(
            LISTENERS_FILE,
            &file,
            "listener_manager.lds.update_success",
            "listener_manager.lds.update_rejected",
        )
        .await
    }

    /// Gives a filter another configuration, when it comes from a file, and waits until Envoy has accepted or
    /// refused it.
    pub async fn replace_filter(&self, filter: &Filter, version: u64) -> Result<Update> {
        let prefix = format!("extension_config_discovery.http_filter.{}", filter.name);
        let (good, bad) = (format!("{prefix}.config_reload"), format!("{prefix}.config_fail"));
        self.replace(&filter.file_name(), &filter.file(version), &good, &bad).await
    }

    async fn replace(&self, file: &str, contents: &Value, good: &str, bad: &str) -> Result<Update> {
        let before = self.stats().await?;
        self.folder.replace(file, &contents.to_string())?;
        until(&format!("Envoy to take the new {file}"), || async {
            let now = self.stats().await?;
            let moved = |name: &str| now.get(name) > before.get(name);
            Ok(match (moved(bad), moved(good)) {
                (true, _) => Some(Update::Refused),
                (false, true) => Some(Update::Accepted),
                (false, false) => None,
            })
        })
        .await
    }

    /// The id of the process.
    pub fn process(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// What it printed to its standard output: the access log, when there is one.
    pub fn stdout(&self) -> Result<String> {
        self.folder.read(ACCESS_LOG)
    }

    /// Whether the process is still there; the error has the end of its log.
    pub fn check_running(&self) -> Result<()> {
        let state = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?;
        match state {
            None => Ok(()),
            Some(status) => bail!("Envoy ended with {status}:\n{}", self.log_tail(40)),
        }
    }
}

/// What Envoy made of a new configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// It is in use.
    Accepted,
    /// The one before stays in use.
    Refused,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the end of Envoy's log:\n{}", self.log_tail(60));
        }
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Both only fail when it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}
