//! The module in a real Envoy: one function for each point that has to hold there.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "not every target uses all of it")]
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
mod readme;
mod refusals;
mod render;
mod routing;
mod selection;
mod shipped;
mod shipped_dynamic;
mod shipped_selection;
mod side_by_side;
mod simulation;
mod spoofing;

/// The filter as it is: one that does all of the work.
fn attach(filter: ipp_testharness::bootstrap::Filter) -> Vec<ipp_testharness::bootstrap::Filter> {
    vec![filter]
}
