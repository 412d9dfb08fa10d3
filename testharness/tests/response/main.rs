//! Responses in a real Envoy: what is counted, what is held and what is not, and that everything else passes unharmed.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "not every target uses all of it")]
mod support;

mod access_log;
mod dialects;
mod endings;
mod first_byte;
mod held;
mod memory;
mod observed;
mod prometheus;
mod streams;
mod unharmed;

/// One filter can hold a response until it is complete.
const HOLDS_RESPONSES: bool = true;

/// The filter as it is: one that does all of the work.
fn attach(filter: ipp_testharness::bootstrap::Filter) -> Vec<ipp_testharness::bootstrap::Filter> {
    vec![filter]
}
