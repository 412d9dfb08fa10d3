//! The engines that this build has.

use std::path::{Path, PathBuf};

use crate::emulate::engines::NativeEngine;
use crate::recording::EngineKind;

use super::engine::{Engine, EngineError};
use super::envoy::EnvoyEngine;
use super::options::Replay;

/// Where the compiled module is, unless the command line says it.
const MODULE: &str = "IPP_MODULE";
/// Where Envoy is, unless it is on the path.
const ENVOY: &str = "IPP_ENVOY";

/// The engine of that kind.
///
/// # Errors
/// It cannot be had; says why.
pub fn engine(kind: EngineKind, options: &Replay) -> Result<Box<dyn Engine>, EngineError> {
    Ok(match kind {
        EngineKind::Native => Box::new(NativeEngine::stock()),
        EngineKind::Wasm => wasm(&module(options)?)?,
        EngineKind::Envoy => Box::new(EnvoyEngine::new(&envoy()?, &module(options)?)?),
    })
}

#[cfg(feature = "wasm")]
fn wasm(module: &Path) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(crate::emulate::wasm::engine::WasmEngine::load(module)?))
}

#[cfg(not(feature = "wasm"))]
fn wasm(_: &Path) -> Result<Box<dyn Engine>, EngineError> {
    Err(EngineError("this program was built without the cargo feature `wasm`".to_owned()))
}

fn module(options: &Replay) -> Result<PathBuf, EngineError> {
    let named = options.module.clone().or_else(|| std::env::var_os(MODULE).map(PathBuf::from));
    named.ok_or_else(|| EngineError(format!("it needs the compiled module: --module FILE, or {MODULE}")))
}

fn envoy() -> Result<PathBuf, EngineError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        || std::env::split_paths(&path).map(|folder| folder.join("envoy")).find(|file| file.is_file());
    let named = std::env::var_os(ENVOY).map(PathBuf::from).or_else(on_path);
    named.ok_or_else(|| EngineError(format!("it needs Envoy, on the path or as {ENVOY}")))
}
