//! Configurations that are replaced while their sources are polled, and several at the same time in one VM.

use std::time::Duration;

use anyhow::{Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::bootstrap::Bootstrap;
use ipp_testharness::wait::until;

use crate::support::api::Api;
use crate::support::rig::{Rig, base, filter, listener, not_loaded};
use crate::support::{LIST, config, config_map, list};

#[tokio::test]
async fn a_new_configuration_with_the_same_source_has_its_document_at_once() -> Result<()> {
    let api = Api::start()?;
    api.serves(list(&[config_map("a", "one", "llama", &[])]));
    let rig = Rig::start(&api, filter(&config(LIST, "")).from_file()).await?;
    rig.until_says("llama", &base("llama")).await?;
    // From now on nothing more can be fetched.
    api.says(|_| Answer::status(500));
    for version in 2..6 {
        let interval = LIST.replace("interval: 1s", &format!("interval: {version}s"));
        rig.replace(&config(&interval, "    unknown: reject\n"), version).await?;
        for _ in 0..20 {
            ensure!(rig.says("main", "llama").await? == base("llama"), "version {version}");
        }
    }
    // It is polled on, by one worker as before.
    api.serves(list(&[config_map("a", "one", "qwen", &[])]));
    rig.until_says("qwen", &base("qwen")).await?;
    let asked = api.asked("/");
    for pair in asked.windows(2) {
        ensure!(pair[1] - pair[0] > Duration::from_millis(600), "{:?} between two polls", pair[1] - pair[0]);
    }
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn a_new_configuration_with_another_source_starts_empty_and_is_filled() -> Result<()> {
    let api = Api::start()?;
    api.says(|request| match request.path.as_str() {
        "/other" => Answer::status(500),
        _ => Answer::body(200, "application/json", list(&[config_map("a", "one", "llama", &[])])),
    });
    let rig = Rig::start(&api, filter(&config(LIST, "")).from_file()).await?;
    rig.until_says("llama", &base("llama")).await?;
    rig.replace(&config("{cluster: kube-api, path: /other, interval: 1s}", ""), 2).await?;
    rig.until_says("llama", &not_loaded()).await?;
    api.serves(list(&[config_map("a", "one", "qwen", &[])]));
    rig.until_says("qwen", &base("qwen")).await?;
    // The source that is gone is asked no more.
    let before = api.asked("/api").len();
    let others = api.asked("/other").len();
    until("more polls of the new source", async || {
        Ok((api.asked("/other").len() >= others + 4).then_some(()))
    })
    .await?;
    ensure!(api.asked("/api").len() <= before + 1, "the old source is still polled");
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn two_filters_in_one_vm_do_not_disturb_each_other() -> Result<()> {
    let api = Api::start()?;
    api.says(|request| {
        let name = if request.path == "/b" { "qwen" } else { "llama" };
        Answer::body(200, "application/json", list(&[config_map("a", "one", name, &["mine"])]))
    });
    let source = |path: &str| config(&format!("{{cluster: kube-api, path: {path}, interval: 1s}}"), "");
    // The same name and the same VM; the third has the first one's source.
    let listeners = ["/a", "/b", "/a"]
        .into_iter()
        .enumerate()
        .map(|(at, path)| listener(&format!("l{at}"), filter(&source(path)).named(&format!("f{at}"))));
    let rig = Rig::start_with(&api, Bootstrap::new(listeners.collect(), Vec::new())).await?;
    for (at, expected) in ["llama", "qwen", "llama"].iter().enumerate() {
        let listener = format!("l{at}");
        until(&listener, async || Ok((rig.says(&listener, "mine").await? == base(expected)).then_some(())))
            .await?;
    }
    let (a, b) = (api.asked("/a").len(), api.asked("/b").len());
    until("more polls", async || Ok((api.asked("/b").len() >= b + 5).then_some(()))).await?;
    let polls = api.asked("/a").len() - a;
    ensure!(
        (3..=7).contains(&polls),
        "two filters share a source, and it was polled {polls} times in 5 intervals"
    );
    for (at, expected) in ["llama", "qwen", "llama"].iter().enumerate() {
        ensure!(rig.says(&format!("l{at}"), "mine").await? == base(expected));
    }
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn without_a_source_nothing_is_polled_or_counted() -> Result<()> {
    let api = Api::start()?;
    let text = config("{}", "").replace("    source: {}\n", "    mappings: [{baseModel: llama}]\n");
    let rig = Rig::start(&api, filter(&text)).await?;
    ensure!(rig.says("main", "llama").await? == base("llama"));
    ensure!(rig.envoy.metrics("ipp_source").await?.is_empty());
    ensure!(api.count() == 0);
    rig.envoy.assert_healthy().await;
    Ok(())
}
