//! Arbitrary bytes through the scanner, compared with serde_json.
#![no_main]

#[path = "../src/against_serde_json.rs"]
mod against_serde_json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // The first byte says how the rest is cut into chunks.
    if let Some((&cut, body)) = input.split_first() {
        against_serde_json::check(body, usize::from(cut));
    }
});
