//! The module in a real Envoy: one function for each point that has to hold there.

mod support;

mod aborts;
mod bodies;
mod config_update;
mod connection;
mod crash;
mod custom_module;
mod demo;
mod hostile;
mod metrics;
mod refusals;
mod render;
mod routing;
mod selection;
mod shipped;
mod side_by_side;
mod spoofing;
