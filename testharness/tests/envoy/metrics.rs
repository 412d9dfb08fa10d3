//! What `/stats/prometheus` shows after a known series of requests: names, labels and values.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use ipp_testharness::client::{Request, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::until;

use crate::support::rig::{Rig, stock};
use crate::support::{CHAT, configs};

/// Those that are not zero, without histograms.
async fn counted(rig: &Rig) -> Result<BTreeMap<String, f64>> {
    let mut metrics = rig.envoy.metrics("ipp_").await?;
    metrics.retain(|series, value| {
        let histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .any(|part| series.split('{').next().unwrap_or_default().ends_with(part));
        *value != 0.0 && !histogram && !series.starts_with("ipp_info")
    });
    Ok(metrics)
}

fn expected(series: &[(&str, f64)]) -> BTreeMap<String, f64> {
    series.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

#[tokio::test]
async fn counters_have_the_labels_and_values_of_what_happened() -> Result<()> {
    let options = configs::with(&["requestBody: {maxBytes: 1024, encoded: reject}"]);
    let large = configs::with(&["requestBody: {maxBytes: 1024, tooLarge: bypass}"]);
    let rig = Rig::start(vec![stock("main", &options), stock("bypass", &large)]).await?;
    assert_eq!(counted(&rig).await?, expected(&[]));

    let too_large = format!(r#"{{"model":"sql-lora","x":"{}"}}"#, "x".repeat(1024));
    let gzip = Request::post(CHAT, "x").header("content-encoding", "gzip");
    for (listener, request, times) in [
        ("main", Request::post(CHAT, r#"{"model":"sql-lora"}"#), 5),
        ("main", Request::post(CHAT, r#"{"model":"unknown"}"#), 2),
        ("main", Request::post(CHAT, r#"{"messages":[]}"#), 3),
        ("main", Request::post(CHAT, r#"{"model":null}"#), 1),
        ("main", Request::post(CHAT, r#"{"model":""}"#), 4),
        ("main", Request::get("/v1/models"), 6),
        (
            "main",
            Request::post(CHAT, "text").headers([("content-type", "text/plain")].into_iter().collect()),
            1,
        ),
        ("main", Request::post(CHAT, "{"), 2),
        ("main", Request::post(CHAT, r#"{"model":[]}"#), 1),
        ("main", Request::post(CHAT, r#"{"a":1,"a":2}"#), 3),
        ("main", Request::post(CHAT, &b"{\"a\":\"\xff\"}"[..]), 1),
        ("main", Request::post(CHAT, r#"{"model":"a\nb"}"#), 1),
        ("main", Request::post(CHAT, too_large.clone()), 2),
        ("main", Request::post(CHAT, too_large.clone()).chunked(&[]), 1),
        ("main", gzip.clone(), 1),
        ("bypass", gzip, 1),
        ("bypass", Request::post(CHAT, too_large.clone()), 1),
        ("bypass", Request::post(CHAT, too_large).chunked(&[]), 1),
    ] {
        for time in 0..times {
            let protocol = if time % 2 == 0 { H1 } else { H2 };
            rig.ask(protocol, listener, request.clone()).await?;
        }
    }
    let mut connection = h1::Connection::open(rig.address("main")).await?;
    connection.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await?;
    rig.active("main").await?;
    connection.abort()?;
    rig.idle("main").await?;

    let want = expected(&[
        ("ipp_requests_total{outcome=\"processed\"}", 15.0),
        ("ipp_requests_total{outcome=\"passed\"}", 7.0),
        ("ipp_requests_total{outcome=\"rejected\"}", 12.0),
        ("ipp_requests_total{outcome=\"bypassed\"}", 3.0),
        ("ipp_requests_total{outcome=\"aborted\"}", 1.0),
        ("ipp_rejections_total{code=\"invalid_json\"}", 2.0),
        ("ipp_rejections_total{code=\"invalid_model\"}", 1.0),
        ("ipp_rejections_total{code=\"duplicate_key\"}", 3.0),
        ("ipp_rejections_total{code=\"invalid_utf8\"}", 1.0),
        ("ipp_rejections_total{code=\"invalid_header_value\"}", 1.0),
        ("ipp_rejections_total{code=\"body_too_large\"}", 3.0),
        ("ipp_rejections_total{code=\"unsupported_encoding\"}", 1.0),
        ("ipp_success_total", 15.0),
        ("ipp_body_field_not_found_total{field=\"model\"}", 4.0),
        ("ipp_body_field_empty_total{field=\"model\"}", 4.0),
    ]);
    assert_eq!(counted(&rig).await?, want);
    rig.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn histograms_and_the_info_gauge() -> Result<()> {
    let rig = Rig::start(vec![stock("main", configs::PLAIN)]).await?;
    let sizes = [20, 100, 5000];
    for size in sizes {
        let filler = "x".repeat(size - r#"{"model":"m","x":""}"#.len());
        let body = format!(r#"{{"model":"m","x":"{filler}"}}"#);
        assert_eq!(body.len(), size);
        rig.ask(H1, "main", Request::post(CHAT, body)).await?;
    }
    // Envoy puts the figures of its workers together from time to time.
    let metrics = until("the histograms", async || {
        let metrics = rig.envoy.metrics("ipp_").await?;
        Ok((metrics["ipp_body_bytes_count"] > 0.0).then_some(metrics))
    })
    .await?;
    let value =
        |series: &str| metrics.get(series).copied().with_context(|| format!("no {series} in {metrics:#?}"));
    assert_eq!(value("ipp_body_bytes_count")?, 3.0);
    // Envoy keeps histograms with an error of a few per cent.
    let sum = value("ipp_body_bytes_sum")?;
    assert!((sum - 5120.0).abs() < 512.0, "{sum}");
    for plugin in ["body-field-to-header", "base-model-to-header"] {
        let labels = format!(r#"plugin_type="{plugin}",plugin_name="{plugin}",extension_point="request""#);
        assert_eq!(value(&format!("ipp_plugin_duration_nanoseconds_count{{{labels}}}"))?, 3.0);
    }
    let info: Vec<_> = metrics.iter().filter(|(series, _)| series.starts_with("ipp_info{")).collect();
    let [(series, value)] = info.as_slice() else { panic!("{info:?}") };
    assert!(series.contains("commit=\"") && series.contains("build_ref=\""), "{series}");
    assert_eq!(**value, 1.0);
    rig.assert_healthy().await;
    Ok(())
}

/// What a client sends never becomes a name or a label.
#[tokio::test]
async fn no_request_adds_a_series() -> Result<()> {
    let rig = Rig::start(vec![stock("main", configs::PLAIN)]).await?;
    rig.ask(H1, "main", Request::post(CHAT, r#"{"model":"sql-lora"}"#)).await?;
    let before: Vec<_> = rig.envoy.metrics("ipp_").await?.into_keys().collect();
    for number in 0..50 {
        let body = format!(r#"{{"model":"m{number};.;x=.=y","key{number}":{number}}}"#);
        let request = Request::post(&format!("/v1/path{number}"), body).header(format!("x-h{number}"), "1");
        rig.ask(H1, "main", request).await?;
        rig.ask(H1, "main", Request::post(CHAT, format!(r#"{{"key{number}":"#))).await?;
    }
    let after: Vec<_> = rig.envoy.metrics("ipp_").await?.into_keys().collect();
    assert_eq!(before, after);
    rig.assert_healthy().await;
    Ok(())
}
