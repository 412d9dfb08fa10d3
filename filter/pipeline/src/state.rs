//! What the plugins of one request leave for each other and for its response.

use ipp_selector::{Account, Candidate, ExpectedTtft, IN_FLIGHT, Selector, TTFT_CURVE, TtftCurve};
use std::any::Any;
use std::rc::Rc;

/// The model that a model selection chose: what plugins on the response tell the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedModel(pub Rc<str>);

/// How a model selection came about. Left only where a plugin on the profile's responses
/// [asks for it](crate::plugin::Plugin::explains_selection).
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What filters, scorers and picker did.
    pub account: Account,
    /// Requests that the chosen model had in flight just before.
    pub in_flight: Option<f64>,
    /// The chosen model's times to the first token; only known where a scorer goes by them.
    pub curve: Option<TtftCurve>,
    /// What the scorer that goes by them expected.
    pub expected: Option<ExpectedTtft>,
    /// Whether that scorer might have tried the chosen model, and did not.
    pub exploration_suppressed: bool,
}

impl Decision {
    /// `candidates` are all that there were.
    pub(crate) fn new(
        account: Account,
        selector: &Selector,
        candidates: &[Candidate],
        chosen: &Candidate,
        now_ns: u64,
    ) -> Self {
        Self {
            exploration_suppressed: selector.exploration_suppressed(&account, candidates, now_ns),
            account,
            in_flight: chosen.get(&IN_FLIGHT).copied(),
            curve: chosen.get(&TTFT_CURVE).copied(),
            expected: selector.expected_ttft(chosen, now_ns),
        }
    }
}

/// Values of one request, one for each type.
#[derive(Debug, Default)]
pub struct State(Vec<Box<dyn Any>>);

impl State {
    /// The value of a type, if some plugin left one.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.iter().find_map(|value| value.downcast_ref())
    }

    /// Takes the value of a type out, if some plugin left one.
    pub fn take<T: Any>(&mut self) -> Option<T> {
        let at = self.0.iter().position(|value| value.is::<T>())?;
        self.0.swap_remove(at).downcast().ok().map(|value| *value)
    }

    /// Leaves a value, in place of an earlier one of its type.
    pub fn put<T: Any>(&mut self, value: T) {
        self.0.retain(|old| !old.is::<T>());
        self.0.push(Box::new(value));
    }
}
