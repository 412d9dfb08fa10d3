//! Where a request goes, by what its body says.

use anyhow::Result;
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Filter, Listener};
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::message::Headers;
use ipp_testharness::upstream::Protocol::{self, H1, H2};
use ipp_testharness::wait::within;
use serde_json::json;

use crate::support::rig::{CASE, Rig, Shared, listener, stock, tag};
use crate::support::{CHAT, LLAMA, QWEN, configs};

static RIG: Shared = Shared::new();

fn listeners() -> Vec<Listener> {
    let over_h2 = Filter::new(&artifacts::module(), configs::PLAIN);
    vec![
        stock("main", configs::PLAIN),
        listener("pools-over-h2", over_h2, "-h2"),
        stock("scoped", &configs::with(&["paths: [/v1/chat]"])),
    ]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

fn chat(model: &str) -> Request {
    Request::post(CHAT, json!({"model": model, "messages": []}).to_string())
}

/// Model, its base model, and the pool of that.
const PLACES: [(&str, &str, &str); 7] = [
    (LLAMA, LLAMA, "llama-pool"),
    ("food-review-1", LLAMA, "llama-pool"),
    ("cad-fabricator", LLAMA, "llama-pool"),
    (QWEN, QWEN, "qwen-pool"),
    ("qwen-summarizer", QWEN, "qwen-pool"),
    ("sql-lora", QWEN, "qwen-pool"),
    ("gpt-4", "", "default-pool"),
];

async fn every_place(rig: &Rig, protocol: Protocol, listener: &str) -> Result<()> {
    for (model, base, pool) in PLACES {
        rig.ask(protocol, listener, chat(model)).await?.forwarded(pool, Some(model), Some(base));
    }
    Ok(())
}

#[tokio::test]
async fn base_models_and_adapters_over_http1() {
    run(async |rig| every_place(rig, H1, "main").await).await;
}

#[tokio::test]
async fn base_models_and_adapters_over_http2() {
    run(async |rig| every_place(rig, H2, "main").await).await;
}

#[tokio::test]
async fn base_models_and_adapters_to_pools_that_speak_http2() {
    run(async |rig| {
        every_place(rig, H1, "pools-over-h2").await?;
        every_place(rig, H2, "pools-over-h2").await
    })
    .await;
}

#[tokio::test]
async fn without_a_model_no_header_is_set() {
    run(async |rig| {
        for body in
            [r#"{"messages":[]}"#, r#"{}"#, r#"{"model":null,"messages":[]}"#, r#"{"Model":"sql-lora"}"#]
        {
            rig.ask(H1, "main", Request::post(CHAT, body)).await?.forwarded("default-pool", None, None);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn numbers_and_booleans_become_headers_as_they_are_written() {
    run(async |rig| {
        for value in ["1000000", "-12", "1.50", "1e3", "123456789012345678901234567890", "true", "false"] {
            let request = Request::post(CHAT, format!(r#"{{"model": {value} }}"#));
            rig.ask(H1, "main", request).await?.forwarded("default-pool", Some(value), Some(""));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn escaped_keys_and_values_are_read_as_what_they_mean() {
    run(async |rig| {
        let bodies = [
            (r#"{"mod\u0065l":"sql-lora"}"#, "sql-lora", QWEN, "qwen-pool"),
            (
                r#"{"\u006d\u006f\u0064\u0065\u006c":"food\u002dreview-1"}"#,
                "food-review-1",
                LLAMA,
                "llama-pool",
            ),
            (r#"{"model":"meta-llama\/Llama-3.1-8B-Instruct"}"#, LLAMA, LLAMA, "llama-pool"),
            (r#"{"model":"\u00e9\ud83d\ude00"}"#, "é😀", "", "default-pool"),
            (r#"{"model":"é😀"}"#, "é😀", "", "default-pool"),
            (
                r#"{"x":{"model":"gpt-4"},"y":"\"model\":\"gpt-4\"","model":"sql-lora"}"#,
                "sql-lora",
                QWEN,
                "qwen-pool",
            ),
        ];
        for (body, model, base, pool) in bodies {
            rig.ask(H1, "main", Request::post(CHAT, body)).await?.forwarded(pool, Some(model), Some(base));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn json_by_another_name_is_read_too() {
    run(async |rig| {
        let body = r#"{"model":"sql-lora"}"#;
        let types = ["application/json; charset=utf-8", "Application/JSON", "application/vnd.api+json"];
        for content_type in types {
            let request =
                Request::post(CHAT, body).headers(Headers::new().with("content-type", content_type));
            rig.ask(H1, "main", request).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        let untyped = Request::post(CHAT, body).headers(Headers::new());
        rig.ask(H1, "main", untyped).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        let identity = Request::post(CHAT, body).header("content-encoding", "identity");
        rig.ask(H1, "main", identity).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        for method in ["PUT", "PATCH"] {
            let request = Request { method: method.to_owned(), ..Request::post(CHAT, body) };
            rig.ask(H1, "main", request).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        Ok(())
    })
    .await;
}

/// Requests that are none of the filter's business, whatever their bodies say.
fn passing() -> Vec<(&'static str, Request)> {
    let json = r#"{"model":"sql-lora"}"#;
    let typed = |content_type: &str| {
        Request::post(CHAT, json).headers(Headers::new().with("content-type", content_type))
    };
    vec![
        ("main", Request::get("/v1/models")),
        ("main", Request::new("HEAD", "/v1/models")),
        ("main", Request::new("OPTIONS", CHAT)),
        ("main", Request::new("DELETE", "/v1/responses/1")),
        ("main", Request::post(CHAT, "")),
        ("main", typed("text/plain")),
        ("main", typed("application/x-ndjson")),
        ("main", typed("multipart/form-data; boundary=json")),
        ("main", Request::post(CHAT, &b"\x1f\x8b\x08\x00"[..]).header("content-encoding", "gzip")),
        ("main", Request { method: "DELETE".to_owned(), ..Request::post(CHAT, json) }),
        ("scoped", Request::post("/v1/completions", json)),
        ("scoped", Request::post("/?path=/v1/chat", json)),
    ]
}

#[tokio::test]
async fn what_is_out_of_scope_passes_untouched() {
    run(async |rig| {
        for protocol in [H1, H2] {
            for (listener, request) in passing() {
                let head = request.method == "HEAD";
                let exchange = rig.ask(protocol, listener, request).await?;
                match head {
                    true => assert_eq!((exchange.response.status, exchange.arrived.len()), (200, 1)),
                    false => drop(exchange.forwarded("default-pool", None, None)),
                }
            }
        }
        let inside =
            rig.ask(H1, "scoped", Request::post("/v1/chat/completions?x=1", r#"{"model":"sql-lora"}"#));
        inside.await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_out_of_scope_is_not_held() {
    run(async |rig| {
        for (listener, request) in passing().into_iter().filter(|(_, request)| request.body.len() > 1) {
            let (case, request) = tag(request);
            let mut connection = h1::Connection::open(rig.address(listener)).await?;
            let (first, rest) = request.body.split_at(1);
            connection.send(&request.head()).await?;
            connection.send(first).await?;
            rig.log.head_arrival(CASE, &case).await?;
            connection.send(rest).await?;
            let response = within("the answer", connection.response("POST")).await?;
            rig.seen(request, response).forwarded("default-pool", None, None);
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn many_requests_with_different_models_on_one_connection() {
    run(async |rig| {
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        for (model, base, pool) in PLACES.iter().cycle().take(50) {
            let (_, request) = tag(chat(model));
            let response = within("the answer", connection.exchange(&request)).await?;
            rig.seen(request, response).forwarded(pool, Some(model), Some(base));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn pipelined_requests_with_different_models() {
    run(async |rig| {
        let requests: Vec<_> = PLACES.iter().map(|(model, ..)| tag(chat(model)).1).collect();
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&requests.iter().flat_map(Request::wire).collect::<Vec<_>>()).await?;
        for (request, (model, base, pool)) in requests.into_iter().zip(PLACES) {
            let response = within("the answer", connection.response("POST")).await?;
            rig.seen(request, response).forwarded(pool, Some(model), Some(base));
        }
        Ok(())
    })
    .await;
}

/// All bodies are under way at the same time, and end in another order than they began.
#[tokio::test]
async fn thirty_two_http2_streams_with_different_models() {
    run(async |rig| {
        let mut connection = h2::Connection::open(rig.address("main")).await?;
        let mut streams = Vec::new();
        for number in 0..32_usize {
            let (place, base, pool) = PLACES[number % PLACES.len()];
            let model = if base.is_empty() { format!("unknown-{number}") } else { place.to_owned() };
            let (_, request) = tag(chat(&model));
            let mut stream = connection.open_stream(&request, false).await?;
            stream.body.send_data(request.body.slice(..10 + number / 4), false)?;
            streams.push((stream, request, model, base, pool, 10 + number / 4));
        }
        for (stream, request, .., sent) in streams.iter_mut().rev() {
            stream.body.send_data(request.body.slice(*sent..), true)?;
        }
        for (stream, request, model, base, pool, _) in streams {
            let response = within("the answer", stream.response()).await?;
            rig.seen(request, response).forwarded(pool, Some(&model), Some(base));
        }
        Ok(())
    })
    .await;
}
