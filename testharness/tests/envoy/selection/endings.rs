//! Every way in which a request can end leaves nothing in flight: by the client, by the model server, by Envoy.

mod client;

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::artifacts;
use ipp_testharness::bootstrap::{Bootstrap, Cluster, Filter, Listener};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};
use serde_json::json;
use tokio::task::JoinSet;

use self::client::{Open, Reach};
use super::{Selection, ask, total, until_in_flight};
use crate::support::rig::{CASE, Rig, listener, stock, tag};

/// What a time-out of Envoy's is here. A request has this long to come, be decided and be forwarded.
const PATIENCE: &str = "2.5s";

fn config() -> String {
    Selection {
        models: "{name: a}, {name: b}",
        plugins: &["type: inflight-requests-scorer", "type: avg-ttft-scorer"],
        request: &[
            "{pluginRef: inflight-requests-scorer, weight: 1}",
            // So that there is a record of each request beside the count.
            "{pluginRef: avg-ttft-scorer, weight: 1}",
        ],
        response: &[],
    }
    .config()
}

fn listeners() -> Vec<Listener> {
    let config = config();
    let plain = |name: &str| stock(name, &config);
    let over_h2 = listener("h2", Filter::new(&artifacts::module(), &config), "-h2");
    let behind = plain("behind").filters.len();
    let fault = json!({"name": "envoy.filters.http.fault", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault",
        "abort": {"http_status": 418, "percentage": {"numerator": 100}},
    }});
    vec![
        plain("main"),
        over_h2,
        Listener { timeout: PATIENCE.to_owned(), ..plain("timeout") },
        Listener { idle_timeout: Some(PATIENCE.to_owned()), ..plain("idle") },
        Listener { retries: Some(2), ..plain("retrying") },
        Listener { default_cluster: "nowhere".to_owned(), ..plain("nowhere") },
        Listener { default_cluster: "closed".to_owned(), retries: Some(1), ..plain("closed") },
        Listener { others: vec![(behind, fault)], ..plain("behind") },
    ]
}

/// What the model server does, until the gate is opened at the latest.
#[derive(Clone, Copy, Debug)]
enum Server {
    Answers,
    AnswersWithTrailers,
    Fails(u16),
    /// Never says anything.
    Silent,
    /// Sends an event and then nothing more.
    Stalls,
    ResetsAtOnce,
    ResetsInTheBody,
    /// Closes before all that it has announced was sent.
    Cuts,
    /// A head that Envoy does not take.
    TooMuchHead,
}

impl Server {
    fn answer(self, gate: &Gate) -> Answer {
        let event = || Answer::events([(Duration::ZERO, "one")]);
        match self {
            Self::Answers => Answer::body(200, "application/json", "{}"),
            Self::AnswersWithTrailers => event().trailer("x-end", "1"),
            Self::Fails(status) => Answer::body(status, "application/json", "{}"),
            Self::Silent => Answer::status(200).first(Step::Hold(gate.clone())),
            Self::Stalls => event().then(Step::Hold(gate.clone())),
            Self::ResetsAtOnce => Answer::status(200).first(Step::Reset),
            Self::ResetsInTheBody => event().then(Step::Hold(gate.clone())).then(Step::Reset),
            Self::Cuts => event().header("content-length", "1000").header("connection", "close"),
            Self::TooMuchHead => Answer::status(200).header("x-large", &"x".repeat(100_000)),
        }
    }
}

const ROWS: [Row; 16] = [
    ("main", Server::Answers, &[200], false),
    ("main", Server::AnswersWithTrailers, &[200], false),
    ("main", Server::Fails(400), &[400], false),
    ("main", Server::Fails(500), &[500], false),
    ("main", Server::ResetsAtOnce, &[503], false),
    ("main", Server::ResetsInTheBody, &[200], true),
    ("main", Server::Cuts, &[200], true),
    ("main", Server::TooMuchHead, &[502, 503], false),
    ("h2", Server::Answers, &[200], false),
    ("h2", Server::ResetsAtOnce, &[503], false),
    ("h2", Server::ResetsInTheBody, &[200], true),
    // The second time a model server answers.
    ("retrying", Server::Fails(503), &[200], false),
    ("retrying", Server::ResetsAtOnce, &[200], false),
    ("nowhere", Server::Answers, &[503], false),
    ("closed", Server::Answers, &[503], false),
    // Another filter answers in place of a model server.
    ("behind", Server::Answers, &[418], false),
];

/// These take their time, and so they run together.
const TIMED_OUT: [Row; 4] = [
    ("timeout", Server::Silent, &[504], false),
    ("timeout", Server::Stalls, &[200], true),
    ("idle", Server::Silent, &[408, 504], false),
    ("idle", Server::Stalls, &[200], true),
];

/// Clients that wait for the end of an answer. After a reset Envoy lets those of HTTP/1 wait for another second.
type Clients = JoinSet<Result<()>>;

/// A listener, what the model server does, the statuses that answers may have, and whether those break off.
type Row = (&'static str, Server, &'static [u16], bool);

/// Requests over HTTP/1 and HTTP/2 for each row, all at the same time.
async fn ended(rig: &Rig, clients: &mut Clients, rows: &[Row]) -> Result<()> {
    let before = total(rig, "ipp_model_selected_total").await?;
    let gate = Gate::new();
    let mut all = 0.0;
    for (name, server, statuses, broken) in rows.iter().copied() {
        let mut open = Vec::new();
        // No more than three: so many retries does Envoy allow at the same time.
        for protocol in [H1, H1, H2] {
            let (case, request) = tag(ask("auto"));
            rig.script(&case, server.answer(&gate));
            open.push(Open::send(rig.address(name), protocol, &request, Reach::All).await?);
            all += 1.0;
        }
        if let Server::ResetsInTheBody = server {
            for one in std::mem::take(&mut open) {
                open.push(within("an event", one.first_event()).await?);
            }
            gate.open();
        }
        for one in open {
            clients.spawn(async move {
                let ended = within("an answer", one.end()).await?;
                let good = statuses.contains(&ended.status) && ended.broken == broken;
                ensure!(good, "{name}, {server:?}: {ended:?}");
                Ok(())
            });
        }
    }
    nothing_left(rig, before + all).await?;
    gate.open();
    Ok(())
}

/// Clients that send so much, wait for so much, and leave: by a reset or by closing, of the connection or the stream.
async fn left(rig: &Rig, reach: Reach, server: Server) -> Result<()> {
    let before = total(rig, "ipp_model_selected_total").await?;
    let gate = Gate::new();
    let chosen = if reach == Reach::HalfTheBody { 0.0 } else { 4.0 };
    let mut open = Vec::new();
    for (at, protocol) in [H1, H1, H2, H2].into_iter().enumerate() {
        let (case, request) = tag(ask("auto"));
        rig.script(&case, server.answer(&gate));
        let mut one = Open::send(rig.address("main"), protocol, &request, reach).await?;
        match server {
            Server::Stalls => one = within("an event", one.first_event()).await?,
            _ if chosen > 0.0 => {
                rig.log.arrival(CASE, &case).await?;
            }
            _ => until_open(rig, at as u64 + 1).await?,
        }
        open.push(one);
    }
    until_in_flight(rig, chosen).await?;
    let mut kept = Vec::new();
    for (at, open) in open.into_iter().enumerate() {
        kept.push(open.leave(at % 2 == 0)?);
    }
    until_open(rig, 0).await?;
    nothing_left(rig, before + chosen).await?;
    gate.open();
    Ok(())
}

/// Waits until so many requests are open.
async fn until_open(rig: &Rig, wanted: u64) -> Result<()> {
    let name = "http.main.downstream_rq_active";
    until(&format!("{wanted} requests to be open"), async || {
        Ok((rig.envoy.stats_like(name).await?.get(name) == wanted).then_some(()))
    })
    .await
}

/// So many were given to a model since the start, and all of them are over.
async fn nothing_left(rig: &Rig, chosen: f64) -> Result<()> {
    until(&format!("{chosen} requests to be chosen for, and to be over"), async || {
        let metrics = rig.envoy.metrics("ipp_").await?;
        let sum = |name: &str| -> f64 {
            let of_it = metrics.iter().filter(|(series, _)| series.starts_with(&format!("{name}{{")));
            of_it.map(|(_, value)| value).sum()
        };
        ensure!(sum("ipp_model_selected_total") <= chosen, "a request was counted twice: {metrics:?}");
        let over = sum("ipp_inflight") == 0.0 && sum("ipp_inflight_tokens") == 0.0;
        let all = sum("ipp_model_selected_total") == chosen && sum("ipp_model_observations_total") <= chosen;
        Ok((over && all).then_some(()))
    })
    .await
}

#[tokio::test]
async fn whoever_ends_a_request_and_whenever_nothing_stays_in_flight() -> Result<()> {
    // Nobody listens there any more.
    let closed = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let mut bootstrap =
        Bootstrap::new(listeners(), vec![Cluster::empty("nowhere"), Cluster::new("closed", closed)]);
    bootstrap.concurrency = 4;
    let rig = Rig::start_with(bootstrap).await?;

    for (reach, server) in
        [(Reach::HalfTheBody, Server::Silent), (Reach::All, Server::Silent), (Reach::All, Server::Stalls)]
    {
        left(&rig, reach, server).await.with_context(|| format!("clients leave: {reach:?}, {server:?}"))?;
    }
    let mut clients = Clients::new();
    for row in ROWS {
        ended(&rig, &mut clients, &[row]).await.with_context(|| format!("{row:?}"))?;
    }
    ended(&rig, &mut clients, &TIMED_OUT).await.context("time-outs")?;
    for client in clients.join_all().await {
        client?;
    }
    // Who is given to no model is not in flight.
    for protocol in [H1, H2] {
        assert_eq!(rig.ask(protocol, "main", ask("nobody")).await?.response.status, 404);
    }

    // And it goes on from there.
    let all = total(&rig, "ipp_model_selected_total").await?;
    for protocol in [H1, H2] {
        assert_eq!(rig.ask(protocol, "main", ask("auto")).await?.response.status, 200);
    }
    nothing_left(&rig, all + 2.0).await?;
    rig.assert_healthy().await;
    Ok(())
}
