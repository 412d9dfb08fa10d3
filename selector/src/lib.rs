//! Chooses one model out of several for one request: filters, then scorers, then a picker.
//!
//! Pure: no I/O, clock, randomness of its own, JSON or logging. What a decision depends on is an argument.
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod account;
mod attribute;
mod builder;
mod candidate;
mod contender;
mod context;
mod digest;
mod figure;
mod number_of;
mod parameter;
mod pipeline;
mod plugin;
mod random;
mod ttft_curve;

pub mod filters;
pub mod pickers;
pub mod records;
pub mod scorers;
pub mod testing;

pub use account::{Account, CandidateAccount, Observer, Score};
pub use attribute::{
    AVG_TPOT, AVG_TTFT, Attribute, AttributeKey, AttributeType, CAPACITY, COST_DIGEST, HEALTH, IN_FLIGHT,
    IN_FLIGHT_TOKENS, MODEL_GROUPS, Number, TOKEN_PRICES, TOKENS_PER_SECOND, TTFT_CURVE, TextList,
    TokenPrices,
};
pub use builder::{BuildError, SelectorBuilder};
pub use candidate::Candidate;
pub use contender::{Contender, Scores, Survivors, clamp};
pub use context::{Env, Query, Requested, Session};
pub use digest::{Centroid, CostDigest};
pub use figure::{Figure, Health, MaxAge, Missing, NEUTRAL};
pub use parameter::ParameterError;
pub use pipeline::{SelectError, Selected, Selector};
pub use plugin::{Busy, Emptied, Filter, Picker, Scorer};
pub use random::{Rng, SplitMix64};
pub use ttft_curve::{ExpectedTtft, Point, Prediction, TtftCurve};
