//! Runs the test tiers one after the other, and sums them up.

mod counts;
mod documents;
mod session;
mod tier;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::console::seconds;
use crate::stop::{Result, Stop};
use crate::workspace::Workspace;
use counts::Counts;
use session::Session;
pub use tier::Tier;

struct Outcome {
    tier: Tier,
    counts: Counts,
    /// Set when the tier failed for another reason than a failed test.
    trouble: Option<String>,
    time: Duration,
}

impl Outcome {
    fn passed(&self) -> bool {
        self.trouble.is_none() && self.counts.failed == 0
    }
}

/// The tiers to run, always in their own order: a later one is of little use when an earlier one fails.
pub fn select(named: &[Tier], with_envoy: bool) -> Result<Vec<Tier>> {
    let wanted = |tier: &Tier| named.is_empty() || named.contains(tier);
    let allowed = |tier: &Tier| with_envoy || !tier.needs_envoy();
    let tiers: Vec<Tier> = Tier::ALL.into_iter().filter(|tier| wanted(tier) && allowed(tier)).collect();
    if tiers.is_empty() {
        return Err(Stop::usage("nothing is left to run: --no-envoy leaves out the tiers that were named"));
    }
    Ok(tiers)
}

pub fn run(workspace: &Workspace, tiers: &[Tier]) -> Result<ExitCode> {
    let started = Instant::now();
    let mut session = Session::new(workspace);
    let outcomes: Vec<Outcome> = tiers.iter().map(|tier| run_tier(&mut session, *tier)).collect();

    println!("\n== summary, after {} ==", seconds(started.elapsed()));
    for outcome in &outcomes {
        println!("{}", line(outcome));
    }
    let mut total = Counts::default();
    for outcome in &outcomes {
        total += outcome.counts;
    }
    let passed = outcomes.iter().all(Outcome::passed);
    if !passed {
        let again: Vec<&str> = outcomes.iter().filter(|it| !it.passed()).map(|it| it.tier.name()).collect();
        println!("to run what failed again: cargo xtask test {}", again.join(" "));
    }
    // Programs that read this output look for exactly this line at its end.
    println!("{total}");
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_tier(session: &mut Session<'_>, tier: Tier) -> Outcome {
    println!("\n== {}: {} ==", tier.name(), tier.description());
    let started = Instant::now();
    let (mut counts, trouble) = session.run(tier);
    // What did not even start counts as one failed test, so that the closing line cannot look like success.
    if trouble.is_some() && counts.failed == 0 {
        counts.failed = 1;
    }
    let outcome = Outcome { tier, counts, trouble, time: started.elapsed() };
    if let Some(trouble) = &outcome.trouble {
        println!("{trouble}");
    }
    println!("-- {}", line(&outcome).trim_start());
    outcome
}

fn line(outcome: &Outcome) -> String {
    let verdict = if outcome.passed() { "ok" } else { "FAILED" };
    let counts = outcome.counts.to_string();
    format!("  {:<7} {verdict:<7} {counts:<34} {:>8}", outcome.tier.name(), seconds(outcome.time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(named: &[Tier], with_envoy: bool) -> Vec<&'static str> {
        select(named, with_envoy).expect("some tiers").into_iter().map(Tier::name).collect()
    }

    #[test]
    fn tiers_run_in_their_own_order() {
        assert_eq!(
            names(&[], true),
            ["fmt", "lint", "unit", "module", "harness", "envoy", "attach", "replay", "image", "docs"]
        );
        assert_eq!(names(&[Tier::Docs, Tier::Fmt], true), ["fmt", "docs"]);
    }

    #[test]
    fn without_envoy_all_others_run() {
        assert_eq!(names(&[], false), ["fmt", "lint", "unit", "module", "harness", "image", "docs"]);
        assert_eq!(select(&[Tier::Envoy], false).expect_err("empty").code, crate::stop::USAGE);
    }

    #[test]
    fn a_tier_that_did_not_start_is_shown_as_failed() {
        let trouble = Some("no toolchain".to_owned());
        let counts = Counts { failed: 1, ..Counts::default() };
        let outcome = Outcome { tier: Tier::Envoy, counts, trouble, time: Duration::from_millis(1200) };
        assert!(!outcome.passed());
        assert!(line(&outcome).contains("FAILED  0 passed, 1 failed"), "{}", line(&outcome));
    }
}
