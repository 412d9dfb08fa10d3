//! What can be known about a candidate: typed values under typed keys.

use crate::digest::CostDigest;
use crate::figure::{Figure, Health};
use crate::ttft_curve::TtftCurve;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

/// Groups that a model belongs to (upstream's `model_groups`): absent, not empty, when it is in none.
pub static MODEL_GROUPS: AttributeKey<TextList> = AttributeKey::new("model_groups");

/// What a model's tokens cost (upstream's `token_prices`).
pub static TOKEN_PRICES: AttributeKey<TokenPrices> = AttributeKey::new("token_prices");

/// Requests that the model is serving now, over all workers (upstream's `request-metadata`.Requests).
pub static IN_FLIGHT: AttributeKey<f64> = AttributeKey::new("inflight-requests");

/// Tokens that requests in flight may still generate: the sum of what they asked for (upstream's
/// `request-metadata`.Tokens).
pub static IN_FLIGHT_TOKENS: AttributeKey<f64> = AttributeKey::new("inflight-tokens");

/// How many requests the model can serve at once, all its servers together. From configuration.
pub static CAPACITY: AttributeKey<f64> = AttributeKey::new("capacity");

/// Average time to first token in seconds (upstream's `request-metadata`.AvgTTFT).
pub static AVG_TTFT: AttributeKey<Figure> = AttributeKey::new("avg-ttft");

/// Average time per output token in seconds (upstream's `request-metadata`.AvgTPOT).
pub static AVG_TPOT: AttributeKey<Figure> = AttributeKey::new("avg-tpot");

/// Tokens per second that the model generates, all its requests together (upstream's never computed
/// `request-metadata`.TokensPerSec).
pub static TOKENS_PER_SECOND: AttributeKey<Figure> = AttributeKey::new("tokens-per-second");

/// Time to first token against load (upstream's `ttft-percentile`).
pub static TTFT_CURVE: AttributeKey<TtftCurve> = AttributeKey::new("ttft-percentile");

/// What requests have cost, in USD (upstream's `cost_digest`).
pub static COST_DIGEST: AttributeKey<CostDigest> = AttributeKey::new("cost_digest");

/// How often the model fails.
pub static HEALTH: AttributeKey<Health> = AttributeKey::new("health");

/// The value of an attribute. Cloning one never copies text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute {
    /// One string.
    Text(Rc<str>),
    /// One number; a live figure is one too.
    Number(f64),
    /// Several strings.
    List(TextList),
    /// Prices of a token.
    Prices(TokenPrices),
    /// A number that was observed, with the time of it.
    Figure(Figure),
    /// How often a model fails.
    Health(Health),
    /// Time to first token against load.
    Curve(TtftCurve),
    /// A distribution of costs.
    Digest(Rc<CostDigest>),
}

impl Attribute {
    /// The attribute as one number with the time at which it was observed, if it is one; `part` chooses
    /// within those that are several: `input` or `output` of prices, `error_rate` of [`HEALTH`], `floor`,
    /// `low` or `high` of [`TTFT_CURVE`].
    pub fn number(&self, part: Option<&str>) -> Option<Number> {
        let constant = |value: f64| Some(Number { value, at_ns: None });
        match (self, part) {
            (Self::Number(value), None) => constant(*value),
            (Self::Figure(figure), None) => Some(Number { value: figure.value, at_ns: Some(figure.at_ns) }),
            (Self::Prices(prices), Some("input")) => constant(prices.input),
            (Self::Prices(prices), Some("output")) => constant(prices.output),
            (Self::Health(health), Some("error_rate")) => {
                Some(Number { value: health.error_rate, at_ns: Some(health.at_ns) })
            }
            (Self::Curve(curve), Some(part)) => {
                let value = match part {
                    "floor" => curve.floor,
                    "low" => curve.low.ttft,
                    "high" => curve.high.ttft,
                    _ => return None,
                };
                Some(Number { value, at_ns: Some(curve.at_ns) })
            }
            _ => None,
        }
    }
}

/// A number that an attribute stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// The number.
    pub value: f64,
    /// When it was observed, in nanoseconds since the Unix epoch; `None` for what does not age.
    pub at_ns: Option<u64>,
}

/// Prices in USD per single token: a price list says USD per million, so divide by 1e6 first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TokenPrices {
    /// A token of the prompt.
    pub input: f64,
    /// A token of the completion.
    pub output: f64,
}

impl TokenPrices {
    /// What a request costs, in USD (upstream's `model-cost-extractor`).
    pub fn cost(&self, prompt_tokens: f64, completion_tokens: f64) -> f64 {
        prompt_tokens * self.input + completion_tokens * self.output
    }
}

/// Several strings, shared. Build it from an array, a `Vec` or any iterator of strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextList(Rc<[Rc<str>]>);

impl TextList {
    /// Whether exactly this text is in the list.
    pub fn contains(&self, text: &str) -> bool {
        self.0.iter().any(|member| **member == *text)
    }

    /// The members in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|member| &**member)
    }
}

impl<S: Into<Rc<str>>> FromIterator<S> for TextList {
    fn from_iter<I: IntoIterator<Item = S>>(members: I) -> Self {
        Self(members.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<Rc<str>>, const N: usize> From<[S; N]> for TextList {
    fn from(members: [S; N]) -> Self {
        members.into_iter().collect()
    }
}

impl<S: Into<Rc<str>>> From<Vec<S>> for TextList {
    fn from(members: Vec<S>) -> Self {
        members.into_iter().collect()
    }
}

/// A type that an attribute can have: `str`, `f64`, [`TextList`], [`TokenPrices`], [`Figure`], [`Health`],
/// [`TtftCurve`] or [`CostDigest`].
pub trait AttributeType: 'static {
    /// How a candidate keeps it.
    type Stored: Into<Attribute>;

    /// The value, or `None` if the attribute is of another type.
    fn read(attribute: &Attribute) -> Option<&Self>;
}

/// Implements [`AttributeType`] for the type that one variant of [`Attribute`] holds.
macro_rules! attribute_type {
    ($($type:ty, stored as $stored:ty, in $variant:ident;)*) => {$(
        impl AttributeType for $type {
            type Stored = $stored;

            fn read(attribute: &Attribute) -> Option<&Self> {
                match attribute {
                    Attribute::$variant(value) => Some(value),
                    _ => None,
                }
            }
        }

        impl From<$stored> for Attribute {
            fn from(value: $stored) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

attribute_type! {
    str, stored as Rc<str>, in Text;
    f64, stored as f64, in Number;
    TextList, stored as TextList, in List;
    TokenPrices, stored as TokenPrices, in Prices;
    Figure, stored as Figure, in Figure;
    Health, stored as Health, in Health;
    TtftCurve, stored as TtftCurve, in Curve;
    CostDigest, stored as Rc<CostDigest>, in Digest;
}

/// The name of an attribute together with its type, so that reading it needs no match.
pub struct AttributeKey<T: ?Sized> {
    name: Cow<'static, str>,
    // A key owns no `T`: this spelling keeps it `Sync`, which a `static` needs.
    value: PhantomData<fn(&T)>,
}

impl<T: AttributeType + ?Sized> AttributeKey<T> {
    /// A key known when the program is written.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), value: PhantomData }
    }

    /// A key that a configuration names.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), value: PhantomData }
    }

    /// The name alone.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Cow<'static, str> {
        self.name.clone()
    }
}

// Derived, these two would ask the same of `T`.
impl<T: ?Sized> Clone for AttributeKey<T> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), value: PhantomData }
    }
}

impl<T: ?Sized> fmt::Debug for AttributeKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AttributeKey").field(&self.name).finish()
    }
}
