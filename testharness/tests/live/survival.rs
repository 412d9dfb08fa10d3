//! The worker that polls dies: another one takes over.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::Filter;
use ipp_testharness::wait::until;

use crate::support::api::Api;
use crate::support::rig::{Rig, base};
use crate::support::{LIST, config, config_map, list};

#[tokio::test]
async fn another_worker_takes_over_when_the_elected_one_dies() -> Result<()> {
    let api = Api::start()?;
    let models = list(&[config_map("a", "one", "llama", &[])]);
    let answer = move |trap: &'static str| {
        let models = models.clone();
        move |request: &ipp_testharness::upstream::Recorded| match request.path.as_str() {
            "/trap" => Answer::body(200, "text/plain", trap),
            _ => Answer::body(200, "application/json", models.clone()),
        }
    };
    api.says(answer("good"));
    let text = config(LIST, "").replacen(
        "plugins:\n",
        "plugins:\n- type: trap-source\n  parameters: {source: {cluster: kube-api, path: /trap, interval: 1s, timeout: 1s}}\n",
        1,
    );
    let rig = Rig::start(&api, Filter::new(&artifacts::trap_module(), &text)).await?;
    rig.until_says("llama", &base("llama")).await?;
    // The elected one dies of the next answer.
    api.says(answer("trap"));
    until("the crash", async || Ok((!rig.logged("told to crash")?.is_empty()).then_some(()))).await?;
    let died = Instant::now();
    api.says(answer("good"));
    let before = (api.asked("/trap").len(), api.asked("/api").len());
    until("polls of both by another worker", async || {
        Ok((api.asked("/trap").len() > before.0 && api.asked("/api").len() > before.1).then_some(()))
    })
    .await?;
    let took = died.elapsed();
    println!("polled again after {took:?}");
    // The lease of 3 s, or the timeout and a second more; then the next look of a worker; and as much again for a busy
    // machine.
    ensure!(took < Duration::from_secs(12), "nobody polled for {took:?}");
    rig.until_failed("trap-source", "lost", 1.0).await?;
    // And it goes on, with news for everybody.
    api.serves(list(&[config_map("a", "one", "qwen", &[])]));
    rig.until_says("qwen", &base("qwen")).await?;
    Ok(())
}
