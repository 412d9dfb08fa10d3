//! The filters that come with the crate.

mod by_field;
mod model_group_name;
mod model_name;

pub use by_field::ByFieldFilter;
pub use model_group_name::ModelGroupNameFilter;
pub use model_name::ModelNameFilter;
