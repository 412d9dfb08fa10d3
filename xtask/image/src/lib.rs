//! The module as an OCI artifact or image: the same module gives the same bytes, so that a digest names a source.

mod archive;
pub mod blob;
pub mod credentials;
pub mod form;
pub mod layout;
pub mod reference;
pub mod registry;

/// Why something could not be made or pushed: one line, for the user.
pub type Result<T> = std::result::Result<T, String>;
