//! What the plugins of one request leave for each other and for its response.

use std::any::Any;
use std::rc::Rc;

/// The model that a model selection chose: what plugins on the response tell the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedModel(pub Rc<str>);

/// Values of one request, one for each type.
#[derive(Debug, Default)]
pub struct State(Vec<Box<dyn Any>>);

impl State {
    /// The value of a type, if some plugin left one.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.iter().find_map(|value| value.downcast_ref())
    }

    /// Leaves a value, in place of an earlier one of its type.
    pub fn put<T: Any>(&mut self, value: T) {
        self.0.retain(|old| !old.is::<T>());
        self.0.push(Box::new(value));
    }
}
