//! `by-field-filter`: a field of the body names the models that may serve.

use crate::attribute::AttributeKey;
use crate::candidate::Candidate;
use crate::contender::Survivors;
use crate::context::{Env, Query, Requested};
use crate::parameter::ParameterError;
use crate::plugin::{Emptied, Filter};

/// Upstream's `by-field-filter`: keeps those whose name, or whose string attribute `byField`, is exactly
/// what the top-level body field `fieldName` says.
///
/// | field | kept |
/// |---|---|
/// | missing, `null` or `""` | all |
/// | not a string | none |
/// | a string | those equal to it; who has no such attribute, or one that is no string, is not equal |
///
/// It knows no `auto`: that is a name like any other.
pub struct ByFieldFilter {
    field: Box<str>,
    by: Option<AttributeKey<str>>,
}

impl ByFieldFilter {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "by-field-filter";

    /// `field_name` is required; an empty `by_field` means the model's name.
    pub fn new(field_name: &str, by_field: &str) -> Result<Self, ParameterError> {
        if field_name.is_empty() {
            return Err(ParameterError { parameter: "fieldName", expected: "the name of a body field" });
        }
        let by = (!by_field.is_empty()).then(|| AttributeKey::named(by_field));
        Ok(Self { field: field_name.into(), by })
    }
}

impl Filter for ByFieldFilter {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn body_fields(&self) -> Vec<&str> {
        vec![&self.field]
    }

    fn emptied(&self, query: &dyn Query) -> Emptied {
        named(query.field(&self.field))
    }

    fn filter(&self, query: &dyn Query, _env: &mut Env<'_>, survivors: &mut Survivors<'_>) {
        match &self.by {
            Some(key) => keep_equal(query.field(&self.field), survivors, |candidate| candidate.get(key)),
            None => keep_equal(query.field(&self.field), survivors, |candidate| Some(candidate.name())),
        }
    }
}

/// What it means that nobody is what the request says.
pub(super) fn named(requested: Requested<'_>) -> Emptied {
    match requested {
        Requested::Absent => Emptied::Unsuitable,
        Requested::Name(_) => Emptied::Unknown,
        Requested::Malformed => Emptied::Malformed,
    }
}

/// Keeps those whose property is what the request says, and all of them if it says nothing.
pub(super) fn keep_equal(
    requested: Requested<'_>,
    survivors: &mut Survivors<'_>,
    property: impl Fn(&Candidate) -> Option<&str>,
) {
    match requested {
        Requested::Absent => {}
        Requested::Name(wanted) => survivors.retain(|candidate| property(candidate) == Some(wanted)),
        Requested::Malformed => survivors.retain(|_| false),
    }
}

#[cfg(test)]
mod tests {
    use Requested::{Absent, Malformed, Name};

    use super::*;
    use crate::testing::{Fields, candidates, kept};

    #[test]
    fn by_name() {
        let models = candidates(["qwen3-8b", "qwen3-32b", "llama3-8b"]);
        let all = ["qwen3-8b", "qwen3-32b", "llama3-8b"];
        let filter = ByFieldFilter::new("model", "").unwrap();
        let cases: [(Requested<'_>, &[&str]); 6] = [
            // vectors.md, by_field_filter.
            (Name("qwen3-32b"), &["qwen3-32b"]),
            (Absent, &all),
            (Malformed, &[]),
            // The filter's table.
            (Name("qwen3"), &[]),
            (Name("QWEN3-32B"), &[]),
            (Name("auto"), &[]),
        ];
        for (model, want) in cases {
            assert_eq!(kept(&filter, &Fields(&[("model", model)]), &models), want, "{model:?}");
        }
    }

    #[test]
    fn by_attribute() {
        let version = AttributeKey::<str>::new("anthropicVersion");
        let models = [
            Candidate::new("old").with(&version, "2023-01-01"),
            Candidate::new("new-a").with(&version, "2023-06-01"),
            Candidate::new("new-b").with(&version, "2023-06-01"),
            Candidate::new("none"),
        ];
        let filter = ByFieldFilter::new("anthropic_version", "anthropicVersion").unwrap();
        let cases: [(Requested<'_>, &[&str]); 4] = [
            // vectors.md, by_field_filter: "same attrs"; the first as in the reference, 2.2.
            (Name("2023-06-01"), &["new-a", "new-b"]),
            (Absent, &["old", "new-a", "new-b", "none"]),
            (Name("1999-01-01"), &[]),
            (Malformed, &[]),
        ];
        for (value, want) in cases {
            assert_eq!(kept(&filter, &Fields(&[("anthropic_version", value)]), &models), want, "{value:?}");
        }
    }

    #[test]
    fn an_attribute_that_is_no_string_never_matches() {
        let models = [Candidate::new("m").with(&AttributeKey::<f64>::new("tier"), 1.0)];
        let filter = ByFieldFilter::new("tier", "tier").unwrap();
        assert!(kept(&filter, &Fields(&[("tier", Name("1"))]), &models).is_empty());
    }

    #[test]
    fn parameters() {
        // vectors.md, by_field_filter: factory. Broken JSON never gets here.
        assert!(ByFieldFilter::new("anthropic_version", "").is_ok_and(|filter| filter.by.is_none()));
        let refused = ByFieldFilter::new("", "anything").err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some("fieldName: must be the name of a body field"));
        assert_eq!(ByFieldFilter::new("tier", "").unwrap().body_fields(), ["tier"]);
    }
}
