//! Recording traffic with a real Envoy, and importing what its tap filter writes.

mod command;
mod record;
mod support;
mod tap;
