//! `stream-usage`: streams tell how many tokens they took, whether or not the client asked.

use crate::payload::{DuplicateKeys, FieldId, Members, Value, Wanted};
use crate::plugin::{
    Plugin, PluginType, Request, RequestPlugin, Response, ResponseEventsPlugin, StreamEvent,
};
use crate::reject::Rejection;
use memchr::memmem;
use std::rc::Rc;

pub(crate) const TYPE: PluginType = PluginType {
    name: "stream-usage",
    about: "Request plugin that acts on the response, too. Streams of OpenAI's chat and completions (paths that end \
            with `/completions`, `stream: true`) tell of tokens only if the request has \
            `stream_options.include_usage: true`: this sets it, also where the client said `false`, and leaves every \
            other byte as it is. If the client had not asked, the event that only tells of usage is taken out of \
            the stream again; nothing else of it changes, and nothing is held but an event that is not complete. \
            It is listed under `request`; the response needs no entry. An encoded stream cannot be read: the client \
            then gets the event.",
    parameters: &[],
    example: "type: stream-usage\n",
    build: |_, build| {
        let plugin = Rc::new(StreamUsage {
            stream: build.field("stream"),
            options: build.whole_field("stream_options"),
            events: UsageEvent::default(),
        });
        Ok(Plugin::new().request(Shared(Rc::clone(&plugin))).response_events(Shared(plugin)))
    },
};

/// Left for the response: the client had not asked, so it is not to get the event.
struct Unasked;

struct StreamUsage {
    stream: FieldId,
    options: FieldId,
    events: UsageEvent,
}

/// One instance in both of its roles.
struct Shared(Rc<StreamUsage>);

impl RequestPlugin for Shared {
    fn process(&self, request: &mut Request<'_>) -> Result<(), Rejection> {
        let StreamUsage { stream, options, .. } = *self.0;
        if !request.path().ends_with(b"/completions") || request.field(stream) != Value::Bool(true) {
            return Ok(());
        }
        let changed = match request.field(options) {
            Value::Absent | Value::Null => Some(r#"{"include_usage":true}"#.to_owned()),
            // Too long to be looked at, it is none of OpenAI's: the model server may refuse it.
            Value::Object => request.whole_field(options).and_then(with_usage),
            _ => None,
        };
        if let Some(json) = changed {
            request.set_json_field(options, json);
            request.state().put(Unasked);
        }
        Ok(())
    }
}

/// The object with `include_usage: true` in it; nothing if it says so already.
fn with_usage(object: &[u8]) -> Option<String> {
    let mut wanted = Wanted::default();
    // The scanner of the body looked for duplicates at its top level only.
    wanted.set_duplicates(DuplicateKeys::Last);
    let field = wanted.add("include_usage");
    let mut members = Members::new(&wanted);
    members.feed(&wanted, object).and_then(|()| members.finish()).ok()?;
    let mut json = Vec::with_capacity(object.len().saturating_add(24));
    let mut copied = 0;
    if members.value(field) == Value::Absent {
        copied = members.first_member_at();
        json.extend_from_slice(object.get(..copied)?);
        json.extend_from_slice(br#""include_usage":true"#);
        if !members.is_empty_object() {
            json.push(b',');
        }
    } else if members.value(field) == Value::Bool(true) {
        return None;
    }
    for span in members.spans(field) {
        json.extend_from_slice(object.get(copied..span.start)?);
        json.extend_from_slice(b"true");
        copied = span.end;
    }
    json.extend_from_slice(object.get(copied..)?);
    String::from_utf8(json).ok()
}

impl ResponseEventsPlugin for Shared {
    fn wants(&self, response: &Response<'_>) -> bool {
        response.state().get::<Unasked>().is_some()
    }

    fn process(&self, event: &mut StreamEvent<'_>) {
        if event.data().is_some_and(|data| self.0.events.is(&data)) {
            event.remove();
        }
    }
}

/// Knows the event that only tells of usage: no choice, and a `usage` object.
struct UsageEvent {
    wanted: Wanted,
    choices: FieldId,
    usage: FieldId,
}

impl Default for UsageEvent {
    fn default() -> Self {
        let mut wanted = Wanted::default();
        wanted.set_duplicates(DuplicateKeys::Last);
        let (choices, usage) = (wanted.add_whole("choices"), wanted.add("usage"));
        Self { wanted, choices, usage }
    }
}

impl UsageEvent {
    fn is(&self, data: &[u8]) -> bool {
        if !may_have_usage(data) {
            return false;
        }
        let mut members = Members::new(&self.wanted);
        let json = members.feed(&self.wanted, data).and_then(|()| members.finish()).is_ok();
        let no_choice = members.whole(self.choices).is_some_and(|choices| {
            let inside = choices.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
            inside.is_some_and(|inside| inside.trim_ascii().is_empty())
        });
        json && no_choice && members.value(self.usage) == Value::Object
    }
}

/// Whether a key `usage` with an object may stand in a JSON text: all others need not be read. A key can only be written
/// otherwise with an escape by number.
fn may_have_usage(json: &[u8]) -> bool {
    const KEY: &[u8] = br#""usage""#;
    let object = |at: usize| {
        let rest = json.get(at.saturating_add(KEY.len())..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(b":");
        value.is_some_and(|value| value.trim_ascii_start().starts_with(b"{"))
    };
    memmem::find_iter(json, KEY).any(object) || memmem::find(json, br"\u").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bytes_of_the_option_change() {
        for (before, after) in [
            ("{}", r#"{"include_usage":true}"#),
            ("{ }", r#"{"include_usage":true }"#),
            (r#"{ "x" : 1.0 }"#, r#"{"include_usage":true, "x" : 1.0 }"#),
            (r#"{"include_usage":false}"#, r#"{"include_usage":true}"#),
            (
                r#"{"a":"\u00e9", "include_usage" : null ,"z":[]}"#,
                r#"{"a":"\u00e9", "include_usage" : true ,"z":[]}"#,
            ),
            (
                r#"{"include_usage":true,"include\u005fusage":0}"#,
                r#"{"include_usage":true,"include\u005fusage":true}"#,
            ),
        ] {
            assert_eq!(with_usage(before.as_bytes()).as_deref(), Some(after), "{before}");
        }
        assert_eq!(with_usage(br#"{"x":1,"include_usage":true}"#), None);
    }

    #[test]
    fn the_event_that_only_tells_of_usage() {
        let event = UsageEvent::default();
        for is in [
            r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
            r#"{"usage":{}, "choices" : [ ] }"#,
            "{\"choices\":[],\"usage\"\r\n :\t{}}",
            r#"{"choices":[],"us\u0061ge":{}}"#,
        ] {
            assert!(event.is(is.as_bytes()), "{is}");
        }
        for other in [
            "[DONE]",
            "",
            r#"{"choices":[],"usage":null}"#,
            r#"{"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[],"prompt_filter_results":[]}"#,
            r#"{"choices":[],"usage":null,"x":"\"usage\":{"}"#,
            r#"{"choices":[],"usage":[{"usage":{}}]}"#,
            r#"{"choices":[],"usage":{}"#,
        ] {
            assert!(!event.is(other.as_bytes()), "{other}");
        }
    }
}
