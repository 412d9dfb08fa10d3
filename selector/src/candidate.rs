//! A model that may be chosen: its name and what is known about it.

use std::borrow::Cow;
use std::rc::Rc;

use crate::attribute::{Attribute, AttributeKey, AttributeType};

/// A model that may be chosen. A clone shares everything; changing one of two clones copies on write.
///
/// Configuration writes prices and groups once. Live figures are written over before each selection with
/// [`set`](Candidate::set), which allocates nothing when the key is there and nobody holds a clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    name: Rc<str>,
    // A handful of entries: comparing lengths and bytes in a row beats hashing.
    attributes: Rc<Vec<(Cow<'static, str>, Attribute)>>,
}

impl Candidate {
    /// A model of which nothing but the name is known.
    pub fn new(name: impl Into<Rc<str>>) -> Self {
        Self { name: name.into(), attributes: Rc::default() }
    }

    /// The model's name, as a client would write it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same name to keep, without a copy.
    pub fn shared_name(&self) -> Rc<str> {
        Rc::clone(&self.name)
    }

    /// What is known under this key: `None` too if the value has another type than the key says.
    pub fn get<T: AttributeType + ?Sized>(&self, key: &AttributeKey<T>) -> Option<&T> {
        T::read(self.attribute(key.name())?)
    }

    /// Whatever is known under this name, of any type.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, attribute)| attribute)
    }

    /// Writes a value of a type that is only known at run time: what a configuration says.
    pub fn set_attribute(&mut self, name: impl Into<Cow<'static, str>>, attribute: Attribute) {
        let name = name.into();
        let attributes = Rc::make_mut(&mut self.attributes);
        match attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = attribute,
            None => attributes.push((name, attribute)),
        }
    }

    /// Writes a value, over what stood under that name before.
    pub fn set<T: AttributeType + ?Sized>(&mut self, key: &AttributeKey<T>, value: impl Into<T::Stored>) {
        self.set_attribute(key.shared_name(), value.into().into());
    }

    /// [`set`](Candidate::set) as part of an expression.
    #[must_use]
    pub fn with<T: AttributeType + ?Sized>(
        mut self,
        key: &AttributeKey<T>,
        value: impl Into<T::Stored>,
    ) -> Self {
        self.set(key, value);
        self
    }

    /// Forgets what stood under this key, of whatever type.
    pub fn unset<T: AttributeType + ?Sized>(&mut self, key: &AttributeKey<T>) {
        if self.attributes.iter().any(|(name, _)| *name == key.name()) {
            Rc::make_mut(&mut self.attributes).retain(|(name, _)| *name != key.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{IN_FLIGHT, MODEL_GROUPS, TOKEN_PRICES, TokenPrices};

    #[test]
    fn what_was_set_can_be_read() {
        let version = AttributeKey::<str>::named("anthropicVersion");
        let model = Candidate::new("m")
            .with(&version, "2023-06-01")
            .with(&MODEL_GROUPS, ["fast", "small"])
            .with(&TOKEN_PRICES, TokenPrices { input: 2e-6, output: 8e-6 })
            .with(&IN_FLIGHT, 3.0);

        assert_eq!(model.name(), "m");
        assert_eq!(model.get(&version), Some("2023-06-01"));
        assert_eq!(model.get(&TOKEN_PRICES).map(|prices| prices.output), Some(8e-6));
        assert_eq!(model.get(&IN_FLIGHT), Some(&3.0));
        let groups = model.get(&MODEL_GROUPS).unwrap();
        assert_eq!(groups.iter().collect::<Vec<_>>(), ["fast", "small"]);
        assert!(groups.contains("small") && !groups.contains("smal"));
        assert_eq!(model.get(&AttributeKey::<str>::new("other")), None);
    }

    #[test]
    fn another_type_reads_as_absent_and_is_written_over() {
        let number = AttributeKey::<f64>::new("x");
        let text = AttributeKey::<str>::new("x");
        let mut model = Candidate::new("m").with(&text, "1");
        assert_eq!(model.get(&number), None);

        model.set(&number, 1.0);
        assert_eq!((model.get(&number), model.get(&text)), (Some(&1.0), None));

        model.unset(&text);
        assert_eq!(model.get(&number), None);
    }

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let mut model = Candidate::new("m").with(&IN_FLIGHT, 1.0);
        let snapshot = model.clone();
        assert!(Rc::ptr_eq(&model.attributes, &snapshot.attributes));

        model.set(&IN_FLIGHT, 2.0);
        assert_eq!(snapshot.get(&IN_FLIGHT), Some(&1.0));

        let shared = Rc::as_ptr(&model.attributes);
        model.set(&IN_FLIGHT, 3.0);
        assert_eq!(Rc::as_ptr(&model.attributes), shared, "written in place when nobody else holds it");
    }
}
