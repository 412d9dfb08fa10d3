//! `single-profile-picker`: there is one profile, and it is the one.

use crate::plugin::{Plugin, PluginType, ProfilePicker, Request};
use crate::reject::Rejection;

/// Picks the only profile.
pub(crate) struct SingleProfilePicker;

impl SingleProfilePicker {
    pub(crate) const TYPE: PluginType = PluginType {
        name: "single-profile-picker",
        about: "Profile picker. Picks the only profile; with more than one it is a configuration error. It is used \
                without being named where a configuration has one profile and no other picker.",
        parameters: &[],
        example: "type: single-profile-picker\n",
        build: |_, _| Ok(Plugin::new().profile_picker(SingleProfilePicker)),
    };
}

impl ProfilePicker for SingleProfilePicker {
    fn pick(&self, _: &mut Request<'_>, _: &[String]) -> Result<usize, Rejection> {
        Ok(0)
    }

    fn accepts(&self, profiles: usize) -> Result<(), String> {
        if profiles <= 1 {
            return Ok(());
        }
        Err(format!(
            "single-profile-picker works with one profile, and there are {profiles}; use another picker"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_accepts_one_profile() {
        assert!(SingleProfilePicker.accepts(1).is_ok());
        assert!(SingleProfilePicker.accepts(2).is_err());
    }
}
