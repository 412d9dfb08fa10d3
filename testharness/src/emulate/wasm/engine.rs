//! The engine `wasm`: a recording, run by a compiled module.

use std::path::Path;

use super::Compiled;
use crate::emulate::driver::Launch;
use crate::emulate::engines;
use crate::emulate::guest::Guest;
use crate::recording::{EngineKind, Recording};
use crate::replay::engine::{Engine, EngineError, Ran, Role};

/// Runs recordings with a compiled module.
pub struct WasmEngine {
    compiled: Compiled,
}

impl WasmEngine {
    /// With that module. Compiling takes seconds the first time; what it gives is kept.
    ///
    /// # Errors
    /// The module cannot be read, compiled or linked.
    pub fn load(module: &Path) -> Result<Self, EngineError> {
        let compiled = Compiled::load(module, super::cache().as_deref()).map_err(EngineError)?;
        Ok(Self { compiled })
    }
}

impl Engine for WasmEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Wasm
    }

    fn run(&self, recording: &Recording, role: Role) -> Result<Ran, EngineError> {
        let compiled = self.compiled.clone();
        let seed = recording.seed.unwrap_or_default();
        let launch: Launch = Box::new(move |handle| {
            compiled.start(handle, seed).map(|guest| Box::new(guest) as Box<dyn Guest>)
        });
        engines::run(recording, role, launch)
    }
}
