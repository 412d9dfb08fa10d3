//! The engine `envoy`: small recordings, one for each thing that a recording can ask of it.

mod faults;
mod fresh;
mod gate;
mod order;
mod refusals;
mod requests;
mod responses;
mod support;
