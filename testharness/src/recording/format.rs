//! The format of recordings, described once: the reader checks against it, and the JSON Schema is printed from it.

mod check;
mod schema;
mod shape;

use shape::{Field, Object, Shape, optional, required};

pub(super) use check::check;
pub use schema::schema;

/// A recording.
pub(super) static RECORDING: Object = Object {
    name: "recording",
    about: "What a client sent, what the model server answered, and what has to come out.",
    fields: &[
        required("name", Shape::Text, "What this recording shows, in a few words."),
        optional(
            "config",
            Shape::Config,
            "A PayloadProcessorConfig: a path relative to this file, or the document itself. Default: the built-in \
             configuration.",
        ),
        optional("now", Shape::Timestamp, "When the clock starts (native, wasm)."),
        optional("seed", Shape::Integer(0, u64::MAX), "Makes random choices repeatable on every engine."),
        optional(
            "engines",
            Shape::List(&Shape::Choice(&["native", "wasm", "envoy"])),
            "Where it can run; the others are skipped. Default: all.",
        ),
        optional(
            "clusters",
            Shape::List(&Shape::Text),
            "Upstreams of the simulated Envoy, beside `default`. Default: those that `routes` names.",
        ),
        optional(
            "route",
            Shape::HeaderName,
            "A request goes to the cluster whose name equals the value of this header, else to `default`. Default: \
             x-gateway-base-model-name.",
        ),
        optional(
            "routes",
            Shape::Map(&Shape::Text),
            "Clusters of header values that are not the name of one.",
        ),
        optional(
            "callouts",
            Shape::Map(&Shape::List(&Shape::Object(&UPSTREAM))),
            "What the clusters that data sources poll answer, in turn; the last answer is given again and again.",
        ),
        optional(
            "exchanges",
            Shape::List(&Shape::Object(&EXCHANGE)),
            "Requests and their answers, in order.",
        ),
        optional(
            "expectConfigError",
            Shape::Text,
            "In place of exchanges: the configuration must be refused with a message that contains this.",
        ),
    ],
    at_most_one: &[],
    exactly_one: &["exchanges", "expectConfigError"],
};

/// What is kept beside a recording for exchanges without `expect`.
pub(super) static SNAPSHOT: Object = Object {
    name: "snapshot",
    about: "What came out of the exchanges of the recording beside this file that have no `expect`. Made by `--update`.",
    fields: &[required("exchanges", Shape::List(&Shape::Object(&SNAPSHOT_EXCHANGE)), "In any order.")],
    at_most_one: &[],
    exactly_one: &[],
};

static SNAPSHOT_EXCHANGE: Object = Object {
    name: "snapshotExchange",
    about: "What came out of one exchange.",
    fields: &[
        required("id", Shape::Text, "The exchange's id, or its number from 1."),
        required("expect", Shape::Object(&EXPECT), "What came out."),
    ],
    at_most_one: &[],
    exactly_one: &[],
};

static EXCHANGE: Object = Object {
    name: "exchange",
    about: "One request and what becomes of it.",
    fields: &[
        optional("id", Shape::Text, "Its name. Default: its number from 1."),
        optional(
            "at",
            Shape::Duration,
            "When it starts on the recording's clock. Default: once the one before has ended or is held back by its \
             `until`.",
        ),
        required("request", Shape::Object(&REQUEST), "What the client sends."),
        optional(
            "upstream",
            Shape::Object(&UPSTREAM),
            "What the model server answers. Default: 200 with a small chat completion.",
        ),
        optional(
            "until",
            Shape::Text,
            "The answer is held back until the exchange with this id, a later one, has ended.",
        ),
        optional(
            "expect",
            Shape::Object(&EXPECT),
            "What has to come out; what it does not name is not checked. Default: what the snapshot beside this file \
             says.",
        ),
        optional(
            "metrics",
            Shape::Map(&Shape::Number),
            "Values of metrics after this exchange, by their names in Prometheus text: `ipp_inflight{model=\"a\"}`.",
        ),
    ],
    at_most_one: &[],
    exactly_one: &[],
};

static REQUEST: Object = Object {
    name: "request",
    about: "What the client sends.",
    fields: &[
        optional("method", Shape::Text, "Default: POST."),
        optional("path", Shape::Text, "The path with its query. Default: /v1/chat/completions."),
        optional("headers", Shape::Pairs, HEADERS),
        optional("body", Shape::Bytes, BODY),
        optional("json", Shape::Any, "The body as a value; keys keep their order and numbers their digits."),
        optional("bodyFile", Shape::Text, BODY_FILE),
        optional("bodyBase64", Shape::Text, "The body in base64."),
        optional("generate", Shape::Object(&GENERATE), "A body that is made up."),
        optional(
            "chunks",
            Shape::List(&Shape::Integer(1, u32::MAX as u64)),
            "Sizes in which the body arrives; the rest comes as one more.",
        ),
        optional("trailers", Shape::Pairs, "Sent after the body, which then is chunked."),
        optional("abortAfter", Shape::SIZE, "The client disconnects after so many bytes of the body."),
        optional(
            "abortAfterResponseBytes",
            Shape::SIZE,
            "The client disconnects after so many bytes of the response.",
        ),
    ],
    at_most_one: &[
        &["body", "json", "bodyFile", "bodyBase64", "generate"],
        &["abortAfter", "abortAfterResponseBytes"],
    ],
    exactly_one: &[],
};

static GENERATE: Object = Object {
    name: "generate",
    about: "A body that is made up, the same one each time.",
    fields: &[
        optional("kind", Shape::Choice(&["chat"]), "What it looks like. Default: chat."),
        required("bytes", Shape::SIZE, "Its exact size."),
        optional("modelFirst", Shape::Bool, "`model` is the first key, else the last. Default: true."),
        required("model", Shape::Text, "The model that it asks for."),
    ],
    at_most_one: &[],
    exactly_one: &[],
};

static UPSTREAM: Object = Object {
    name: "upstream",
    about: "What a model server answers.",
    fields: &[
        optional("status", Shape::STATUS, "Default: 200."),
        optional("headers", Shape::Pairs, HEADERS),
        optional("body", Shape::Bytes, BODY),
        optional("json", Shape::Any, "The body as a value; keys keep their order and numbers their digits."),
        optional("bodyFile", Shape::Text, BODY_FILE),
        optional("bodyBase64", Shape::Text, "The body in base64."),
        optional("sse", Shape::List(&Shape::Object(&EVENT)), "The body as server-sent events."),
        optional(
            "splitAt",
            Shape::List(&Shape::SIZE),
            "Offsets at which the body is cut into pieces, ascending.",
        ),
        optional(
            "reset",
            Shape::Choice(&["headers", "body"]),
            "The upstream resets: before its headers, or after the body given.",
        ),
        optional("delay", Shape::Duration, "How long it thinks first."),
    ],
    at_most_one: &[&["body", "json", "bodyFile", "bodyBase64", "sse"]],
    exactly_one: &[],
};

static EVENT: Object = Object {
    name: "event",
    about: "One server-sent event.",
    fields: &[
        required("data", Shape::Any, "Text as it is, anything else as JSON."),
        optional("after", Shape::Duration, "How long after what was sent before."),
    ],
    at_most_one: &[],
    exactly_one: &[],
};

static EXPECT: Object = Object {
    name: "expect",
    about: "What has to come out. What it does not name is not checked.",
    fields: &[
        OUTCOME,
        CLUSTER,
        RECEIVED,
        ANSWERED,
        optional("oneOf", Shape::List(&Shape::Object(&ALTERNATIVE)), "One of these has to hold as well."),
    ],
    at_most_one: &[],
    exactly_one: &[],
};

static ALTERNATIVE: Object = Object {
    name: "alternative",
    about: "One of several expectations.",
    fields: &[OUTCOME, CLUSTER, RECEIVED, ANSWERED],
    at_most_one: &[],
    exactly_one: &[],
};

const OUTCOME: Field = optional(
    "outcome",
    Shape::Choice(&["forwarded", "replied", "aborted"]),
    "forwarded: an upstream answered. replied: the filter answered itself. aborted: somebody broke off.",
);
const CLUSTER: Field = optional("cluster", Shape::Text, "The cluster that the request went to.");
const RECEIVED: Field = optional("request", Shape::Object(&EXPECT_REQUEST), "What the upstream received.");
const ANSWERED: Field = optional("response", Shape::Object(&EXPECT_RESPONSE), "What the client received.");

static EXPECT_REQUEST: Object = Object {
    name: "expectRequest",
    about: "What the upstream received.",
    fields: &[PRESENT, ABSENT, EXACT, SHA256, JSON, UNCHANGED],
    at_most_one: &[&["body", "bodySha256", "json", "bodyUnchanged"]],
    exactly_one: &[],
};

static EXPECT_RESPONSE: Object = Object {
    name: "expectResponse",
    about: "What the client received.",
    fields: &[
        optional("status", Shape::STATUS, "The status."),
        PRESENT,
        ABSENT,
        EXACT,
        SHA256,
        JSON,
        UNCHANGED,
        optional("bodyContains", Shape::Bytes, "This is somewhere in the body."),
    ],
    at_most_one: &[&["body", "bodySha256", "json", "bodyUnchanged", "bodyContains"]],
    exactly_one: &[],
};

const PRESENT: Field = optional(
    "headers",
    Shape::HeaderMap,
    "Fields that have to be there with exactly this value, or these values in this order. Names are case-insensitive.",
);
const ABSENT: Field =
    optional("absent", Shape::List(&Shape::HeaderName), "Names of fields that must not be there.");
const EXACT: Field = optional("body", Shape::Bytes, "The body, byte for byte.");
const SHA256: Field = optional("bodySha256", Shape::Text, "The SHA-256 of the body in hexadecimal.");
const JSON: Field = optional("json", Shape::Any, "The body is equal to this as JSON.");
const UNCHANGED: Field = optional("bodyUnchanged", Shape::True, "The body is byte for byte what was sent.");

const HEADERS: &str =
    "Pairs of a name and a value; order and duplicates are kept. `!!binary` for bytes that are not UTF-8.";
const BODY: &str = "The body, byte for byte.";
const BODY_FILE: &str = "The body is that of a file, relative to this one.";
