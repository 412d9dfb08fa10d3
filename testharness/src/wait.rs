//! Waiting with a bound: nothing in the harness sleeps and hopes, and nothing waits for ever.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take before it counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long Envoy may take to start. It compiles the module, seconds of work: on a machine that has ten times as much to do
/// as it can, the better part of this.
pub const START: Duration = Duration::from_secs(90);

/// The outcome of `work`, or an error that names `what` was waited for.
pub async fn within<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(outcome) => outcome,
        Err(_) => bail!("gave up after {PATIENCE:?} waiting for {what}"),
    }
}

/// Asks again every few milliseconds until `probe` answers with a value.
pub async fn until<T, F>(what: &str, probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    until_for(PATIENCE, what, probe).await
}

/// The same, but gives up after `patience`.
pub async fn until_for<T, F>(patience: Duration, what: &str, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let start = Instant::now();
    loop {
        if let Some(value) = within(what, probe()).await? {
            return Ok(value);
        }
        if start.elapsed() > patience {
            bail!("gave up after {patience:?} waiting for {what}");
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
