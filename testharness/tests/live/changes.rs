//! A list that changes while requests come: all workers follow, and the server is asked once for all of them.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::wait::until;

use crate::support::api::Api;
use crate::support::rig::{Rig, Said, base, exchange, filter, not_loaded};
use crate::support::{LIST, config, config_map, list};

/// Waits until that name leads there on every connection. How long after `since`, when the server first said so, the last
/// one that led elsewhere was asked.
async fn everywhere(
    rig: &Rig,
    connections: &mut [ipp_testharness::client::h1::Connection],
    model: &str,
    expected: &Said,
    since: Instant,
) -> Result<Duration> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut last = Duration::ZERO;
    loop {
        let mut all = true;
        for connection in connections.iter_mut() {
            let asked = since.elapsed();
            if exchange(connection, model).await? != *expected {
                (all, last) = (false, asked);
            }
        }
        if all {
            return Ok(last);
        }
        ensure!(Instant::now() < deadline, "{model} never led to {expected:?}:\n{}", rig.envoy.log()?);
    }
}

/// When the server was asked next.
async fn next_asked(api: &Api) -> Result<Instant> {
    let before = api.count();
    until("the next poll", async || Ok((api.count() > before).then_some(()))).await?;
    Ok(Instant::now())
}

#[tokio::test]
async fn all_workers_follow_a_list_that_changes_within_a_second() -> Result<()> {
    let api = Api::start()?;
    let one = |base: &str| config_map("team-a", "one", base, &["sql-lora"]);
    let two = config_map("team-b", "one", "qwen", &["food"]);
    api.serves(list(&[one("llama"), two.clone()]));
    let rig = Rig::start(&api, filter(&config(LIST, ""))).await?;
    rig.until_says("sql-lora", &base("llama")).await?;
    let mut connections = rig.connections().await?;
    everywhere(&rig, &mut connections, "sql-lora", &base("llama"), Instant::now()).await?;
    for connection in &mut connections {
        ensure!(exchange(connection, "food").await? == base("qwen"));
        ensure!(exchange(connection, "qwen").await? == base("qwen"));
        ensure!(exchange(connection, "unknown").await? == base(""));
    }

    // The base model of an object changes, an object is added, an object is deleted.
    let three = config_map("team-c", "three", "phi", &["tiny"]);
    let steps = [
        (vec![one("gemma"), two.clone()], "sql-lora", base("gemma")),
        (vec![one("gemma"), two.clone(), three.clone()], "tiny", base("phi")),
        (vec![two, three], "sql-lora", base("")),
    ];
    for (objects, model, expected) in steps {
        api.serves(list(&objects));
        let asked = next_asked(&api).await?;
        let took = everywhere(&rig, &mut connections, model, &expected, asked).await?;
        // Half a second is the longest between two looks; the rest is for a busy machine.
        ensure!(
            took < Duration::from_millis(1500),
            "{model} led to {expected:?} everywhere after {took:?} only"
        );
    }
    ensure!(rig.says("main", "gemma").await? == base(""), "the base model of a deleted object is still one");
    ensure!(rig.metric(r#"ipp_source_documents_total{source="models"}"#).await? == 4.0);
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn the_server_is_asked_once_for_the_whole_process() -> Result<()> {
    let api = Api::start()?;
    api.serves(list(&[config_map("a", "one", "llama", &[])]));
    let rig = Rig::start(&api, filter(&config(LIST, ""))).await?;
    rig.until_says("llama", &base("llama")).await?;
    let (began, before) = (Instant::now(), api.count());
    until("eight polls", async || Ok((api.count() >= before + 8).then_some(()))).await?;
    let took = began.elapsed();
    // A second each, give or take a tenth, and up to half a second until the next look; five threads look.
    ensure!(took >= Duration::from_millis(7 * 900), "eight polls in {took:?}");
    ensure!(took <= Duration::from_secs(18), "eight polls took {took:?}");
    let asked = api.asked("/");
    for pair in asked.windows(2) {
        ensure!(pair[1] - pair[0] > Duration::from_millis(700), "two polls in {:?}", pair[1] - pair[0]);
    }
    // The list has another version each time it is made, but says the same.
    ensure!(rig.metric(r#"ipp_source_documents_total{source="models"}"#).await? == 1.0);
    ensure!(rig.metric(r#"ipp_source_fetches_total{source="models"}"#).await? >= api.count() as f64);
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn before_the_first_answer_requests_are_refused_or_pass_as_unknown() -> Result<()> {
    let api = Api::start()?;
    let more = "    whileEmpty: pass\n    unknown: reject\n";
    let two = config(LIST, "    mappings: [{baseModel: static, adapters: [pinned]}]\n");
    let rig = Rig::start(&api, filter(&two)).await?;
    let response = rig.ask("main", "llama").await?;
    ensure!(response.status == 503, "{}", response.status);
    ensure!(response.header("retry-after").as_deref() == Some("1"), "{response:?}");
    let error = response.json()["error"].clone();
    ensure!(error["code"] == "models_not_loaded" && error["type"] == "server_error", "{error}");
    ensure!(rig.metric(r#"ipp_rejections_total{code="models_not_loaded"}"#).await? == 1.0);
    // What the configuration itself says holds at once.
    ensure!(rig.says("main", "pinned").await? == base("static"));
    let passing = Rig::start(&api, filter(&config(LIST, more))).await?;
    ensure!(passing.says("main", "llama").await? == Said::Refused(404, "model_not_found".to_owned()));

    // And goes on holding where the source says otherwise.
    api.serves(list(&[config_map("a", "one", "llama", &["pinned"])]));
    for rig in [&rig, &passing] {
        rig.until_says("llama", &base("llama")).await?;
    }
    ensure!(rig.says("main", "pinned").await? == base("static"));
    // Maybe another worker, which has not looked yet.
    passing.until_says("pinned", &base("llama")).await?;
    Ok(())
}

#[tokio::test]
async fn two_objects_with_one_adapter_are_reported_once_and_the_older_has_it() -> Result<()> {
    let api = Api::start()?;
    let mut newer = config_map("a", "newer", "qwen", &["sql-lora", "food"]);
    newer["metadata"]["creationTimestamp"] = "2026-11-01T00:00:00Z".into();
    let broken = config_map("b", "broken", " ", &[]);
    let objects = [newer, broken, config_map("z", "older", "llama", &["sql-lora"])];
    // Made anew for each answer, so that the version of the list changes.
    api.says(move |_| Answer::body(200, "application/json", list(&objects)));
    let rig = Rig::start(&api, filter(&config(LIST, ""))).await?;
    rig.until_says("sql-lora", &base("llama")).await?;
    // Maybe another worker, which has not looked yet.
    rig.until_says("food", &base("qwen")).await?;
    ensure!(rig.metric(r#"ipp_source_problems{source="models"}"#).await? == 2.0);
    let before = api.count();
    until("two more polls", async || Ok((api.count() > before + 2).then_some(()))).await?;
    let lines = rig.logged("problems in its document")?;
    ensure!(lines.len() == 1, "{lines:?}");
    ensure!(rig.logged(r#"the adapter "sql-lora" stands in the ConfigMaps z/older and a/newer"#)?.len() == 1);
    ensure!(rig.logged("ConfigMap b/broken: data.baseModel is missing or empty; it is left out")?.len() == 1);
    ensure!(rig.says("main", "x").await? != not_loaded());
    rig.envoy.assert_healthy().await;
    Ok(())
}
