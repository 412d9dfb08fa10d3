//! What the tests share: an Envoy with three pools behind it, and what has to be true of one exchange.

pub(crate) mod configs;
pub(crate) mod exchange;
pub(crate) mod kept;
pub(crate) mod rig;

/// The header that holds the model of the body.
pub(crate) const MODEL: &str = "x-gateway-model-name";
/// The header that holds its base model.
pub(crate) const BASE: &str = "x-gateway-base-model-name";
/// The base model of `llama-pool`.
pub(crate) const LLAMA: &str = "meta-llama/Llama-3.1-8B-Instruct";
/// The base model of `qwen-pool`.
pub(crate) const QWEN: &str = "Qwen/Qwen2.5-1.5B-Instruct";
/// The path that most tests send to.
pub(crate) const CHAT: &str = "/v1/chat/completions";
