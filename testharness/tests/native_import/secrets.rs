//! No secret of a capture is in anything that is written.

use ipp_testharness::import::{Options, har, tap};

use crate::support::{Folder, options};

const TAPS: [&str; 4] = [
    "tap-buffered-bytes.json",
    "tap-buffered-string.json",
    "tap-streamed-bytes.json",
    "tap-streamed-string.json",
];

/// All that was written, as text.
fn written(run: fn(&Options) -> anyhow::Result<bool>, captures: &[&str], keep: &[&str]) -> String {
    let out = Folder::new();
    let mut options = options(captures, &out);
    options.all = true;
    options.keep_header = keep.iter().map(|name| (*name).to_owned()).collect();
    run(&options).unwrap();
    out.names().iter().map(|name| out.text(name)).collect()
}

#[test]
fn none_of_a_har_file() {
    let text = written(har::run, &["browser.har", "mitmproxy.har"], &[]);
    let left: Vec<_> =
        text.lines().filter(|line| line.contains("S3CRET") || line.contains("UzNDUkVU")).collect();
    assert!(left.is_empty(), "{left:#?}");
    assert!(text.contains("my key is <redacted>"), "{text}");
    assert!(text.contains(r#"{"Authorization":"<redacted>"}"#), "{text}");
    assert!(text.contains("https://<redacted>@app.example/?token=<redacted>"), "{text}");
}

#[test]
fn none_of_a_trace() {
    let text = written(tap::run, &TAPS, &[]);
    assert!(text.contains("<redacted>") && !text.contains("S3CRET"), "{text}");
}

#[test]
fn what_is_to_be_kept_is_kept() {
    let text = written(har::run, &["browser.har"], &["X-API-Key", "authorization"]);
    assert!(text.contains("[x-api-key, S3CRET-x-api-key]"), "{text}");
    assert!(text.contains("[Authorization, Bearer S3CRET-authorization]"), "{text}");
    assert!(!text.contains("S3CRET-api-key") && !text.contains("S3CRET-cookie"), "{text}");
}
