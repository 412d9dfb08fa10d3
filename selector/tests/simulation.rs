//! Three model servers of different speed: choosing by live figures beats the best fixed choice.
//!
//! A simulation in simulated time. A server has slots; a request waits for one, then takes its prefill until the
//! first token and its decoding until the end. Figures are what the data layer would have: requests in flight are
//! counted at the pick, and times to the first token go through the bytes of a [`TtftRecord`] when they happen.
#![cfg(test)]
#![allow(clippy::arithmetic_side_effects, reason = "simulated times are small")]

use std::rc::Rc;

use ipp_selector::pickers::{MaxScorePicker, PowerOfTwoPicker};
use ipp_selector::records::{Record, TtftObservation, TtftRecord, TtftSettings};
use ipp_selector::scorers::{InflightRequestsScorer, TtftAware, TtftAwareScorer};
use ipp_selector::testing::Fields;
use ipp_selector::{CAPACITY, Candidate, Env, IN_FLIGHT, Rng, Selector, SplitMix64, TTFT_CURVE};

struct Server {
    name: &'static str,
    slots: usize,
    /// Seconds until the first token, once a slot is free.
    prefill: f64,
    /// Seconds from there to the last, on average.
    decode: f64,
}

const SERVERS: [Server; 3] = [
    Server { name: "fast", slots: 8, prefill: 0.10, decode: 2.0 },
    Server { name: "medium", slots: 6, prefill: 0.20, decode: 3.0 },
    Server { name: "slow", slots: 4, prefill: 0.30, decode: 5.0 },
];

/// What happens later to a request.
struct Event {
    at: f64,
    server: usize,
    /// The time it took and the load at the pick; `None` for the end of the request.
    first_token: Option<(f64, u32)>,
}

/// Times to the first token of `requests` requests, in seconds, and how many each server got.
fn simulate(
    requests: usize,
    rate: f64,
    seed: u64,
    choose: &mut dyn FnMut(&[Candidate; 3], u64, &mut SplitMix64) -> usize,
) -> (Vec<f64>, [usize; 3]) {
    let mut arrivals = SplitMix64::new(seed);
    let mut chance = SplitMix64::new(seed ^ 0xC0FFEE);
    let settings = TtftSettings::default().checked().unwrap();
    let mut candidates = SERVERS
        .map(|server| Candidate::new(server.name).with(&CAPACITY, server.slots as f64).with(&IN_FLIGHT, 0.0));
    let mut records: [Vec<u8>; 3] = Default::default();
    let mut free: [Vec<f64>; 3] = SERVERS.map(|server| vec![0.0; server.slots]);
    let mut in_flight = [0_u32; 3];
    let mut events: Vec<Event> = Vec::new();
    let mut counts = [0; 3];
    let mut latencies = Vec::new();
    let mut now = 1.0;
    for _ in 0..requests {
        now += -(1.0 - arrivals.unit()).ln() / rate;
        while events.last().is_some_and(|event| event.at <= now) {
            let Event { at, server, first_token } = events.pop().unwrap();
            match first_token {
                Some((ttft, load)) => {
                    let mut record = TtftRecord::decode(&records[server]).unwrap_or_default();
                    let at_ns = (at * 1e9) as u64;
                    record.observe(TtftObservation { ttft: ttft as f32, in_flight: load, at_ns }, &settings);
                    candidates[server].set(&TTFT_CURVE, record.curve().unwrap());
                    records[server] = record.encode();
                }
                None => in_flight[server] -= 1,
            }
        }
        for (candidate, count) in candidates.iter_mut().zip(in_flight) {
            candidate.set(&IN_FLIGHT, f64::from(count));
        }
        let chosen = choose(&candidates, (now * 1e9) as u64, &mut chance);
        let Server { prefill, decode, .. } = SERVERS[chosen];
        let slot = free[chosen].iter_mut().min_by(|a, b| a.total_cmp(b)).unwrap();
        let start = slot.max(now);
        let first = start + prefill * (0.8 + 0.4 * arrivals.unit());
        let end = first - decode * (1.0 - arrivals.unit()).ln();
        *slot = end;
        let ttft = first - now;
        for (at, first_token) in [(first, Some((ttft, in_flight[chosen]))), (end, None)] {
            // The latest first, so that the next one is at the end.
            let place = events.partition_point(|event| event.at > at);
            events.insert(place, Event { at, server: chosen, first_token });
        }
        in_flight[chosen] += 1;
        counts[chosen] += 1;
        latencies.push(ttft);
    }
    (latencies, counts)
}

/// The 95th percentile, of what comes after the first tenth.
fn p95(latencies: &[f64]) -> f64 {
    let mut settled = latencies[latencies.len() / 10..].to_vec();
    settled.sort_by(f64::total_cmp);
    settled[settled.len() * 95 / 100]
}

fn fixed(server: usize, rate: f64, seed: u64) -> f64 {
    p95(&simulate(2_000, rate, seed, &mut |_, _, _| server).0)
}

fn automatic(selector: &Selector, rate: f64, seed: u64) -> (f64, [usize; 3]) {
    let (latencies, counts) = simulate(2_000, rate, seed, &mut |candidates, now_ns, rng| {
        selector.select(candidates, &Fields::default(), &mut Env { now_ns, rng }).unwrap().index
    });
    (p95(&latencies), counts)
}

fn check(name: &str, selector: &Selector) {
    // The fast server alone serves 3.8 requests per second at most, all together 6.4.
    for (rate, seed) in [(2.5, 1), (3.2, 2), (3.2, 3), (4.5, 4), (5.5, 5)] {
        let best = (0..3).map(|server| fixed(server, rate, seed)).fold(f64::INFINITY, f64::min);
        let (auto, counts) = automatic(selector, rate, seed);
        assert!(auto < best, "{name} at {rate}/s: p95 {auto:.3} s, best fixed {best:.3} s, {counts:?}");
        if rate > 4.0 {
            // Beyond what one server can do the fixed choice drowns, and all three are needed.
            assert!(auto * 5.0 < best, "{name} at {rate}/s: p95 {auto:.3} s, best fixed {best:.3} s");
            assert!(counts.iter().all(|count| *count > 50), "{name} at {rate}/s: {counts:?}");
        }
    }
}

fn ttft_aware() -> Rc<TtftAwareScorer> {
    let settings = TtftAware { exploration_rate: 0.1, round_ttft_step: 0.01, ..TtftAware::default() };
    Rc::new(TtftAwareScorer::new(settings).unwrap())
}

fn share() -> Rc<InflightRequestsScorer> {
    Rc::new(InflightRequestsScorer::by_capacity(1.0).unwrap())
}

#[test]
fn by_the_share_of_the_capacity() {
    let selector = Selector::builder().scorer(1.0, share()).unwrap().build();
    check("inflight-requests-scorer", &selector);
}

#[test]
fn by_latency_and_load() {
    let selector = Selector::builder()
        .scorer(1.0, ttft_aware())
        .and_then(|builder| builder.scorer(2.0, share()))
        .and_then(|builder| builder.picker(Rc::new(MaxScorePicker::new(0.01).unwrap())))
        .unwrap()
        .build();
    check("ttft-aware-scorer and inflight-requests-scorer", &selector);
}

#[test]
fn by_the_better_of_two() {
    let selector = Selector::builder()
        .scorer(1.0, share())
        .and_then(|builder| builder.picker(Rc::new(PowerOfTwoPicker::default())))
        .unwrap()
        .build();
    check("power-of-two-picker", &selector);
}
