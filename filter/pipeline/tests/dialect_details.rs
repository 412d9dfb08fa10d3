//! The finer points of what model servers and gateways send: each a way in which tokens, content or an error could be missed
//! or made up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ipp_pipeline::response::{Body, Seen, Unobserved, Usage, Watch};

/// The same in one chunk, byte by byte, and in every two chunks.
#[track_caller]
fn read(body: Body, text: &str) -> Seen {
    let bytes = text.as_bytes();
    let seen = |chunks: &[&[u8]]| {
        let mut watch = Watch::new(body);
        chunks.iter().for_each(|chunk| watch.feed(chunk));
        watch.finish()
    };
    let whole = seen(&[bytes]);
    assert_eq!(seen(&bytes.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(seen(&[first, second]), whole, "cut at {cut}");
    }
    whole
}

/// Prompt, completion, cached and reasoning tokens.
#[track_caller]
fn tokens(body: Body, text: &str) -> [Option<u64>; 4] {
    let Usage { prompt, completion, cached, reasoning } =
        read(body, text).reading.usage().unwrap_or_default();
    [prompt, completion, cached, reasoning]
}

const NONE: [Option<u64>; 4] = [None; 4];

#[test]
fn usage_in_every_chunk_counts_once_by_its_last() {
    let chunk = |completion: u32, choices: &str| {
        format!(
            "data: {{\"choices\":[{choices}],\"usage\":{{\"prompt_tokens\":7,\"total_tokens\":9,\"completion_tokens\":{completion}}}}}\n\n"
        )
    };
    let delta = r#"{"index":0,"delta":{"content":"x"}}"#;
    let stream = [chunk(1, delta), chunk(2, delta), chunk(30, delta), chunk(31, "")].concat();
    assert_eq!(tokens(Body::Events, &format!("{stream}data: [DONE]\n\n")), [Some(7), Some(31), None, None]);
}

#[test]
fn usage_that_is_null_takes_nothing_back() {
    for last in ["null", "{}", "{\"prompt_tokens\":null}", "[]", "\"none\"", "false"] {
        let stream = format!(
            "data: {{\"usage\":null}}\n\ndata: {{\"usage\":{{\"prompt_tokens\":3,\"completion_tokens\":4}}}}\n\ndata: {{\"usage\":{last}}}\n\n"
        );
        assert_eq!(tokens(Body::Events, &stream), [Some(3), Some(4), None, None], "{last}");
    }
    assert_eq!(tokens(Body::Json, r#"{"usage":null}"#), NONE);
    assert_eq!(read(Body::Json, r#"{"usage":null}"#).unobserved, Some(Unobserved::NoUsage));
}

#[test]
fn what_only_looks_like_usage_is_none() {
    for body in [
        // Within a string, whole and escaped.
        r#"{"choices":[{"message":{"content":"{\"usage\":{\"prompt_tokens\":5}}"}}]}"#,
        r#"{"x":"\"usage\":{\"prompt_tokens\":5}"}"#,
        // Deeper than it stands, or under another name.
        r#"{"choices":[{"usage":{"prompt_tokens":5}}]}"#,
        r#"{"data":{"usage":{"prompt_tokens":5}}}"#,
        r#"{"Usage":{"prompt_tokens":5},"usage ":{"prompt_tokens":5}}"#,
        r#"{"usage":{"x":{"prompt_tokens":5}}}"#,
        // No count: a text, a fraction, an exponent, less than nothing, more than there can be.
        r#"{"usage":{"prompt_tokens":"5"}}"#,
        r#"{"usage":{"prompt_tokens":5.0}}"#,
        r#"{"usage":{"prompt_tokens":5e2}}"#,
        r#"{"usage":{"prompt_tokens":-5}}"#,
        r#"{"usage":{"prompt_tokens":1000000001}}"#,
        r#"{"usage":{"prompt_tokens":99999999999999999999999999}}"#,
    ] {
        assert_eq!(tokens(Body::Json, body), NONE, "{body}");
        assert_eq!(tokens(Body::Events, &format!("data: {body}\n\n")), NONE, "{body}");
    }
    // An escape in the name is the name all the same.
    assert_eq!(tokens(Body::Json, r#"{"\u0075sage":{"prompt\u005ftokens":5}}"#), [Some(5), None, None, None]);
    assert_eq!(
        tokens(Body::Json, r#"{"usage":{"prompt_tokens":1000000000,"completion_tokens":0}}"#),
        [Some(1_000_000_000), Some(0), None, None]
    );
}

/// White space of every serialiser, keys in every order.
#[test]
fn how_it_is_written_does_not_matter() {
    for body in [
        r#"{"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}"#,
        r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}"#,
        "{\r\n\t\"usage\" :\n { \"prompt_tokens_details\" : { \"cached_tokens\" : 4\n}\n, \"completion_tokens\" : 2 ,\"prompt_tokens\"\t: 9\n}\n}\r\n",
        r#"{"x":[1,-2.5e-3,true,false,null,{},[],"\u00e9\\\"日本"],"usage":{"prompt_tokens":9,"completion_tokens":2,"completion_tokens_details":null,"prompt_tokens_details":{"audio_tokens":7,"cached_tokens":4}},"y":{"z":[[{}]]}}"#,
    ] {
        assert_eq!(tokens(Body::Json, body), [Some(9), Some(2), Some(4), None], "{body}");
    }
}

#[test]
fn server_sent_events_in_every_form_that_the_standard_has() {
    let usage = r#"{"usage":{"prompt_tokens":9,"completion_tokens":2}}"#;
    let (head, tail) = usage.split_at(usage.find(':').unwrap() + 1);
    for (name, stream) in [
        ("no space", format!("data:{usage}\n\n")),
        ("two spaces", format!("data:  {usage}\n\n")),
        ("CRLF", format!("data: {usage}\r\n\r\ndata: [DONE]\r\n\r\n")),
        ("CR", format!("data: {usage}\r\rdata: [DONE]\r\r")),
        ("mixed", format!("data: {usage}\r\n\ndata: [DONE]\n\r\n")),
        ("a byte order mark", format!("\u{feff}data: {usage}\n\n")),
        ("comments", format!(": OPENROUTER PROCESSING\n\n:\n\ndata: {usage}\n: between\n\n")),
        ("fields", format!("id: 7\nevent: x\nretry: 5\ndata: {usage}\nid\nunknown: {{}}\n\n")),
        ("several lines", format!("data: {head}\ndata: {tail}\n\n")),
        ("lines without text", format!("data\ndata: {head}\ndata:\ndata:{tail}\ndata\n\n")),
        ("no blank line at the end", format!("data: {usage}\n")),
        ("no line end at the end", format!("data: {usage}")),
        ("[DONE] before", format!("data: [DONE]\n\ndata: {usage}\n\n")),
        ("broken ones around", format!("data: {{\n\ndata: \n\ndata: {usage}\n\ndata: oops\n\n")),
        ("many blank lines", format!("\n\n\r\r\n\ndata: {usage}\n\n\n\n")),
    ] {
        let seen = read(Body::Events, &stream);
        let expected = Usage { prompt: Some(9), completion: Some(2), ..Usage::default() };
        assert_eq!((seen.reading.usage(), seen.unobserved), (Some(expected), None), "{name}");
    }
    for (name, stream) in [
        ("another field", format!("datas: {usage}\n\n data: {usage}\n\ndat: {usage}\n\nDATA: {usage}\n\n")),
        ("a comment", format!(":data: {usage}\n\n")),
        ("two in one event", format!("data: {usage}\ndata: {usage}\n\n")),
        ("broken off", format!("data: {}", &usage[..usage.len() - 1])),
        ("a line end within a string", "data: {\"usa\ndata: ge\":{\"prompt_tokens\":9}}\n\n".to_owned()),
        ("half a mark", format!("\u{feff}\u{feff}data: {usage}\n\n")),
        ("nothing", String::new()),
    ] {
        assert_eq!(tokens(Body::Events, &stream), NONE, "{name}");
    }
}

#[test]
fn responses_fail_without_an_object_of_that_name() {
    for event in [
        r#"{"type":"error","code":"server_error","message":"Something went wrong","param":null,"sequence_number":1}"#,
        r#"{"type":"response.failed","response":{"status":"failed","error":null}}"#,
        r#"{"type":"\u0065rror"}"#,
        r#"{"error":"out of memory","error_type":"generation"}"#,
    ] {
        let seen = read(Body::Events, &format!("event: error\ndata: {event}\n\n"));
        assert!(seen.reading.error && !seen.reading.content, "{event}");
    }
    for fine in [
        r#"{"type":"response.completed","response":{"error":null}}"#,
        r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#,
        r#"{"type":"message","content":[{"type":"error"}],"error":null}"#,
        r#"{"choices":[{"delta":{"content":"error"},"type":"error"}],"error":""}"#,
    ] {
        assert!(!read(Body::Events, &format!("data: {fine}\n\n")).reading.error, "{fine}");
    }
}

#[test]
fn responses_tell_of_tokens_when_they_are_over() {
    let stream = |last: &str| {
        format!(
            "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{\"model\":\"o\",\"usage\":null,\"error\":null}}}}\n\n\
             event: response.in_progress\ndata: {{\"type\":\"response.in_progress\",\"response\":{{\"model\":\"o\",\"usage\":null}}}}\n\n\
             event: response.reasoning_summary_text.delta\ndata: {{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"Hm\"}}\n\n\
             event: {last}\ndata: {{\"type\":\"{last}\",\"response\":{{\"model\":\"o-1\",\"output\":[{{\"content\":[{{\"text\":\"usage\"}}]}}],\
             \"usage\":{{\"input_tokens\":5,\"input_tokens_details\":{{\"cached_tokens\":2}},\"output_tokens\":8,\"output_tokens_details\":{{\"reasoning_tokens\":6}}}}}}}}\n\n"
        )
    };
    for last in ["response.completed", "response.incomplete", "response.failed"] {
        let seen = read(Body::Events, &stream(last));
        assert_eq!(
            seen.reading.usage(),
            Some(Usage { prompt: Some(5), completion: Some(8), cached: Some(2), reasoning: Some(6) })
        );
        assert_eq!(seen.reading.model.as_deref(), Some("o-1"));
        assert_eq!((seen.reading.content, seen.reading.error), (true, last == "response.failed"));
    }
}

/// Later events of Anthropic's stream repeat the counts of the first one, all of them or a few.
#[test]
fn anthropic_tells_of_tokens_bit_by_bit() {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"c\",\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":20,\"cache_read_input_tokens\":100,\"output_tokens\":1,\"cache_creation\":{\"ephemeral_5m_input_tokens\":20}}}}\n\n";
    for (delta, expected) in [
        ("{\"output_tokens\":15}", [Some(123), Some(15), Some(100), None]),
        ("{\"input_tokens\":4,\"output_tokens\":15}", [Some(124), Some(15), Some(100), None]),
        (
            "{\"input_tokens\":3,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":15,\"server_tool_use\":{\"web_search_requests\":1}}",
            [Some(3), Some(15), Some(0), None],
        ),
        ("{\"cache_read_input_tokens\":null,\"output_tokens\":0}", [Some(123), Some(0), Some(100), None]),
    ] {
        let stream = format!(
            "{start}event: ping\ndata: {{\"type\": \"ping\"}}\n\nevent: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{{\"output_tokens\":7}}}}\n\n\
             event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{}},\"usage\":{delta}}}\n\n"
        );
        assert_eq!(tokens(Body::Events, &stream), expected, "{delta}");
    }
}

/// A gateway that translates Anthropic to OpenAI keeps Anthropic's counts beside a prompt that has them in it.
#[test]
fn what_is_cached_is_added_once() {
    let both = r#"{"usage":{"prompt_tokens":525,"completion_tokens":15,"cache_creation_input_tokens":100,"cache_read_input_tokens":400,"prompt_tokens_details":{"cached_tokens":400}}}"#;
    assert_eq!(tokens(Body::Json, both), [Some(525), Some(15), Some(400), None]);
}

#[test]
fn the_first_content_is_what_was_generated() {
    let content = |data: &str| read(Body::Events, &format!("event: x\ndata: {data}\n\n")).reading.content;
    for generated in [
        r#"{"choices":[{"delta":{"role":"assistant","content":" "}}]}"#,
        r#"{"choices":[{"delta":{"content":[{"type":"text","text":"Hi"}]}}]}"#,
        r#"{"choices":[{"delta":{"content":null,"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#,
        r#"{"choices":[{"delta":{"function_call":{"name":"f"}}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"Hm","content":null}}]}"#,
        r#"{"type":"content_block_start","content_block":{"type":"tool_use","name":"f","input":{}}}"#,
        r#"{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"x"}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#,
    ] {
        assert!(content(generated), "{generated}");
    }
    for nothing in [
        r#"{"choices":[{"delta":{"role":"assistant","content":"","reasoning_content":null,"refusal":null}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        r#"{"choices":[],"prompt_filter_results":[{"content_filter_results":{}}]}"#,
        r#"{"choices":[{"text":"","finish_reason":null}]}"#,
        r#"{"type":"message_start","message":{"content":[],"model":"c"}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#,
        r#"{"type":"response.output_text.delta","delta":""}"#,
        r#"{"candidates":[{"content":{"role":"model"},"finishReason":"STOP"}]}"#,
        "[DONE]",
    ] {
        assert!(!content(nothing), "{nothing}");
    }
}

#[test]
fn google_in_arrays_and_events_with_thoughts() {
    let parts = [
        r#"{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}]}}],"usageMetadata":{"promptTokenCount":8,"thoughtsTokenCount":5,"totalTokenCount":13},"modelVersion":"g"}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":2,"thoughtsTokenCount":20,"toolUsePromptTokenCount":4,"cachedContentTokenCount":6,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]},"modelVersion":"g"}"#,
    ];
    let expected = [Some(12), Some(22), Some(6), Some(20)];
    assert_eq!(tokens(Body::Json, &format!("[{}\n,\r\n{}\n]\n", parts[0], parts[1])), expected);
    assert_eq!(
        tokens(Body::Events, &format!("data: {}\r\n\r\ndata: {}\r\n\r\n", parts[0], parts[1])),
        expected
    );
    // Only thoughts so far: that is what was generated.
    assert_eq!(tokens(Body::Json, parts[0]), [Some(8), Some(5), None, Some(5)]);
    let failed = read(Body::Json, r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]"#);
    assert!(failed.reading.error);
}

/// A model's name may change within a stream, and what cannot be one changes nothing.
#[test]
fn the_last_name_counts() {
    let event = |name: &str| format!("data: {{\"model\":{name}}}\n\n");
    for (names, expected) in [
        (vec!["\"a\"", "\"a\"", "\"b\""], Some("b")),
        (vec!["\"a\"", "\"b\"", "\"a\""], Some("a")),
        (vec!["\"a\"", "\"\"", "null", "5", "{\"model\":\"x\"}"], Some("a")),
        (vec!["\"\\u0061\"", "\"\\u0061\""], Some("a")),
        (vec!["\"a\"", "\"\\ud800\""], Some("a")),
        // Not JSON: its name is none.
        (vec!["\"a\"", "\"b\",", "\"a\""], Some("a")),
        (vec!["\"b\"}x", "\"b\""], Some("b")),
        (vec!["\"\"", "null"], None),
    ] {
        let stream: String = names.iter().map(|name| event(name)).collect();
        assert_eq!(read(Body::Events, &stream).reading.model.as_deref(), expected, "{names:?}");
    }
    let long = format!("data: {{\"model\":\"{}\"}}\n\n{}", "m".repeat(257), event("\"a\""));
    assert_eq!(read(Body::Events, &long).reading.model.as_deref(), Some("a"));
    let longest = event(&format!("\"{}\"", "m".repeat(256)));
    assert_eq!(read(Body::Events, &longest).reading.model.map(|name| name.len()), Some(256));
}
