//! Runs recordings on engines, compares what came with what was expected, and reports.
//!
//! [`engine`] is what a way of running recordings has to offer, [`run`] runs them, [`compare`] and [`agree`] judge, and
//! [`command`] puts it together into `ipp-replay`.

pub mod agree;
pub mod command;
pub mod compare;
pub mod engine;
pub mod engines;
pub mod envoy;
pub mod options;
pub mod outcome;
pub mod report;
pub mod run;
pub mod select;
pub mod update;
