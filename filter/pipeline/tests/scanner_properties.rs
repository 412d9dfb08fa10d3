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

use ipp_selector::{Rng, SplitMix64};

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

fn corpus() -> Vec<Vec<u8>> {
    let mut files: Vec<_> = std::fs::read_dir(CORPUS).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], rng: &mut SplitMix64) {
    let at = rng.below(bytes.len() + 1);
    let end = (at + rng.below(8)).min(bytes.len());
    match rng.below(5) {
        0 => drop(bytes.splice(at..end, [])),
        1 => drop(bytes.splice(at..at, PIECES[rng.below(PIECES.len())].iter().copied())),
        2 => drop(bytes.splice(at..end, PIECES[rng.below(PIECES.len())].iter().copied())),
        3 => drop(bytes.splice(at..end, [rng.below(256) as u8])),
        _ => {
            let other = &seeds[rng.below(seeds.len())];
            let from = rng.below(other.len());
            let piece = other[from..(from + rng.below(24)).min(other.len())].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

#[test]
fn the_corpus_in_every_cut() {
    for seed in corpus() {
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
    let seeds = corpus();
    let mut rng = SplitMix64::new(20_261_122);
    for _ in 0..60_000 {
        let mut bytes = seeds[rng.below(seeds.len())].clone();
        for _ in 0..=rng.below(4) {
            mutate(&mut bytes, &seeds, &mut rng);
        }
        if let Some((&cut, body)) = bytes.split_first() {
            against_serde_json::check(body, usize::from(cut) % 20);
        }
    }
}
