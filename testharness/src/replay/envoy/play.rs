//! A recording as it runs: when each exchange starts, and what is seen of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::answer::Gate;
use crate::envoy::Envoy;
use crate::message::Headers;
use crate::recording::{Exchange, Outcome};
use crate::replay::engine::{Message, Observed};
use crate::upstream::Recorded;
use crate::wait::{PATIENCE, until};

use super::client::{Client, Pace, Received};
use super::log::Position;
use super::metrics::{self, Traffic};
use super::ping::Ping;
use super::servers::Shared;
use super::setup::TAG;

/// Where a recording runs.
pub(super) struct Stage {
    pub(super) envoy: Arc<Envoy>,
    pub(super) ping: Ping,
    /// Where clients connect to.
    pub(super) address: SocketAddr,
    pub(super) servers: Shared,
    /// The names of their statistics.
    pub(super) stats: Vec<String>,
    /// Requests that Envoy had sent to them before.
    pub(super) sent_before: u64,
}

/// A recording that runs.
pub(super) struct Play {
    stage: Stage,
    exchanges: Vec<Exchange>,
    log: Mutex<Position>,
    /// Clients that have not ended.
    clients: AtomicU64,
    /// How long an exchange may take before it counts as hanging.
    patience: Duration,
}

/// Opens its gate when it is dropped, so that what waits for an exchange never waits for ever.
struct OpenAtEnd(Gate);

impl Drop for OpenAtEnd {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl Play {
    pub(super) fn new(stage: Stage, exchanges: Vec<Exchange>, log: Position) -> Self {
        let answers = |exchange: &Exchange| {
            exchange.upstream.delay
                + exchange.upstream.pieces.iter().map(|piece| piece.after).sum::<Duration>()
        };
        let planned: Duration = exchanges.iter().map(answers).sum();
        let last = exchanges.iter().filter_map(|exchange| exchange.at).max().unwrap_or_default();
        let (log, clients, patience) = (Mutex::new(log), AtomicU64::new(0), PATIENCE + planned + last);
        Self { stage, exchanges, log, clients, patience }
    }

    /// Runs it to its end.
    pub(super) async fn run(self) -> Result<Vec<Observed>> {
        let play = Arc::new(self);
        let began = tokio::time::Instant::now();
        let mut running = JoinSet::new();
        for (index, exchange) in play.exchanges.iter().enumerate() {
            match (exchange.at, index.checked_sub(1)) {
                (Some(at), _) => tokio::time::sleep_until(began + at).await,
                (None, Some(before)) => play.passed(before).await,
                (None, None) => {}
            }
            let play = Arc::clone(&play);
            running.spawn(async move { (index, play.exchange(index).await) });
        }
        let mut seen = Vec::new();
        while let Some(ended) = running.join_next().await {
            let (index, observed) = ended.context("an exchange did not end")?;
            seen.push((index, observed.with_context(|| format!("exchange {:?}", play.exchanges[index].id))?));
        }
        seen.sort_by_key(|(index, _)| *index);
        let mut seen: Vec<Observed> = seen.into_iter().map(|(_, observed)| observed).collect();
        if let Some(last) = seen.last_mut() {
            play.faults(last).await?;
        }
        Ok(seen)
    }

    /// Returns when that exchange has ended or its answer is held back. With its end those that waited for it end, too,
    /// before anything new starts: else it would be chance what their metrics count.
    async fn passed(&self, index: usize) {
        let (arrived, ended) = self.stage.servers.gates(index);
        if self.exchanges[index].until.is_some() {
            tokio::select! {
                biased;
                () = ended.passed() => {}
                () = arrived.passed() => return,
            }
        }
        let mut ends = vec![index];
        while let Some(next) = ends.pop() {
            self.stage.servers.gates(next).1.passed().await;
            let waits = |(_, exchange): &(usize, &Exchange)| exchange.until == Some(next);
            ends.extend(self.exchanges.iter().enumerate().filter(waits).map(|(index, _)| index));
        }
    }

    async fn exchange(&self, index: usize) -> Result<Observed> {
        let (_, ended) = self.stage.servers.gates(index);
        let _ended = OpenAtEnd(ended);
        let client = self.connect(index).await?;
        let tag = client.port.to_string();
        self.clients.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let running = client.run(&self.exchanges[index].request, self);
        let received = tokio::time::timeout(self.patience, running).await;
        let took = began.elapsed();
        self.clients.fetch_sub(1, Ordering::Relaxed);
        let Ok(received) = received else {
            bail!("no response, and no end of it, within {:?}", self.patience)
        };
        let Received { response, whole } = received?;
        self.settled().await?;
        let arrived = match self.stage.servers.log.has_head(TAG, &tag) {
            true => Some(self.stage.servers.log.arrival(TAG, &tag).await?),
            false => None,
        };
        let outcome = match (whole, &arrived) {
            (false, _) => Outcome::Aborted,
            (true, Some(_)) => Outcome::Forwarded,
            (true, None) => Outcome::Replied,
        };
        let mut observed = Observed::new(outcome);
        observed.cluster = arrived.as_ref().map(|arrived| arrived.upstream.clone());
        observed.request = arrived.as_deref().map(message);
        observed.response = response;
        observed.took = took;
        observed.metrics = metrics::read(&self.stage.envoy, self.stage.ping).await?;
        self.faults(&mut observed).await?;
        Ok(observed)
    }

    /// A client whose port no other one of this recording has had.
    async fn connect(&self, index: usize) -> Result<Client> {
        loop {
            let client = Client::connect(self.stage.address).await?;
            if self.stage.servers.meet(client.port, index) {
                return Ok(client);
            }
        }
    }

    /// What was logged since the last time is put down to this exchange.
    async fn faults(&self, observed: &mut Observed) -> Result<()> {
        let faults = self.log.lock().await.faults(&self.stage.envoy)?;
        observed.traps.extend(faults.traps);
        observed.errors.extend(faults.errors);
        Ok(())
    }
}

impl Pace for Play {
    async fn read(&self) -> Result<()> {
        self.stage.ping.answered().await
    }

    /// Envoy has done all that it had to do, streams have ended unless a client still waits, and what was sent to servers
    /// has got there.
    async fn settled(&self) -> Result<()> {
        until("the exchange to come to rest in Envoy", async || {
            self.stage.ping.answered().await?;
            let traffic = Traffic::read(&self.stage.envoy, &self.stage.stats).await?;
            let arrived = self.stage.servers.log.heads() as u64;
            let ended = traffic.open <= self.clients.load(Ordering::Relaxed);
            let sent =
                traffic.waiting == 0 && traffic.sent.checked_sub(self.stage.sent_before) == Some(arrived);
            Ok((ended && sent).then_some(()))
        })
        .await
    }
}

/// What a server got, without what is not the filter's or the client's.
fn message(arrived: &Recorded) -> Message {
    let lower = |headers: &Headers| -> Headers {
        let fields = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        fields.filter(|(name, _)| name != TAG.as_bytes()).collect()
    };
    Message {
        headers: lower(&arrived.headers),
        body: arrived.body.clone(),
        trailers: lower(&arrived.trailers),
    }
}
