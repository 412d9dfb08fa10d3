//! Responses against serde_json, in every cut and on mutated bytes: a bounded, repeatable run of the fuzz target's check.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/mutation.rs"]
mod mutation;
#[path = "../fuzz/src/response_against_serde_json.rs"]
#[allow(unreachable_pub, reason = "the fuzz target's crate is another one")]
mod response_against_serde_json;

use ipp_pipeline::response::{Body, Events, Piece, Watch};
use ipp_selector::{Rng, SplitMix64};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/responses");
/// Bytes and texts that mean something in JSON, in events, or in the dialects.
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
    b"9",
    b".",
    b"e",
    b"true",
    b"null",
    b"\\u0065",
    b"\\ud83d",
    b"\x00",
    b"\x80",
    b"\xe2\x82\xac",
    b"\xff",
    b"\"model\":\"a\",",
    b"\"usage\":{\"prompt_tokens\":5},",
    b"\"delta\":",
    b"\"error\":{},",
    b"\"output_tokens\":12,",
    b"\"\":",
    b"[[[[[[[[[[",
    b"]]]]]]]]]]",
    b"12345678901",
];

#[test]
fn the_corpus_in_every_cut() {
    for seed in mutation::corpus(CORPUS) {
        let body = &seed[1..];
        for cut in 0..=body.len() {
            response_against_serde_json::check(body, cut);
        }
        for end in 0..body.len() {
            response_against_serde_json::check(&body[..end], usize::from(seed[0]) % 16);
        }
    }
}

#[test]
fn mutated_responses() {
    let inputs = mutation::Inputs { seeds: mutation::corpus(CORPUS), pieces: PIECES, longest: 40 };
    inputs.mutated(20_000, |cut, body| response_against_serde_json::check(body, cut % 20));
}

/// A document made at random, deep and wide enough to leave the known levels.
fn generate(out: &mut String, depth: usize, object: bool, rng: &mut SplitMix64) {
    const KEYS: &[&str] = &[
        "model",
        "usage",
        "prompt_tokens",
        "completion_tokens",
        "input_tokens",
        "output_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "completion_tokens_details",
        "reasoning_tokens",
        "response",
        "message",
        "choices",
        "delta",
        "content",
        "text",
        "usageMetadata",
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "candidates",
        "parts",
        "error",
        "modelVersion",
        "cache_read_input_tokens",
        "tool_calls",
        "x",
        "a.b",
        "\\u006dodel",
        "type",
        "content_block",
    ];
    match if object { 7 } else { rng.below(if depth > 9 { 5 } else { 8 }) } {
        0 => out.push_str(&rng.below(100_000).to_string()),
        1 => out.push_str(["null", "true", "-1", "1.5", "0", "2e3", "99999999999"][rng.below(7)]),
        2 => out.push_str("\"\""),
        3 | 4 => out.push_str(
            [
                "\"m\"",
                "\"a \\\"quoted\\\" one\"",
                "\"\\u00e9\"",
                "\"日本語 and more text\"",
                "\"\\ud800\"",
                "\"error\"",
                "\"\\u0065rror\"",
            ][rng.below(7)],
        ),
        5 => {
            out.push('[');
            for at in 0..rng.below(4) {
                if at > 0 {
                    out.push_str(", ");
                }
                generate(out, depth + 1, false, rng);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for at in 0..rng.below(7) {
                if at > 0 {
                    out.push(',');
                }
                let key = KEYS[rng.below(KEYS.len())];
                out.push_str(&format!("\"{key}\": "));
                generate(out, depth + 1, key.starts_with("usage"), rng);
            }
            out.push('}');
        }
    }
}

#[test]
fn generated_documents() {
    let mut rng = SplitMix64::new(6);
    let mut observed = 0;
    for _ in 0..8_000 {
        let mut text = String::new();
        generate(&mut text, 0, true, &mut rng);
        response_against_serde_json::check(text.as_bytes(), rng.below(9));
        let mut watch = Watch::new(Body::Json);
        watch.feed(text.as_bytes());
        observed += usize::from(watch.finish().unobserved.is_none());
    }
    assert!(observed > 60, "too few with usage to mean anything: {observed}");
}

const STREAMS: &[&str] = &[
    "data: {\"model\":\"m\"}\n\ndata: {\"usage\":{\"prompt_tokens\":3}}\n\ndata: [DONE]\n\n",
    "event: a\r\ndata: {\"model\":\r\ndata: \"m\"}\r\n\r\n: ping\r\n\r\ndata: {\"usage\":{\"input_tokens\":1}}\r\n\r\n",
    "\u{feff}data:{\"usage\":{\"output_tokens\":1}}\r\rid: 7\rdata\rdata:\r\rretry: 5\r\r",
    "data: {\"usage\":{\"prompt_tokens\":8}}\n\n\n\n\ndata: not json\n\ndata: {\"error\":{}}",
    "database: {\"model\":\"no\"}\ndata : {\"model\":\"no\"}\n\ndata: {\"usage\":\ndata: {\"prompt_tokens\":9}}\n\ndat",
];

/// Each event with its line feed, whether or not that came late, and what stands behind the last one.
fn pieces(stream: &[u8], cuts: &[usize], limit: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut events = Events::with_limit(limit);
    let (mut whole, mut all) = (Vec::<Vec<u8>>::new(), Vec::new());
    let mut sink = |piece: Piece<'_>| match piece {
        Piece::Event(event) => {
            whole.push(event.bytes().to_vec());
            all.extend_from_slice(event.bytes());
        }
        Piece::LineFeed => {
            whole.last_mut().unwrap().push(b'\n');
            all.push(b'\n');
        }
        Piece::Part(bytes) | Piece::Rest(bytes) => all.extend_from_slice(bytes),
    };
    let mut from = 0;
    for &cut in cuts {
        events.feed(&stream[from..cut], &mut sink);
        assert!(events.held() <= limit);
        from = cut;
    }
    events.feed(&stream[from..], &mut sink);
    events.finish(&mut sink);
    (whole, all)
}

#[test]
fn streams_in_every_two_cuts() {
    for stream in STREAMS.iter().map(|stream| stream.as_bytes()) {
        let (expected, all) = pieces(stream, &[], 1 << 20);
        assert_eq!(all, stream);
        let seen = |cuts: &[usize]| {
            let mut watch = Watch::new(Body::Events);
            let mut from = 0;
            for &cut in cuts.iter().chain([&stream.len()]) {
                watch.feed(&stream[from..cut]);
                from = cut;
            }
            watch.finish()
        };
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let cuts = [first, second];
                assert_eq!(pieces(stream, &cuts, 1 << 20), (expected.clone(), all.clone()), "{cuts:?}");
                assert_eq!(seen(&cuts), seen(&[]), "{cuts:?}");
            }
        }
        let bytewise: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(pieces(stream, &bytewise, 1 << 20), (expected, all));
        assert_eq!(seen(&bytewise), seen(&[]));
    }
}

#[test]
fn events_that_are_too_long_pass_in_parts() {
    let long = format!("data: {}\n\n", "x".repeat(100));
    let stream = format!("data: a\n\n{long}data: b\n\n");
    for cut in 0..=stream.len() {
        let (events, all) = pieces(stream.as_bytes(), &[cut], 50);
        assert_eq!(events, [b"data: a\n\n", b"data: b\n\n"]);
        assert_eq!(all, stream.as_bytes());
    }
}

#[test]
fn sixteen_megabytes_of_one_event_are_read_as_they_come() {
    // A line that never ends, in a document that never ends: what is kept does not grow with it.
    let mut watch = Watch::new(Body::Events);
    watch.feed(b"data: {\"choices\":[{\"delta\":{\"content\":\"");
    let chunk = vec![b'x'; 64 << 10];
    for _ in 0..256 {
        watch.feed(&chunk);
    }
    watch.feed(b"\"}}],\"usage\":{\"completion_tokens\":5}}\n\n");
    assert!(watch.content());
    assert_eq!(watch.finish().reading.usage().unwrap().completion, Some(5));
}
