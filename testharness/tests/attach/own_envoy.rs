//! What the owner of an Envoy does with the ConfigMap that the chart renders for `provider.name: none`.

use anyhow::{Context, Result};

use crate::case::Case;
use crate::gateway::{Gateway, local_code};

/// The filter before all others, and the limit on the virtual host.
pub(crate) fn assemble(case: &Case) -> Result<Gateway> {
    let mut gateway = Gateway::new(case)?;
    let map = case.of_kind("ConfigMap").next().context("a ConfigMap")?;
    // The texts of its data, parsed by the rendering.
    let parsed = &map["parsed"];
    let mut filter = parsed["http-filter.yaml"].clone();
    *filter.pointer_mut("/typed_config/config/vm_config/code").context("code")? = local_code();
    gateway.filters()?.insert(0, filter);
    let limit = parsed["virtual-host.yaml"]["request_body_buffer_limit"].clone();
    gateway.virtual_host()["request_body_buffer_limit"] = limit;
    gateway.stats_config = parsed["bootstrap.yaml"]["stats_config"].clone();
    Ok(gateway)
}
