//! Configuration: a PayloadProcessorConfig in, an immutable [`Pipeline`](crate::Pipeline) or all its errors out.

mod data_layer;
mod document;
mod duration;
mod error;
mod load;
mod nearest;
mod picked;
mod profiles;
mod view;

pub(crate) use document::{Node, parse, scalars};
pub(crate) use error::Sink;
pub use error::{ConfigError, ConfigErrors};
pub use load::{BuildInfo, DEFAULT_CONFIG, ignores_parameters, load};
pub(crate) use picked::picked;
pub use view::{Invalid, Object, View};
