//! What collectors scraped from the models' servers, as figures with an age.

use super::catalogue::Reads;
use crate::plugin::{Collected, Scrape};
use crate::source::Live;
use ipp_selector::{AttributeKey, Candidate, Figure};

/// How long a choice may go without what was scraped meanwhile: scrapes are at least a second apart.
const REFRESH_NS: u64 = 200_000_000;

/// What is scraped, and read by a filter or scorer.
pub(super) struct Scraped {
    /// The index of a model, and what is scraped of it.
    models: Vec<(usize, Live<Scrape>)>,
    attributes: Vec<AttributeKey<Figure>>,
    at_ns: u64,
}

impl Scraped {
    pub(super) fn new(reads: &Reads, models: &[Candidate], collected: &[Collected]) -> Self {
        let read = Scrape::ATTRIBUTES.into_iter().filter(|name| reads.has(name));
        let of_model = |one: &Collected| {
            let index = models.iter().position(|model| model.name() == one.model)?;
            Some((index, one.live.clone()))
        };
        Self {
            attributes: read.map(AttributeKey::new).collect(),
            models: collected.iter().filter_map(of_model).collect(),
            at_ns: 0,
        }
    }

    pub(super) fn refresh(&mut self, models: &mut [Candidate], now_ns: u64) {
        if self.attributes.is_empty() || (self.at_ns != 0 && now_ns.abs_diff(self.at_ns) < REFRESH_NS) {
            return;
        }
        self.at_ns = now_ns;
        for (index, live) in &self.models {
            let Some(model) = models.get_mut(*index) else { continue };
            let (Some(scrape), Some(age)) = (live.get(), live.age(now_ns)) else { continue };
            let at_ns = now_ns.saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
            for key in &self.attributes {
                match scrape.value(key.name()) {
                    Some(value) => model.set(key, Figure { value, at_ns }),
                    // What a server does not tell is not 0.
                    None => model.unset(key),
                }
            }
        }
    }
}
