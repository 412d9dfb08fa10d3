//! A `source` out of a configuration.

use super::{DEFAULT_INTERVAL, DEFAULT_SOURCE_BYTES, DEFAULT_TIMEOUT, KEYS, Source, Template};
use crate::config::{Invalid, View};
use crate::head::check_editable;
use std::time::Duration;

/// Every worker copies a document that is new. Envoy has a limit of its own, `http.async_response_buffer_limit`; what is
/// above that fails as a broken answer.
const HIGHEST_BYTES: u64 = 32 << 20;
const HOUR: Duration = Duration::from_secs(3600);

impl Source {
    /// Reads one; everything that is wrong with it is reported, and no header value is repeated.
    ///
    /// # Errors
    /// Something is wrong with it.
    pub fn read(view: &View<'_>) -> Result<Self, Invalid> {
        let object = view.object(&KEYS)?;
        let cluster =
            object.require("cluster").and_then(|cluster| plain(&cluster, "the name of a cluster of Envoy"));
        let authority = object.get("authority").map(|authority| plain(&authority, "a host")).transpose();
        let path = object.get("path").map_or(Ok("/"), |path| {
            let text = plain(&path, "a path that begins with \"/\"")?;
            if text.starts_with('/') { Ok(text) } else { Err(path.expected("a path that begins with \"/\"")) }
        });
        let mut headers = Vec::new();
        let mut sound = Ok(());
        if let Some(section) = object.get("headers") {
            let section = section.any_object()?;
            for name in section.names() {
                match section.get(name).map_or(Ok(None), |value| header(name, &value).map(Some)) {
                    Ok(header) => headers.extend(header),
                    Err(invalid) => sound = Err(invalid),
                }
            }
        }
        let length =
            |name, default, least| object.get(name).map_or(Ok(default), |value| value.duration(least, HOUR));
        let interval = length("interval", DEFAULT_INTERVAL, Duration::from_secs(1));
        let timeout = length("timeout", DEFAULT_TIMEOUT, Duration::from_millis(10));
        let max_bytes =
            object.get("maxBytes").map_or(Ok(DEFAULT_SOURCE_BYTES), |most| most.integer(1, HIGHEST_BYTES));
        sound?;
        let cluster = cluster?.to_owned();
        Ok(Self {
            authority: authority?.map_or_else(|| cluster.clone(), str::to_owned),
            cluster,
            path: path?.to_owned(),
            headers,
            interval: interval?,
            timeout: timeout?,
            max_bytes: max_bytes?,
        })
    }
}

/// Text that can stand in the first lines of a request.
fn plain<'a>(view: &View<'a>, what: &str) -> Result<&'a str, Invalid> {
    let text = view.text()?;
    if text.len() <= 4096 && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(view.expected(&format!("{what} of at most 4096 visible ASCII characters")))
    }
}

fn header(name: &str, value: &View<'_>) -> Result<(String, Template), Invalid> {
    check_editable(name).map_err(|why| value.invalid(why))?;
    let name = name.to_ascii_lowercase();
    if ["host", "if-none-match"].contains(&name.as_str()) {
        return Err(value.invalid(format!("{name:?} is set by the filter; `authority` names the host")));
    }
    let Some(text) = value.string_or_none() else {
        return Err(value.invalid("expected a string; quote numbers"));
    };
    Template::parse(text)
        .map(|template| (name, template))
        .map_err(|why| value.invalid(format!("found {why}")))
}
