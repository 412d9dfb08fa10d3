//! Captures of other tools become recordings: no Envoy is needed, for the traces in `fixtures` were taken from one.

mod always;
mod har;
mod refused;
mod secrets;
mod support;
mod tap;
