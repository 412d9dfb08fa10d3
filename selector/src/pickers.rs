//! The pickers that come with the crate.

mod draw;
mod exploration_max_score;
mod max_score;
mod power_of_two;
mod random;
mod weighted_random;
mod weighted_split;

pub use exploration_max_score::ExplorationMaxScorePicker;
pub use max_score::MaxScorePicker;
pub use power_of_two::PowerOfTwoPicker;
pub use random::RandomPicker;
pub use weighted_random::WeightedRandomPicker;
pub use weighted_split::WeightedSplitPicker;
