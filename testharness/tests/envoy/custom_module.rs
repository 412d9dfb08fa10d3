//! A module of one's own, made of the stock plugins and those of `examples/custom-plugin`: edits of the body,
//! and a header of the response.

use anyhow::Result;
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Filter, Listener};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::rig::{Rig, Shared, listener, tag};
use crate::support::{CHAT, LLAMA, QWEN};

static RIG: Shared = Shared::new();

const CONFIG: &str = "\
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-alias
  parameters:
    aliases:
      gpt-4: meta-llama/Llama-3.1-8B-Instruct
      an-alias-that-is-a-lot-longer-than-the-name-that-it-stands-for: sql-lora
- type: alias-to-header
- type: body-field-to-header
  parameters: {fieldName: model, headerName: X-Gateway-Model-Name}
- type: base-model-to-header
  parameters:
    mappings:
    - baseModel: meta-llama/Llama-3.1-8B-Instruct
    - baseModel: Qwen/Qwen2.5-1.5B-Instruct
      adapters: [sql-lora]
profiles:
- name: default
  plugins:
    request:
    - pluginRef: model-alias
    - pluginRef: body-field-to-header
    - pluginRef: base-model-to-header
postProcessing:
  plugins:
  - pluginRef: alias-to-header
";

const SHORT: &str = "gpt-4";
const LONG: &str = "an-alias-that-is-a-lot-longer-than-the-name-that-it-stands-for";

fn listeners() -> Vec<Listener> {
    let filter = Filter::new(&artifacts::custom_module(), CONFIG);
    let last = format!("{CONFIG}proxyWasm:\n  requestBody: {{duplicateKeys: last}}\n");
    let last = Filter::new(&artifacts::custom_module(), &last);
    vec![
        listener("main", filter.clone(), ""),
        listener("pools-over-h2", filter, "-h2"),
        listener("last", last, ""),
    ]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

/// What a model is replaced with, what its base is, and where that is served.
const PLACES: [(&str, &str, &str, &str); 4] = [
    (SHORT, LLAMA, LLAMA, "llama-pool"),
    (LONG, "sql-lora", QWEN, "qwen-pool"),
    ("sql-lora", "sql-lora", QWEN, "qwen-pool"),
    ("gpt-5", "gpt-5", "", "default-pool"),
];

/// A body with that model, with everything about it that an edit must leave alone.
fn body(model: &str) -> String {
    format!(
        "{{ \"z\":1.0,\"nested\":{{\"model\":\"gpt-4\"}}, \"model\" : \"{model}\" ,\"é\":\"\\u00e9\\/\", \"a\":1e0 }}\n"
    )
}

#[tokio::test]
async fn a_longer_and_a_shorter_model() {
    run(async |rig| {
        for listener in ["main", "pools-over-h2"] {
            for protocol in [H1, H2] {
                for (model, becomes, base, pool) in PLACES {
                    for request in [
                        Request::post(CHAT, body(model)),
                        Request::post(CHAT, body(model)).chunked(&[1, 30, 9]),
                        Request::post(CHAT, body(model)).trailer("x-checksum", "1"),
                    ] {
                        let exchange = rig.ask(protocol, listener, request).await?;
                        let arrived = exchange.rewritten(pool, becomes, base, &body(becomes));
                        assert_eq!(arrived.trailers, exchange.sent.trailers);
                        let alias = (model != becomes).then(|| model.to_owned());
                        assert_eq!(exchange.response.header("x-model-alias"), alias);
                    }
                }
            }
        }
        Ok(())
    })
    .await;
}

/// A length that does not fit the body would make the rest of it, or the next request, something else.
#[tokio::test]
async fn the_next_request_on_the_same_connection_is_unharmed() {
    run(async |rig| {
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        let mut used = Vec::new();
        for (model, becomes, base, pool) in PLACES.into_iter().cycle().take(24) {
            let (_, request) = tag(Request::post(CHAT, body(model)));
            let response = within("the answer", connection.exchange(&request)).await?;
            let exchange = rig.seen(request, response);
            let arrived = exchange.rewritten(pool, becomes, base, &body(becomes));
            used.push((pool, arrived.connection));
        }
        used.sort_unstable();
        used.dedup();
        assert!(used.len() < 24, "no connection to a pool was used twice");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn pipelined_requests_are_unharmed() {
    run(async |rig| {
        let requests: Vec<_> = PLACES.iter().map(|place| tag(Request::post(CHAT, body(place.0))).1).collect();
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&requests.iter().flat_map(Request::wire).collect::<Vec<_>>()).await?;
        for (request, (_, becomes, base, pool)) in requests.into_iter().zip(PLACES) {
            let response = within("the answer", connection.response("POST")).await?;
            rig.seen(request, response).rewritten(pool, becomes, base, &body(becomes));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_escaped_model_is_replaced_as_a_whole() {
    run(async |rig| {
        for spelling in [r"gpt\u002d4", r"\u0067\u0070\u0074\u002d\u0034"] {
            let text = format!(r#"{{"mod\u0065l":"{spelling}","n":1}}"#);
            let exchange = rig.ask(H1, "main", Request::post(CHAT, text)).await?;
            let expected = format!(r#"{{"mod\u0065l":"{LLAMA}","n":1}}"#);
            exchange.rewritten("llama-pool", LLAMA, LLAMA, &expected);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn over_http_1_0_and_after_100_continue() {
    run(async |rig| {
        for (model, becomes, base, pool) in PLACES {
            let (_, request) = tag(Request::post(CHAT, body(model)));
            let request = Request { version: "HTTP/1.0", ..request };
            let mut connection = h1::Connection::open(rig.address("main")).await?;
            let response = within("the answer", connection.exchange(&request)).await?;
            rig.seen(request, response).rewritten(pool, becomes, base, &body(becomes));

            let (_, request) = tag(Request::post(CHAT, body(model)).header("expect", "100-continue"));
            let mut connection = h1::Connection::open(rig.address("main")).await?;
            connection.send(&request.head()).await?;
            assert_eq!(within("the interim answer", connection.interim()).await?, 100);
            connection.send(&request.body).await?;
            let response = within("the answer", connection.response("POST")).await?;
            rig.seen(request, response).rewritten(pool, becomes, base, &body(becomes));
        }
        Ok(())
    })
    .await;
}

/// Whatever parser is behind us, it must not find the alias any more.
#[tokio::test]
async fn every_one_of_duplicate_models_is_replaced() {
    run(async |rig| {
        let text = r#"{"model":"sql-lora","n":1,"mod\u0065l":[1],"model":"gpt-4","m":2}"#;
        let exchange = rig.ask(H1, "last", Request::post(CHAT, text)).await?;
        let name = format!("\"{LLAMA}\"");
        let expected = format!(r#"{{"model":{name},"n":1,"mod\u0065l":{name},"model":{name},"m":2}}"#);
        exchange.rewritten("llama-pool", LLAMA, LLAMA, &expected);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn five_megabytes_with_the_model_anywhere() {
    run(async |rig| {
        let filler = "x".repeat(2_600_000);
        for protocol in [H1, H2] {
            for (before, after) in [("", filler.as_str()), (&filler, &filler), (&filler, "")] {
                let text = |model: &str| format!(r#"{{"a":"{before}","model":"{model}","b":"{after}"}}"#);
                for (model, becomes, base, pool) in &PLACES[..2] {
                    let exchange = rig.ask(protocol, "main", Request::post(CHAT, text(model))).await?;
                    exchange.rewritten(pool, becomes, base, &text(becomes));
                }
            }
        }
        Ok(())
    })
    .await;
}
