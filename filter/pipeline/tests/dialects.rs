//! What is observed of each dialect's responses, streaming and not: tokens, model, the first content, errors.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ipp_pipeline::response::{Body, Seen, Unobserved, Usage, Watch};

/// What was observed, and the index of the chunk with the first content.
fn watch(body: Body, chunks: &[&str]) -> (Seen, Option<usize>) {
    let mut watch = Watch::new(body);
    let mut first = None;
    for (index, chunk) in chunks.iter().enumerate() {
        // Cut anywhere: byte by byte is as good as at once.
        for byte in chunk.bytes() {
            watch.feed(&[byte]);
        }
        if first.is_none() && watch.content() {
            first = Some(index);
        }
    }
    (watch.finish(), first)
}

fn usage(prompt: u64, completion: u64, cached: Option<u64>, reasoning: Option<u64>) -> Option<Usage> {
    Some(Usage { prompt: Some(prompt), completion: Some(completion), cached, reasoning })
}

#[track_caller]
fn streamed(chunks: &[&str], model: &str, expected: Option<Usage>, first_content: usize) {
    let (seen, first) = watch(Body::Events, chunks);
    assert_eq!(seen.reading.usage(), expected);
    assert_eq!(seen.reading.model.as_deref(), Some(model));
    assert_eq!((first, seen.reading.error, seen.unobserved), (Some(first_content), false, None));
}

#[track_caller]
fn whole(body: &str, model: &str, expected: Option<Usage>) {
    let (seen, first) = watch(Body::Json, &[body]);
    assert_eq!(seen.reading.usage(), expected);
    assert_eq!(seen.reading.model.as_deref(), Some(model));
    assert_eq!((first, seen.reading.error, seen.unobserved), (Some(0), false, None));
}

#[test]
fn open_ai_chat() {
    whole(
        r#"{"model":"qwen","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":9,"completion_tokens":12,
           "total_tokens":21,"prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":5}}}"#,
        "qwen",
        usage(9, 12, Some(8), Some(5)),
    );
    streamed(
        &[
            "data: {\"model\":\"qwen\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
            ": keep-alive\n\n",
            "data: {\"model\":\"qwen\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n",
            "data: {\"model\":\"qwen\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"model\":\"qwen\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\n",
            "data: [DONE]\n\n",
        ],
        "qwen",
        usage(9, 1, None, None),
        2,
    );
}

#[test]
fn content_of_a_chat_may_be_reasoning_or_a_tool_call() {
    for delta in [
        r#"{"reasoning_content":"Let"}"#,
        r#"{"reasoning":"Let"}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":""}}]}"#,
        r#"{"refusal":"No"}"#,
    ] {
        let event = format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
        let (_, first) =
            watch(Body::Events, &["data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n", &event]);
        assert_eq!(first, Some(1), "{delta}");
    }
    for delta in [r#"{"content":null}"#, r#"{"content":"","tool_calls":[]}"#, r#"{"tool_calls":null}"#] {
        let event = format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
        assert_eq!(watch(Body::Events, &[&event]).1, None, "{delta}");
    }
}

#[test]
fn open_ai_completions() {
    whole(
        r#"{"model":"m","choices":[{"text":"x"}],"usage":{"prompt_tokens":2,"completion_tokens":16,"total_tokens":18}}"#,
        "m",
        usage(2, 16, None, None),
    );
    streamed(
        &[
            "data: {\"model\":\"m\",\"choices\":[{\"text\":\"x\"}],\"usage\":null}\n\n",
            "data: {\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":16}}\n\ndata: [DONE]\n\n",
        ],
        "m",
        usage(2, 16, None, None),
        0,
    );
}

#[test]
fn open_ai_responses() {
    whole(
        r#"{"id":"resp_1","model":"gpt-4.1","error":null,"output":[{"content":[{"text":"Hi"}]}],"usage":{"input_tokens":36,
           "input_tokens_details":{"cached_tokens":32},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":64}}}"#,
        "gpt-4.1",
        usage(36, 87, Some(32), Some(64)),
    );
    streamed(
        &[
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"model\":\"gpt-4.1\",\"error\":null,\"usage\":null}}\n\n",
            "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n",
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-4.1\",\"usage\":{\"input_tokens\":36,\"output_tokens\":87,\"input_tokens_details\":{\"cached_tokens\":32}}}}\n\n",
        ],
        "gpt-4.1",
        usage(36, 87, Some(32), None),
        1,
    );
}

#[test]
fn embeddings_have_no_completion() {
    let (seen, _) = watch(
        Body::Json,
        &[
            r#"{"data":[{"embedding":[0.0023,-0.0093]}],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}"#,
        ],
    );
    let expected = Usage { prompt: Some(8), ..Usage::default() };
    assert_eq!((seen.reading.usage(), seen.unobserved), (Some(expected), None));
}

/// Anthropic counts what is cached apart from `input_tokens`; what was read is all of it.
#[test]
fn anthropic_messages() {
    whole(
        r#"{"type":"message","model":"claude","content":[{"type":"text","text":"Hi"}],"usage":{"input_tokens":25,
           "cache_creation_input_tokens":100,"cache_read_input_tokens":400,"output_tokens":15}}"#,
        "claude",
        usage(525, 15, Some(400), None),
    );
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude\",\"content\":[],\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":10,\"output_tokens\":1}}}\n\n";
    streamed(
        &[
            start,
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":15}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ],
        "claude",
        usage(35, 15, Some(10), None),
        3,
    );
    // Broken off: the count of the first event is a placeholder, and is not taken for what was generated.
    let (seen, _) = watch(Body::Events, &[start]);
    let expected = Usage { prompt: Some(35), cached: Some(10), ..Usage::default() };
    assert_eq!(seen.reading.usage(), Some(expected));
}

/// Google counts thoughts apart from candidates; what was generated is both.
#[test]
fn google_generate_content() {
    let last = r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"modelVersion":"gemini","usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":6,"thoughtsTokenCount":20,"cachedContentTokenCount":3}}"#;
    let expected = usage(4, 26, Some(3), Some(20));
    whole(last, "gemini", expected);
    let first = r#"{"candidates":[{"content":{"parts":[{"text":""}]}}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":1}}"#;
    streamed(&[&format!("data: {first}\r\n\r\n"), &format!("data: {last}\r\n\r\n")], "gemini", expected, 1);
    // Without `alt=sse` a stream is one JSON array.
    whole(&format!("[{first},\r\n{last}]"), "gemini", expected);
}

#[test]
fn errors_within_a_stream() {
    for event in [
        "data: {\"error\":{\"message\":\"boom\",\"code\":500}}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n",
        "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"server_error\"},\"usage\":null}}\n\n",
    ] {
        let (seen, first) = watch(Body::Events, &[event]);
        assert!(seen.reading.error, "{event}");
        assert_eq!((first, seen.unobserved), (None, Some(Unobserved::NoUsage)));
    }
}

#[test]
fn what_cannot_be_observed_says_why() {
    let kind = |content_type: &str, encoding: Option<&str>| {
        Body::of(Some(content_type.as_bytes()), encoding.map(str::as_bytes))
    };
    assert_eq!(kind("application/json; charset=utf-8", None), Body::Json);
    assert_eq!(kind("application/problem+json", Some("identity")), Body::Json);
    assert_eq!(kind("Text/Event-Stream;charset=utf-8", None), Body::Events);
    assert_eq!(kind("application/json", Some("gzip")), Body::Unread(Unobserved::Encoded));
    assert_eq!(kind("text/event-stream", Some("identity, br")), Body::Unread(Unobserved::Encoded));
    for other in ["text/html", "application/grpc", "application/grpc+json", "", "json", "application/jsonl"] {
        assert_eq!(kind(other, None), Body::Unread(Unobserved::OtherType), "{other}");
    }
    assert_eq!(Body::of(None, None), Body::Unread(Unobserved::OtherType));

    let why = |body, text: &str| watch(body, &[text]).0.unobserved;
    assert_eq!(why(Body::Json, "{}"), Some(Unobserved::NoUsage));
    assert_eq!(why(Body::Json, r#"{"usage":{"prompt_tokens":9}"#), Some(Unobserved::Broken));
    assert_eq!(why(Body::Json, r#"{"usage":{"prompt_tokens":9}}x"#), Some(Unobserved::Broken));
    assert_eq!(why(Body::Events, "data: {\"usage\":{\"prompt_tokens\":9}\n\n"), Some(Unobserved::Broken));
    assert_eq!(why(Body::Json, r#"{"usage":{"prompt_tokens":5000000000}}"#), Some(Unobserved::NoUsage));
    assert_eq!(why(Body::Json, ""), Some(Unobserved::Broken));
}

/// A hostile server: names without end, levels without end, counts beyond belief.
#[test]
fn what_is_kept_is_bounded() {
    let long = format!(r#"{{"model":"{}","usage":{{"prompt_tokens":1}}}}"#, "m".repeat(100_000));
    let (seen, _) = watch(Body::Json, &[&long]);
    assert_eq!((seen.reading.model, seen.unobserved), (None, None));
    let deep = "[".repeat(100_000);
    assert_eq!(watch(Body::Json, &[&deep]).0.unobserved, Some(Unobserved::Broken));
    let digits = format!(r#"{{"usage":{{"prompt_tokens":{}}}}}"#, "9".repeat(100_000));
    assert_eq!(watch(Body::Json, &[&digits]).0.unobserved, Some(Unobserved::NoUsage));
}
