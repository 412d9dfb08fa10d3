//! `scoring-debug-headers`: what a response says of the choice, as the model is measured by and by.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::client::{Request, Response, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};

use super::{Selection, ask, start, until_in_flight};
use crate::support::CHAT;
use crate::support::configs::HI;
use crate::support::rig::{CASE, Rig, stock, tag};

/// Times to the first token.
const IDLE: Duration = Duration::from_millis(20);
const LOADED: Duration = Duration::from_millis(60);

/// With measurements that count for that long.
fn config(max_age: &str) -> String {
    let scorer = format!("{{type: ttft-aware-scorer, parameters: {{maxAge: {max_age}}}}}");
    let extractor = "{type: ttft-percentile-extractor, parameters: {intervalDuration: 1ns, minRequests: 3}}";
    let config = Selection {
        models: "{name: a}, {name: b}",
        plugins: &["type: inflight-requests-scorer", "type: scoring-debug-headers", &scorer, extractor],
        request: &[
            "{pluginRef: inflight-requests-scorer, weight: 2}",
            "{pluginRef: ttft-aware-scorer, weight: 1}",
        ],
        response: &["pluginRef: scoring-debug-headers"],
    };
    let extracted = "model-config-datasource}], extractors: [{pluginRef: ttft-percentile-extractor}]}";
    config.config().replace("model-config-datasource}]}\nprofiles", &format!("{extracted}\nprofiles"))
}

/// The header of that name behind `x-ipp-scorer-`.
fn told(response: &Response, name: &str) -> Option<String> {
    response.headers.get(format!("x-ipp-scorer-{name}").as_str())
}

/// What an answer for `a` says that the model server forged; it is not streamed, and so it is no measurement.
async fn explanation(rig: &Rig, listener: &str) -> Result<Response> {
    let (case, request) = tag(ask("a"));
    let names =
        ["model", "inflight", "scores", "candidates", "state", "recentn", "floor", "p50", "effectivettft"];
    let forged = names
        .iter()
        .fold(Answer::status(200), |answer, name| answer.header(&format!("X-IPP-Scorer-{name}"), "forged"));
    rig.script(&case, forged);
    let response = rig.ask(H2, listener, request).await?.response;
    ensure!(
        names.iter().all(|name| told(&response, name).is_none_or(|value| value != "forged")),
        "{response:?}"
    );
    Ok(response)
}

/// Measures `a` so often, with an answer that takes so long to begin, and with so many other requests in flight.
async fn measure(rig: &Rig, times: u32, ttft: Duration, beside: f64) -> Result<()> {
    for _ in 0..times {
        until_in_flight(rig, beside).await?;
        let (case, request) = tag(Request::post(CHAT, r#"{"model":"a","stream":true}"#));
        rig.script(&case, Answer::events([(ttft, HI), (Duration::ZERO, "[DONE]")]));
        let exchange = rig.ask(H1, "main", request).await?;
        ensure!(exchange.response.status == 200 && exchange.response.text().contains("Hi"));
    }
    Ok(())
}

/// Waits until an answer says that the model is in that state, after so many measurements, with so many in flight.
async fn until_state(rig: &Rig, listener: &str, wanted: [&str; 3]) -> Result<Response> {
    until(&format!("{wanted:?}"), async || {
        let response = explanation(rig, listener).await?;
        let found = ["state", "recentn", "inflight"].map(|name| told(&response, name).unwrap_or_default());
        Ok((found == wanted).then_some(response))
    })
    .await
}

/// Seconds that a header says.
fn seconds(response: &Response, name: &str) -> Result<f64> {
    let text = told(response, name).with_context(|| format!("no {name} in {response:?}"))?;
    text.parse().with_context(|| format!("{name} is {text:?}"))
}

#[tokio::test]
async fn a_response_says_why_its_model_and_how_well_that_is_known() -> Result<()> {
    let rig = start(vec![stock("main", &config("1h")), stock("hasty", &config("1ns"))]).await?;
    let cold = until_state(&rig, "main", ["cold", "0", "0"]).await?;
    for (name, value) in [
        ("model", "a"),
        (
            "scores",
            "inflight-requests-scorer;score=1.000;weight=2.000, ttft-aware-scorer;score=1.000;weight=1.000",
        ),
        ("candidates", r#""a";total=3.000, "b";removed-by=model-group-name-filter"#),
    ] {
        ensure!(told(&cold, name).as_deref() == Some(value), "{name}: {cold:?}");
    }
    for name in ["floor", "p50", "effectivettft"] {
        ensure!(told(&cold, name).is_none(), "{name}: {cold:?}");
    }

    // Measured, but not often enough, then often enough, but with nothing else in flight, then beside another request.
    measure(&rig, 1, IDLE, 0.0).await?;
    let cold = until_state(&rig, "main", ["cold", "1", "0"]).await?;
    ensure!(seconds(&cold, "p50")? >= IDLE.as_secs_f64() && told(&cold, "floor").is_none(), "{cold:?}");
    measure(&rig, 2, IDLE, 0.0).await?;
    let seed = until_state(&rig, "main", ["seed", "3", "0"]).await?;
    ensure!(seconds(&seed, "floor")? == seconds(&seed, "effectivettft")?, "{seed:?}");
    let gate = Gate::new();
    let (case, request) = tag(ask("a"));
    rig.script(&case, Answer::status(200).first(Step::Hold(gate.clone())));
    let mut connection = h1::Connection::open(rig.address("main")).await?;
    connection.send_request(&request).await?;
    rig.log.arrival(CASE, &case).await?;
    measure(&rig, 5, LOADED, 1.0).await?;
    let trusted = until_state(&rig, "main", ["trusted", "8", "1"]).await?;
    for name in ["floor", "p50", "effectivettft"] {
        let seconds = seconds(&trusted, name)?;
        ensure!((IDLE.as_secs_f64()..20.0).contains(&seconds), "{name} is {seconds}");
    }
    gate.open();
    within("an answer", connection.response("POST")).await?;
    // The same measurements, where nothing that is older than a nanosecond counts.
    let stale = until_state(&rig, "hasty", ["stale", "8", "0"]).await?;
    ensure!(told(&stale, "effectivettft").is_none(), "{stale:?}");
    ensure!(told(&stale, "scores").is_some_and(|scores| scores.contains("ttft-aware-scorer;score=0.500")));
    until_in_flight(&rig, 0.0).await?;
    rig.assert_healthy().await;
    Ok(())
}
