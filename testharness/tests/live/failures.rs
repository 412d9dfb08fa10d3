//! Everything that can go wrong with a fetch: the last good document stays, and metrics and log say what it is.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipp_testharness::answer::{Answer, Step};
use ipp_testharness::bootstrap::{Bootstrap, Cluster};
use ipp_testharness::wait::until;

use crate::support::api::Api;
use crate::support::rig::{Rig, base, filter, listener, not_loaded};
use crate::support::{LIST, config, config_map, list};

fn good() -> String {
    list(&[config_map("a", "one", "llama", &["sql-lora"])])
}

/// What the API server does, and the reason by which it is counted.
fn faults() -> Vec<(&'static str, Answer)> {
    let json = |status, body: &str| Answer::body(status, "application/json", body.to_owned());
    let status = |code: u16, reason: &str| {
        json(code, &format!(r#"{{"kind":"Status","status":"Failure","reason":"{reason}","code":{code}}}"#))
    };
    vec![
        ("unauthorized", status(401, "Unauthorized")),
        ("unauthorized", status(403, "Forbidden")),
        ("status", status(410, "Expired")),
        ("status", status(500, "InternalError")),
        ("status", status(302, "Found")),
        ("invalid", json(200, "<html>not what you think</html>")),
        ("invalid", json(200, &good()[..100])),
        ("invalid", json(200, r#"{"kind":"Status","code":410}"#)),
        ("invalid", Answer::body(200, "application/json", vec![0xff, 0xfe, 0])),
        ("too_large", json(200, &" ".repeat(70_000))),
        ("reset", Answer::body(200, "application/json", good()[..100].to_owned()).then(Step::Reset)),
        ("connect", Answer::status(200).first(Step::Reset)),
        ("timeout", json(200, &good()).first(Step::Sleep(Duration::from_secs(3)))),
    ]
}

#[tokio::test]
async fn the_last_good_document_stays_whatever_goes_wrong() -> Result<()> {
    let api = Api::start()?;
    api.serves(good());
    let source = LIST.replace("interval: 1s", "interval: 1s, maxBytes: 65536");
    let rig = Rig::start(&api, filter(&config(&source, ""))).await?;
    rig.until_says("sql-lora", &base("llama")).await?;
    let confirmed = || rig.metric(r#"ipp_source_last_success_timestamp_seconds{source="models"}"#);
    let mut counted = std::collections::BTreeMap::new();
    for (reason, answer) in faults() {
        let before = confirmed().await?;
        let faulty = answer.clone();
        api.says(move |_| faulty.clone());
        let times = counted.entry(reason).or_insert(0.0);
        *times += 1.0;
        rig.until_failed("models", reason, *times).await?;
        for _ in 0..8 {
            ensure!(rig.says("main", "sql-lora").await? == base("llama"), "{reason}: {answer:?}");
        }
        api.serves(good());
        until("the source to recover", async || Ok((confirmed().await? > before).then_some(()))).await?;
        *times = rig.failures("models", reason).await?;
    }
    // Once each, when it began and when it ended.
    let (began, ended) = (rig.logged("cannot be fetched")?, rig.logged("answers again")?);
    let cases = faults().len();
    ensure!(began.len() == cases && ended.len() == cases, "{} {} {cases}", began.len(), ended.len());
    ensure!(began[0].contains(r#"source "models" cannot be fetched (unauthorized): status 401; it is tried again, and the last good document stays in force"#), "{}", began[0]);
    ensure!(began.iter().all(|line| line.contains("[warning]")), "{began:?}");
    ensure!(rig.metric(r#"ipp_source_documents_total{source="models"}"#).await? == 1.0);
    rig.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn pauses_grow_while_a_source_fails() -> Result<()> {
    let api = Api::start()?;
    let rig = Rig::start(&api, filter(&config(LIST, ""))).await?;
    until("five polls", async || Ok((api.count() >= 5).then_some(()))).await?;
    let asked = api.asked("/");
    let pauses: Vec<Duration> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // 1, 2, 4 and 8 seconds, give or take a quarter, and up to half a second until the next look.
    for (pause, usual) in pauses.iter().zip([1.0, 2.0, 4.0, 8.0]) {
        let seconds = pause.as_secs_f64();
        ensure!(seconds > usual * 0.7 && seconds < usual * 1.25 + 1.5, "{pauses:?}");
    }
    ensure!(rig.says("main", "llama").await? == not_loaded());
    ensure!(rig.logged("cannot be fetched")?.len() == 1);
    ensure!(rig.logged("there is no document yet")?.len() == 1);
    ensure!(rig.failures("models", "status").await? == 5.0);
    rig.envoy.assert_healthy().await;
    Ok(())
}

/// What is wrong on this side of the wire: each is counted, told once, and tried again.
#[tokio::test]
async fn what_cannot_even_be_asked_is_a_failure_with_a_reason() -> Result<()> {
    let api = Api::start()?;
    api.serves(good());
    // A port on which nobody listens any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let cases = [
        ("cluster", "{cluster: no-such-cluster, interval: 1s}"),
        ("connect", "{cluster: gone, interval: 1s}"),
        ("connect", "{cluster: nobody, interval: 1s}"),
        (
            "environment",
            "{cluster: kube-api, interval: 1s, headers: {authorization: \"Bearer ${NO_SUCH_VARIABLE}\"}}",
        ),
    ];
    let listeners = cases.iter().enumerate().map(|(at, (_, source))| {
        listener(&format!("l{at}"), filter(&config(source, "")).named(&format!("f{at}")))
    });
    let mut bootstrap = Bootstrap::new(listeners.collect(), Vec::new());
    bootstrap.clusters.push(Cluster::new("gone", gone));
    bootstrap.clusters.push(Cluster::empty("nobody"));
    let began = Instant::now();
    let rig = Rig::start_with(&api, bootstrap).await?;
    for (reason, times) in [("cluster", 2.0), ("connect", 4.0), ("environment", 2.0)] {
        rig.until_failed("models", reason, times).await?;
    }
    for at in 0..cases.len() {
        ensure!(rig.says(&format!("l{at}"), "llama").await? == not_loaded(), "{at}");
    }
    for said in
        [r#"(cluster): Envoy has no cluster "no-such-cluster""#, "no usable variable NO_SUCH_VARIABLE"]
    {
        ensure!(rig.logged(said)?.len() == 1, "{said}: {}", rig.envoy.log()?);
    }
    ensure!(rig.logged("cannot be fetched")?.len() == cases.len(), "{}", rig.envoy.log()?);
    ensure!(api.count() == 0, "the server was asked without the variable");
    ensure!(began.elapsed() > Duration::from_millis(700), "the pauses were too short");
    rig.envoy.assert_healthy().await;
    Ok(())
}
