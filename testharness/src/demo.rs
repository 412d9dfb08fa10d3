//! The demonstration: simulated model servers, a real Envoy with `envoy/multi-pool.yaml`, a set of sample
//! requests, and then it is yours to try.

mod options;
mod samples;
mod table;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::client::fetch;
use crate::envoy::{Envoy, Launch};
use crate::modelsim::Serving;
use crate::shipped::Shipped;
use crate::upstream::{Log, Upstream};
use samples::{Seen, samples};
use table::Table;

pub use options::{Options, USAGE};

/// The port that is tried first.
const PORT: u16 = 8080;

/// Correlates what was sent with what arrived.
const ROW: &str = "x-demo-row";

/// Everything that was started; dropping it stops all of it.
struct Stage {
    envoy: Envoy,
    address: SocketAddr,
    log: Log,
    _servers: Vec<Upstream>,
}

/// Runs the demonstration. True when every sample came out as expected. Ctrl-C, SIGTERM and the end of the
/// terminal end it in order at any time.
pub async fn run(options: &Options) -> Result<bool> {
    let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        outcome = perform(options) => outcome,
        _ = tokio::signal::ctrl_c() => Ok(stopped(options)),
        _ = terminate.recv() => Ok(stopped(options)),
        _ = hangup.recv() => Ok(stopped(options)),
    }
}

/// An interrupted demonstration has shown what it was asked to, an interrupted check has not.
fn stopped(options: &Options) -> bool {
    println!("\nstopping Envoy and the model servers");
    !options.once
}

async fn perform(options: &Options) -> Result<bool> {
    let stage = Stage::build(options).await?;
    let good = stage.show(options.config.is_none()).await?;
    if options.once {
        return Ok(good);
    }
    println!("{}", table::invitation(stage.address, stage.envoy.admin()));
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stage.envoy.check_running()?;
    }
}

impl Stage {
    async fn build(options: &Options) -> Result<Self> {
        let log = Log::new();
        let mut shipped = Shipped::load("multi-pool.yaml")?
            .module(&options.module)?
            .on_loopback((Ipv4Addr::LOCALHOST, options.port()?).into())?;
        let mut servers = Vec::new();
        let hosts = ["llama.models.internal", "qwen.models.internal", "default.models.internal"];
        for (serving, host) in Serving::pools().into_iter().zip(hosts) {
            let server = serving.start(&log)?;
            println!("model server {:<13} http://{}", server.name(), server.address());
            shipped = shipped.address(host, 8000, server.address())?;
            servers.push(server);
        }
        if let Some(file) = &options.config {
            let document =
                std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            shipped = shipped.config(&document)?;
        }
        println!("starting Envoy with envoy/multi-pool.yaml; it compiles the module first ...");
        let started = Instant::now();
        let launch = Launch { binary: options.envoy.clone(), concurrency: 2 };
        let envoy = Envoy::start_yaml(&launch, shipped.text()).await?;
        let address = envoy.address("llm").await?;
        println!("Envoy is ready on http://{address} after {} ms\n", started.elapsed().as_millis());
        Ok(Self { envoy, address, log, _servers: servers })
    }

    /// Sends the samples one after the other and prints what became of each. With a configuration that is not
    /// the shipped one there is nothing to compare with, so all that counts is that every request is
    /// answered.
    async fn show(&self, judge: bool) -> Result<bool> {
        let mut table = Table::new();
        println!("{}", table.head());
        let mut wrong = Vec::new();
        for (number, sample) in samples().into_iter().enumerate() {
            let row = number.to_string();
            let request = sample.request.clone().header(ROW, &row);
            let started = Instant::now();
            let response = fetch(sample.protocol, self.address, &request).await?;
            let time = started.elapsed();
            let seen = Seen { arrived: self.log.with(ROW, &row).into_iter().next(), response };
            let faults = if judge { sample.faults(&seen) } else { Vec::new() };
            println!("{}", table.row(&sample, &seen, time, faults.is_empty()));
            wrong.extend(faults.into_iter().map(|fault| format!("{}: {fault}", sample.what)));
        }
        wrong.extend(self.envoy.findings(&[]).await?);
        for fault in &wrong {
            println!("\nnot as expected: {fault}");
        }
        if wrong.is_empty() && judge {
            println!("\nall {} requests came out as expected", table.rows());
        }
        Ok(wrong.is_empty())
    }
}

/// Whether the port can be had.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
