//! What Envoy's HTTP tap filter writes, with the formats JSON_BODY_AS_BYTES and JSON_BODY_AS_STRING.
//!
//! A buffered trace is one document. A streamed one is several, of which each has a part: headers, a piece of a body, or
//! trailers. Both were taken from Envoy 1.40.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::message::Headers;

use super::captured::Captured;
use super::{Capture, Options, Report, fields, query};

/// Imports traces and says what was done. False if something was broken.
///
/// # Errors
/// Those of [`import`].
pub fn run(options: &Options) -> Result<bool> {
    Ok(import(options)?.say())
}

/// Imports traces. What is broken is left out and told.
///
/// # Errors
/// The folder for the recordings cannot be used, or the configuration is not there.
pub fn import(options: &Options) -> Result<Report> {
    let wanted = |captured: &Captured| options.all || captured.is_model_call();
    super::import(options, |bytes, file| read(bytes, file, &wanted))
}

/// All that is wanted of a file of traces.
fn read(bytes: &[u8], file: &str, wanted: &dyn Fn(&Captured) -> bool) -> Result<Capture> {
    let traces = traces(bytes)?;
    let mut capture = Capture { all: traces.len(), ..Capture::default() };
    let several = traces.len() > 1;
    for (index, trace) in traces.into_iter().enumerate() {
        let number = index + 1;
        let place = if several { format!("trace {number}: ") } else { String::new() };
        let mut captured = match trace.and_then(Trace::captured) {
            Ok(captured) => captured,
            Err(error) => {
                capture.broken.push(format!("{place}{error:#}"));
                continue;
            }
        };
        if !wanted(&captured) {
            capture.other += 1;
            continue;
        }
        captured.source = if several { format!("{file}, trace {number}") } else { file.to_owned() };
        capture.exchanges.push((number, captured));
    }
    Ok(capture)
}

/// One request and its answer, as they are put together from documents.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    id: String,
    request: Option<Headers>,
    body: Body,
    trailers: Headers,
    response: Option<Headers>,
    answer: Body,
    time: Option<String>,
}

/// A body as far as it was seen.
#[derive(Debug, Default)]
struct Body {
    bytes: Vec<u8>,
    truncated: bool,
    /// It came as text, in which bytes that are not UTF-8 are lost.
    text: bool,
}

/// The traces of a file, in the order in which they begin.
pub(crate) fn traces(bytes: &[u8]) -> Result<Vec<Result<Trace>>> {
    const FORMATS: &str = "the tap filter's sink needs the format JSON_BODY_AS_BYTES";
    let mut traces: Vec<Result<Trace>> = Vec::new();
    for document in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        let document = match document {
            Ok(document) => document,
            Err(error) if error.is_eof() => bail!("it ends in the middle of a trace: {error}"),
            Err(error) => return Err(error).context(format!("this is no JSON; {FORMATS}")),
        };
        let segment = &document["http_streamed_trace_segment"];
        if let Some(id) = segment["trace_id"].as_str() {
            let known = traces.iter().position(|trace| trace.as_ref().is_ok_and(|trace| trace.id == id));
            let at = known.unwrap_or(traces.len());
            if known.is_none() {
                traces.push(Ok(Trace { id: id.to_owned(), ..Trace::default() }));
            }
            if let Some(Err(error)) = traces[at].as_mut().ok().map(|trace| trace.add(segment)) {
                traces[at] = Err(error);
            }
        } else if document["http_buffered_trace"].is_object() {
            traces.push(Trace::buffered(&document["http_buffered_trace"]));
        } else {
            let kinds: Vec<_> =
                document.as_object().into_iter().flatten().map(|(kind, _)| kind.as_str()).collect();
            bail!("{} is no trace of the HTTP tap filter", kinds.join(", "));
        }
    }
    ensure!(!traces.is_empty(), "it is empty; {FORMATS}");
    Ok(traces)
}

impl Trace {
    fn buffered(trace: &Value) -> Result<Self> {
        let mut built = Self::default();
        let (request, response) = (&trace["request"], &trace["response"]);
        built.request = Some(headers(&request["headers"])?);
        built.body.add(&request["body"])?;
        built.trailers = headers(&request["trailers"])?;
        built.time = request["headers_received_time"].as_str().map(str::to_owned);
        if response["headers"].is_array() {
            built.response = Some(headers(&response["headers"])?);
        }
        built.answer.add(&response["body"])?;
        Ok(built)
    }

    fn add(&mut self, segment: &Value) -> Result<()> {
        let fields = |name: &str| headers(&segment[name]["headers"]);
        if segment["request_headers"].is_object() {
            self.request = Some(fields("request_headers")?);
            self.time = segment["request_headers"]["headers_received_time"].as_str().map(str::to_owned);
        }
        if segment["response_headers"].is_object() {
            self.response = Some(fields("response_headers")?);
        }
        if segment["request_trailers"].is_object() {
            self.trailers = fields("request_trailers")?;
        }
        self.body.add(&segment["request_body_chunk"])?;
        self.answer.add(&segment["response_body_chunk"])
    }

    /// How many bytes the bodies of the request and of the answer have so far.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        (self.body.bytes.len(), self.answer.bytes.len())
    }

    /// What was captured, if it is whole.
    pub(crate) fn captured(self) -> Result<Captured> {
        let request = self.request.context("it does not have the request's headers")?;
        let response = self.response.context("the request was never answered")?;
        let pseudo =
            |headers: &Headers, name: &str| headers.get(name).with_context(|| format!("{name} is missing"));
        // A route that rewrites the path keeps the one that was sent here.
        let path = match request.get("x-envoy-original-path") {
            Some(path) => path,
            None => pseudo(&request, ":path")?,
        };
        let (method, status) = (pseudo(&request, ":method")?, pseudo(&response, ":status")?);
        let what = format!("{method} {}", query::redacted(&path));
        let bodiless = method == "HEAD" || status == "304";
        let answer_length = length(&response).filter(|_| !bodiless);
        let whole =
            |body: Body, part, setting, stated| body.whole(part, setting, stated).context(what.clone());
        let body = whole(self.body, "request", "max_buffered_rx_bytes", length(&request))?;
        let answer = whole(self.answer, "answer", "max_buffered_tx_bytes", answer_length)?;
        let mut sent = fields::without_envoys(&request);
        if !body.is_empty() && !sent.contains("content-length") && !sent.contains("transfer-encoding") {
            sent.push("transfer-encoding", "chunked");
        }
        Ok(Captured {
            source: String::new(),
            time: self.time,
            path,
            method,
            headers: fields::request(&sent, false),
            trailers: self.trailers,
            body,
            status: status.parse().with_context(|| format!("{what}: {status:?} is no status"))?,
            response_headers: fields::response(&fields::without_envoys(&response), false),
            response: answer,
        })
    }
}

impl Body {
    /// Adds a piece, if there is one.
    fn add(&mut self, piece: &Value) -> Result<()> {
        if let Some(text) = piece["as_string"].as_str() {
            self.bytes.extend_from_slice(text.as_bytes());
            self.text = true;
        }
        if let Some(base64) = piece["as_bytes"].as_str() {
            self.bytes.extend(STANDARD.decode(base64).context("a body that is not base64")?);
        }
        self.truncated |= piece["truncated"] == true;
        Ok(())
    }

    /// The bytes, if they are all that was sent.
    fn whole(self, part: &str, setting: &str, stated: Option<usize>) -> Result<Bytes> {
        let length = self.bytes.len();
        ensure!(
            !self.truncated,
            "the body of the {part} was cut off, {length} bytes are there: raise {setting} in the tap filter's output_config"
        );
        if let Some(stated) = stated.filter(|stated| *stated != length) {
            let why = match self.text {
                true => {
                    "it broke off, or it is no text, for which the tap filter's sink needs JSON_BODY_AS_BYTES"
                }
                false => "it broke off",
            };
            bail!("the body of the {part} has {length} bytes of {stated}: {why}");
        }
        Ok(self.bytes.into())
    }
}

fn length(headers: &Headers) -> Option<usize> {
    headers.get("content-length")?.parse().ok()
}

fn headers(list: &Value) -> Result<Headers> {
    let mut headers = Headers::new();
    for field in list.as_array().map_or(&[][..], Vec::as_slice) {
        let text = |name: &str| field[name].as_str().unwrap_or_default();
        let raw = STANDARD.decode(text("raw_value")).context("a header that is not base64")?;
        let value = if raw.is_empty() { text("value").as_bytes() } else { &raw };
        headers.push(text("key"), value);
    }
    Ok(headers)
}
