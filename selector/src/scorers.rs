//! The scorers that come with the crate.

mod cost;
mod inflight_requests;
mod lowest_is_best;

pub use cost::CostScorer;
pub use inflight_requests::InflightRequestsScorer;
pub use lowest_is_best::lowest_is_best;
