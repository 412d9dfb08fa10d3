//! `model-config-datasource`: the models that may be chosen, with prices, groups and attributes.

use crate::config::{Invalid, Object, View};
use crate::metrics::is_label_value;
use crate::plugin::{DataSource, Parameter, Params, Plugin, PluginType};
use ipp_selector::{Attribute, CAPACITY, Candidate, MODEL_GROUPS, TOKEN_PRICES, TextList, TokenPrices};
use std::rc::Rc;

pub(crate) const TYPE: PluginType = PluginType {
    name: "model-config-datasource",
    about: "Data source of the data layer: the models that a `model-selector` may choose. An entry of `models` has a \
            `name`, may have `pricing` with `input_per_million` and `output_per_million` in USD (default: free), \
            `capacity`, how many requests it can serve at once, and `attributes`: numbers, strings or lists of strings \
            under any names. An entry of `groups` has a `name` and `models`. What a file of the Go service would \
            silently skip is a configuration error here: an empty name, a negative price, a group without a name or \
            members, a member that is no model, a model twice.",
    parameters: &[
        Parameter { name: "models", kind: "list of models", default: "required", about: "At least one." },
        Parameter {
            name: "groups",
            kind: "list of groups",
            default: "[]",
            about: "A model may be in several.",
        },
        Parameter {
            name: "modelsPath",
            kind: "string",
            default: "none",
            about: "Refused: the module has no files. Put what stands in the file under `models` and `groups`.",
        },
    ],
    example: "\
type: model-config-datasource
parameters:
  models:
  - name: qwen3-8b
    pricing: {input_per_million: 0.1, output_per_million: 0.4}
    capacity: 64
    attributes: {quality: 62, context-window: 32768, region: eu}
  - name: qwen3-235b
    pricing: {input_per_million: 0.7, output_per_million: 2.8}
    capacity: 16
    attributes: {quality: 88, context-window: 131072, region: us}
  groups:
  - name: fast
    models: [qwen3-8b]
",
    build: |parameters, _| {
        if let Some(path) = parameters.get("modelsPath") {
            return Err(path.invalid(
                "a module inside Envoy has no files: put the content of the file here, under `models` and `groups`",
            ));
        }
        let models = models(parameters)?;
        Ok(Plugin::new().data_source(ModelConfig(models)))
    },
};

/// Attributes of these names have a meaning of their own.
const RESERVED: [&str; 10] = [
    "model_groups",
    "token_prices",
    "inflight-requests",
    "inflight-tokens",
    "capacity",
    "avg-ttft",
    "avg-tpot",
    "tokens-per-second",
    "ttft-percentile",
    "health",
];

struct ModelConfig(Vec<Candidate>);

impl DataSource for ModelConfig {
    fn models(&self) -> &[Candidate] {
        &self.0
    }
}

fn models(parameters: &Params<'_>) -> Result<Vec<Candidate>, Invalid> {
    let section = parameters.require("models")?;
    let list = section.list()?;
    if list.is_empty() {
        return Err(section.invalid("one or more models must be defined"));
    }
    let mut models: Vec<Candidate> = Vec::new();
    let mut complete = true;
    for view in &list {
        match model(view) {
            Ok(model) if models.iter().any(|known| known.name() == model.name()) => {
                view.invalid(format!("the model {:?} stands here a second time", model.name()));
            }
            Ok(model) => models.push(model),
            Err(Invalid) => complete = false,
        }
    }
    let groups = groups(parameters, &models, complete)?;
    for model in &mut models {
        let of_model: Vec<&str> = groups
            .iter()
            .filter(|(_, members)| members.contains(&model.name()))
            .map(|(name, _)| *name)
            .collect();
        if !of_model.is_empty() {
            model.set(&MODEL_GROUPS, TextList::from(of_model));
        }
    }
    if complete { Ok(models) } else { Err(Invalid) }
}

fn model(view: &View<'_>) -> Result<Candidate, Invalid> {
    let object = view.object(&["name", "pricing", "capacity", "attributes"])?;
    let name = object.require("name").and_then(|name| {
        let text = name.text()?;
        // It becomes a metric label and a value in the body.
        if is_label_value(text) && text.len() <= 256 {
            return Ok(text);
        }
        Err(name
            .invalid("a model's name has at most 256 bytes, no control characters, no ';.;' and no '=.='"))
    });
    let prices = prices(&object);
    let capacity = object.get("capacity").map(|view| match view.number()? {
        capacity if capacity > 0.0 => Ok(capacity),
        _ => Err(view.expected("a number greater than 0")),
    });
    let attributes = attributes(&object);
    let mut model = Candidate::new(name?).with(&TOKEN_PRICES, prices?);
    if let Some(capacity) = capacity.transpose()? {
        model.set(&CAPACITY, capacity);
    }
    for (name, attribute) in attributes? {
        model.set_attribute(name, attribute);
    }
    Ok(model)
}

/// USD per token, of USD per million.
fn prices(model: &Object<'_>) -> Result<TokenPrices, Invalid> {
    let Some(section) = model.get("pricing") else { return Ok(TokenPrices::default()) };
    let pricing = section.object(&["input_per_million", "output_per_million"])?;
    let price = |name: &str| {
        let Some(view) = pricing.get(name) else { return Ok(0.0) };
        match view.number()? {
            price if price >= 0.0 => Ok(price / 1e6),
            _ => Err(view.expected("a price that is not negative")),
        }
    };
    let (input, output) = (price("input_per_million"), price("output_per_million"));
    Ok(TokenPrices { input: input?, output: output? })
}

fn attributes(model: &Object<'_>) -> Result<Vec<(String, Attribute)>, Invalid> {
    let Some(section) = model.get("attributes") else { return Ok(Vec::new()) };
    let object = section.any_object()?;
    let mut attributes = Vec::new();
    for name in object.names() {
        let Some(view) = object.get(name) else { continue };
        if name.is_empty() || RESERVED.contains(&name) {
            return Err(view.invalid(format!("{name:?} is no name for an attribute of one's own")));
        }
        attributes.push((name.to_owned(), attribute(&view)?));
    }
    Ok(attributes)
}

fn attribute(view: &View<'_>) -> Result<Attribute, Invalid> {
    if let Some(text) = view.string_or_none() {
        return Ok(Attribute::Text(Rc::from(text)));
    }
    if view.is_list() {
        let members: Result<Vec<&str>, Invalid> = view.list()?.iter().map(View::text).collect();
        return Ok(Attribute::List(TextList::from(members?)));
    }
    view.number().map(Attribute::Number).map_err(|_| Invalid)
}

/// Groups with their members, which have to be models.
fn groups<'a>(
    parameters: &Params<'a>,
    models: &[Candidate],
    complete: bool,
) -> Result<Vec<(&'a str, Vec<&'a str>)>, Invalid> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for view in parameters.elements("groups")? {
        let object = view.object(&["name", "models"])?;
        let (name, section) = (object.require("name")?.text()?, object.require("models")?);
        let list = section.list()?;
        if list.is_empty() {
            return Err(section.invalid(format!("the group {name:?} has no members")));
        }
        if groups.iter().any(|(known, _)| *known == name) {
            return Err(view.invalid(format!("the group {name:?} stands here a second time")));
        }
        let mut members = Vec::new();
        for member in list {
            let text = member.text()?;
            // A model that is itself wrong is reported there, and not here again.
            if complete && !models.iter().any(|model| model.name() == text) {
                return Err(member.invalid(format!("{text:?} is none of the models")));
            }
            members.push(text);
        }
        groups.push((name, members));
    }
    Ok(groups)
}
