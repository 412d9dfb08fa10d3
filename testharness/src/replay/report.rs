//! What a replay tells: a person, a CI system, a program.

pub mod human;
mod json;
mod junit;

pub use json::json;
pub use junit::junit;
