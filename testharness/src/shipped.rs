//! The configurations of `envoy/` as they are shipped, made to run here: the one place that knows what has to
//! be replaced in them.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::artifacts::workspace;

/// The path of the module in the shipped files.
const MODULE: &str = "filename: /etc/envoy/ipp.wasm";

/// What comes before the filter's configuration in the shipped files; the configuration is the block that is
/// indented deeper.
const CONFIG: &str = "value: |\n";

/// The first line of the processor's filter, and of the filter behind it.
const FILTER: &str = "          - name: ipp\n";
const ROUTER: &str = "          - name: envoy.filters.http.router\n";

/// The text of a shipped configuration.
#[derive(Clone, Debug)]
pub struct Shipped {
    name: String,
    text: String,
}

impl Shipped {
    /// A file of `envoy/`.
    pub fn load(name: &str) -> Result<Self> {
        let path = workspace().join("envoy").join(name);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self { name: name.to_owned(), text })
    }

    /// The text as it is now.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// With the module at `path`.
    pub fn module(self, path: &Path) -> Result<Self> {
        // A JSON string is a YAML string too, whatever the path is made of.
        let path = serde_json::to_string(path)?;
        // Two filters may have the same module.
        ensure!(self.text.contains(MODULE), "envoy/{} has no {MODULE:?}", self.name);
        Ok(Self { text: self.text.replace(MODULE, &format!("filename: {path}")), ..self })
    }

    /// With the file at `path` in place of `/etc/envoy/NAME`.
    pub fn file(self, name: &str, path: &Path) -> Result<Self> {
        let path = serde_json::to_string(path)?;
        self.replace(&format!("path: /etc/envoy/{name}"), &format!("path: {path}"))
    }

    /// With `to` in place of the socket address `host:port`.
    pub fn address(self, host: &str, port: u16, to: SocketAddr) -> Result<Self> {
        let written =
            |host: &str, port: u16| format!("socket_address: {{address: {host}, port_value: {port}}}");
        self.replace(&written(host, port), &written(&to.ip().to_string(), to.port()))
    }

    /// With the admin interface on a free port and the listener at `listen`.
    pub fn on_loopback(self, listen: SocketAddr) -> Result<Self> {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        self.address("127.0.0.1", 9901, free)?.address("0.0.0.0", 8080, listen)
    }

    /// With these lines in place of the processor's own in `http_filters`.
    pub fn filter(mut self, lines: &str) -> Result<Self> {
        let found =
            |text: &str| self.text.find(text).with_context(|| format!("no {text:?} in envoy/{}", self.name));
        let (start, end) = (found(FILTER)?, found(ROUTER)?);
        let indent = " ".repeat(FILTER.len() - FILTER.trim_start().len());
        let new: String = lines.lines().map(|line| format!("{indent}{line}\n")).collect();
        self.text.replace_range(start..end, &new);
        Ok(self)
    }

    /// With another PayloadProcessorConfig in the filter.
    pub fn config(mut self, document: &str) -> Result<Self> {
        let found =
            self.text.find(CONFIG).with_context(|| format!("no {CONFIG:?} in envoy/{}", self.name))?;
        let start = found + CONFIG.len();
        let indent = self.text[start..].find(|letter| letter != ' ').unwrap_or_default();
        let inside = |line: &str| line.trim().is_empty() || line.starts_with(&" ".repeat(indent));
        let old: usize =
            self.text[start..].split_inclusive('\n').take_while(|line| inside(line)).map(str::len).sum();
        let new: String = document.lines().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect();
        self.text.replace_range(start..start + old, &new);
        Ok(self)
    }

    fn replace(mut self, from: &str, to: &str) -> Result<Self> {
        let found = self.text.matches(from).count();
        ensure!(found == 1, "envoy/{} has {from:?} {found} times, expected once", self.name);
        self.text = self.text.replace(from, to);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_configuration_is_replaced_as_a_block() -> Result<()> {
        let text = "a:\n  value: |\n    old: 1\n\n      deeper: 2\n  b: 3\n".to_owned();
        let shipped = Shipped { name: String::new(), text }.config("new:\n  x: 1")?;
        assert_eq!(shipped.text, "a:\n  value: |\n    new:\n      x: 1\n  b: 3\n");
        Ok(())
    }
}
