//! The engine `envoy`: the compiled module in a real Envoy on loopback, between raw clients and recording servers.
//!
//! Most of what it takes to start an Envoy is to compile the module. So one Envoy runs a recording after the other, each
//! in a listener and a VM of its own ([`rig`]) that nothing of the last one has touched; what is sent, and when, is in
//! [`play`].

mod client;
mod log;
mod metrics;
mod ping;
mod play;
mod rig;
mod servers;
mod setup;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::recording::{EngineKind, Recording};

use super::engine::{Engine, EngineError, Ran, Role};
use rig::Rig;

/// Runs the compiled module in a real Envoy.
pub struct EnvoyEngine {
    binary: PathBuf,
    module: PathBuf,
    /// Those that run nothing at the moment.
    idle: Mutex<Vec<Rig>>,
}

impl EnvoyEngine {
    /// Runs that module in that Envoy, which is started with the first recording.
    ///
    /// # Errors
    /// One of the files is not there, or is not what it should be.
    pub fn new(binary: &Path, module: &Path) -> Result<Self, EngineError> {
        let existing = |file: &Path| {
            ensure!(file.is_file(), "{} is not a file", file.display());
            // Envoy looks for it from where it runs.
            std::path::absolute(file).with_context(|| file.display().to_string())
        };
        let (binary, module) = (existing(binary).map_err(failed)?, existing(module).map_err(failed)?);
        if !is_module(&module).map_err(failed)? {
            return Err(EngineError(format!("{} is not a compiled module", module.display())));
        }
        Ok(Self { binary, module, idle: Mutex::default() })
    }

    async fn play(&self, recording: &Recording, role: Role) -> Result<Ran> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut rig = match idle {
            Some(rig) => rig,
            None => Rig::start(&self.binary, &self.module).await?,
        };
        // What went wrong with one recording stays behind with its Envoy.
        let ran = rig.run(recording, role).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(rig);
        Ok(ran)
    }
}

impl Engine for EnvoyEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Envoy
    }

    fn run(&self, recording: &Recording, role: Role) -> Result<Ran, EngineError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("no runtime").map_err(failed)?;
        runtime.block_on(self.play(recording, role)).map_err(failed)
    }
}

/// Envoy would say about anything else that it refuses the configuration, which is something else.
fn is_module(file: &Path) -> Result<bool> {
    let mut start = [0; 4];
    let read = File::open(file).and_then(|mut file| file.read(&mut start));
    read.with_context(|| format!("reading {}", file.display()))?;
    Ok(&start == b"\0asm")
}

#[expect(clippy::needless_pass_by_value, reason = "it ends a chain of calls")]
fn failed(error: anyhow::Error) -> EngineError {
    EngineError(format!("{error:#}"))
}
