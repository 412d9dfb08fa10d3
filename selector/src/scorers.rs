//! The scorers that come with the crate.

mod attribute;
mod average_latency;
mod cost;
mod costguard;
mod error_rate;
mod expected_wait;
mod inflight_requests;
mod lowest_is_best;
mod session_affinity;
mod ttft_aware;

pub use attribute::{AttributeScale, AttributeScorer};
pub use average_latency::{AverageLatencyScorer, Decay};
pub use cost::{CostScale, CostScorer, Price};
pub use costguard::{CostGuard, CostGuardScorer};
pub use error_rate::ErrorRateScorer;
pub use expected_wait::{ExpectedWaitScorer, TOKEN_LIMITS, requested_tokens};
pub use inflight_requests::InflightRequestsScorer;
pub use lowest_is_best::lowest_is_best;
pub use session_affinity::SessionAffinityScorer;
pub use ttft_aware::{TtftAware, TtftAwareScorer};
