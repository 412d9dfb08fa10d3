//! `model-name-filter`: the request's `model` names the one that may serve.

use super::by_field::{keep_equal, named};
use crate::contender::Survivors;
use crate::context::{Env, Query};
use crate::plugin::{Emptied, Filter};

/// Upstream's `model-name-filter`: [`ByFieldFilter`](super::ByFieldFilter) with `fieldName: model`, no
/// parameters.
///
/// Upstream has deprecated it. It knows no `auto`: use
/// [`ModelGroupNameFilter`](super::ModelGroupNameFilter) where clients say that.
pub struct ModelNameFilter;

impl ModelNameFilter {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "model-name-filter";
}

impl Filter for ModelNameFilter {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn body_fields(&self) -> Vec<&str> {
        vec!["model"]
    }

    fn emptied(&self, query: &dyn Query) -> Emptied {
        named(query.model())
    }

    fn filter(&self, query: &dyn Query, _env: &mut Env<'_>, survivors: &mut Survivors<'_>) {
        keep_equal(query.model(), survivors, |candidate| Some(candidate.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Requested::{self, Absent, Malformed, Name};
    use crate::testing::{Fields, candidates, kept};

    #[test]
    fn keeps_the_named_model() {
        let models = candidates(["qwen3-8b", "qwen3-32b", "llama3-8b"]);
        let all = ["qwen3-8b", "qwen3-32b", "llama3-8b"];
        let cases: [(Requested<'_>, &[&str]); 5] = [
            // vectors.md, by_field_filter: type model-name.
            (Absent, &all),
            (Requested::text(""), &all),
            (Malformed, &[]),
            // Reference, 2.2.
            (Name("llama3-8b"), &["llama3-8b"]),
            (Name("auto"), &[]),
        ];
        for (model, want) in cases {
            assert_eq!(kept(&ModelNameFilter, &Fields(&[("model", model)]), &models), want, "{model:?}");
        }
    }
}
