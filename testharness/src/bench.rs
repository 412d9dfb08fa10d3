//! The benchmark: an Envoy with the filter beside two without it, measured in turns: noise hits all alike.
//!
//! All three live at the same time on one core, the client and the upstream on another. A round of a scenario
//! puts each of them under load for the blink of an eye, in shuffled order, and rounds of different scenarios
//! alternate: a burst of other work on the machine spoils a few rounds of each scenario, which a median
//! forgives, and not all rounds of one. The second Envoy without the filter is the control: what differs
//! between those two is noise. The filtered one is compared with the mean of both.

mod accounting;
mod aims;
mod body;
mod client;
mod congestion;
mod cores;
mod head;
mod link;
mod options;
mod random;
mod record;
mod results;
mod rounds;
mod scenario;
mod selection;
mod stage;
mod statistics;
mod stream;
mod table;
mod upstream;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use cores::Cores;
use results::Results;
use rounds::Measurement;
use stage::Stage;

pub use options::{Effort, Options, USAGE};

/// Runs the benchmark, prints its results and writes them to a file. False only when `--check` was given and
/// an aim is certainly missed.
pub async fn run(options: &Options) -> Result<bool> {
    let mut terminate = signal(SignalKind::terminate())?;
    // Whichever way this ends, the stage is dropped, and with it the Envoys.
    tokio::select! {
        outcome = perform(options) => outcome,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("terminated"),
    }
}

async fn perform(options: &Options) -> Result<bool> {
    let cores = Cores::choose(options.cores)?;
    let (stage, sides) = Stage::build(options, &cores).await?;
    let mut measurement = Measurement::new(options, sides);
    let (send, outcome) = oneshot::channel();
    // A thread of its own, so that signals are heard; it inherits the core of the client.
    std::thread::spawn(move || {
        // The other end is only gone when the benchmark was interrupted.
        let _ = send.send(measurement.run());
    });
    let outcome = outcome.await.context("the measuring thread ended early")?;
    // A trap of the module explains more than the failed request that it caused.
    stage.check().await?;
    let outcome = outcome?;
    stage.check_tokens(outcome.told).await?;
    let results = Results::of(outcome);

    println!("{}", table::text(&results, &cores));
    let document = record::document(options, &cores, &stage.version().await?, &results)?;
    record::write(&options.json, &document)?;
    println!("\nwritten to {}", options.json.display());
    Ok(!options.check || !results.rows.iter().any(aims::certainly_missed))
}
