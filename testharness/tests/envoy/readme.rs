//! What the README offers to paste into an Envoy of one's own, pasted.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::shipped::Shipped;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::upstream::{Log, Upstream};

use crate::support::exchange::assert_routing;
use crate::support::{CHAT, LLAMA};

/// The fenced block after `<!-- test: MARKER -->`.
fn pasted(marker: &str) -> Result<String> {
    let readme = std::fs::read_to_string(artifacts::workspace().join("README.md"))?;
    let (_, rest) = readme
        .split_once(&format!("<!-- test: {marker} -->\n```yaml\n"))
        .context("the marker and its block")?;
    Ok(rest.split_once("```\n").context("the end of the block")?.0.to_owned())
}

#[tokio::test]
async fn the_filter_of_the_readme_routes_in_an_envoy_of_ones_own() -> Result<()> {
    let log = Log::new();
    let server = Upstream::start("default", &log, |_| Answer::status(200))?;
    let shipped = Shipped::load("minimal.yaml")?
        .filter(&pasted("envoy-filter")?)?
        .module(&artifacts::module())?
        .on_loopback(SocketAddr::from(([127, 0, 0, 1], 0)))?
        .address("default.models.internal", 8000, server.address())?
        .address("my-model.models.internal", 8000, server.address())?;
    Envoy::validate_yaml(&artifacts::envoy(), shipped.text()).await?;
    let launch = Launch { binary: artifacts::envoy(), concurrency: 2 };
    let envoy = Envoy::start_yaml(&launch, shipped.text()).await?;
    let address = envoy.address("llm").await?;
    for (protocol, case) in [(H1, "1"), (H2, "2")] {
        let request = Request::post(CHAT, r#"{"model":"food-review-1"}"#).header("x-row", case);
        let request = request.header("x-gateway-base-model-name", "forged");
        assert_eq!(fetch(protocol, address, &request).await?.status, 200);
        assert_routing(log.arrival("x-row", case).await?.as_ref(), Some("food-review-1"), Some(LLAMA));
    }
    envoy.assert_healthy().await;
    Ok(())
}
