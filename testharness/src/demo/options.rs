//! The command line of the demonstration.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::{PORT, is_free};

/// What is printed for unusable arguments.
pub const USAGE: &str = "\
usage: ipp-demo --module FILE --envoy FILE [--once] [--port N] [--config FILE]
  --module FILE   the compiled module
  --envoy FILE    the Envoy binary
  --once          send the samples and end; the exit code says whether all came out as expected
  --port N        where Envoy listens on 127.0.0.1 (default: 8080, or a free port when that is taken)
  --config FILE   a PayloadProcessorConfig in place of the one in envoy/multi-pool.yaml";

/// The arguments.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The compiled module.
    pub module: PathBuf,
    /// The Envoy binary.
    pub envoy: PathBuf,
    /// End after the samples.
    pub once: bool,
    /// The port that was asked for.
    pub port: Option<u16>,
    /// A PayloadProcessorConfig to use.
    pub config: Option<PathBuf>,
}

impl Options {
    /// Reads the arguments that follow the name of the command.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy().into_owned();
            let mut value = || arguments.next().with_context(|| format!("{name} needs a value"));
            match name.as_str() {
                "--module" => options.module = value()?.into(),
                "--envoy" => options.envoy = value()?.into(),
                "--config" => options.config = Some(value()?.into()),
                "--once" => options.once = true,
                "--port" => {
                    let text = value()?.to_string_lossy().into_owned();
                    let port = text.parse().ok().filter(|port| *port != 0);
                    options.port = Some(port.with_context(|| format!("--port {text}: not a port"))?);
                }
                _ => bail!("unknown argument {name:?}"),
            }
        }
        for (name, path) in [("--module", &options.module), ("--envoy", &options.envoy)] {
            ensure!(!path.as_os_str().is_empty(), "{name} is missing");
            ensure!(path.is_file(), "{name}: {} is not a file", path.display());
        }
        // Envoy runs with the same working directory, but an absolute path is what its messages should show.
        options.module = std::path::absolute(&options.module)?;
        Ok(options)
    }

    /// The port to listen on; 0 leaves the choice to the system.
    pub(super) fn port(&self) -> Result<u16> {
        match self.port {
            Some(port) => {
                ensure!(is_free(port), "port {port} is taken");
                Ok(port)
            }
            None if is_free(PORT) => Ok(PORT),
            None => {
                println!("port {PORT} is taken, using a free one");
                Ok(0)
            }
        }
    }
}
