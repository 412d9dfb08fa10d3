//! Waiting with a bound: nothing in the harness sleeps and hopes, and nothing waits for ever.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take before it counts as hanging.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The outcome of `work`, or an error that names `what` was waited for.
pub async fn within<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(outcome) => outcome,
        Err(_) => bail!("gave up after {PATIENCE:?} waiting for {what}"),
    }
}

/// Asks again every few milliseconds until `probe` answers with a value.
pub async fn until<T, F>(what: &str, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Option<T>>>,
{
    let start = Instant::now();
    loop {
        if let Some(value) = within(what, probe()).await? {
            return Ok(value);
        }
        if start.elapsed() > PATIENCE {
            bail!("gave up after {PATIENCE:?} waiting for {what}");
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}
