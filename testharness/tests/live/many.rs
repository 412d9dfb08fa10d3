//! Large documents, and many sources.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::wait::until;

use crate::support::api::{Api, Crowd};
use crate::support::rig::{Rig, base, filter};
use crate::support::{LIST, config, config_map, list};

/// The sum and the count of a histogram of a source.
async fn histogram(rig: &Rig, name: &str) -> Result<(f64, f64)> {
    let all = rig.envoy.metrics(name).await?;
    let get = |part: &str| {
        all.get(&format!(r#"{name}_{part}{{source="models"}}"#))
            .copied()
            .with_context(|| format!("{part} in {all:?}"))
    };
    Ok((get("sum")?, get("count")?))
}

#[tokio::test]
async fn five_thousand_config_maps_are_read_while_requests_go_on() -> Result<()> {
    let api = Api::start()?;
    let objects: Vec<_> = (0..5000)
        .map(|at| {
            let adapters = [format!("lora-{at}-a"), format!("lora-{at}-b"), format!("lora-{at}-c")];
            let adapters: Vec<&str> = adapters.iter().map(String::as_str).collect();
            config_map(
                &format!("team-{}", at % 40),
                &format!("models-{at}"),
                &format!("base/{}", at % 100),
                &adapters,
            )
        })
        .collect();
    let document = list(&objects);
    ensure!(document.len() > 5 << 19, "{} bytes", document.len());
    println!("the list has {} bytes", document.len());
    api.serves(document);
    let rig = Rig::start(&api, filter(&config(LIST, ""))).await?;
    rig.until_says("lora-4999-c", &base("base/99")).await?;
    let mut connections = rig.connections().await?;
    // Every worker gets through its requests while the list is fetched again and again.
    let mut slowest = Duration::ZERO;
    let before = api.count();
    while api.count() < before + 3 {
        for connection in &mut connections {
            let began = Instant::now();
            let said = crate::support::rig::exchange(connection, "lora-17-b").await?;
            slowest = slowest.max(began.elapsed());
            ensure!(said == base("base/17"), "{said:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (sum, count) = histogram(&rig, "ipp_source_read_microseconds").await?;
    println!("read {count} times, {:.1} ms each; the slowest request took {slowest:?}", sum / count / 1000.0);
    ensure!(sum / count < 150_000.0, "a worker is busy for {} us with a list", sum / count);
    ensure!(rig.metric(r#"ipp_source_documents_total{source="models"}"#).await? == 1.0);
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn two_hundred_sources_are_asked_a_few_at_a_time() -> Result<()> {
    let api = Api::start()?;
    let crowd = Crowd::default();
    let shared = crowd.clone();
    api.says(move |request| {
        let name = request.path.trim_start_matches('/').to_owned();
        let document = list(&[config_map("a", &name, &name, &[])]);
        shared.slow(Answer::body(200, "application/json", document), Duration::from_millis(10))
    });
    let mut text = "apiVersion: llm-d.ai/v1alpha1\nkind: PayloadProcessorConfig\nplugins:\n".to_owned();
    for at in 0..200 {
        writeln!(
            text,
            "- {{type: base-model-to-header, name: m{at}, parameters: {{source: {{cluster: kube-api, path: /m{at}, interval: 2s}}}}}}"
        )?;
    }
    text.push_str("profiles: [{name: p, plugins: {request: [{pluginRef: m199}]}}]\n");
    let rig = Rig::start(&api, filter(&text)).await?;
    rig.until_says("m199", &base("m199")).await?;
    until("every source to be asked three times", async || {
        Ok((0..200).all(|at| api.asked(&format!("/m{at}")).len() >= 3).then_some(()))
    })
    .await?;
    ensure!(crowd.most() <= 8, "{} at once", crowd.most());
    ensure!(crowd.most() >= 4, "{} at once", crowd.most());
    // None is asked twice in an interval.
    for at in 0..200 {
        let path = format!("/m{at}");
        let asked: Vec<_> = api.asked(&path);
        for pair in asked.windows(2) {
            // "/m1" is the start of "/m10", too.
            if at >= 20 {
                ensure!(
                    pair[1] - pair[0] > Duration::from_millis(1500),
                    "{path} after {:?}",
                    pair[1] - pair[0]
                );
            }
        }
    }
    rig.envoy.assert_healthy().await;
    Ok(())
}
