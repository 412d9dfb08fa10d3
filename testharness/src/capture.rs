//! The `record` command: an Envoy with the tap filter in front of a model server, and a recording for each request.
//!
//! `bootstrap` says how that Envoy runs. Its tap filter writes every piece of a request and its answer to a file as it
//! passes, which delays nothing; its access log says when one has ended and how. The `collector` puts the two together.

mod bootstrap;
mod collector;
mod ended;
mod listen;
mod private;
mod target;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::envoy::{Envoy, Launch};
use crate::import::shelf::{Existing, Shelf};
use crate::wait::PATIENCE;
use collector::Collector;
use private::Private;

pub use collector::{Kind, Outcome};
pub use target::Target;

/// What to record, and where to.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where clients connect to: an address and a port, or a port alone for one of this machine.
    #[arg(long, value_name = "ADDR", value_parser = listen::parse)]
    pub listen: SocketAddr,
    /// The model server: http://HOST:PORT or https://HOST.
    #[arg(long, value_name = "URL")]
    pub upstream: Target,
    /// The folder for the recordings; it is created where it does not exist.
    #[arg(long, value_name = "DIR", default_value = "recordings")]
    pub out: PathBuf,
    /// The PayloadProcessorConfig that the recordings are to run with. Default: the built-in one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The Envoy binary. Default: $IPP_ENVOY, else `envoy` as a shell finds it.
    #[arg(long, value_name = "PATH")]
    pub envoy: Option<PathBuf>,
    /// Keeps the values of this header, which would be redacted otherwise. Can be given more than once.
    #[arg(long, value_name = "NAME")]
    pub keep_header: Vec<String>,
}

impl Options {
    /// Options that record what passes from one address to a server; everything else is as by default.
    pub fn new(listen: SocketAddr, upstream: Target, out: impl Into<PathBuf>) -> Self {
        Self { listen, upstream, out: out.into(), config: None, envoy: None, keep_header: Vec::new() }
    }

    fn binary(&self) -> PathBuf {
        let variable = || std::env::var_os("IPP_ENVOY").map(PathBuf::from);
        self.envoy.clone().or_else(variable).unwrap_or_else(|| "envoy".into())
    }
}

/// How often it looks for what has ended.
const TICK: Duration = Duration::from_millis(100);

/// Prefix of Envoy's statistics about the listener, and the name of that.
const LISTENER: &str = "record";

/// Records until Ctrl-C, SIGTERM or the end of the terminal. False if something that should have been recorded was not.
///
/// # Errors
/// Envoy cannot be started, or ended by itself; the folder for the recordings cannot be used.
pub fn run(options: &Options) -> Result<bool> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(record(options))
}

/// The same on a runtime that is there already.
///
/// # Errors
/// Those of [`run`].
pub async fn record(options: &Options) -> Result<bool> {
    let mut stop = Stop::new()?;
    let mut tally = Tally::default();
    let mut recorder = tokio::select! {
        recorder = Recorder::start(options) => recorder?,
        () = stop.requested() => return Ok(true),
    };
    println!(
        "recording what passes from http://{} to {} in {}; Ctrl-C stops",
        recorder.address(),
        options.upstream,
        options.out.display()
    );
    loop {
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = stop.requested() => break,
        }
        recorder.envoy.check_running()?;
        recorder.collect()?.into_iter().for_each(|outcome| tally.add(&outcome));
    }
    println!("\nstopping; waiting for what is under way, Ctrl-C again does not");
    let mut tell = |outcome| tally.add(&outcome);
    tokio::select! {
        drained = recorder.drain(&mut tell) => {
            if !drained? {
                println!("some requests have not ended in {} s; they are cut off", PATIENCE.as_secs());
            }
        }
        () = stop.requested() => println!("not waiting; what is under way is not recorded"),
    }
    recorder.collect()?.into_iter().for_each(|outcome| tally.add(&outcome));
    println!("{} recorded, {} not, {} failed", tally.recorded, tally.skipped, tally.failed);
    Ok(tally.failed == 0)
}

/// A running recorder. Envoy and all that is not a recording is gone when it is dropped.
pub struct Recorder {
    envoy: Envoy,
    collector: Collector,
    address: SocketAddr,
}

impl Recorder {
    /// Starts an Envoy and returns once it listens.
    ///
    /// # Errors
    /// Envoy does not start, or the folder for the recordings cannot be used.
    pub async fn start(options: &Options) -> Result<Self> {
        if options.listen.port() != 0 {
            let free = std::net::TcpListener::bind(options.listen).map(drop);
            free.with_context(|| format!("--listen {}", options.listen))?;
        }
        let shelf = Shelf::open(&options.out, options.config.as_deref(), Existing::Refuse)?;
        let private = Private::create()?;
        let document = bootstrap::document(options.listen, &options.upstream, private.path())?;
        let launch = Launch { binary: options.binary(), concurrency: 1 };
        let started = Envoy::start_apart(&launch, &document.to_string()).await;
        let envoy = started
            .context("Envoy does not run; --envoy PATH says where it is, `cargo xtask envoy` gets one")?;
        let address = envoy.address(LISTENER).await?;
        Ok(Self { envoy, collector: Collector::new(private, shelf, &options.keep_header), address })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes recordings of what has ended since.
    ///
    /// # Errors
    /// What Envoy wrote cannot be read.
    pub fn collect(&mut self) -> Result<Vec<Outcome>> {
        self.collector.collect()
    }

    /// Takes no more requests, and returns once all that are under way have ended and are recorded: each is told. False if
    /// that took too long.
    ///
    /// # Errors
    /// What Envoy wrote cannot be read, or Envoy has ended.
    pub async fn drain(&mut self, tell: &mut dyn FnMut(Outcome)) -> Result<bool> {
        let answer = self.envoy.ask("POST", "/drain_listeners").await?;
        ensure!(answer.status == 200, "Envoy does not stop listening: {}", answer.text());
        let start = tokio::time::Instant::now();
        while start.elapsed() < PATIENCE {
            self.collect()?.into_iter().for_each(&mut *tell);
            let stats = self.envoy.stats_like("http.record.downstream_rq").await?;
            let requests = stats.get("http.record.downstream_rq_total");
            if stats.get("http.record.downstream_rq_active") == 0 && self.collector.is_done(requests) {
                return Ok(true);
            }
            tokio::time::sleep(TICK).await;
        }
        Ok(false)
    }
}

/// Counts outcomes, and says each of them.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    recorded: usize,
    skipped: usize,
    failed: usize,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        match outcome.kind {
            Kind::Recorded => self.recorded += 1,
            Kind::Skipped => self.skipped += 1,
            Kind::Failed => self.failed += 1,
        }
        match outcome.kind {
            Kind::Failed => eprintln!("{outcome}"),
            Kind::Recorded | Kind::Skipped => println!("{outcome}"),
        }
    }
}

/// The signals that end it.
struct Stop([Signal; 3]);

impl Stop {
    fn new() -> Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn requested(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
