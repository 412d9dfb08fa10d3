//! The emulated Envoy: its rules with a scripted guest, and the filter in it, linked in and compiled.

mod support;

mod endings;
mod filter;
mod flow;
mod host_calls;
mod schedule;
mod traps;
