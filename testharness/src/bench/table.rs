//! What the benchmark prints.

use std::fmt::Write as _;

use super::aims::{prototype, verdict};
use super::cores::Cores;
use super::results::{Results, Row};
use super::statistics::Estimate;
use super::stream::CHUNKS;

/// Above this share of waiting, the table says that the machine was busy.
const BUSY: f64 = 0.05;

const TITLES: [&str; 8] =
    ["scenario", "CPU us", "A/A us", "added us", "ratio", "prototype", "p50 us", "added p50 us"];

/// The table, the aims, and how much noise there was.
pub(super) fn text(results: &Results, cores: &Cores) -> String {
    let rounds = results.rows.first().map_or(0, |row| row.rounds.len());
    let coverage = results.rows.first().map_or(0.0, |row| row.added.coverage);
    let mut text = format!(
        "CPU time and p50 latency per request, of streams per chunk, in an Envoy without the filter, and what the filter adds.\n\
         One connection, Envoy on core {}, client and upstream on core {}.\n\
         Medians of {rounds} paired rounds [{:.1} % interval].\n\
         A/A: a second Envoy without the filter against the first, which should be nothing.\n\
         prototype: the ratio of an earlier one that validated the whole body; the aim is to be below.\n\
         chunk: one of a stream of {CHUNKS}, each written when the one before has come to the client.\n\
         choice: of a model, by four scorers; all three Envoys have the filter, and two of them route by name.\n\n",
        cores.envoy,
        cores.client,
        coverage * 100.0
    );
    let mut lines = vec![TITLES.map(str::to_owned)];
    lines.extend(results.rows.iter().map(cells));
    let widths: [usize; 8] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
    });
    for line in &lines {
        let padded = line.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        let _ = writeln!(text, "{}", padded.collect::<Vec<_>>().join("  "));
    }
    text.push('\n');
    for verdict in results.rows.iter().filter_map(verdict) {
        let _ = writeln!(text, "{verdict}");
    }
    let busy = if results.waiting > BUSY {
        ": the machine was busy, which raises every time; measure again"
    } else {
        ""
    };
    let _ =
        write!(text, "\nThe Envoys waited {:.1} % of their time for the core{busy}", results.waiting * 100.0);
    text
}

fn cells(row: &Row) -> [String; 8] {
    let digits = digits(row);
    let difference = |estimate: &Estimate| difference(estimate, digits);
    [
        row.scenario.to_string(),
        format!("{:.digits$}", row.unfiltered),
        difference(&row.control),
        difference(&row.added),
        format!("{:.2} [{:.2}, {:.2}]", row.ratio.median, row.ratio.low, row.ratio.high),
        prototype(&row.scenario).map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        format!("{:.digits$}", row.latency),
        difference(&row.added_latency),
    ]
}

/// Chunks take a few microseconds.
fn digits(row: &Row) -> usize {
    if row.scenario.task.stream().is_some() { 2 } else { 1 }
}

fn difference(estimate: &Estimate, digits: usize) -> String {
    format!("{:+.digits$} [{:+.digits$}, {:+.digits$}]", estimate.median, estimate.low, estimate.high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::tests::row;

    #[test]
    fn columns_are_aligned() {
        let results = Results { rows: vec![row(&[9.0; 6]), row(&[12345.0; 6])], waiting: 0.2 };
        let text = text(&results, &Cores { envoy: 0, client: 1 });
        let table: Vec<_> = text.split("\n\n").nth(1).unwrap().lines().collect();
        assert_eq!(table.len(), 3);
        assert!(table.iter().all(|line| line.len() == table[0].len()), "{text}");
        assert!(text.contains("Medians of 6 paired rounds [96.9 % interval]"), "{text}");
        assert!(text.contains("+9.0 [+9.0, +9.0]") && text.contains("aim met"), "{text}");
        assert!(text.contains("waited 20.0 % of their time for the core: the machine was busy"), "{text}");
    }
}
