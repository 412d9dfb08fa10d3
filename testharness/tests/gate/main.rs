//! The module as reader and gate in a real Envoy, without the flag that a single filter needs: the tests of `envoy` once
//! more, and what there is only of two.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "not every target uses all of it")]
mod support;

mod between;
mod fuzz;
mod held;
mod late;
mod missing;
mod pairs;
mod stalled;
mod updates;
mod variants;

#[path = "../envoy/aborts.rs"]
mod aborts;
#[path = "../envoy/bodies.rs"]
mod bodies;
#[path = "../envoy/config_update.rs"]
mod config_update;
#[path = "../envoy/connection.rs"]
mod connection;
#[path = "../envoy/custom_module.rs"]
mod custom_module;
#[path = "../response/endings.rs"]
mod endings;
#[path = "../envoy/hostile.rs"]
mod hostile;
#[path = "../envoy/metrics.rs"]
mod metrics;
#[path = "../response/observed.rs"]
mod observed;
#[path = "../envoy/refusals.rs"]
mod refusals;
#[path = "../envoy/routing.rs"]
mod routing;
#[path = "../envoy/selection/mod.rs"]
mod selection;
#[path = "../envoy/spoofing.rs"]
mod spoofing;
#[path = "../response/streams.rs"]
mod streams;
#[path = "../response/unharmed.rs"]
mod unharmed;

/// Of two filters none can hold a response.
const HOLDS_RESPONSES: bool = false;

/// Twice, in one VM, without the flag: as Istio attaches two WasmPlugins.
fn attach(filter: ipp_testharness::bootstrap::Filter) -> Vec<ipp_testharness::bootstrap::Filter> {
    filter.pair()
}
