//! The shapes of the OpenAI API, as vLLM fills them in.

use serde_json::{Value, json};

use super::Model;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Chat,
    Text,
    Embeddings,
}

/// One generated answer, whole or as a stream.
pub(super) struct Generation {
    endpoint: Endpoint,
    model: String,
    words: Vec<String>,
    prompt_tokens: u64,
}

/// All answers carry the same time, so that they can be compared.
const CREATED: u64 = 1_763_000_000;

impl Generation {
    pub(super) fn new(endpoint: Endpoint, server: &str, model: &str, body: &Value) -> Self {
        let input = match endpoint {
            Endpoint::Chat => &body["messages"],
            Endpoint::Text => &body["prompt"],
            Endpoint::Embeddings => &body["input"],
        };
        // Four bytes a token is close enough for a simulation.
        let prompt_tokens = input.to_string().len() as u64 / 4;
        let text = format!("This is {model} on {server} .");
        let words = text.split_inclusive(' ').map(str::to_owned).collect();
        Self { endpoint, model: model.to_owned(), words, prompt_tokens }
    }

    pub(super) fn prompt_tokens(&self) -> u64 {
        self.prompt_tokens
    }

    pub(super) fn completion_tokens(&self) -> u64 {
        match self.endpoint {
            Endpoint::Embeddings => 0,
            Endpoint::Chat | Endpoint::Text => self.words.len() as u64,
        }
    }

    /// The answer in one document.
    pub(super) fn whole(&self) -> Value {
        let text = self.words.concat();
        match self.endpoint {
            Endpoint::Chat => {
                let message = json!({"role": "assistant", "content": text});
                let choice =
                    json!({"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"});
                self.document("chat.completion", json!({"choices": [choice], "usage": self.usage()}))
            }
            Endpoint::Text => {
                let choice = json!({"index": 0, "text": text, "logprobs": null, "finish_reason": "stop"});
                self.document("text_completion", json!({"choices": [choice], "usage": self.usage()}))
            }
            Endpoint::Embeddings => {
                let data =
                    json!([{"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.125, 1.0]}]);
                self.document("list", json!({"data": data, "usage": self.usage()}))
            }
        }
    }

    /// The answer as the data of server-sent events.
    pub(super) fn events(&self, include_usage: bool) -> Vec<String> {
        let object = match self.endpoint {
            Endpoint::Chat => "chat.completion.chunk",
            _ => "text_completion",
        };
        let chunk = |choices: Value, usage: Value| {
            let mut document = self.document(object, json!({"choices": choices}));
            if include_usage {
                document["usage"] = usage;
            }
            document.to_string()
        };
        let choice = |delta: Value, text: &str, finish: Option<&str>| match self.endpoint {
            Endpoint::Chat => {
                json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}])
            }
            _ => json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]),
        };
        let mut events = Vec::new();
        if self.endpoint == Endpoint::Chat {
            events.push(chunk(choice(json!({"role": "assistant", "content": ""}), "", None), Value::Null));
        }
        for word in &self.words {
            events.push(chunk(choice(json!({"content": word}), word, None), Value::Null));
        }
        events.push(chunk(choice(json!({}), "", Some("stop")), Value::Null));
        if include_usage {
            events.push(chunk(json!([]), self.usage()));
        }
        events.push("[DONE]".to_owned());
        events
    }

    fn document(&self, object: &str, rest: Value) -> Value {
        let id = match self.endpoint {
            Endpoint::Chat => "chatcmpl-simulated",
            Endpoint::Text => "cmpl-simulated",
            Endpoint::Embeddings => "embd-simulated",
        };
        let mut document = json!({"id": id, "object": object, "created": CREATED, "model": self.model});
        if let (Some(all), Value::Object(rest)) = (document.as_object_mut(), rest) {
            all.extend(rest);
        }
        document
    }

    fn usage(&self) -> Value {
        let (prompt, completion) = (self.prompt_tokens, self.completion_tokens());
        json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
    }
}

/// The list of models: base models first, then their adapters, which name them as their parents.
pub(super) fn models(served: &[Model]) -> Value {
    let card = |name: &str, parent: Option<&str>| {
        json!({
            "id": name, "object": "model", "created": CREATED, "owned_by": "vllm", "root": name, "parent": parent,
            "max_model_len": parent.is_none().then_some(8192),
        })
    };
    let mut cards = Vec::new();
    for model in served {
        cards.push(card(&model.base, None));
        cards.extend(model.adapters.iter().map(|name| card(name, Some(&model.base))));
    }
    json!({"object": "list", "data": cards})
}

/// An error.
pub(super) fn error(status: u16, kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": status}})
}
