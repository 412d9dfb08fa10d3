//! Arbitrary bytes as a response, compared with serde_json.
#![no_main]

#[path = "../src/response_against_serde_json.rs"]
mod response_against_serde_json;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    // The first byte says how the rest is cut into chunks.
    if let Some((&cut, body)) = input.split_first() {
        response_against_serde_json::check(body, usize::from(cut));
    }
});
