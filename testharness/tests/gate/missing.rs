//! One of the two is not there, or they are in the wrong order.

use anyhow::Result;
use ipp_testharness::client::Request;
use ipp_testharness::upstream::Protocol::{H1, H2};
use serde_json::json;

use crate::pairs::{listener, stock};
use crate::support::rig::Rig;
use crate::support::{BASE, CHAT, LLAMA, MODEL, QWEN, configs};

const NO_GATE: &str = "no gate is behind this filter";
const NO_READER: &str = "no reader is before this filter";

fn requests() -> [Request; 3] {
    [
        Request::post(CHAT, r#"{"model":"sql-lora"}"#).header(BASE, LLAMA).header(MODEL, "x"),
        Request::post(CHAT, r#"{"model":"sql-lora"}"#).chunked(&[3]).header(BASE, QWEN),
        Request::get("/v1/models").header(BASE, LLAMA),
    ]
}

/// How often each of the two was counted and logged.
async fn counted(rig: &Rig) -> Result<[(f64, usize); 2]> {
    let metrics = rig.envoy.metrics("ipp_").await?;
    let log = rig.envoy.log()?;
    let times = |metric: &str, line: &str| (metrics[metric], log.matches(line).count());
    Ok([times("ipp_gate_missing_total", NO_GATE), times("ipp_reader_missing_total", NO_READER)])
}

/// Starts an Envoy with one worker, so that what each worker logs once is logged once.
async fn rig(roles: &[&'static str]) -> Result<Rig> {
    let filters = roles.iter().map(|role| stock(configs::PLAIN).without_flag().in_role(role)).collect();
    let mut bootstrap =
        ipp_testharness::bootstrap::Bootstrap::new(vec![listener("main", filters)], Vec::new());
    bootstrap.concurrency = 1;
    Rig::start_with(bootstrap).await
}

#[tokio::test]
async fn a_reader_without_a_gate_says_so_once_and_counts() -> Result<()> {
    let rig = rig(&["reader"]).await?;
    for protocol in [H1, H2] {
        for request in requests() {
            rig.ask(protocol, "main", request).await?.forwarded("default-pool", None, None);
        }
        // The headers went on before the body was read, but nothing else does.
        let refused = rig.ask(protocol, "main", Request::post(CHAT, "{")).await?;
        assert_eq!(refused.response.status, 400);
        assert!(refused.arrived.iter().all(|arrived| !arrived.complete), "{:?}", refused.arrived);
    }
    assert_eq!(counted(&rig).await?, [(4.0, 1), (0.0, 0)]);
    rig.envoy.assert_healthy_but(&[NO_GATE]).await;
    Ok(())
}

#[tokio::test]
async fn a_gate_without_a_reader_lets_all_pass_and_says_so_once() -> Result<()> {
    let rig = rig(&["gate"]).await?;
    for protocol in [H1, H2] {
        for request in requests() {
            rig.ask(protocol, "main", request).await?.forwarded("default-pool", None, None);
        }
        let request = Request::post(CHAT, "{").trailer("x-sum", "1");
        rig.ask(protocol, "main", request).await?.forwarded("default-pool", None, None);
    }
    assert_eq!(counted(&rig).await?, [(0.0, 0), (8.0, 1)]);
    rig.envoy.assert_healthy_but(&[NO_READER]).await;
    Ok(())
}

#[tokio::test]
async fn in_the_wrong_order_both_say_so() -> Result<()> {
    let rig = rig(&["gate", "reader"]).await?;
    for protocol in [H1, H2] {
        for request in requests() {
            rig.ask(protocol, "main", request).await?.forwarded("default-pool", None, None);
        }
    }
    assert_eq!(counted(&rig).await?, [(4.0, 1), (6.0, 1)]);
    rig.envoy.assert_healthy_but(&[NO_GATE, NO_READER]).await;
    Ok(())
}

/// A filter between them that answers is no reason to complain: the gate was not reached.
#[tokio::test]
async fn a_filter_between_them_that_answers() -> Result<()> {
    let mut main = listener("main", stock(configs::PLAIN).pair());
    let abort = json!({"http_status": 418, "percentage": {"numerator": 100}});
    main.others = vec![(
        1,
        json!({"name": "envoy.filters.http.fault", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
            "abort": abort,
        }}),
    )];
    let rig = Rig::start(vec![main]).await?;
    for protocol in [H1, H2] {
        for request in requests() {
            assert_eq!(rig.ask(protocol, "main", request).await?.response.status, 418);
        }
    }
    assert_eq!(counted(&rig).await?, [(0.0, 0), (0.0, 0)]);
    rig.assert_healthy().await;
    Ok(())
}
