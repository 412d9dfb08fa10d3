//! `envoy/dynamic`: a file is replaced while traffic flows, and Envoy takes it without a restart.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use ipp_testharness::answer::Answer;
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::envoy::{Envoy, Launch};
use ipp_testharness::shipped::Shipped;
use ipp_testharness::upstream::Protocol::H1;
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::until;

use crate::support::CHAT;

const HOSTS: [&str; 3] = ["llama.models.internal", "qwen.models.internal", "default.models.internal"];

/// The three files in a folder of their own.
struct Files(PathBuf);

impl Files {
    fn create() -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("ipp-dynamic-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let files = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&files.0)?;
        files
            .put("filter.yaml", Shipped::load("dynamic/filter.yaml")?.module(&artifacts::module())?.text())?;
        files.put("routes.yaml", Shipped::load("dynamic/routes.yaml")?.text())?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// As the comments there tell: written beside, then moved.
    fn put(&self, name: &str, text: &str) -> Result<()> {
        let beside = self.path("next");
        std::fs::write(&beside, text)?;
        Ok(std::fs::rename(beside, self.path(name))?)
    }

    fn edit(&self, name: &str, from: &str, to: &str) -> Result<()> {
        let text = std::fs::read_to_string(self.path(name))?;
        assert_eq!(text.matches(from).count(), 1, "{name} has to have {from:?} once");
        self.put(name, &text.replace(from, to))
    }

    fn bootstrap(&self) -> Result<Shipped> {
        Shipped::load("dynamic/envoy.yaml")?
            .file("filter.yaml", &self.path("filter.yaml"))?
            .file("routes.yaml", &self.path("routes.yaml"))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // Left behind in the system's temporary folder at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Running {
    envoy: Envoy,
    address: SocketAddr,
    log: Log,
    files: Files,
    _servers: Vec<Upstream>,
}

impl Running {
    async fn start() -> Result<Self> {
        let files = Files::create()?;
        let log = Log::new();
        let mut shipped = files.bootstrap()?.on_loopback(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let mut servers = Vec::new();
        for host in HOSTS {
            let server = Upstream::start(host, &log, |_| Answer::status(200))?;
            shipped = shipped.address(host, 8000, server.address())?;
            servers.push(server);
        }
        let launch = Launch { binary: artifacts::envoy(), concurrency: 2 };
        let envoy = Envoy::start_yaml(&launch, shipped.text()).await?;
        let address = envoy.address("llm").await?;
        Ok(Self { envoy, address, log, files, _servers: servers })
    }

    /// Where a request for `model` arrives; it has to be answered with 200.
    async fn pool(&self, model: &str) -> Result<String> {
        let before = self.log.all().len();
        let body = format!(r#"{{"model":"{model}"}}"#);
        let response = fetch(H1, self.address, &Request::post(CHAT, body)).await?;
        assert_eq!(response.status, 200, "{}", response.text());
        let all = self.log.all();
        let arrived = all.get(before).with_context(|| format!("{model} reached no server"))?;
        Ok(arrived.upstream.clone())
    }

    async fn moves_to(&self, model: &str, host: &str) -> Result<()> {
        let probe = async || Ok((self.pool(model).await? == host).then_some(()));
        until(&format!("{model} to go to {host}"), probe).await
    }

    async fn stat(&self, name: &str) -> Result<u64> {
        Ok(self.envoy.stats_like(name).await?.get(name))
    }
}

#[tokio::test]
async fn it_passes_envoys_validation() -> Result<()> {
    let files = Files::create()?;
    Envoy::validate_yaml(&artifacts::envoy(), files.bootstrap()?.text()).await
}

#[tokio::test]
async fn new_mappings_and_new_routes_apply_without_a_restart() -> Result<()> {
    let running = Running::start().await?;
    assert_eq!(running.pool("sql-lora").await?, "qwen.models.internal");
    assert_eq!(running.pool("new-lora").await?, "default.models.internal");

    running.files.edit("filter.yaml", "[qwen-summarizer, sql-lora]", "[qwen-summarizer, new-lora]")?;
    running.moves_to("new-lora", "qwen.models.internal").await?;
    running.moves_to("sql-lora", "default.models.internal").await?;

    running.files.edit("routes.yaml", "cluster: qwen-pool", "cluster: llama-pool")?;
    running.moves_to("new-lora", "llama.models.internal").await?;
    running.envoy.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn a_wrong_file_is_refused_and_the_old_one_stays() -> Result<()> {
    let running = Running::start().await?;
    let failed = "extension_config_discovery.http_filter.ipp.config_fail";
    running.files.edit("filter.yaml", "type: base-model-to-header", "type: base-model-to-heder")?;
    until("the refusal of the filter", async || Ok((running.stat(failed).await? > 0).then_some(()))).await?;

    let rejected = "http.llm.rds.models.update_rejected";
    running.files.edit("routes.yaml", "prefix: /}", "prefixes: /}")?;
    until("the refusal of the routes", async || Ok((running.stat(rejected).await? > 0).then_some(())))
        .await?;

    assert_eq!(running.pool("sql-lora").await?, "qwen.models.internal");
    assert_eq!(running.pool("gpt-4").await?, "default.models.internal");
    Ok(())
}

/// What other files have in common with `multi-pool.yaml` is the same there: these three are all of it.
#[test]
fn what_files_share_with_multi_pool_is_the_same() -> Result<()> {
    let whole = Shipped::load("multi-pool.yaml")?;
    let trimmed = |text: &str| -> Vec<String> { text.lines().map(|line| line.trim().to_owned()).collect() };
    let whole = trimmed(whole.text());
    for (file, from, to) in [
        ("dynamic/filter.yaml", "apiVersion: llm-d.ai/v1alpha1", "- name: sql-lora"),
        ("dynamic/routes.yaml", "virtual_hosts:", "route: {cluster: default-pool, timeout: 0s}"),
        ("dynamic/envoy.yaml", "stats_config:", "- match: {suffix: ipp_output_tokens_per_second}"),
        ("dynamic/envoy.yaml", "access_log:", "gen_ai.usage.cache_read.input_tokens"),
        ("model-selection.yaml", "stats_config:", "- match: {suffix: ipp_output_tokens_per_second}"),
        ("model-selection.yaml", "cluster: \"%UPSTREAM", "gen_ai.usage.reasoning.output_tokens"),
        ("dynamic/envoy.yaml", "clusters:", "socket_address: {address: default.models.internal"),
    ] {
        let part = trimmed(Shipped::load(file)?.text());
        let cut = |lines: &[String]| {
            let start = lines.iter().position(|line| line.starts_with(from))?;
            let end = lines.iter().skip(start).position(|line| line.starts_with(to))?;
            Some(lines[start..=start + end].to_vec())
        };
        let cut_out = cut(&part).with_context(|| format!("{file}: {from}"))?;
        assert_eq!(Some(cut_out), cut(&whole), "{file}: {from}");
    }
    Ok(())
}
