//! The final check: nothing trapped, failed, was logged as an error or is still open.

use anyhow::Result;

use super::{Envoy, Level};
use crate::wait::until;

/// What a trap, a panic or an abort of a module leaves in the log, at whatever level.
pub(crate) const TRAPS: [&str; 5] = [
    "Uncaught RuntimeError",
    "wasm trap",
    "panicked at",
    "Proxy-Wasm plugin in-VM backtrace",
    "Wasm VM failed",
];

/// Parts of the names of counters below `wasm.` that stay at zero when nothing fails; a successful reload has
/// a crash before it.
const FAILURES: [&str; 5] = ["fail", "crash", "error", "vm_reload", "rejected"];

impl Envoy {
    /// What is wrong with it, with lines of the log that contain one of `expected` left out. Requests that
    /// are still open are waited for.
    pub async fn findings(&self, expected: &[&str]) -> Result<Vec<String>> {
        let mut findings = self.faults(expected).await?;
        if findings.is_empty() && until("every request to end", || self.idle()).await.is_err() {
            findings.extend(self.open_requests().await?);
        }
        Ok(findings)
    }

    /// The same without a look at open requests, for an Envoy that other tests use at the same time.
    pub async fn faults(&self, expected: &[&str]) -> Result<Vec<String>> {
        self.check_running()?;
        let mut findings = Vec::new();
        let log = self.log()?;
        let severe = self.log_lines(Level::Error)?;
        let trapped =
            log.lines().filter(|line| TRAPS.iter().any(|trap| line.contains(trap))).map(str::to_owned);
        for line in severe.into_iter().chain(trapped) {
            if !expected.iter().any(|text| line.contains(text)) && !findings.contains(&line) {
                findings.push(line);
            }
        }
        for (name, value) in self.stats().await?.iter() {
            if name.starts_with("wasm.") && value > 0 && FAILURES.iter().any(|part| name.contains(part)) {
                findings.push(format!("{name} is {value}"));
            }
        }
        Ok(findings)
    }

    /// Panics unless nothing is wrong with it.
    pub async fn assert_healthy(&self) {
        self.assert_healthy_but(&[]).await;
    }

    /// The same, with lines of the log that contain one of `expected` left out.
    pub async fn assert_healthy_but(&self, expected: &[&str]) {
        match self.findings(expected).await {
            Ok(findings) => assert!(findings.is_empty(), "Envoy is not healthy:\n{}", findings.join("\n")),
            Err(error) => panic!("Envoy is not healthy: {error:#}"),
        }
    }

    async fn idle(&self) -> Result<Option<()>> {
        Ok(self.open_requests().await?.is_empty().then_some(()))
    }

    async fn open_requests(&self) -> Result<Vec<String>> {
        let stats = self.stats().await?;
        let open = stats.iter().filter(|(name, value)| {
            *value > 0 && !name.starts_with("http.admin.") && name.ends_with(".downstream_rq_active")
        });
        Ok(open.map(|(name, value)| format!("{name} is {value}")).collect())
    }
}
