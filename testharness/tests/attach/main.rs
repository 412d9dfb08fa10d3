//! What a control plane would push for the objects that ship, on a real Envoy. `testharness/attach` has rendered them.

mod case;
mod envoy_gateway;
mod gateway;
mod istio;
mod json_patch;
mod limits;
mod live;
mod mistakes;
mod models;
mod own_envoy;
mod samples;
mod statistics;
mod suite;
