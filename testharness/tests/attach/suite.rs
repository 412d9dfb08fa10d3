//! Every case, with all samples.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::case::Case;
use crate::gateway::Gateway;
use crate::{envoy_gateway, istio, limits, own_envoy, samples, statistics};

/// The gateway that a control plane would make of the case.
pub(crate) fn assemble(case: &Case) -> Result<Gateway> {
    let mut gateway = if case.is_for_istio() {
        istio::assemble(case)?
    } else if case.has("EnvoyExtensionPolicy") {
        envoy_gateway::assemble(case)?
    } else if case.has("ConfigMap") {
        return own_envoy::assemble(case);
    } else {
        bail!("{} attaches nothing", case.name)
    };
    gateway.stats_config = statistics::config(case)?;
    Ok(gateway)
}

async fn run(name: &str) -> Result<()> {
    let case = Case::load(name)?;
    let gateway = assemble(&case)?;
    let labelled = !gateway.stats_config.is_null();
    let running = gateway.run().await?;
    let cad_pool = if name == "istio-inferencepools" { "llama-pool" } else { "cad-pool" };
    samples::check(&running, cad_pool).await?;
    limits::agree(&running).await?;
    if labelled {
        let metrics = running.envoy.metrics("ipp_").await?;
        assert!(metrics.contains_key(r#"ipp_rejections_total{code="invalid_json"}"#), "{metrics:?}");
        let series =
            |name: &str, label: &str| metrics.keys().any(|it| it.starts_with(name) && it.contains(label));
        assert!(series("ipp_body_bytes_bucket", r#"le="33554432""#), "{metrics:?}");
        assert!(series("ipp_plugin_duration_nanoseconds_bucket", r#"le="250""#), "{metrics:?}");
        assert!(
            !metrics.keys().any(|it| it.contains("____")),
            "a label is still a part of a name: {metrics:?}"
        );
    }
    running.envoy.assert_healthy().await;
    Ok(())
}

macro_rules! cases {
    ($($function:ident: $name:literal),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $function() -> Result<()> {
                run($name).await
            }
        )*

        #[test]
        fn every_case_that_was_rendered_is_run() -> Result<()> {
            let run = BTreeSet::from([$($name.to_owned()),*]);
            // Those that read their mappings are in live.rs, those that choose a model in models.rs.
            let elsewhere = |name: &String| name.ends_with("-live") || name.ends_with("-models");
            let rendered = Case::all()?.into_iter().filter(|name| !elsewhere(name)).collect();
            assert_eq!(run, rendered);
            Ok(())
        }
    };
}

cases! {
    chart_istio_wasmplugin: "chart-istio-wasmplugin",
    chart_istio_envoyfilter: "chart-istio-envoyfilter",
    chart_envoy_gateway_wasmplugin: "chart-envoy-gateway-wasmplugin",
    chart_envoy_gateway_envoyfilter: "chart-envoy-gateway-envoyfilter",
    chart_none: "chart-none",
    istio_wasmplugin: "istio-wasmplugin",
    istio_envoyfilter: "istio-envoyfilter",
    istio_trafficextension: "istio-trafficextension",
    istio_inferencepools: "istio-inferencepools",
    envoy_gateway_wasm_pair: "envoy-gateway-wasm-pair",
    envoy_gateway_direct: "envoy-gateway-direct",
    readme_istio: "readme-istio",
    render_helm_values: "render-helm-values",
}
