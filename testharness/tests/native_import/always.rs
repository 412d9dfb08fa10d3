//! What is expected of an imported recording holds as it is, with the built-in configuration.

use std::process::Command;

use ipp_testharness::import::{har, tap};

use crate::support::{Folder, options};

#[test]
fn imported_recordings_pass() {
    let out = Folder::new();
    let mut captures = options(&["browser.har", "mitmproxy.har"], &out);
    captures.all = true;
    har::import(&captures).unwrap();
    let mut traces = options(&["tap-streamed-bytes.json", "tap-get.json"], &out);
    (traces.all, traces.out) = (true, out.path().join("traces"));
    tap::import(&traces).unwrap();
    let mut replay = Command::new(env!("CARGO_BIN_EXE_ipp-replay"));
    let output = replay.arg(out.path()).args(["--engine", "native"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.ends_with("14 passed, 0 failed, 0 skipped\n"), "{text}");
}
