//! docs/model-selection.md is held to the code: its types, codes and metrics are those that there are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use ipp_pipeline::stock;
use std::collections::BTreeSet;
use support::pipeline;

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/model-selection.md")).unwrap()
}

/// The configuration that the page shows.
fn example() -> String {
    let page = page();
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    rest.split("```").next().unwrap().to_owned()
}

/// What stands in backquotes in the first column of the table below a head.
fn first_cells(head: &str) -> BTreeSet<String> {
    let page = page();
    let (_, table) = page.split_once(head).unwrap_or_else(|| panic!("no table {head:?}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn scorers_and_pickers() {
    for (head, ending) in [("| type | score |", "scorer"), ("| type | which model |", "picker")] {
        let there: BTreeSet<String> = stock()
            .all()
            .iter()
            .map(|plugin| plugin.name.to_owned())
            .filter(|name| name.ends_with(ending) && !name.ends_with("profile-picker"))
            // Scorers whose names do not say so.
            .chain(
                ["costguard", "session-affinity"]
                    .map(str::to_owned)
                    .into_iter()
                    .filter(|_| ending == "scorer"),
            )
            .collect();
        assert!(there.len() >= 3);
        assert_eq!(first_cells(head), there);
    }
}

#[test]
fn metrics_and_codes() {
    let before: BTreeSet<String> =
        pipeline("").metrics().all().iter().map(|metric| metric.name.clone()).collect();
    // The proxy's own, which no plugin declares: `CHANGES` in filter/proxy/src/gauges.rs.
    let mut names = BTreeSet::from(["ipp_inflight_changes".to_owned()]);
    let mut codes = BTreeSet::from(["model_not_found".to_owned(), "invalid_model".to_owned()]);
    for metric in pipeline(&example()).metrics().all() {
        let name = metric.name.rsplit(";.;").next().unwrap();
        if before.contains(&metric.name) || name == "ipp_plugin_duration_nanoseconds" {
            continue;
        }
        match metric.name.strip_prefix("code=.=") {
            Some(code) => drop(codes.insert(code.split(";.;").next().unwrap().to_owned())),
            None => drop(names.insert(name.to_owned())),
        }
    }
    assert_eq!(first_cells("| metric | kind | labels |"), names);
    assert_eq!(first_cells("| code | status | when |"), codes);
}

#[test]
fn metrics_of_figures_and_sessions() {
    let names = |config: &str| -> BTreeSet<String> {
        let pipeline = pipeline(config);
        let all = pipeline.metrics().all().iter();
        all.map(|metric| metric.name.rsplit(";.;").next().unwrap().to_owned()).collect()
    };
    let without = example();
    let with =
        without.replace("- type: cost-scorer\n", "- type: session-affinity\n- type: costguard\n").replace(
            "    - {pluginRef: cost-scorer, weight: 1}\n",
            "    - {pluginRef: costguard, weight: 1}\n    - {pluginRef: session-affinity, weight: 1}\n",
        );
    let more: BTreeSet<String> = names(&with).difference(&names(&without)).cloned().collect();
    assert_eq!(first_cells("| metric of figures | kind | labels |"), more);
}
