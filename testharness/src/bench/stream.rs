//! Streamed answers: what an upstream says event by event, and how closely the filter watches.

use super::body::MODEL;

/// Chunks of one stream, each written when the one before has come to the client.
pub(super) const CHUNKS: usize = 200;

/// Bytes of one event, apart from the last chunk.
const EVENT: usize = 250;

/// What the streams with usage say that they took.
pub(super) const COMPLETION_TOKENS: u64 = CHUNKS as u64 - 1;

/// The header of a request that asks the upstream for a stream; its value is [`Told::name`].
pub(super) const WANTED: &str = "x-bench-stream";

/// What the filter does with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watching {
    /// Nothing: `proxyWasm.responses` is absent, and only Envoy's calls into the module are left.
    Nothing,
    /// Its times are observed, its tokens are not.
    Observe,
    /// It is observed, and its tokens are counted: the client had asked for them.
    Usage,
    /// The same by `stream-usage`, which takes the event with the tokens out again.
    StreamUsage,
}

/// What a stream says of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Plain,
    /// Null in each event, and all of it in the last one.
    Usage,
}

impl Watching {
    pub(super) const ALL: [Self; 4] = [Self::Nothing, Self::Observe, Self::Usage, Self::StreamUsage];

    /// Of the row, and of the listener.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "not observed",
            Self::Observe => "observe",
            Self::Usage => "usage",
            Self::StreamUsage => "stream-usage",
        }
    }

    /// What the upstream answers with.
    pub(super) fn told(self) -> Told {
        match self {
            Self::Nothing | Self::Observe => Told::Plain,
            Self::Usage | Self::StreamUsage => Told::Usage,
        }
    }

    /// Whether the request has `include_usage`.
    pub(super) fn asked(self) -> bool {
        self == Self::Usage
    }

    /// What the filter is configured with: what is built in, and what watches.
    pub(super) fn config(self) -> String {
        let (plugin, reference) = match self {
            Self::StreamUsage => ("- type: stream-usage\n", "    - pluginRef: stream-usage\n"),
            Self::Nothing | Self::Observe | Self::Usage => ("", ""),
        };
        let responses = match self {
            Self::Nothing => "",
            Self::Observe => "proxyWasm: {responses: {tokens: false}}\n",
            Self::Usage | Self::StreamUsage => "proxyWasm: {responses: {}}\n",
        };
        format!(
            "apiVersion: llm-d.ai/v1alpha1\n\
             kind: PayloadProcessorConfig\n\
             plugins:\n\
             - type: body-field-to-header\n  parameters: {{fieldName: model, headerName: X-Gateway-Model-Name}}\n\
             - type: base-model-to-header\n\
             {plugin}\
             profiles:\n\
             - name: default\n  plugins:\n    request:\n    - pluginRef: body-field-to-header\n    - pluginRef: base-model-to-header\n\
             {reference}{responses}"
        )
    }
}

impl Told {
    pub(super) const ALL: [Self; 2] = [Self::Plain, Self::Usage];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Usage => "usage",
        }
    }

    /// What is written at a time: the first has the head before its event, the last all that comes at the end.
    pub(super) fn writes(self) -> Vec<Vec<u8>> {
        let (null, sum) = match self {
            Self::Plain => ("", None),
            Self::Usage => (r#","usage":null"#, Some(usage())),
        };
        let mut writes: Vec<String> = (1..CHUNKS).map(|index| chunk(&event(index, null))).collect();
        let last = format!("{}data: [DONE]\n\n", sum.unwrap_or_default());
        writes.push(format!("{}0\r\n\r\n", chunk(&last)));
        writes[0].insert_str(
            0,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        writes.into_iter().map(String::into_bytes).collect()
    }
}

/// One event of [`EVENT`] bytes: the words are as long as it takes.
fn event(index: usize, usage: &str) -> String {
    const WORDS: [&str; 4] = [" stream", " of", " tokens", ","];
    let (head, tail) = (
        format!(
            r#"data: {{"id":"chatcmpl-0123456789","object":"chat.completion.chunk","created":1731000000,"model":"{MODEL}","choices":[{{"index":0,"delta":{{"content":""#
        ),
        format!("\"}},\"finish_reason\":null}}]{usage}}}\n\n"),
    );
    let room = EVENT - head.len() - tail.len();
    let text: String = WORDS.iter().cycle().skip(index).flat_map(|word| word.chars()).take(room).collect();
    format!("{head}{text}{tail}")
}

fn usage() -> String {
    let (prompt, completion) = (180, COMPLETION_TOKENS);
    format!(
        "data: {{\"id\":\"chatcmpl-0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1731000000,\
         \"model\":\"{MODEL}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{prompt},\
         \"completion_tokens\":{completion},\"total_tokens\":{}}}}}\n\n",
        prompt + completion
    )
}

fn chunk(bytes: &str) -> String {
    format!("{:x}\r\n{bytes}\r\n", bytes.len())
}

/// Events that end in these bytes; `before` is the byte ahead of them.
pub(super) fn ends_of_events(before: Option<u8>, bytes: &[u8]) -> usize {
    // No event is empty, so that no line feed can belong to two ends.
    let across = before == Some(b'\n') && bytes.first() == Some(&b'\n');
    usize::from(across) + bytes.windows(2).filter(|pair| pair == b"\n\n").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_write_but_the_last_is_one_event_of_the_same_size() {
        for told in Told::ALL {
            let writes = told.writes();
            assert_eq!(writes.len(), CHUNKS);
            for write in &writes[..CHUNKS - 1] {
                assert_eq!(ends_of_events(None, write), 1);
                let text = std::str::from_utf8(write).unwrap();
                let (_, body) = text.split_once("fa\r\n").unwrap();
                let event = body.strip_suffix("\r\n").unwrap();
                assert_eq!(event.len(), EVENT);
                let json: serde_json::Value = serde_json::from_str(&event["data: ".len()..]).unwrap();
                assert!(!json["choices"][0]["delta"]["content"].as_str().unwrap().is_empty());
                assert_eq!(json.get("usage").is_some(), told == Told::Usage);
            }
            let last = std::str::from_utf8(writes.last().unwrap()).unwrap();
            assert_eq!(last.contains(r#""completion_tokens":199"#), told == Told::Usage);
            assert!(last.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{last}");
        }
    }

    #[test]
    fn ends_are_found_across_reads() {
        assert_eq!(ends_of_events(None, b"\n\r\nfa\r\ndata: 1\n\ndata: 2\n\n"), 2);
        assert_eq!(ends_of_events(Some(b'\n'), b"\ndata: 2\n"), 1);
        assert_eq!(ends_of_events(Some(b'x'), b"\nx"), 0);
    }

    #[test]
    fn only_the_plugin_asks_where_the_client_did_not() {
        let asks = |watching: Watching| watching.config().contains("stream-usage");
        assert_eq!(Watching::ALL.map(asks), [false, false, false, true]);
        let observes = |watching: Watching| watching.config().contains("responses");
        assert_eq!(Watching::ALL.map(observes), [false, true, true, true]);
    }
}
