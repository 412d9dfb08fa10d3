//! The scanner against serde_json on mutated bodies: a bounded, repeatable run of the fuzz target's check.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../fuzz/src/against_serde_json.rs"]
#[allow(unreachable_pub, reason = "the fuzz target's crate is another one")]
mod against_serde_json;
#[path = "support/mutation.rs"]
mod mutation;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/members");
/// Bytes and texts that mean something in JSON or in UTF-8.
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b" ",
    b"\n",
    b"-",
    b"0",
    b"1",
    b".",
    b"e",
    b"+",
    b"true",
    b"false",
    b"null",
    b"\\u0065",
    b"\\ud83d",
    b"\\ude00",
    b"\\n",
    b"\x00",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xc3",
    b"\xe2\x82\xac",
    b"\xf0\x9f\x98\x80",
    b"\xff",
    b"\"model\":",
    b"\"seed\":1,",
    b"\"\":",
];

#[test]
fn the_corpus_in_every_cut() {
    for seed in mutation::corpus(CORPUS) {
        let body = &seed[1..];
        for cut in 0..=body.len() {
            against_serde_json::check(body, cut);
        }
        // Every truncation, too.
        for end in 0..body.len() {
            against_serde_json::check(&body[..end], usize::from(seed[0]));
        }
    }
}

#[test]
fn mutated_bodies() {
    let inputs = mutation::Inputs { seeds: mutation::corpus(CORPUS), pieces: PIECES, longest: 24 };
    inputs.mutated(60_000, |cut, body| against_serde_json::check(body, cut % 20));
}
