//! The recording's model servers and the clusters that are polled: which there are, and what each request is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::answer::{Answer, Gate, Pause, Step};
use crate::bootstrap::Cluster;
use crate::message::Headers;
use crate::recording::{Abort, Exchange, Recording, Reset, Upstream as Scripted};
use crate::upstream::{Log, Recorded, Upstream};

use super::ping::Ping;
use super::setup::TAG;

/// Servers that outlive a recording, and the script of the one that runs.
#[derive(Default)]
pub(super) struct Servers {
    running: Vec<Server>,
    started: u64,
    shared: Shared,
}

struct Server {
    upstream: Upstream,
    /// The name of its statistics, which no other server has had: those of one that is gone stay for a while.
    stats: String,
}

/// What servers and clients share.
#[derive(Clone, Default)]
pub(super) struct Shared {
    /// What the servers saw.
    pub(super) log: Log,
    script: Arc<Mutex<Script>>,
}

/// What is answered.
#[derive(Default)]
struct Script {
    parts: Vec<Part>,
    /// Exchanges by the port of their client.
    clients: HashMap<u16, usize>,
    /// Answers of clusters that are polled, and how many of them were given.
    polled: HashMap<String, (Vec<Answer>, usize)>,
}

/// One exchange.
struct Part {
    answer: Answer,
    /// Opens when the server has the request.
    arrived: Gate,
    /// Opens when the exchange has ended.
    ended: Gate,
}

impl Servers {
    /// Prepares the servers of a recording. Whether they are others than before.
    pub(super) fn stage(&mut self, recording: &Recording, ping: Ping) -> Result<bool> {
        let polled = recording.callouts.iter().map(|callout| &callout.cluster);
        let mut wanted: Vec<&String> = recording.routing.clusters.iter().chain(polled).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let before = self.running.len();
        self.running.retain(|server| wanted.iter().any(|name| *name == server.upstream.name()));
        let mut changed = self.running.len() != before;
        for name in wanted {
            if !self.running.iter().any(|server| server.upstream.name() == name) {
                let shared = self.shared.clone();
                let answer = move |request: &Recorded| shared.answer(request);
                let upstream = Upstream::start(name, &self.shared.log, answer)?;
                self.started += 1;
                self.running.push(Server { upstream, stats: format!("server-{}", self.started) });
                changed = true;
            }
        }
        self.shared.log.clear();
        *self.shared.script() = Script::new(recording, ping);
        Ok(changed)
    }

    /// The servers as Envoy knows them, with the names of their statistics.
    pub(super) fn clusters(&self) -> impl Iterator<Item = (Cluster, String)> {
        let cluster = |upstream: &Upstream| Cluster::new(upstream.name(), upstream.address());
        self.running.iter().map(move |server| (cluster(&server.upstream), server.stats.clone()))
    }

    /// The names of their statistics.
    pub(super) fn stats(&self) -> Vec<String> {
        self.running.iter().map(|server| server.stats.clone()).collect()
    }

    pub(super) fn shared(&self) -> Shared {
        self.shared.clone()
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes from that port is of that exchange, unless the port is another one's already.
    pub(super) fn meet(&self, port: u16, exchange: usize) -> bool {
        let mut script = self.script();
        let free = !script.clients.contains_key(&port);
        if free {
            script.clients.insert(port, exchange);
        }
        free
    }

    /// The gate that opens when the server has that exchange's request, and the one that has to be opened at its end.
    pub(super) fn gates(&self, exchange: usize) -> (Gate, Gate) {
        let script = self.script();
        let part = &script.parts[exchange];
        (part.arrived.clone(), part.ended.clone())
    }

    fn answer(&self, request: &Recorded) -> Answer {
        let mut script = self.script();
        let client = request.header(TAG).and_then(|port| port.parse::<u16>().ok());
        if let Some(part) = client.and_then(|port| script.clients.get(&port)).map(|at| &script.parts[*at]) {
            part.arrived.open();
            return part.answer.clone();
        }
        let Some((answers, given)) = script.polled.get_mut(&request.upstream) else {
            return Answer::status(404);
        };
        let answer = answers.get(*given).or_else(|| answers.last()).cloned();
        *given += 1;
        answer.unwrap_or_else(|| Answer::status(404))
    }
}

impl Script {
    fn new(recording: &Recording, ping: Ping) -> Self {
        let exchanges = recording.exchanges();
        let gates: Vec<(Gate, Gate)> = exchanges.iter().map(|_| Default::default()).collect();
        let part = |(at, exchange): (usize, &Exchange)| {
            let (arrived, ended) = gates[at].clone();
            let mut answer = answer(&exchange.upstream, ping);
            // A client that leaves with the last byte of its request gets nothing of the answer.
            let leaves = matches!(exchange.request.abort, Some(Abort::AfterBytes(_))).then_some(at);
            for other in [exchange.until, leaves].into_iter().flatten() {
                answer.before.insert(0, Step::Hold(gates[other].1.clone()));
            }
            Part { answer, arrived, ended }
        };
        let parts = exchanges.iter().enumerate().map(part).collect();
        let polled = recording.callouts.iter().map(|callout| {
            let answers = callout.answers.iter().map(|scripted| answer(scripted, ping)).collect();
            (callout.cluster.clone(), (answers, 0))
        });
        Self { parts, clients: HashMap::new(), polled: polled.collect() }
    }
}

/// The steps of a server. Each piece of a body waits until Envoy has read the one before, so that it is one there, too.
fn answer(scripted: &Scripted, ping: Ping) -> Answer {
    let read = || {
        Step::Await(Pause::new(move || async move {
            // Fails when Envoy is gone, and then so is the connection on which this is an answer.
            let _ = ping.answered().await;
        }))
    };
    let mut answer = Answer::status(scripted.status);
    answer.headers = scripted.headers.iter().collect::<Headers>();
    if !scripted.delay.is_zero() {
        answer = answer.first(Step::Sleep(scripted.delay));
    }
    if scripted.reset == Some(Reset::Headers) {
        return answer.first(Step::Reset);
    }
    for (at, piece) in scripted.pieces.iter().enumerate() {
        if at > 0 {
            answer = answer.then(read());
        }
        if !piece.after.is_zero() {
            answer = answer.then(Step::Sleep(piece.after));
        }
        answer = answer.then(Step::Send(piece.bytes.clone()));
    }
    if scripted.reset == Some(Reset::Body) {
        answer = answer.then(read()).then(Step::Reset);
    }
    answer
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::client::{Request, fetch};
    use crate::upstream::Protocol;

    fn recording(lines: &str) -> Recording {
        let text = format!("name: x\nexchanges: [{{request: {{}}}}]\n{lines}");
        Recording::read(Path::new("x.yaml"), &text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn names(servers: &Servers) -> Vec<String> {
        servers.clusters().map(|(cluster, _)| cluster.name).collect()
    }

    #[tokio::test]
    async fn polled_clusters_give_their_answers_in_turn() -> Result<()> {
        let ping = Ping(([127, 0, 0, 1], 9).into());
        let mut servers = Servers::default();
        let polled =
            recording("callouts: {list: [{status: 201}, {status: 202, body: b}], default: [{status: 203}]}");
        assert!(servers.stage(&polled, ping)?);
        let clusters: Vec<_> = servers.clusters().collect();
        let ask = async |name: &str| {
            let (cluster, _) =
                clusters.iter().find(|(cluster, _)| cluster.name == name).expect("it is there");
            Ok::<_, anyhow::Error>(
                fetch(Protocol::H1, cluster.address.expect("it has one"), &Request::get("/")).await?.status,
            )
        };
        let mut seen = Vec::new();
        for name in ["list", "default", "list", "list", "default"] {
            seen.push(ask(name).await?);
        }
        assert_eq!(seen, [201, 203, 202, 202, 203]);
        Ok(())
    }

    #[test]
    fn servers_are_kept_for_recordings_that_want_them() -> Result<()> {
        let ping = Ping(([127, 0, 0, 1], 9).into());
        let mut servers = Servers::default();
        assert!(servers.stage(&recording("clusters: [a, b]"), ping)?);
        assert!(!servers.stage(&recording("clusters: [b, a]"), ping)?);
        let before = servers.stats();
        assert_eq!(names(&servers), ["a", "b", "default"]);
        assert!(servers.stage(&recording("clusters: [b]\ncallouts: {c: [{status: 200}]}"), ping)?);
        assert_eq!(names(&servers), ["b", "default", "c"]);
        assert!(servers.stage(&recording("clusters: [a, b]"), ping)?);
        assert!(!servers.stats().contains(&before[0]), "statistics of a server that is gone are used again");
        Ok(())
    }
}
