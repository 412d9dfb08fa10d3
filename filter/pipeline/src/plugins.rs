//! The plugin types that come with the stock module, one file each.

mod base_model_to_header;
mod body_field_to_header;
mod model_name_to_header;
mod response_field_to_header;
mod single_profile_picker;
mod stream_usage;

pub(crate) use single_profile_picker::SingleProfilePicker;

use crate::plugin::Registry;

/// The registry of the stock module.
pub fn stock() -> Registry {
    Registry::new()
        .with(body_field_to_header::TYPE)
        .with(base_model_to_header::TYPE)
        .with(SingleProfilePicker::TYPE)
        .with(stream_usage::TYPE)
        .with(model_name_to_header::TYPE)
        .with(response_field_to_header::TYPE)
}
