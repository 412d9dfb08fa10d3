//! The report that CI systems read: JUnit's XML, a suite for each recording and a case for each exchange and engine.

use std::fmt::Write as _;

use crate::replay::outcome::{Finished, Row, Summary, Verdict};

/// The results as JUnit's XML.
pub fn junit(summary: &Summary, finished: &[Finished<'_>]) -> String {
    let tests = summary.passed + summary.failed + summary.skipped;
    let time = seconds(finished.iter().flat_map(|finished| &finished.rows));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"ipp-replay\" tests=\"{tests}\" failures=\"{}\" skipped=\"{}\" time=\"{time}\">",
        summary.failed, summary.skipped
    );
    for finished in finished {
        suite(&mut xml, finished);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(xml: &mut String, finished: &Finished<'_>) {
    let mut counts = Summary::default();
    counts.add(&finished.rows);
    let file = escape(&finished.file().display().to_string());
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{}\">",
        finished.rows.len(),
        counts.failed,
        counts.skipped,
        seconds(&finished.rows)
    );
    let name = escape(&finished.recording.name);
    for row in &finished.rows {
        let exchange = row.exchange.as_deref().map(|id| format!(" / {}", escape(id))).unwrap_or_default();
        let _ = write!(
            xml,
            "    <testcase name=\"{name}{exchange} [{}]\" classname=\"{file}\" file=\"{file}\" time=\"{}\"",
            row.engine,
            seconds([row])
        );
        let why = escape(&row.why);
        let _ = match row.verdict {
            Verdict::Passed => writeln!(xml, "/>"),
            Verdict::Failed => writeln!(xml, "><failure message=\"{why}\">{why}</failure></testcase>"),
            Verdict::Skipped => writeln!(xml, "><skipped message=\"{why}\"/></testcase>"),
        };
    }
    xml.push_str("  </testsuite>\n");
}

fn seconds<'a>(rows: impl IntoIterator<Item = &'a Row>) -> String {
    let total: std::time::Duration = rows.into_iter().map(|row| row.took).sum();
    format!("{:.6}", total.as_secs_f64())
}

/// Text as XML can hold it: what XML cannot say at all becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}')
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}
