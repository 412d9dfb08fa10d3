//! Each way in which a request that went on can end is accounted for once, under its own name.

use std::time::Duration;

use anyhow::Result;
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Cluster, Filter, Listener};
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};

use crate::support::CHAT;
use crate::support::configs::{HI, OBSERVED, USAGE};
use crate::support::rig::{CASE, Rig, stock, tag};

const RESULTS: [&str; 5] = ["ok", "error", "reset", "aborted", "unanswered"];

async fn results(rig: &Rig) -> Result<Vec<f64>> {
    let metrics = rig.envoy.metrics("ipp_responses_total").await?;
    let series = |result| format!("ipp_responses_total{{model=\"llama\",result=\"{result}\"}}");
    Ok(RESULTS.map(|result| metrics.get(&series(result)).copied().unwrap_or(-1.0)).to_vec())
}

/// One more under that name, and nothing else, once the stream is gone.
async fn ended(rig: &Rig, before: &[f64], result: &str, what: &str) -> Result<()> {
    rig.idle("main").await?;
    let mut expected = before.to_vec();
    let at = RESULTS.iter().position(|known| *known == result).unwrap_or_default();
    expected[at] += 1.0;
    let same = async || Ok((results(rig).await? == expected).then_some(()));
    until(&format!("{what} counted as {result}: {expected:?}"), same).await?;
    Ok(())
}

fn request() -> (String, Request) {
    tag(Request::post(CHAT, r#"{"model":"llama","stream":true}"#))
}

fn stream() -> Answer {
    Answer::events([(Duration::ZERO, HI), (Duration::ZERO, USAGE), (Duration::ZERO, "[DONE]")])
}

#[tokio::test]
async fn endings_that_the_model_server_makes() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    let hi = || Answer::events([(Duration::ZERO, HI)]);
    let failure = Answer::events([(Duration::ZERO, r#"{"error":{"message":"out of memory","code":500}}"#)]);
    let cases = [
        ("a stream", stream(), "ok"),
        ("a stream with trailers", stream().trailer("x-end", "1"), "ok"),
        ("a document", Answer::body(200, "application/json", "{}"), "ok"),
        ("no content", Answer::status(204), "ok"),
        ("400", Answer::body(400, "application/json", r#"{"error":{"message":"no"}}"#), "error"),
        ("503 of its own", Answer::body(503, "text/plain", "busy"), "error"),
        ("a failure in a stream", failure, "error"),
        ("a reset before the headers", Answer::status(200).first(Step::Reset), "unanswered"),
        ("a reset after an event", hi().then(Step::Reset), "reset"),
    ];
    for (what, answer, result) in cases {
        for protocol in [H1, H2] {
            let before = results(&rig).await?;
            let (case, request) = request();
            rig.script(&case, answer.clone());
            rig.ask(protocol, "main", request).await?;
            ended(&rig, &before, result, what).await?;
        }
    }
    let metrics = rig.envoy.metrics("ipp_prompt").await?;
    assert_eq!(metrics[r#"ipp_prompt_tokens_total{model="llama",tenant="other"}"#], 9.0 * 4.0);
    rig.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn endings_that_the_client_makes() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    for (what, inside) in [("before the response", false), ("inside of the response", true)] {
        for close in [false, true] {
            let before = results(&rig).await?;
            let gate = Gate::new();
            let (case, request) = request();
            let answer = Answer::events([(Duration::ZERO, HI)]).then(Step::Hold(gate.clone()));
            rig.script(
                &case,
                if inside { answer } else { Answer::status(200).first(Step::Hold(gate.clone())) },
            );
            let mut connection = h1::Connection::open(rig.address("main")).await?;
            connection.send(&request.wire()).await?;
            rig.log.arrival(CASE, &case).await?;
            if inside {
                let mut incoming = within("the head", connection.incoming("POST")).await?;
                within("an event", connection.piece(&mut incoming)).await?;
            }
            if close {
                drop(connection)
            } else {
                connection.abort()?
            }
            ended(&rig, &before, "aborted", what).await?;
            gate.open();
        }
        let before = results(&rig).await?;
        let gate = Gate::new();
        let (case, request) = request();
        let answer = Answer::events([(Duration::ZERO, HI)]).then(Step::Hold(gate.clone()));
        rig.script(&case, if inside { answer } else { Answer::status(200).first(Step::Hold(gate.clone())) });
        let mut connection = h2::Connection::open(rig.address("main")).await?;
        let stream = connection.send_request(&request).await?;
        rig.log.arrival(CASE, &case).await?;
        stream.reset();
        ended(&rig, &before, "aborted", &format!("{what}, a stream of HTTP/2")).await?;
        gate.open();
    }
    rig.assert_healthy().await;
    Ok(())
}

/// Time-outs of the route, no connection, and a response that a plugin refuses.
#[tokio::test]
async fn endings_that_envoy_or_the_filter_makes() -> Result<()> {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let filter = || crate::attach(Filter::new(&artifacts::module(), OBSERVED));
    let refused = Listener::new("main", filter(), Vec::new(), "nobody");
    let rig = Rig::start_with(Bootstrap::new(vec![refused], vec![Cluster::new("nobody", nobody)])).await?;
    for protocol in [H1, H2] {
        let before = results(&rig).await?;
        assert_eq!(rig.ask(protocol, "main", request().1).await?.response.status, 503);
        ended(&rig, &before, "unanswered", "no connection").await?;
    }
    rig.assert_healthy().await;

    for (what, idle, inside, result) in [
        ("a time-out", false, false, "unanswered"),
        ("a time-out in a stream", false, true, "reset"),
        ("a still stream", true, true, "reset"),
    ] {
        let mut main = stock("main", OBSERVED);
        if idle {
            main.idle_timeout = Some("0.3s".to_owned());
        } else {
            main.timeout = "0.3s".to_owned();
        }
        let rig = Rig::start(vec![main]).await?;
        for protocol in [H1, H2] {
            let before = results(&rig).await?;
            let gate = Gate::new();
            let (case, request) = request();
            let answer = Answer::events([(Duration::ZERO, HI)]).then(Step::Hold(gate.clone()));
            let silent = Answer::status(200).first(Step::Hold(gate.clone()));
            rig.script(&case, if inside { answer } else { silent });
            let response = rig.ask(protocol, "main", request).await?.response;
            let expected = if inside { (200, true) } else { (504, false) };
            assert_eq!((response.status, response.broken.is_some()), expected, "{what}");
            ended(&rig, &before, result, what).await?;
            gate.open();
        }
        rig.assert_healthy().await;
    }
    Ok(())
}

/// Requests that did not go on have no response to be accounted for.
#[tokio::test]
async fn what_did_not_go_on_is_not_accounted_for() -> Result<()> {
    let rig = Rig::start(vec![stock("main", OBSERVED)]).await?;
    let before = results(&rig).await?;
    for request in
        [Request::post(CHAT, "{"), Request::get("/v1/models"), Request::post(CHAT, r#"{"model":[]}"#)]
    {
        rig.ask(H1, "main", request).await?;
    }
    assert_eq!(results(&rig).await?, before);
    rig.assert_healthy().await;
    Ok(())
}
