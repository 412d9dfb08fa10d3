//! What `ipp-replay render` makes for an Envoy of one's own, in that Envoy.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::render::render;
use ipp_testharness::replay::options::{Command, Options};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::upstream::{Log, Upstream};

use crate::support::exchange::assert_routing;
use crate::support::{CHAT, QWEN};

fn input(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/native_render/input");
    folder.join(name).display().to_string()
}

/// An Envoy with what the command renders.
async fn run(arguments: impl IntoIterator<Item = &str>) -> Result<Envoy> {
    let Some(Command::Render(options)) = Options::try_parse_from(arguments)?.command else {
        panic!("it is not the command `render`")
    };
    let text = render(&options)?.text;
    // The two addresses that are the user's to choose, on free ports of this machine.
    let text = text
        .replace("{address: 0.0.0.0, port_value: 8080}", "{address: 127.0.0.1, port_value: 0}")
        .replace("{address: 127.0.0.1, port_value: 9901}", "{address: 127.0.0.1, port_value: 0}");
    Envoy::start_yaml(&Launch { binary: artifacts::envoy(), concurrency: 2 }, &text).await
}

#[tokio::test]
async fn a_rendered_bootstrap_routes_by_what_the_config_maps_say() -> Result<()> {
    let log = Log::new();
    let qwen = Upstream::start("qwen", &log, |_| Answer::status(200))?;
    let default = Upstream::start("default", &log, |_| Answer::status(200))?;
    let module = artifacts::module().display().to_string();
    let (config, maps) = (input("config.yaml"), input("config-maps.yaml"));
    let route = format!("{QWEN}={}", qwen.address());
    let server = default.address().to_string();
    let arguments = ["ipp-replay", "render", "--as", "envoy", "--config", &config, "--config-map", &maps];
    let arguments =
        arguments.into_iter().chain(["--module", &module, "--route", &route, "--default", &server]);
    let envoy = run(arguments).await?;
    let address = envoy.address("llm").await.context("the listener")?;
    let cases = [
        ("sql-lora", "qwen", Some(QWEN)),
        ("food-review-1", "default", Some("meta-llama/Llama-3.1-8B-Instruct")),
        // A name that some readers of YAML take for a truth value.
        ("on", "default", Some("meta-llama/Llama-3.1-8B-Instruct")),
        // `unknown: absent`, and what a client says about itself does not count.
        ("gpt-4", "default", None),
    ];
    for (row, (model, server, base)) in cases.into_iter().enumerate() {
        for protocol in [H1, H2] {
            let row = format!("{row} {protocol:?}");
            let request = Request::post(CHAT, format!(r#"{{"model":"{model}"}}"#))
                .header("x-row", &row)
                .header("x-gateway-base-model-name", QWEN);
            assert_eq!(fetch(protocol, address, &request).await?.status, 200);
            let arrived = log.arrival("x-row", &row).await?;
            assert_eq!(arrived.upstream, server, "{model}");
            assert_routing(&arrived, Some(model), base);
        }
    }
    // The configuration's own limit and Envoy's agree here too.
    for (size, status) in [(4 << 20, 200), ((4 << 20) + 1, 413)] {
        let frame = r#"{"model":"sql-lora","x":""}"#;
        let body = frame.replace(r#""x":"""#, &format!(r#""x":"{}""#, "x".repeat(size - frame.len())));
        assert_eq!(fetch(H1, address, &Request::post(CHAT, body)).await?.status, status, "{size}");
    }
    envoy.assert_healthy().await;
    Ok(())
}

/// The Go service's models file, rendered and run: free before cheap, inside of a group too.
#[tokio::test]
async fn a_rendered_models_file_is_what_is_chosen_from() -> Result<()> {
    let log = Log::new();
    let qwen = Upstream::start("qwen", &log, |_| Answer::status(200))?;
    let default = Upstream::start("default", &log, |_| Answer::status(200))?;
    let module = artifacts::module().display().to_string();
    let (config, models) = (input("selecting.yaml"), input("models.json"));
    let (route, server) = (format!("{QWEN}={}", qwen.address()), default.address().to_string());
    let arguments = ["ipp-replay", "render", "--as", "envoy", "--config", &config, "--models", &models];
    let arguments =
        arguments.into_iter().chain(["--module", &module, "--route", &route, "--default", &server]);
    let envoy = run(arguments).await?;
    let address = envoy.address("llm").await.context("the listener")?;
    // `cost-scorer`: of three that cost 0.1, 1 and nothing, the last has the score 1.
    for (model, chosen, server) in [
        ("auto", "on", "default"),
        ("auto/fast", "on", "default"),
        (QWEN, QWEN, "qwen"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistralai/Mistral-7B-Instruct-v0.3", "default"),
    ] {
        let request = Request::post(CHAT, format!(r#"{{"model":"{model}"}}"#)).header("x-row", model);
        assert_eq!(fetch(H1, address, &request).await?.status, 200, "{model}");
        let arrived = log.arrival("x-row", model).await?;
        assert_eq!(arrived.upstream, server, "{model}");
        assert_eq!(arrived.header("x-gateway-model-name").as_deref(), Some(chosen));
        assert_eq!(String::from_utf8_lossy(&arrived.body), format!(r#"{{"model":"{chosen}"}}"#));
    }
    let refused = fetch(H1, address, &Request::post(CHAT, r#"{"model":"auto/slow"}"#)).await?;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (404, Some("model_not_found")));
    envoy.assert_healthy().await;
    Ok(())
}
