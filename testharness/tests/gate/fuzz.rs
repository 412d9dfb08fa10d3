//! Four workers, and clients that send all sorts of requests and leave at any byte. Whatever else happens: who stays gets
//! the right answer, nothing traps, and nothing is left open or in flight.

use anyhow::{Context, Result, ensure};
use ipp_testharness::bootstrap::Bootstrap;
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::wait::{until, within};

use crate::pairs::{VARIANTS, stock};
use crate::support::rig::{Rig, tag};
use crate::support::{CHAT, LLAMA, QWEN, configs};

/// Numbers that look random and are the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap_or(0) % bound
    }
}

/// A request, and what has to become of it: a pool and a base model, or a refusal.
fn request(random: &mut Random) -> (Request, Option<(&'static str, &'static str, &'static str)>) {
    let places = [
        ("sql-lora", "qwen-pool", QWEN),
        ("food-review-1", "llama-pool", LLAMA),
        ("somebody", "default-pool", ""),
    ];
    let place = places[random.below(3)];
    let filler = [0, 10, 1000, 40_000, 300_000][random.below(5)];
    let bad = random.below(10) == 0;
    let end = if bad { "]" } else { "}" };
    let body = format!(r#"{{"x":"{}","model":"{}"{end}"#, "x".repeat(filler), place.0);
    let cuts = [random.below(30), random.below(body.len())];
    let request = match random.below(4) {
        0 => Request::post(CHAT, body),
        1 => Request::post(CHAT, body).pieces(&cuts),
        2 => Request::post(CHAT, body).chunked(&cuts),
        _ => Request::post(CHAT, body).chunked(&cuts).trailer("x-sum", "1"),
    };
    (tag(request).1, (!bad).then_some(place))
}

/// The usual one, with a model selection that gives everybody whom he asks for, and counts him.
fn config() -> String {
    let plugins = "\
datalayer: {datasources: [{pluginRef: model-config-datasource}]}
plugins:
- type: model-selector
- type: model-group-name-filter
- type: inflight-requests-scorer
- type: model-config-datasource
  parameters: {models: [{name: sql-lora}, {name: food-review-1}, {name: somebody}]}
";
    let request = "    request:
    - pluginRef: model-group-name-filter
    - {pluginRef: inflight-requests-scorer, weight: 1}
    - pluginRef: model-selector
";
    configs::PLAIN.replacen("plugins:\n", plugins, 1).replace("    request:\n", request)
}

fn judge(
    rig: &Rig,
    sent: Request,
    response: ipp_testharness::client::Response,
    expected: Option<(&str, &str, &str)>,
) {
    let exchange = rig.seen(sent, response);
    match expected {
        Some((model, pool, base)) => drop(exchange.forwarded(pool, Some(model), Some(base))),
        None => exchange.refused(400, "invalid_json"),
    }
}

async fn over_h1(rig: &Rig, listener: &str, random: &mut Random) -> Result<()> {
    let (request, expected) = request(random);
    let mut connection = h1::Connection::open(rig.address(listener)).await?;
    match random.below(4) {
        0 => {
            let wire = request.wire();
            // It may be refused, and the connection closed, before all of it is sent.
            connection.send(&wire[..random.below(wire.len())]).await.ok();
            connection.abort()
        }
        1 => {
            connection.send(&request.wire()).await.ok();
            drop(connection);
            Ok(())
        }
        _ => {
            let response = within("an answer", connection.exchange(&request)).await?;
            judge(rig, request, response, expected);
            Ok(())
        }
    }
}

async fn over_h2(rig: &Rig, listener: &str, random: &mut Random) -> Result<()> {
    let mut connection = h2::Connection::open(rig.address(listener)).await?;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let (request, expected) = request(random);
        match random.below(4) {
            0 => {
                let mut stream = connection.open_stream(&request, false).await?;
                let cut = random.below(request.body.len());
                stream.body.send_data(request.body.slice(..cut), false)?;
                stream.reset();
            }
            1 => connection.send_request(&request).await?.reset(),
            _ => streams.push((connection.send_request(&request).await?, request, expected)),
        }
    }
    for (stream, request, expected) in streams {
        let response = within("an answer", stream.response()).await?;
        judge(rig, request, response, expected);
    }
    Ok(())
}

#[tokio::test]
async fn four_workers_and_clients_that_leave_at_any_byte() -> Result<()> {
    let listeners = VARIANTS.map(|variant| variant.listener(stock(&config())));
    let mut bootstrap = Bootstrap::new(listeners.into(), Vec::new());
    bootstrap.concurrency = 4;
    let rig = Rig::start_with(bootstrap).await?;
    let client = async |seed: u64| -> Result<()> {
        let mut random = Random(seed);
        for turn in 0..40 {
            let listener = VARIANTS[random.below(VARIANTS.len())].name;
            let done = match random.below(2) {
                0 => over_h1(&rig, listener, &mut random).await,
                _ => over_h2(&rig, listener, &mut random).await,
            };
            done.with_context(|| format!("seed {seed}, turn {turn}, {listener}"))?;
        }
        Ok(())
    };
    let [a, b, c, d, e, f, g, h] = std::array::from_fn(|seed| client(seed as u64));
    tokio::try_join!(a, b, c, d, e, f, g, h)?;
    // Every choice is one that was carried out, and all of them are over.
    until("every choice to be over", async || {
        let metrics = rig.envoy.metrics("ipp_").await?;
        let sum = |name: &str| -> f64 {
            let of_it = metrics.iter().filter(|(series, _)| series.starts_with(&format!("{name}{{")));
            of_it.map(|(_, value)| value).sum()
        };
        let chosen = sum("ipp_model_selected_total");
        let processed = metrics[r#"ipp_requests_total{outcome="processed"}"#];
        Ok((sum("ipp_inflight") == 0.0 && chosen == processed && chosen > 100.0).then_some(()))
    })
    .await?;
    rig.assert_healthy().await;
    let metrics = rig.envoy.metrics("ipp_").await?;
    for metric in ["ipp_gate_missing_total", "ipp_reader_missing_total", "ipp_gate_timeouts_total"] {
        ensure!(metrics[metric] == 0.0, "{metric} is {}", metrics[metric]);
    }
    for outcome in ["processed", "rejected", "aborted"] {
        let count = metrics[&format!("ipp_requests_total{{outcome=\"{outcome}\"}}")];
        ensure!(count > 10.0, "{outcome}: {count}");
    }
    Ok(())
}
