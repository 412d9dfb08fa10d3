//! Puts a selector together and refuses what cannot work.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

use crate::pickers::MaxScorePicker;
use crate::pipeline::{Selector, Weighted};
use crate::plugin::{Filter, Picker, Scorer};

/// Collects the plugins of a selector, in the order in which they are to run.
///
/// Plugins come as `Rc`, so that one with two roles, say filter and scorer, is added once in each.
#[derive(Default)]
pub struct SelectorBuilder {
    filters: Vec<Rc<dyn Filter>>,
    scorers: Vec<Weighted>,
    picker: Option<Rc<dyn Picker>>,
}

impl SelectorBuilder {
    /// Adds a filter behind those already there.
    #[must_use]
    pub fn filter(mut self, filter: Rc<dyn Filter>) -> Self {
        self.filters.push(filter);
        self
    }

    /// Adds a scorer. As in upstream any weight goes, 0 and negative ones too, and weights are not
    /// normalised; only a weight that is no finite number, which upstream's JSON cannot say either, is
    /// refused.
    pub fn scorer(mut self, weight: f64, scorer: Rc<dyn Scorer>) -> Result<Self, BuildError> {
        if !weight.is_finite() {
            return Err(BuildError::Weight { scorer: scorer.type_name() });
        }
        self.scorers.push(Weighted { scorer, weight });
        Ok(self)
    }

    /// Sets the picker: once, because a second one would silently win or lose.
    pub fn picker(mut self, picker: Rc<dyn Picker>) -> Result<Self, BuildError> {
        if let Some(first) = &self.picker {
            return Err(BuildError::SecondPicker { first: first.type_name(), second: picker.type_name() });
        }
        self.picker = Some(picker);
        Ok(self)
    }

    /// The selector. Without a picker it gets upstream's default, [`MaxScorePicker`].
    pub fn build(self) -> Selector {
        let picker = self.picker.unwrap_or_else(|| Rc::new(MaxScorePicker::default()));
        Selector::new(self.filters, self.scorers, picker)
    }
}

/// Why a plugin cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// There is a picker already.
    SecondPicker {
        /// The type of the one that is there.
        first: &'static str,
        /// The type of the one that was refused.
        second: &'static str,
    },
    /// The weight is infinite or not a number.
    Weight {
        /// The type of the scorer that was to have it.
        scorer: &'static str,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondPicker { first, second } => {
                write!(f, "{second}: the selector already has a picker ({first}), and one is all it can have")
            }
            Self::Weight { scorer } => write!(f, "{scorer}: weight must be a finite number"),
        }
    }
}

impl Error for BuildError {}
