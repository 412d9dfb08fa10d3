//! The plugin types that come with the stock module, one file each.

mod base_model_to_header;
mod body_field_to_header;
mod single_profile_picker;

pub(crate) use single_profile_picker::SingleProfilePicker;

use crate::plugin::Registry;

/// The registry of the stock module.
pub fn stock() -> Registry {
    Registry::new()
        .with(body_field_to_header::TYPE)
        .with(base_model_to_header::TYPE)
        .with(SingleProfilePicker::TYPE)
}
