//! The data layer of a configuration: data sources, extractors and collectors, before the profiles that select among
//! their models.

use super::load::Declared;
use super::profiles::{Reference, Resolver};
use super::view::Object;
use crate::plugin::{Collector, Plugin};
use crate::source::{Collecting, scrape};
use ipp_selector::Candidate;
use std::rc::Rc;

impl Resolver<'_> {
    /// The models of all data sources; before the profiles, whose selectors choose among them.
    pub(super) fn data_layer(&mut self, document: &Object<'_>) {
        let Some(section) = document.get("datalayer") else { return };
        let Ok(object) = section.object(&["collectors", "extractors", "datasources"]) else { return };
        let mut kinds = Vec::new();
        for (list, role) in
            [("datasources", "a DataSource"), ("extractors", "an Extractor"), ("collectors", "a Collector")]
        {
            for reference in self.references(object.get(list)).unwrap_or_default() {
                match &reference.instance.plugin {
                    None => {}
                    Some(Plugin { extractor: Some(extractor), .. }) if list == "extractors" => {
                        let kind = std::mem::discriminant(extractor);
                        if kinds.contains(&kind) {
                            reference.view.invalid("another extractor makes the same figures already");
                        }
                        kinds.push(kind);
                        self.declared.extraction.set(*extractor);
                    }
                    Some(Plugin { data_source: Some(source), .. }) if list == "datasources" => {
                        self.add_models(&reference, source.models());
                        self.declared.live_models.extend(source.live());
                    }
                    Some(Plugin { collector: Some(collector), .. }) if list == "collectors" => {
                        self.collect(&reference, collector);
                    }
                    Some(_) => drop(reference.misplaced(role)),
                }
            }
        }
    }

    /// The sources of a collector: of the models of the configuration here, of the others when they come.
    fn collect(&mut self, reference: &Reference<'_, '_>, collector: &Rc<dyn Collector>) {
        let instance = &reference.instance.name;
        let Declared { models, live_models, metrics, collected, collecting, sources, .. } =
            &mut *self.declared;
        let mut define = |kind, name: &str, labels: &[(&str, &str)]| metrics.define(kind, name, labels);
        let before = sources.len();
        for model in models.iter() {
            let Some((polled, one)) = scrape(instance, collector, model, &mut define) else { continue };
            if collected.iter().any(|known| known.model == one.model) {
                reference
                    .view
                    .invalid(format!("another collector scrapes the model {:?} already", one.model));
            }
            sources.push(Rc::new(polled));
            collected.push(one);
        }
        if !live_models.is_empty() {
            if !collecting.is_empty() {
                reference.view.invalid("another collector scrapes the models of the sources already");
            }
            collecting.push(Collecting::new(instance, collector, models, live_models));
        } else if sources.len() == before {
            reference.view.invalid("no model of the data sources has a `metricsURL` that could be scraped");
        }
    }

    fn add_models(&mut self, reference: &Reference<'_, '_>, models: &[Candidate]) {
        for model in models {
            if self.declared.models.iter().any(|known| known.name() == model.name()) {
                reference
                    .view
                    .invalid(format!("another data source has the model {:?} already", model.name()));
            } else {
                self.declared.models.push(model.clone());
            }
        }
    }
}
