//! The payload pipeline inside Envoy. Glue: it moves bytes between the host and the pipeline, and decides nothing.

mod active;
mod apply;
mod fetch;
mod gate;
mod gauges;
mod host;
#[doc(hidden)]
pub mod message;
mod pairs;
mod reader;
mod response;
mod role;
mod root;
mod stream;
mod tick;
mod waiting;
mod watch;

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

/// The callbacks that this crate acts on. The SDK exports all there are, and Envoy crosses into the VM for each
/// one that is exported, wanted or not; `cargo xtask module` takes the others out of the module by this list.
#[used]
#[cfg_attr(target_arch = "wasm32", unsafe(link_section = "ipp.callbacks"))]
static CALLBACKS: [u8; LIST.len()] = match LIST.as_bytes().first_chunk() {
    Some(list) => *list,
    None => [0; LIST.len()],
};

const LIST: &str = "proxy_on_context_create proxy_on_configure proxy_on_delete proxy_on_request_headers \
                    proxy_on_request_body proxy_on_request_trailers proxy_on_response_headers proxy_on_tick \
                    proxy_on_queue_ready proxy_on_http_call_response proxy_on_response_body proxy_on_response_trailers \
                    proxy_on_log";

/// Registers the filter with the host. Called once for each VM, by [`export!`].
#[doc(hidden)]
pub fn start(registry: fn() -> Registry) {
    proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Info);
    root::set_registry(registry);
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}

/// The root context that [`start`] registers, for a host in the same process that stands between it and the SDK.
#[doc(hidden)]
pub fn root(id: u32) -> Box<dyn proxy_wasm::traits::RootContext> {
    Box::new(root::Root::new(id))
}
