//! Runs the payload processor in a real Envoy between raw clients and recording upstreams.
//!
//! The parts, from the outside in: [`client`] sends exact bytes, [`envoy`] runs the proxy from a
//! [`bootstrap`] description, [`upstream`] records what arrives and answers as scripted by an [`answer`].
//! [`modelsim`] is an upstream that behaves like a vLLM server, [`shipped`] prepares the configurations of
//! `envoy/` for loopback, and [`demo`] puts them together into the `ipp-demo` command.

pub mod answer;
pub mod artifacts;
pub mod bench;
pub mod bootstrap;
pub mod capture;
pub mod client;
pub mod demo;
pub mod emulate;
pub mod envoy;
pub mod import;
pub mod message;
pub mod modelsim;
pub mod recording;
pub mod render;
pub mod replay;
pub mod shipped;
pub mod upstream;
pub mod wait;
mod wire;
