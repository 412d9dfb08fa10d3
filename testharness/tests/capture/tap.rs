//! The tap filter as the documentation has it, in a real Envoy, and the import of what it writes.

use std::path::Path;

use anyhow::{Context, Result};
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::import::{Options, tap};
use ipp_testharness::recording::Framing;
use ipp_testharness::upstream::Protocol::H1;
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::until;

use crate::support::Folder;

const CHAT: &str = "/v1/chat/completions";
const BODY: &str =
    r#"{"model":"qwen-summarizer","stream":true,"messages":[{"role":"user","content":"café"}]}"#;
const NAME: &str = "post-v1-chat-completions-qwen-summarizer-0001.yaml";

/// The filter as `docs/capture-recordings.md` has it, with its files in a folder.
fn documented(folder: &Path) -> Result<String> {
    let page = std::fs::read_to_string(artifacts::workspace().join("docs/capture-recordings.md"))?;
    let start = page.find("- name: envoy.filters.http.tap").context("the page has no tap filter")?;
    let filter = page[start..].split("```").next().context("the filter has no end")?;
    let prefix = folder.join("trace").display().to_string();
    assert!(filter.contains("/var/tmp/tap/trace"), "{filter}");
    Ok(filter.replace("/var/tmp/tap/trace", &prefix))
}

/// An Envoy with this filter in front of a server.
async fn envoy(filter: &str, server: &Upstream) -> Result<Envoy> {
    let (ip, port) = (server.address().ip(), server.address().port());
    let filter: String = filter.lines().map(|line| format!("          {line}\n")).collect();
    let text = format!(
        r#"
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}}}
static_resources:
  listeners:
  - name: tapped
    address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: tapped
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: /}}
                request_headers_to_add: [{{header: {{key: x-by-route, value: "1"}}}}]
                route: {{cluster: server}}
          http_filters:
{filter}
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: server
    type: STATIC
    load_assignment:
      cluster_name: server
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: {ip}, port_value: {port}}}}}}}}}]}}]
"#
    );
    let launch = Launch { binary: artifacts::envoy(), concurrency: 1 };
    Envoy::start_yaml(&launch, &text).await
}

/// A server that streams, and one that answers in bytes.
fn server(log: &Log) -> Result<Upstream> {
    Upstream::start("server", log, |request| match request.path.as_str() {
        "/bytes" => Answer::body(200, "application/octet-stream", (0..=255).collect::<Vec<u8>>()),
        _ => {
            let events =
                ["{\"i\":0}", "{\"i\":1}", "[DONE]"].map(|data| (std::time::Duration::from_millis(5), data));
            Answer::events(events).header("set-cookie", "S3CRET-cookie")
        }
    })
}

/// Sends these requests and imports what was captured of them, which is that many traces.
async fn imported(filter: &str, requests: &[Request], out: &Folder, traces: &Folder) -> Result<Vec<String>> {
    let log = Log::new();
    let server = server(&log)?;
    let envoy = envoy(filter, &server).await?;
    let address = envoy.address("tapped").await?;
    for request in requests {
        assert_eq!(fetch(H1, address, request).await?.status, 200);
    }
    // Each is written when its stream ends.
    until("the traces", || async {
        let files = traces.files()?;
        let whole =
            |file: &std::path::PathBuf| std::fs::read(file).is_ok_and(|bytes| bytes.ends_with(b"}\n"));
        Ok((files.len() == requests.len() && files.iter().all(whole)).then_some(()))
    })
    .await?;
    drop(envoy);
    let mut options = Options::new(traces.files()?, out.path());
    options.all = true;
    Ok(tap::import(&options)?.broken)
}

fn chat() -> Request {
    Request::post(&format!("{CHAT}?key=S3CRET-query"), BODY)
        .header("authorization", "Bearer S3CRET-header")
        .chunked(&[7])
}

#[tokio::test]
async fn the_documented_filter_makes_recordings() -> Result<()> {
    let (out, traces) = (Folder::new()?, Folder::new()?);
    let broken = imported(&documented(traces.path())?, &[chat()], &out, &traces).await?;
    assert!(broken.is_empty(), "{broken:?}");
    let exchange = out.exchange(NAME)?;
    assert_eq!(
        (exchange.request.body.as_ref(), exchange.request.framing()),
        (BODY.as_bytes(), Framing::Chunked)
    );
    assert_eq!(exchange.upstream.pieces.len(), 3);
    // The headers are those that came to the filter.
    assert!(!exchange.request.headers.contains("x-by-route"), "{:?}", exchange.request.headers);
    let text = std::fs::read_to_string(out.path().join(NAME))?;
    assert!(!text.contains("S3CRET"), "{text}");
    Ok(())
}

#[tokio::test]
async fn every_format_that_is_documented_is_read() -> Result<()> {
    for streaming in ["true", "false"] {
        for format in ["JSON_BODY_AS_BYTES", "JSON_BODY_AS_STRING"] {
            let (out, traces) = (Folder::new()?, Folder::new()?);
            let filter = documented(traces.path())?
                .replace("streaming: true", &format!("streaming: {streaming}"))
                .replace("JSON_BODY_AS_BYTES", format);
            let broken = imported(&filter, &[chat(), Request::post("/bytes", "x")], &out, &traces).await?;
            let exact = format == "JSON_BODY_AS_BYTES";
            // As the page says: what is not UTF-8 is lost in text.
            let lost =
                "POST /bytes: the body of the answer has 228 bytes of 256: it broke off, or it is no text";
            match broken.as_slice() {
                [] => assert!(exact, "{streaming} {format}"),
                [text] => assert!(!exact && text.contains(lost), "{streaming} {format}: {text}"),
                _ => panic!("{streaming} {format}: {broken:?}"),
            }
            let files = out.files()?;
            let name = |start: &str| {
                let found = files
                    .iter()
                    .find_map(|file| file.file_name()?.to_str().filter(|name| name.starts_with(start)));
                found.map(str::to_owned).with_context(|| format!("no {start} in {files:?}"))
            };
            let exchange = out.exchange(&name("post-v1")?)?;
            assert_eq!(
                (exchange.request.body.as_ref(), exchange.upstream.pieces.len()),
                (BODY.as_bytes(), 3)
            );
            // Without streaming the headers are those of the end.
            assert_eq!(exchange.request.headers.contains("x-by-route"), streaming == "false");
            if exact {
                let bytes = out.exchange(&name("post-bytes")?)?.upstream.body();
                assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_was_cut_off_names_the_setting() -> Result<()> {
    for streaming in ["true", "false"] {
        for (setting, part) in [("max_buffered_rx_bytes", "request"), ("max_buffered_tx_bytes", "answer")] {
            let (out, traces) = (Folder::new()?, Folder::new()?);
            let filter = documented(traces.path())?
                .replace("streaming: true", &format!("streaming: {streaming}"))
                .replace(&format!("{setting}: 16777216"), &format!("{setting}: 6"));
            let broken = imported(&filter, &[chat()], &out, &traces).await?;
            let [text] = broken.as_slice() else { panic!("{broken:?}") };
            let expected = format!("POST {CHAT}?key=<redacted>: the body of the {part} was cut off, ");
            assert!(text.contains(&expected) && text.contains(&format!(": raise {setting} in")), "{text}");
            assert!(out.files()?.is_empty());
        }
    }
    Ok(())
}
