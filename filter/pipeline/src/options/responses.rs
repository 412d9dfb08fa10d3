//! `proxyWasm.responses` and `proxyWasm.attribution`: whether responses are observed, and by what they are counted.

use super::elements;
use crate::config::{Invalid, View};
use crate::metrics::is_label_value;

/// How many models, and how many tenants, can have series of their own: there is one for each pair.
pub const MAX_LABELS: usize = 32;
/// What counts for every model or tenant that is not listed.
const OTHER: &str = "other";
/// A price above this, in USD for a million tokens, is a mistake in the unit.
pub(crate) const HIGHEST_PRICE: f64 = 1_000_000.0;

/// What is observed of responses.
#[derive(Clone, Debug, PartialEq)]
pub struct Responses {
    /// Whether anything is.
    pub observe: bool,
    /// Whether bodies are read for tokens and all else that they tell; a stream is read up to its first content anyway.
    pub tokens: bool,
    /// The models with series of their own.
    pub models: Vec<PricedModel>,
    /// Whether the access log gets to know it.
    pub access_log: bool,
    /// By whom tokens are counted.
    pub attribution: Option<Attribution>,
}

/// A model with its prices.
#[derive(Clone, Debug, PartialEq)]
pub struct PricedModel {
    /// Its name, as it stands in requests.
    pub name: String,
    /// What its tokens cost, if that is known.
    pub prices: Option<Prices>,
}

/// Prices of one token, in billionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Of a token that was read.
    pub prompt: f64,
    /// Of one that was read from the cache.
    pub cached: f64,
    /// Of one that was generated.
    pub completion: f64,
}

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// The request header that names the tenant.
    pub header: String,
    /// The names that are counted.
    pub trusted: Vec<String>,
    /// The label of all others.
    pub other: String,
}

impl Default for Responses {
    fn default() -> Self {
        Self { observe: false, tokens: true, models: Vec::new(), access_log: true, attribution: None }
    }
}

impl Responses {
    /// Reads the section; that it is there switches observation on.
    pub(super) fn read(section: &View<'_>) -> Result<Self, Invalid> {
        let object = section.object(&["observe", "tokens", "accessLog", "models"])?;
        let flag =
            |name, default| object.get(name).map_or(Ok(default), |flag| flag.boolean()).unwrap_or(default);
        let mut responses = Self {
            observe: flag("observe", true),
            tokens: flag("tokens", true),
            access_log: flag("accessLog", true),
            ..Self::default()
        };
        let models = elements(&object, "models");
        if models.len() > MAX_LABELS {
            section
                .invalid(format!("{} models, and at most {MAX_LABELS} can be counted apart", models.len()));
        }
        for view in &models {
            let Ok(model) = PricedModel::read(view) else { continue };
            if model.prices.is_some() && !responses.tokens {
                view.invalid("a price is of tokens, and `tokens: false` says that none are counted");
            }
            if model.name == OTHER || responses.models.iter().any(|known| known.name == model.name) {
                view.invalid(format!(
                    "{:?} stands here already, or means all models that do not",
                    model.name
                ));
            }
            responses.models.push(model);
        }
        Ok(responses)
    }
}

impl PricedModel {
    fn read(view: &View<'_>) -> Result<Self, Invalid> {
        const PROMPT: &str = "inputPerMillion";
        const CACHED: &str = "cachedInputPerMillion";
        const COMPLETION: &str = "outputPerMillion";
        let object = view.object(&["name", PROMPT, CACHED, COMPLETION])?;
        let name = object.require("name")?;
        let text = name.text()?;
        if !is_label_value(text) {
            return Err(name.invalid(format!("{text:?} cannot be a metric label")));
        }
        let price = |key: &str| match object.get(key) {
            None => Ok(None),
            // A dollar for a million tokens is a thousand billionths for one.
            Some(price) => match price.number()? {
                dollars if (0.0..=HIGHEST_PRICE).contains(&dollars) => Ok(Some(dollars * 1000.0)),
                _ => Err(price.expected("a price in USD for a million tokens, from 0 to 1000000")),
            },
        };
        let prices = match (price(PROMPT)?, price(COMPLETION)?, price(CACHED)?) {
            (None, None, None) => None,
            (Some(prompt), Some(completion), cached) => {
                Some(Prices { prompt, completion, cached: cached.unwrap_or(prompt) })
            }
            _ => return Err(object.invalid(format!("prices need both {PROMPT} and {COMPLETION}"))),
        };
        Ok(Self { name: text.to_owned(), prices })
    }
}

impl Attribution {
    pub(super) fn read(section: &View<'_>) -> Result<Self, Invalid> {
        let object = section.object(&["header", "trusted", "other"])?;
        let header = object.require("header")?.text()?.to_owned();
        let other = object.get("other").map_or(Ok(OTHER), |other| other.text())?.to_owned();
        let mut trusted: Vec<String> = Vec::new();
        for name in elements(&object, "trusted") {
            let text = name.text()?;
            if !is_label_value(text) || trusted.iter().any(|known| known == text) || text == other {
                name.invalid(format!("{text:?} stands here already, or cannot be a metric label"));
            }
            trusted.push(text.to_owned());
        }
        if trusted.len() > MAX_LABELS {
            section
                .invalid(format!("{} tenants, and at most {MAX_LABELS} can be counted apart", trusted.len()));
        }
        if !is_label_value(&other) {
            section.invalid(format!("{other:?} cannot be a metric label"));
        }
        Ok(Self { header, trusted, other })
    }
}
