//! As much of Envoy Gateway's JSON patches as the shipped policies use: `add` at a pointer below what a JSONPath selects.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::case::text;

/// Applies an operation. A JSONPath that selects nothing is an error, as it is in Envoy Gateway.
pub(crate) fn apply(document: &mut Value, operation: &Value) -> Result<()> {
    ensure!(operation["op"] == "add", "only `add` is known here: {operation}");
    let path = text(operation, "/jsonPath")?;
    let (name, rest) = path
        .strip_prefix("$..http_filters[?(@.name=='")
        .and_then(|path| path.split_once("')]."))
        .with_context(|| format!("{path} has another form than the shipped ones"))?;
    let mut changed = 0;
    each_filter(document, &mut |filter| {
        if filter["name"] == name {
            let selected = rest.split('.').try_fold(filter, |value, key| value.get_mut(key));
            let field = text(operation, "/path")?.trim_start_matches('/');
            selected.with_context(|| format!("{rest} of the filter {name}"))?[field] =
                operation["value"].clone();
            changed += 1;
        }
        Ok(())
    })?;
    ensure!(changed == 1, "{path} selects {changed} filters");
    Ok(())
}

/// Every element of every list `http_filters`, however deep.
fn each_filter(value: &mut Value, found: &mut impl FnMut(&mut Value) -> Result<()>) -> Result<()> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| each_filter(item, found)),
        Value::Object(fields) => fields.iter_mut().try_for_each(|(key, value)| match (key.as_str(), value) {
            ("http_filters", Value::Array(filters)) => filters.iter_mut().try_for_each(&mut *found),
            (_, value) => each_filter(value, found),
        }),
        _ => Ok(()),
    }
}
