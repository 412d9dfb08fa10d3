//! A collector together with the models that it is to ask: those of the configuration, and those that sources bring
//! while the filter runs.

use super::{Live, Polled};
use crate::metrics::{MetricId, MetricKind, is_label_value};
use crate::plugin::{Collected, Collector};
use ipp_selector::Candidate;
use std::cell::RefCell;
use std::rc::Rc;

/// Defines a metric by kind, name and labels.
pub(crate) type Define<'d> = dyn FnMut(MetricKind, &str, &[(&str, &str)]) -> MetricId + 'd;

/// A list of models that a source brings.
type Models = Live<Vec<Candidate>>;

/// A collector of a configuration whose models come, at least in part, from sources.
pub(crate) struct Collecting {
    /// The instance's name: the first part of its sources' names.
    instance: String,
    collector: Rc<dyn Collector>,
    /// The models of the configuration itself, which those of sources do not replace.
    own: Vec<String>,
    lists: Vec<Models>,
    /// The lists that `brought` was made of.
    seen: RefCell<Vec<Option<Rc<Vec<Candidate>>>>>,
    brought: Brought,
}

/// What is scraped of the models that sources brought. It changes between requests only, with the lists themselves.
pub(crate) type Brought = Rc<RefCell<Vec<Collected>>>;

impl Collecting {
    pub(crate) fn new(
        instance: &str,
        collector: &Rc<dyn Collector>,
        own: &[Candidate],
        lists: &[Models],
    ) -> Self {
        Self {
            instance: instance.to_owned(),
            collector: Rc::clone(collector),
            own: own.iter().map(|model| model.name().to_owned()).collect(),
            lists: lists.to_vec(),
            seen: RefCell::new(vec![None; lists.len()]),
            brought: Brought::default(),
        }
    }

    pub(crate) fn brought(&self) -> Brought {
        Rc::clone(&self.brought)
    }

    /// The sources of the models that the lists hold now; nothing where they are the lists of the last call.
    pub(crate) fn follow(&self, define: &mut Define<'_>) -> Option<Vec<Rc<Polled>>> {
        let lists: Vec<Option<Rc<Vec<Candidate>>>> = self.lists.iter().map(Live::get).collect();
        let same = |(a, b): (&Option<Rc<_>>, &Option<Rc<_>>)| match (a, b) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        if self.seen.borrow().iter().zip(&lists).all(same) {
            return None;
        }
        let mut polled = Vec::new();
        let mut brought: Vec<Collected> = Vec::new();
        for model in lists.iter().flatten().flat_map(|list| list.iter()) {
            let taken = self.own.iter().any(|own| own == model.name())
                || brought.iter().any(|known| known.model == model.name());
            if taken {
                continue;
            }
            if let Some((source, collected)) = scrape(&self.instance, &self.collector, model, define) {
                polled.push(Rc::new(source));
                brought.push(collected);
            }
        }
        *self.brought.borrow_mut() = brought;
        *self.seen.borrow_mut() = lists;
        Some(polled)
    }
}

/// The source of one model, if the collector can ask it.
pub(crate) fn scrape(
    instance: &str,
    collector: &Rc<dyn Collector>,
    model: &Candidate,
    define: &mut Define<'_>,
) -> Option<(Polled, Collected)> {
    let target = collector.target(model)?;
    let name = format!("{instance}/{}", model.name());
    if !is_label_value(&name) {
        return None;
    }
    let (polled, live) = Polled::new(name, target.source, target.format, define);
    let polled = polled.at_most(instance, collector.most_at_once());
    Some((polled, Collected { model: model.name().to_owned(), live }))
}
