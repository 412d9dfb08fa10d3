//! Envoy without Envoy: what it does to a request around this filter, for a guest that is linked in or compiled.
//!
//! From the inside out: [`host`] is the state that host calls act on, [`abi`] puts it under the names of the ABI, a
//! [`guest`] answers callbacks and is either [`native`] or [`wasm`], and [`driver`] is Envoy around all of that. The
//! facts come from `wasm-hosts.md`, whose sections the comments name, and from Envoy's source.

pub mod abi;
pub mod driver;
pub mod engines;
pub mod guest;
pub mod host;
pub mod native;
pub mod prometheus;
#[cfg(feature = "wasm")]
pub mod wasm;
