//! The filters that come with the crate.

mod attribute;
mod by_field;
mod cool_down;
mod load;
mod model_group_name;
mod model_name;

pub use attribute::{AttributeFilter, Condition};
pub use by_field::ByFieldFilter;
pub use cool_down::CoolDownFilter;
pub use load::LoadFilter;
pub use model_group_name::ModelGroupNameFilter;
pub use model_name::ModelNameFilter;
