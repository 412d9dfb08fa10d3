//! What a token of a model costs: as `proxyWasm.responses.models` says, or else the catalogue of the model selection.

use crate::options::{HIGHEST_PRICE, Prices};
use crate::source::Live;
use ipp_selector::{Candidate, TOKEN_PRICES};

/// Billionths of a US dollar in one.
const NANOS: f64 = 1e9;

/// The prices of the data sources' models, by their names: of the configuration, and those that are fetched.
#[derive(Default)]
pub(crate) struct PriceList {
    own: Vec<Candidate>,
    live: Vec<Live<Vec<Candidate>>>,
}

impl PriceList {
    pub(crate) fn new(own: &[Candidate], live: &[Live<Vec<Candidate>>]) -> Self {
        let priced = own.iter().filter(|model| model.get(&TOKEN_PRICES).is_some());
        Self { own: priced.cloned().collect(), live: live.to_vec() }
    }

    /// Whether a price may come from here that is not 0.
    pub(super) fn may_price(&self) -> bool {
        !self.live.is_empty() || self.own.iter().filter_map(of).any(|prices| prices != FREE)
    }

    /// The prices of the model of exactly that name, as of now.
    pub(super) fn get(&self, name: &str) -> Option<Prices> {
        let named = |model: &&Candidate| model.name() == name;
        self.own
            .iter()
            .find(named)
            .and_then(of)
            .or_else(|| self.live.iter().find_map(|live| live.get()?.iter().find(named).and_then(of)))
    }
}

const FREE: Prices = Prices { prompt: 0.0, cached: 0.0, completion: 0.0 };

/// A catalogue has no price of its own for what came from a cache.
fn of(model: &Candidate) -> Option<Prices> {
    let prices = model.get(&TOKEN_PRICES)?;
    // The same bound as in `proxyWasm.responses`: a mistake in the unit would spoil a counter for good.
    let nanos = |dollars: f64| (dollars * NANOS).clamp(0.0, HIGHEST_PRICE * 1000.0);
    let prompt = nanos(prices.input);
    Some(Prices { prompt, cached: prompt, completion: nanos(prices.output) })
}
