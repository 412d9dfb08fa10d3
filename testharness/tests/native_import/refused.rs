//! What cannot be imported is named, with its place, and the rest is written.

use std::path::PathBuf;

use ipp_testharness::import::{har, tap};

use crate::support::{Folder, fixture, options};

/// What is broken about captures.
fn complaints(kind: &str, files: Vec<PathBuf>) -> Vec<String> {
    let out = Folder::new();
    let mut options = options(&[], &out);
    options.files = files;
    let report = if kind == "har" { har::import(&options) } else { tap::import(&options) };
    report.unwrap().broken
}

#[test]
fn broken_entries_are_named() {
    let text = complaints("har", vec![fixture("browser.har")]);
    let file = fixture("browser.har").display().to_string();
    let expected = [
        "entry 5 (POST /v1/completions?token=<redacted>): it was never answered: net::ERR_ABORTED",
        "entry 9 (POST /v1/chat/completions): the answer had a body, but the capture does not have it; \
         save it with content, and not while it streams",
        "entry 11: the request has no url",
    ];
    let expected: Vec<_> = expected.iter().map(|line| format!("{file}: {line}")).collect();
    assert_eq!(text, expected);
}

#[test]
fn files_that_are_something_else_are_named() {
    let folder = Folder::new();
    let page = folder.write("page.html", "<html>");
    let other = folder.write("other.json", "{\"log\":{}}");
    let lines = complaints("har", vec![page.clone(), other.clone(), folder.path().join("nowhere.har")]);
    assert!(
        lines[0].contains("page.html: this is no HAR file, which is JSON: expected value at line 1"),
        "{lines:#?}"
    );
    assert!(lines[1].ends_with("other.json: this is no HAR file: it has no log.entries"), "{lines:#?}");
    assert!(lines[2].contains("nowhere.har: No such file"), "{lines:#?}");

    let lines = complaints("tap", vec![page, other]);
    assert!(
        lines[0].contains("page.html: this is no JSON; the tap filter's sink needs the format"),
        "{lines:#?}"
    );
    assert!(lines[1].ends_with("other.json: log is no trace of the HTTP tap filter"), "{lines:#?}");
}

#[test]
fn traces_that_are_not_whole_say_what_to_do() {
    let folder = Folder::new();
    let whole = std::fs::read_to_string(fixture("tap-buffered-string.json")).unwrap();
    let half = folder.write("half.json", &whole[..whole.len() / 2]);
    let empty = folder.write("empty.json", "");
    let streamed = std::fs::read_to_string(fixture("tap-streamed-bytes.json")).unwrap();
    let end = streamed.find("\n{\n").unwrap();
    let unanswered = folder.write("unanswered.json", &streamed[..end]);
    let lines = complaints("tap", vec![fixture("tap-truncated.json"), half, empty, unanswered]);
    assert!(
        lines[0].ends_with(
            "tap-truncated.json: POST /v1/chat/completions?key=<redacted>: the body of the request was cut off, \
             16 bytes are there: raise max_buffered_rx_bytes in the tap filter's output_config"
        ),
        "{lines:#?}"
    );
    assert!(lines[1].contains("half.json: it ends in the middle of a trace"), "{lines:#?}");
    assert!(
        lines[2].contains("empty.json: it is empty; the tap filter's sink needs the format"),
        "{lines:#?}"
    );
    assert!(lines[3].ends_with("unanswered.json: the request was never answered"), "{lines:#?}");
}

#[test]
fn a_body_that_is_not_as_long_as_it_was_is_noted() {
    let out = Folder::new();
    let report = har::import(&options(&["browser.har"], &out)).unwrap();
    let place = format!("{}: entry 10 (POST /v1/chat/completions)", fixture("browser.har").display());
    let note = format!("{place}: the answer's body has 14 bytes here and had 99 when it was sent");
    assert_eq!((report.notes, report.left_out), (vec![note], 2));
}
