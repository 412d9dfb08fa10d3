//! What the API server is sent: path, host, headers with secrets of the environment, entity tags.

use anyhow::{Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::wait::until;

use crate::support::api::Api;
use crate::support::rig::{Rig, base, filter};
use crate::support::{LIST, config, config_map, list};

const TOKEN: &str = "eyJhbGciOi-this-is-a-secret";

#[tokio::test]
async fn a_token_comes_from_the_environment_and_is_shown_nowhere() -> Result<()> {
    let api = Api::start()?;
    let document = list(&[config_map("a", "one", "llama", &[])]);
    api.says(move |request| {
        let right = request.header("authorization").as_deref() == Some(&format!("Bearer {TOKEN}"))
            && request.header("host").as_deref() == Some("kubernetes.default.svc")
            && request.header("accept").as_deref() == Some("application/json")
            && request.method == "GET"
            && request.path == "/api/v1/configmaps?labelSelector=inference.llm-d.ai%2Fipp-managed%3Dtrue";
        if right { Answer::body(200, "application/json", document.clone()) } else { Answer::status(401) }
    });
    let headers =
        "{cluster: kube-api, headers: {Authorization: \"Bearer ${KUBE_TOKEN}\", Accept: application/json}, ";
    let source = LIST.replace("{cluster: kube-api, ", headers);
    let variable = filter(&config(&source, "")).variable("KUBE_TOKEN", &format!("{TOKEN}\n"));
    let rig = Rig::start(&api, variable).await?;
    rig.until_says("llama", &base("llama")).await?;
    api.says(|_| Answer::status(403));
    rig.until_failed("models", "unauthorized", 1.0).await?;
    ensure!(!rig.envoy.log()?.contains(TOKEN), "the token is in the log");
    ensure!(!rig.envoy.prometheus().await?.contains(TOKEN), "the token is in a metric");
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn a_server_with_entity_tags_is_asked_for_news_only() -> Result<()> {
    let api = Api::start()?;
    let says = |tag: &'static str, name: &'static str| {
        move |request: &ipp_testharness::upstream::Recorded| {
            if request.header("if-none-match").as_deref() == Some(tag) {
                return Answer::status(304).header("etag", tag);
            }
            Answer::body(200, "application/json", list(&[config_map("a", "one", name, &[])]))
                .header("etag", tag)
        }
    };
    api.says(says("\"1\"", "llama"));
    let rig = Rig::start(&api, filter(&config(LIST, ""))).await?;
    rig.until_says("llama", &base("llama")).await?;
    let first = rig.metric(r#"ipp_source_last_success_timestamp_seconds{source="models"}"#).await?;
    until("a confirmation", async || {
        let now = rig.metric(r#"ipp_source_last_success_timestamp_seconds{source="models"}"#).await?;
        Ok((now >= first + 2.0).then_some(()))
    })
    .await?;
    ensure!(rig.says("main", "llama").await? == base("llama"));
    ensure!(rig.metric(r#"ipp_source_documents_total{source="models"}"#).await? == 1.0);
    api.says(says("\"2\"", "qwen"));
    rig.until_says("qwen", &base("qwen")).await?;
    ensure!(rig.metric(r#"ipp_source_documents_total{source="models"}"#).await? == 2.0);
    // One that answers 304 without having been asked has not given a document.
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn one_config_map_in_yaml_is_enough() -> Result<()> {
    let api = Api::start()?;
    const TEXT: &str = "\
kind: ConfigMap
metadata: {name: one, labels: {inference.llm-d.ai/ipp-managed: \"true\"}}
data: {baseModel: llama, adapters: \"[sql-lora]\"}
";
    api.says(|_| Answer::body(200, "application/yaml", TEXT));
    let rig = Rig::start(&api, filter(&config("{cluster: kube-api, path: /models.yaml, interval: 1s}", "")))
        .await?;
    rig.until_says("sql-lora", &base("llama")).await?;
    rig.envoy.assert_healthy().await;
    Ok(())
}
