//! Responses, watched while they pass: what a model server says about tokens, models and failures.
//!
//! Nothing here holds a response. [`Watch`] is shown its bytes as they come by, cut anywhere, and keeps a few
//! numbers; [`Events`] cuts a stream into whole server-sent events for plugins that act on them, and keeps the one
//! that is not complete yet. A model server is not trusted: what is kept is bounded, and what is not plainly JSON
//! is not observed.

mod answer;
mod document;
mod events;
mod paths;
mod reading;
mod stream;
mod watch;

pub use answer::{Answer, Answered, Need, Whole};
pub use events::{Event, Events, MAX_EVENT_BYTES, Piece};
pub use reading::{MAX_MODEL_BYTES, MAX_TOKENS, Reading, Usage};
pub use watch::{Body, Seen, Unobserved, Watch};
