//! A bootstrap for an Envoy of one's own, in the shape of `envoy/minimal.yaml`.

use anyhow::{Context, Result, ensure};

use super::Options;
use super::document::Document;
use super::yaml::{block, indented, scalar};

/// A server.
pub(super) struct Upstream {
    host: String,
    port: u16,
}

impl Upstream {
    /// Reads `HOST:PORT`; an IPv6 address stands in brackets.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let expected = || format!("found {text:?}, expected HOST:PORT");
        let (host, port) = text.rsplit_once(':').with_context(expected)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        ensure!(!host.is_empty() && !host.contains(['[', ']', '/', ' ']), expected());
        Ok(Self { host: host.to_owned(), port: port.parse().ok().with_context(expected)? })
    }
}

/// A model and the server behind it, `MODEL=HOST:PORT`; a model's name may hold any letter.
pub(super) fn route(text: &str) -> Result<(String, Upstream)> {
    let (model, server) = text
        .rsplit_once('=')
        .filter(|(model, _)| !model.is_empty())
        .with_context(|| format!("--route is {text:?}, expected MODEL=HOST:PORT"))?;
    Ok((model.to_owned(), Upstream::parse(server).with_context(|| format!("--route {text:?}"))?))
}

/// The whole bootstrap.
pub(super) fn bootstrap(
    options: &Options,
    document: &Document,
    routes: &[(String, Upstream)],
    default: &Upstream,
) -> Result<String> {
    if let Some(known) = document.base_models() {
        for (model, _) in routes {
            ensure!(
                known.contains(&model.as_str()),
                "--route names {model:?}, which no mapping has as its base model; there are: {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            );
        }
    }
    let header = document.routing_header()?;
    let names = cluster_names(routes);
    let (mut matches, mut clusters) = (String::new(), String::new());
    for ((model, server), name) in routes.iter().zip(&names) {
        matches.push_str(&format!(
            "\
- match:
    prefix: /
    headers:
    - name: {header}
      string_match: {{exact: {}}}
  route: {{cluster: {name}, timeout: 0s}}
",
            scalar(model),
            header = scalar(&header),
        ));
        clusters.push_str(&cluster(name, server));
    }
    matches.push_str("- match: {prefix: /}\n  route: {cluster: everything-else, timeout: 0s}\n");
    clusters.push_str(&cluster("everything-else", default));
    let (port, module, limit) = (options.port, scalar(&options.module), document.buffer_limit());
    let (config, matches, clusters) =
        (block(document.direct(), 20), indented(&matches, 14), indented(&clusters, 2));
    Ok(format!(
        "\
# Rendered by `ipp-replay render --as envoy`, for Envoy 1.36 or newer. Labels of metrics, access log: envoy/multi-pool.yaml.
admin:
  address:
    socket_address: {{address: 127.0.0.1, port_value: 9901}}

static_resources:
  listeners:
  - name: llm
    address:
      socket_address: {{address: 0.0.0.0, port_value: {port}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: llm
          http_filters:
          - name: ipp
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: ipp
                root_id: ipp
                # Lets the filter hold the headers while it reads the body. Without it every request with a body
                # hangs.
                allow_on_headers_stop_iteration: true
                failure_policy: FAIL_RELOAD
                vm_config:
                  vm_id: ipp
                  runtime: envoy.wasm.runtime.v8
                  code:
                    local: {{filename: {module}}}
                configuration:
                  \"@type\": type.googleapis.com/google.protobuf.StringValue
                  value: |
{config}          - name: envoy.filters.http.router
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            virtual_hosts:
            - name: models
              domains: [\"*\"]
              # The filter's limit and what one read can add (Envoy's default, 1 MiB).
              request_body_buffer_limit: {limit}
              routes:
{matches}
  clusters:
{clusters}"
    ))
}

fn cluster(name: &str, server: &Upstream) -> String {
    let (host, port) = (scalar(&server.host), server.port);
    format!(
        "\
- name: {name}
  type: STRICT_DNS
  load_assignment:
    cluster_name: {name}
    endpoints:
    - lb_endpoints:
      - endpoint:
          address:
            socket_address: {{address: {host}, port_value: {port}}}
"
    )
}

/// A name that statistics can hold for each model: its last part, in small letters; a number where that is taken.
fn cluster_names(routes: &[(String, Upstream)]) -> Vec<String> {
    let mut names: Vec<String> = vec!["everything-else".to_owned()];
    for (model, _) in routes {
        let last = model.rsplit('/').next().unwrap_or(model);
        let letter =
            |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
        let name: String = last.chars().map(letter).collect();
        let name = format!("model-{}", name.trim_matches('-'));
        let free = |candidate: &String| !names.contains(candidate);
        let numbered = (2..).map(|number: u32| format!("{name}-{number}"));
        let chosen = std::iter::once(name.clone()).chain(numbered).find(free).unwrap_or(name);
        names.push(chosen);
    }
    names.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_read_from_the_right() {
        let (model, server) = route("a=b/c:1=[::1]:8000").unwrap();
        assert_eq!((model.as_str(), server.host.as_str(), server.port), ("a=b/c:1", "::1", 8000));
        for text in ["model", "=host:1", "m=host", "m=host:high", "m=:80", "m=http://host:80"] {
            assert!(route(text).is_err(), "{text}");
        }
    }

    #[test]
    fn clusters_have_names_of_their_own() {
        let routes = ["meta/Llama-3.1", "other/llama-3.1", "日本"]
            .map(|model| route(&format!("{model}=h:1")).unwrap());
        assert_eq!(cluster_names(&routes), ["model-llama-3-1", "model-llama-3-1-2", "model-"]);
    }
}
