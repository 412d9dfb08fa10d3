//! Where the tests find Envoy and the built modules.

use std::path::{Path, PathBuf};

/// Envoy: `$IPP_ENVOY`, else what `cargo xtask envoy` unpacked.
pub fn envoy() -> PathBuf {
    existing("IPP_ENVOY", "envoy-1.40.0/envoy/_bin/envoy")
}

/// The stock module: `$IPP_MODULE`, else what `cargo xtask module` built.
pub fn module() -> PathBuf {
    existing("IPP_MODULE", "ipp.wasm")
}

/// The module of `examples/custom-plugin`: `$IPP_CUSTOM_MODULE`, else what `cargo xtask` built.
pub fn custom_module() -> PathBuf {
    existing("IPP_CUSTOM_MODULE", "custom-plugin.wasm")
}

/// The module that crashes when told to: `$IPP_TRAP_MODULE`, else what `cargo xtask` built.
pub fn trap_module() -> PathBuf {
    existing("IPP_TRAP_MODULE", "trap-module.wasm")
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default()
}

/// Never skips: a test that could not run has not passed.
fn existing(variable: &str, built: &str) -> PathBuf {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => workspace().join("target/ipp").join(built),
    };
    assert!(
        path.is_file(),
        "{} does not exist. Run `cargo xtask test`, which builds the modules and gets Envoy, or set {variable} to its absolute path.",
        path.display()
    );
    path
}
