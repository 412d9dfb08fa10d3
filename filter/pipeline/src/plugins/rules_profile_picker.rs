//! `rules-profile-picker`: the first rule that a request meets says which profile it goes through.

mod condition;
mod facts;

use crate::config::{Invalid, View};
use crate::plugin::{Build, Parameter, Plugin, PluginType, ProfilePicker, Request};
use crate::reject::Rejection;
use facts::{Fact, KNOWN};

pub(crate) const TYPE: PluginType = PluginType {
    name: "rules-profile-picker",
    about: "Profile picker, not in the Go service. Goes through `rules` from first to last; the first whose `when` holds as a \
            whole gives the `profile`; if none does, it is `default`.\n\n\
            | in `when` | type | what it looks at |\n|---|---|---|\n\
            | `method`, `path` | condition | the method, and the path without its query |\n\
            | `headers` | map from name to condition | what the client sent; of several values any may do |\n\
            | `body` | map from top-level field to condition | strings, numbers and booleans; `null` is as if absent |\n\
            | `estimatedPromptTokens` | condition | a quarter of the bytes, as sent, of `messages`, `prompt`, `input`, \
            `system`, `instructions` and `tools`; images in them count by their bytes too |\n\
            | `hasTools` | boolean | `tools` or `functions` is an array of 8 bytes or more |\n\
            | `hasImages` | boolean | a part of a message is of type `image_url`, `input_image` or `image`: in `content` \
            of `messages` and `input`, in what a tool gave (`content` in it, `output`); the name of such a type in a text is \
            none |\n\
            | `hasResponseFormat` | boolean | `response_format` is an object |\n\
            | `responseFormat` | condition | the first there is of: `type` of `response_format`, of `format` in `text` \
            (OpenAI's Responses), of `output_format`, of `format` in `output_config` (Anthropic); at most 64 bytes; a \
            `response_format` that is a string |\n\
            | `streaming` | boolean | `stream` is `true` |\n\n\
            A condition is a map in which all holds: `equals` (a string, number or boolean of that type), `oneOf` (a list of \
            them), `prefix`, `exists` (`true` or `false`), and, for numbers and for headers that are numbers, `lessThan`, \
            `atMost`, `atLeast`, `greaterThan`. Case counts. What else is inside of arrays and objects is not looked at. A rule with `hasImages` or \
            `responseFormat` makes the scan of these fields slower, for every request.",
    parameters: &[
        Parameter {
            name: "default",
            kind: "string",
            default: "required",
            about: "The profile of requests that meet no rule.",
        },
        Parameter {
            name: "rules",
            kind: "list of maps",
            default: "[]",
            about: "Each with `profile` and `when`.",
        },
    ],
    example: "\
type: rules-profile-picker
parameters:
  default: p
  rules:
  - profile: p
    when:
      path: {equals: /v1/chat/completions}
      headers: {x-tier: {oneOf: [gold, platinum]}}
  - profile: p
    when:
      body: {model: {prefix: auto}, temperature: {atMost: 0.2}}
      estimatedPromptTokens: {greaterThan: 32000}
      hasTools: true
  - profile: p
    when: {hasImages: true, responseFormat: {oneOf: [json_object, json_schema]}}
",
    build: |parameters, build| {
        let default = parameters.required_text("default");
        let views = parameters.elements("rules")?;
        let rules: Vec<Result<Rule, Invalid>> = views.iter().map(|view| rule(view, build)).collect();
        let rules: Result<Vec<Rule>, Invalid> = rules.into_iter().collect();
        let picker = RulesProfilePicker { rules: rules?, default: default?.to_owned() };
        Ok(Plugin::new().profile_picker(picker))
    },
};

struct RulesProfilePicker {
    rules: Vec<Rule>,
    default: String,
}

struct Rule {
    profile: String,
    facts: Vec<Fact>,
}

fn rule(view: &View<'_>, build: &mut Build<'_>) -> Result<Rule, Invalid> {
    let object = view.object(&["profile", "when"])?;
    let profile = object.require("profile").and_then(|profile| profile.text());
    let when = object.require("when")?;
    let conditions = when.object(KNOWN)?;
    let mut facts = Vec::new();
    for name in conditions.names() {
        if let Some(view) = conditions.get(name) {
            Fact::read(name, &view, build, &mut facts)?;
        }
    }
    if facts.is_empty() {
        return Err(when
            .invalid("a rule without a condition would take every request; that is what `default` is for"));
    }
    Ok(Rule { profile: profile?.to_owned(), facts })
}

impl ProfilePicker for RulesProfilePicker {
    fn pick(&self, request: &mut Request<'_>, profiles: &[String]) -> Result<usize, Rejection> {
        let rule = self.rules.iter().find(|rule| rule.facts.iter().all(|fact| fact.holds(request)));
        let name = rule.map_or(&self.default, |rule| &rule.profile);
        profiles
            .iter()
            .position(|profile| profile == name)
            .ok_or_else(|| Rejection::internal("a rule names a profile that there is not"))
    }

    fn accepts_names(&self, profiles: &[String]) -> Result<(), String> {
        let named = self.rules.iter().map(|rule| &rule.profile).chain([&self.default]);
        match named.into_iter().find(|name| !profiles.contains(name)) {
            None => Ok(()),
            Some(name) => Err(format!(
                "rules-profile-picker names the profile {name:?}, and there are {}",
                profiles.join(", ")
            )),
        }
    }
}
