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
mod parameter;
mod pipeline;
mod plugin;
mod random;

pub mod filters;
pub mod pickers;
pub mod scorers;
pub mod testing;

pub use account::{Account, CandidateAccount, Observer, Score};
pub use attribute::{
    Attribute, AttributeKey, AttributeType, IN_FLIGHT, MODEL_GROUPS, TOKEN_PRICES, TextList, TokenPrices,
};
pub use builder::{BuildError, SelectorBuilder};
pub use candidate::Candidate;
pub use contender::{Contender, Scores, Survivors, clamp};
pub use context::{Env, Query, Requested};
pub use parameter::ParameterError;
pub use pipeline::{SelectError, Selected, Selector};
pub use plugin::{Filter, Picker, Scorer};
pub use random::{Rng, SplitMix64};
