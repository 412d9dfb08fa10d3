//! HAR 1.2: what browsers and proxies save of their traffic.

mod text;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::message::Headers;

use super::captured::Captured;
use super::{Capture, Options, Report, fields, query};

/// Imports HAR files and says what was done. False if something was broken.
///
/// # Errors
/// Those of [`import`].
pub fn run(options: &Options) -> Result<bool> {
    Ok(import(options)?.say())
}

/// Imports HAR files. What is broken is left out and told.
///
/// # Errors
/// The folder for the recordings cannot be used, or the configuration is not there.
pub fn import(options: &Options) -> Result<Report> {
    let wanted = |captured: &Captured| options.all || captured.is_model_call();
    super::import(options, |bytes, file| read(bytes, file, &wanted))
}

/// All that is wanted of a capture.
fn read(bytes: &[u8], file: &str, wanted: &dyn Fn(&Captured) -> bool) -> Result<Capture> {
    const JSON: &str = "this is no HAR file, which is JSON";
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).context(JSON)?;
    let document: Value = serde_json::from_str(&text::readable(text)).context(JSON)?;
    let entries =
        document["log"]["entries"].as_array().context("this is no HAR file: it has no log.entries")?;
    let mut capture = Capture { all: entries.len(), ..Capture::default() };
    for (index, entry) in entries.iter().enumerate() {
        let number = index + 1;
        let mut captured = match head(&entry["request"]) {
            Ok(captured) => captured,
            Err(error) => {
                capture.broken.push(format!("entry {number}: {error:#}"));
                continue;
            }
        };
        let body = request_body(&entry["request"], &captured.headers);
        captured.body = body.as_ref().map_or_else(|_| Bytes::new(), Clone::clone);
        if !wanted(&captured) {
            capture.other += 1;
            continue;
        }
        captured.source = format!("{file}, entry {number}");
        captured.time = entry["startedDateTime"].as_str().map(str::to_owned);
        let what = format!("entry {number} ({} {})", captured.method, query::redacted(&captured.path));
        match body.and_then(|_| complete(&entry["response"], &mut captured)) {
            Ok(notes) => {
                capture.notes.extend(notes.into_iter().map(|note| format!("{what}: {note}")));
                capture.exchanges.push((number, captured));
            }
            Err(error) => capture.broken.push(format!("{what}: {error:#}")),
        }
    }
    Ok(capture)
}

/// Method, path and all fields of a request.
fn head(request: &Value) -> Result<Captured> {
    let method = request["method"].as_str().context("the request has no method")?;
    let url = request["url"].as_str().context("the request has no url")?;
    ensure!(method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-'), "{method:?} is no method");
    Ok(Captured {
        source: String::new(),
        time: None,
        method: method.to_owned(),
        path: path(url).with_context(|| format!("{:?} is no URL", query::redacted(url)))?,
        headers: headers(&request["headers"])?,
        trailers: Headers::new(),
        body: Bytes::new(),
        status: 0,
        response_headers: Headers::new(),
        response: Bytes::new(),
    })
}

/// Adds the answer and leaves out fields of connections. What comes back is worth telling.
fn complete(response: &Value, captured: &mut Captured) -> Result<Vec<String>> {
    let status = response["status"].as_u64().context("the answer has no status")?;
    let error = response["_error"].as_str().map_or_else(String::new, |error| format!(": {error}"));
    ensure!(status != 0, "it was never answered{error}");
    ensure!(
        status != 101,
        "it became something else than HTTP, such as a WebSocket, which no recording can hold"
    );
    captured.status = u16::try_from(status).context("the answer has no possible status")?;
    let headers = headers(&response["headers"])?;
    let bodiless = captured.method == "HEAD" || matches!(status, 204 | 304);
    if !bodiless {
        captured.response = response_body(response, &headers)?;
    }
    let mut notes = Vec::new();
    notes.extend(note("request", &captured.headers, &captured.body));
    notes.extend(note("answer", &headers, &captured.response).filter(|_| !bodiless));
    captured.headers = fields::request(&captured.headers, is_unpacked(&captured.headers, &captured.body));
    captured.response_headers = fields::response(&headers, is_unpacked(&headers, &captured.response));
    Ok(notes)
}

fn headers(list: &Value) -> Result<Headers> {
    let mut headers = Headers::new();
    for field in list.as_array().map_or(&[][..], Vec::as_slice) {
        let (Some(name), Some(value)) = (field["name"].as_str(), field["value"].as_str()) else {
            bail!("a header without a name or a value: {}", query::redacted(&field["name"].to_string()));
        };
        // Fields of the same name are sometimes one with several lines.
        value.split('\n').for_each(|line| headers.push(name, text::bytes(line.trim_end_matches('\r'), None)));
    }
    Ok(headers)
}

fn request_body(request: &Value, headers: &Headers) -> Result<Bytes> {
    let data = &request["postData"];
    if let Some(text) = data["text"].as_str() {
        let size = size(&request["bodySize"]).filter(|_| !headers.contains("content-encoding"));
        return decoded(text, data["encoding"].as_str(), size).context("the request's body");
    }
    let size = size(&request["bodySize"]).unwrap_or_default();
    let stated = stated_length(headers).unwrap_or_default();
    let fields = data["params"].as_array().is_some_and(|params| !params.is_empty());
    ensure!(size == 0 && stated == 0 && !fields, "the request had a body, but the capture does not have it");
    Ok(Bytes::new())
}

fn response_body(response: &Value, headers: &Headers) -> Result<Bytes> {
    let content = &response["content"];
    if let Some(text) = content["text"].as_str() {
        return decoded(text, content["encoding"].as_str(), size(&content["size"]))
            .context("the answer's body");
    }
    let size = size(&content["size"]).max(size(&response["bodySize"])).unwrap_or_default();
    let stated = stated_length(headers).unwrap_or_default();
    ensure!(
        size == 0 && stated == 0,
        "the answer had a body, but the capture does not have it; save it with content, and not while it streams"
    );
    Ok(Bytes::new())
}

/// A size, which is -1 where it is not known.
fn size(value: &Value) -> Option<usize> {
    usize::try_from(value.as_i64()?).ok()
}

fn decoded(text: &str, encoding: Option<&str>, size: Option<usize>) -> Result<Bytes> {
    match encoding {
        None | Some("") => Ok(text::bytes(text, size).into()),
        Some("base64") => Ok(STANDARD.decode(text.trim()).context("this is not base64")?.into()),
        Some(other) => bail!("its encoding is {other:?}, but only base64 is known"),
    }
}

/// The path with its query.
fn path(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let path = rest[start..].split('#').next().unwrap_or_default();
    let mut written = if path.starts_with('/') { String::new() } else { "/".to_owned() };
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' => written.push(char::from(byte)),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(written)
}

fn stated_length(headers: &Headers) -> Option<usize> {
    headers.get("content-length")?.trim().parse().ok()
}

/// A capture has bodies as they are read, which is not always as they were sent.
fn is_unpacked(headers: &Headers, body: &Bytes) -> bool {
    const GZIP: &[u8] = b"\x1f\x8b";
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
    let packed = body.starts_with(GZIP) || body.starts_with(ZSTD) || std::str::from_utf8(body).is_err();
    headers.contains("content-encoding") && !packed
}

/// What is worth telling about a body that is not as long as it was said to be.
fn note(part: &str, headers: &Headers, body: &Bytes) -> Option<String> {
    let stated = stated_length(headers).filter(|_| !headers.contains("content-encoding"))?;
    let differs = stated != body.len();
    differs
        .then(|| format!("the {part}'s body has {} bytes here and had {stated} when it was sent", body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_urls() {
        for (url, expected) in [
            ("https://h:1/a/b?c=d&e#f", Some("/a/b?c=d&e")),
            ("http://h", Some("/")),
            ("http://h?x=1", Some("/?x=1")),
            ("http://h/ü b", Some("/%C3%BC%20b")),
            ("about:blank", None),
        ] {
            assert_eq!(path(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_capture_is_refused() {
        let refused = |text: &str| format!("{:#}", read(text.as_bytes(), "x", &|_| true).unwrap_err());
        assert!(refused("{").starts_with("this is no HAR file, which is JSON: "));
        assert_eq!(refused("{}"), "this is no HAR file: it has no log.entries");
        assert!(
            read(b"\xef\xbb\xbf{\"log\":{\"entries\":[]}}", "x", &|_| true).unwrap().exchanges.is_empty()
        );
    }
}
