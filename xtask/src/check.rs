//! Runs the test tiers, those that mostly wait beside each other, and sums them up.

mod counted;
mod counts;
mod documents;
mod lanes;
mod session;
mod tier;

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::console::seconds;
use crate::stop::{Result, Stop};
use crate::workspace::Workspace;
use counts::Counts;
use lanes::Part;
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
    let (in_parts, whole): (Vec<Tier>, Vec<Tier>) = tiers.iter().partition(|tier| tier.is_in_parts());
    let mut outcomes: Vec<Outcome> = whole.into_iter().map(|tier| run_tier(&mut session, tier)).collect();
    outcomes.extend(run_in_parts(&mut session, &in_parts));
    outcomes.sort_by_key(|outcome| outcome.tier);

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

/// All of these at the same time. The time of a tier is the sum of its parts', so that it says where the time goes.
fn run_in_parts(session: &mut Session<'_>, tiers: &[Tier]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut parts = Vec::new();
    for tier in tiers.iter().copied() {
        println!("\n== {}: {} ==", tier.name(), tier.description());
        let started = Instant::now();
        let trouble = match session.parts(tier) {
            Ok(of_tier) => {
                parts.extend(of_tier);
                None
            }
            Err(stop) => Some(stop.to_string()),
        };
        if let Some(trouble) = &trouble {
            println!("{trouble}");
        }
        outcomes.push(Outcome { tier, counts: Counts::default(), trouble, time: started.elapsed() });
    }
    if !parts.is_empty() {
        let titles: Vec<String> = parts.iter().map(Part::name).collect();
        println!("\nrunning {} at a time; each speaks when it has ended:", lanes::lanes());
        println!("  {}", titles.join("\n  "));
    }
    lanes::run(parts, lanes::lanes(), |done| {
        println!("\n== {} ==", done.name);
        // A closed terminal is no reason to lose the verdict.
        let _ = stdout().write_all(&done.said);
        let Some(outcome) = outcomes.iter_mut().find(|outcome| outcome.tier == done.tier) else { return };
        let this = Outcome { tier: done.tier, counts: done.counts, trouble: done.trouble, time: done.time };
        if let Some(trouble) = &this.trouble {
            println!("{trouble}");
        }
        println!("-- {}: {}", done.name, line(&this).trim_start());
        outcome.counts += this.counts;
        outcome.time += this.time;
        outcome.trouble = outcome.trouble.take().or(this.trouble);
    });
    for outcome in &mut outcomes {
        // What did not even start counts as one failed test, so that the closing line cannot look like success.
        if outcome.trouble.is_some() && outcome.counts.failed == 0 {
            outcome.counts.failed = 1;
        }
    }
    outcomes
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
