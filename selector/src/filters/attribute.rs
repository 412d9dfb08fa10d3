//! `attribute-filter`: any attribute of a model, compared with a value.

use crate::attribute::Attribute;
use crate::candidate::Candidate;
use crate::contender::Survivors;
use crate::context::{Env, Query};
use crate::figure::MaxAge;
use crate::number_of::NumberOf;
use crate::parameter::ParameterError;
use crate::plugin::Filter;

/// What an attribute has to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// A number below.
    Less(f64),
    /// A number below, or the same.
    AtMost(f64),
    /// A number above, or the same.
    AtLeast(f64),
    /// A number above.
    Greater(f64),
    /// The same number.
    Number(f64),
    /// One of these texts, or a list that has one of them.
    OneOf(Vec<String>),
    /// Neither of these texts, nor a list that has one of them.
    NoneOf(Vec<String>),
}

/// Not in upstream: keeps the models whose attribute meets a [`Condition`].
///
/// A model without the attribute, with one of another type, or with a figure older than `max_age`, is kept or
/// removed as `keep_missing` says. With `fallback`, if nobody would be left, all are kept.
pub struct AttributeFilter {
    number: NumberOf,
    condition: Condition,
    keep_missing: bool,
    fallback: bool,
}

impl AttributeFilter {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "attribute-filter";

    /// Compares this attribute.
    pub fn new(
        attribute: &str,
        condition: Condition,
        keep_missing: bool,
        fallback: bool,
        max_age: MaxAge,
    ) -> Result<Self, ParameterError> {
        if attribute.is_empty() {
            return Err(ParameterError { parameter: "attribute", expected: "the name of an attribute" });
        }
        use Condition::{AtLeast, AtMost, Greater, Less, NoneOf, Number, OneOf};
        let usable = match &condition {
            Less(value) | AtMost(value) | AtLeast(value) | Greater(value) | Number(value) => {
                value.is_finite()
            }
            OneOf(texts) | NoneOf(texts) => !texts.is_empty(),
        };
        if !usable {
            return Err(ParameterError {
                parameter: "value",
                expected: "a finite number, or at least one text",
            });
        }
        Ok(Self { number: NumberOf::new(attribute, max_age), condition, keep_missing, fallback })
    }

    fn keeps(&self, candidate: &Candidate, now_ns: u64) -> bool {
        let number = || self.number.read(candidate, now_ns);
        let met = match &self.condition {
            Condition::Less(limit) => number().map(|value| value < *limit),
            Condition::AtMost(limit) => number().map(|value| value <= *limit),
            Condition::AtLeast(limit) => number().map(|value| value >= *limit),
            Condition::Greater(limit) => number().map(|value| value > *limit),
            Condition::Number(same) => number().map(|value| value == *same),
            Condition::OneOf(texts) => self.has_one_of(candidate, texts),
            Condition::NoneOf(texts) => self.has_one_of(candidate, texts).map(|has| !has),
        };
        met.unwrap_or(self.keep_missing)
    }

    fn has_one_of(&self, candidate: &Candidate, texts: &[String]) -> Option<bool> {
        match candidate.attribute(self.number.attribute())? {
            Attribute::Text(text) => Some(texts.iter().any(|one| **one == **text)),
            Attribute::List(list) => Some(texts.iter().any(|one| list.contains(one))),
            _ => None,
        }
    }
}

impl Filter for AttributeFilter {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn attributes(&self) -> Vec<&str> {
        vec![self.number.attribute()]
    }

    fn filter(&self, _query: &dyn Query, env: &mut Env<'_>, survivors: &mut Survivors<'_>) {
        let now = env.now_ns;
        if self.fallback && !survivors.candidates().any(|candidate| self.keeps(candidate, now)) {
            return;
        }
        survivors.retain(|candidate| self.keeps(candidate, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::{AVG_TTFT, AttributeKey, MODEL_GROUPS};
    use crate::figure::Figure;
    use crate::testing::{Fields, kept_at};

    fn models() -> [Candidate; 4] {
        let quality = AttributeKey::<f64>::new("quality");
        let region = AttributeKey::<str>::new("region");
        [
            Candidate::new("a").with(&quality, 1.0).with(&region, "eu").with(&MODEL_GROUPS, ["x", "y"]),
            Candidate::new("b").with(&quality, 2.0).with(&region, "us").with(&MODEL_GROUPS, ["y"]),
            Candidate::new("c").with(&quality, 3.0).with(&region, "eu"),
            Candidate::new("d"),
        ]
    }

    fn run(attribute: &str, condition: Condition, keep_missing: bool, fallback: bool) -> Vec<String> {
        let filter = AttributeFilter::new(attribute, condition, keep_missing, fallback, MaxAge(100)).unwrap();
        let models = models();
        kept_at(&filter, &Fields::default(), &models, 200).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn conditions() {
        use Condition::{AtLeast, AtMost, Greater, Less, NoneOf, Number, OneOf};
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let cases: [(&str, Condition, &[&str]); 10] = [
            ("quality", Less(2.0), &["a"]),
            ("quality", AtMost(2.0), &["a", "b"]),
            ("quality", AtLeast(2.0), &["b", "c"]),
            ("quality", Greater(2.0), &["c"]),
            ("quality", Number(2.0), &["b"]),
            ("region", OneOf(texts(&["eu", "asia"])), &["a", "c"]),
            ("region", NoneOf(texts(&["eu"])), &["b"]),
            ("model_groups", OneOf(texts(&["x"])), &["a"]),
            ("model_groups", NoneOf(texts(&["x"])), &["b"]),
            ("quality", OneOf(texts(&["2"])), &[]),
        ];
        for (attribute, condition, want) in cases {
            assert_eq!(run(attribute, condition.clone(), false, false), want, "{attribute} {condition:?}");
        }
    }

    #[test]
    fn what_is_missing_and_what_if_nobody_is_left() {
        assert_eq!(run("quality", Condition::Greater(2.0), true, false), ["c", "d"]);
        assert!(run("quality", Condition::Greater(9.0), false, false).is_empty());
        assert_eq!(run("quality", Condition::Greater(9.0), false, true), ["a", "b", "c", "d"]);
        assert_eq!(run("quality", Condition::Greater(9.0), true, true), ["d"]);
        assert_eq!(run("region", Condition::Less(9.0), false, true), ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_figure_that_is_too_old_is_missing() {
        let model = |name: &str, at_ns| Candidate::new(name).with(&AVG_TTFT, Figure { value: 0.1, at_ns });
        let models = [model("old", 99), model("new", 100)];
        let filter =
            AttributeFilter::new("avg-ttft", Condition::Less(1.0), false, false, MaxAge(100)).unwrap();
        assert_eq!(kept_at(&filter, &Fields::default(), &models, 200), ["new"]);
    }

    #[test]
    fn parameters() {
        let refused = |attribute, condition| {
            AttributeFilter::new(attribute, condition, true, true, MaxAge::NONE).is_err()
        };
        assert!(refused("", Condition::Less(1.0)));
        assert!(refused("x", Condition::Less(f64::NAN)));
        assert!(refused("x", Condition::OneOf(Vec::new())));
    }
}
