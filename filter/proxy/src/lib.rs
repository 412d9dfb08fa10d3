//! The payload pipeline inside Envoy. Glue: it moves bytes between the host and the pipeline, and decides nothing.

mod active;
mod apply;
mod host;
mod pairs;
mod root;
mod stream;

#[doc(hidden)]
pub use proxy_wasm;

use ipp_pipeline::plugin::Registry;

/// Makes a `cdylib` crate a module that Envoy can load. The argument is an expression for the
/// [`Registry`] of plugin types: `export!(ipp_pipeline::stock())`, or that with one's own added.
#[macro_export]
macro_rules! export {
    ($registry:expr) => {
        $crate::proxy_wasm::main! {{
            $crate::start(|| $registry);
        }}
    };
}

/// Registers the filter with the host. Called once for each VM, by [`export!`].
#[doc(hidden)]
pub fn start(registry: fn() -> Registry) {
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
    root::set_registry(registry);
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}
