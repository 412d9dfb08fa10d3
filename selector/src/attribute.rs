//! What can be known about a candidate: typed values under typed keys.

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
}

/// Prices in USD per single token: a price list says USD per million, so divide by 1e6 first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TokenPrices {
    /// A token of the prompt.
    pub input: f64,
    /// A token of the completion.
    pub output: f64,
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

/// A type that an attribute can have: `str`, `f64`, [`TextList`] or [`TokenPrices`].
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
