//! `model-group-name-filter`: `auto`, a group of models, or one model by name.

use super::by_field::named;
use crate::attribute::MODEL_GROUPS;
use crate::contender::Survivors;
use crate::context::{Env, Query, Requested};
use crate::plugin::{Emptied, Filter};

/// Upstream's `model-group-name-filter`, by the request's `model`:
///
/// | `model` | kept |
/// |---|---|
/// | missing, `null`, `""` or `auto` | all |
/// | `auto/<group>` | those with that group among their [`MODEL_GROUPS`] |
/// | `auto/`, or a group that nobody is in | none |
/// | any other string | those with that name |
/// | not a string | none |
///
/// Case counts and nothing is trimmed: `AUTO`, `autofoo` and `auto-x` are names of models, `auto/a/b` is
/// group `a/b`.
pub struct ModelGroupNameFilter;

impl ModelGroupNameFilter {
    /// The type that a configuration names.
    pub const TYPE: &'static str = "model-group-name-filter";
}

impl Filter for ModelGroupNameFilter {
    fn type_name(&self) -> &'static str {
        Self::TYPE
    }

    fn body_fields(&self) -> Vec<&str> {
        vec!["model"]
    }

    fn attributes(&self) -> Vec<&str> {
        vec![MODEL_GROUPS.name()]
    }

    fn emptied(&self, query: &dyn Query) -> Emptied {
        named(query.model())
    }

    fn filter(&self, query: &dyn Query, _env: &mut Env<'_>, survivors: &mut Survivors<'_>) {
        match query.model() {
            Requested::Absent | Requested::Name("auto") => {}
            Requested::Malformed => survivors.retain(|_| false),
            Requested::Name(name) => match name.strip_prefix("auto/") {
                // Said outright: a group with an empty name can be configured elsewhere, but not asked for.
                Some("") => survivors.retain(|_| false),
                Some(group) => survivors.retain(|candidate| {
                    candidate.get(&MODEL_GROUPS).is_some_and(|groups| groups.contains(group))
                }),
                None => survivors.retain(|candidate| candidate.name() == name),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use Requested::{Absent, Malformed, Name};

    use super::*;
    use crate::candidate::Candidate;
    use crate::testing::{Fields, candidates, kept};

    fn in_groups<const N: usize>(name: &str, groups: [&str; N]) -> Candidate {
        Candidate::new(name).with(&MODEL_GROUPS, groups)
    }

    fn check(models: &[Candidate], model: Requested<'_>, want: &[&str]) {
        assert_eq!(kept(&ModelGroupNameFilter, &Fields(&[("model", model)]), models), want, "{model:?}");
    }

    #[test]
    fn among_five_models_in_two_groups() {
        let models = [
            in_groups("qwen3-8b", ["qwen3models"]),
            in_groups("qwen3-32b", ["qwen3models"]),
            in_groups("llama3-8b", ["llama3"]),
            in_groups("llama3-70b", ["llama3"]),
            Candidate::new("mistral-7b"),
        ];
        let all = ["qwen3-8b", "qwen3-32b", "llama3-8b", "llama3-70b", "mistral-7b"];

        // vectors.md, model_group_filter. 42 and a list are both "not a string".
        check(&models, Name("auto/qwen3models"), &["qwen3-8b", "qwen3-32b"]);
        check(&models, Name("auto/llama3"), &["llama3-8b", "llama3-70b"]);
        check(&models, Absent, &all);
        check(&models, Requested::text(""), &all);
        check(&models, Malformed, &[]);
        check(&models, Name("autofoo"), &[]);

        // Reference, 2.1.
        check(&models, Name("auto"), &all);
        check(&models, Name("auto/"), &[]);
        check(&models, Name("auto/unknown"), &[]);
        check(&models, Name("auto/Llama3"), &[]);
        check(&models, Name(" auto"), &[]);
        check(&models, Name("AUTO"), &[]);
        check(&models, Name("auto-x"), &[]);
        check(&models, Name("mistral-7b"), &["mistral-7b"]);
        check(&models, Name("mistral"), &[]);
    }

    #[test]
    fn among_models_without_groups() {
        let models = candidates(["qwen3-8b", "qwen3-32b"]);
        check(&models, Name("auto/somegroup"), &[]);
        check(&models, Name("qwen3-8b"), &["qwen3-8b"]);
    }

    #[test]
    fn only_some_are_in_a_group() {
        let models =
            [in_groups("qwen3-8b", ["q"]), in_groups("qwen3-72b", ["q"]), Candidate::new("mistral-7b")];
        check(&models, Name("auto/q"), &["qwen3-8b", "qwen3-72b"]);
    }

    #[test]
    fn a_model_may_be_in_several_groups() {
        let models = [in_groups("qwen3-32b", ["qwen3models", "large-models"])];
        check(&models, Name("auto/large-models"), &["qwen3-32b"]);
        check(&models, Name("auto/qwen3models"), &["qwen3-32b"]);
    }

    #[test]
    fn odd_names() {
        let models = [in_groups("m", ["a/b", ""]), in_groups("auto", ["x"]), in_groups("auto/a", ["x"])];
        check(&models, Name("auto/a/b"), &["m"]);
        check(&models, Name("auto/"), &[]);
        // A model that is called `auto` or `auto/…` cannot be asked for by name.
        check(&models, Name("auto"), &["m", "auto", "auto/a"]);
        check(&models, Name("auto/a"), &[]);
    }
}
