//! Recordings without Envoy: reading, comparing, reporting, updating. The engine is a fake.

mod support;

mod command;
mod compare;
mod format;
mod problems;
mod reports;
mod schema;
mod update;
