//! The command line of the benchmark.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::scenario::{Profiles, Scenario, parse_size, scenarios};
use crate::artifacts;

/// What is printed for unusable arguments.
pub const USAGE: &str = "\
usage: ipp-bench --module FILE --envoy FILE [OPTIONS]
  --module FILE    the compiled module
  --envoy FILE     the Envoy binary
  --rounds N       rounds that are measured, at most 1000 (default: 45); from 6 on the intervals cover 95 %
  --seconds S      how long each Envoy is under load in one round of one scenario (default: 0.06)
  --requests N     a fixed number of requests instead
  --sizes LIST     bodies, such as 1KB,16KB,8MB (default: 1KB,16KB,256KB,900KB)
  --profile WHICH  prose, dense (nested tool schemas), stream (answers in chunks), select (the choice among models), or all, which is prose at every size and, unless there are --sizes, dense at 256 KB, streams and the choice (default: all)
  --config FILE    a PayloadProcessorConfig in place of the built-in one, but for streams and the choice; the routing header is then no longer required
  --cores E,C      the core of the Envoys and the core of the client (default: the first two that this process may use)
  --json FILE      where the results go (default: target/ipp/bench.json)
  --quick          15 rounds of 0.04 s, unless given otherwise
  --check          exit 1 when an aim is missed by its whole interval";

/// The arguments.
#[derive(Clone, Debug)]
pub struct Options {
    /// The compiled module.
    pub module: PathBuf,
    /// The Envoy binary.
    pub envoy: PathBuf,
    /// Rounds that are measured.
    pub rounds: usize,
    /// How much one round is.
    pub effort: Effort,
    /// What is measured.
    pub(super) scenarios: Vec<Scenario>,
    /// The text of a PayloadProcessorConfig in place of the built-in one.
    pub config: Option<String>,
    /// The cores of the Envoys and of the client.
    pub cores: Option<(usize, usize)>,
    /// Where the results go.
    pub json: PathBuf,
    /// Whether a missed aim is a failure.
    pub check: bool,
}

/// How much load each Envoy gets in one round of one scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effort {
    /// As many requests as fit in this time.
    Seconds(f64),
    /// This many requests.
    Requests(usize),
}

impl Options {
    /// Reads the arguments that follow the name of the command.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let (mut module, mut envoy, mut json) = (None, None, None);
        let (mut rounds, mut effort, mut cores, mut config) = (None, None, None, None);
        let (mut sizes, mut profiles) = (None, Profiles::All);
        let (mut quick, mut check) = (false, false);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy().into_owned();
            let mut value = || arguments.next().with_context(|| format!("{name} needs a value"));
            let mut text = || Ok::<_, anyhow::Error>(value()?.to_string_lossy().into_owned());
            match name.as_str() {
                "--module" => module = Some(PathBuf::from(value()?)),
                "--envoy" => envoy = Some(PathBuf::from(value()?)),
                "--json" => json = Some(PathBuf::from(value()?)),
                "--rounds" => rounds = Some(count(&name, &text()?, 1000)?),
                "--requests" => effort = Some(Effort::Requests(count(&name, &text()?, usize::MAX)?)),
                "--seconds" => effort = Some(Effort::Seconds(seconds(&text()?)?)),
                "--sizes" => sizes = Some(text()?.split(',').map(parse_size).collect::<Result<Vec<_>>>()?),
                "--profile" => profiles = Profiles::parse(&text()?)?,
                "--cores" => cores = Some(pair(&text()?)?),
                "--config" => {
                    let path = PathBuf::from(value()?);
                    let text = std::fs::read_to_string(&path);
                    config = Some(text.with_context(|| format!("--config {}", path.display()))?);
                }
                "--quick" => quick = true,
                "--check" => check = true,
                _ => bail!("unknown argument {name:?}"),
            }
        }
        let (few_rounds, short) = if quick { (15, 0.04) } else { (45, 0.06) };
        Ok(Self {
            module: existing("--module", module)?,
            envoy: existing("--envoy", envoy)?,
            rounds: rounds.unwrap_or(few_rounds),
            effort: effort.unwrap_or(Effort::Seconds(short)),
            scenarios: scenarios(sizes.as_deref(), profiles),
            config,
            cores,
            json: json.unwrap_or_else(|| artifacts::workspace().join("target/ipp/bench.json")),
            check,
        })
    }
}

fn existing(name: &str, path: Option<PathBuf>) -> Result<PathBuf> {
    let path = path.with_context(|| format!("{name} is missing"))?;
    ensure!(path.is_file(), "{name}: {} is not a file", path.display());
    Ok(std::path::absolute(&path)?)
}

fn count(name: &str, text: &str, most: usize) -> Result<usize> {
    let count = text.parse().ok().filter(|count| (1..=most).contains(count));
    count.with_context(|| format!("{name} {text}: not a number from 1 to {most}"))
}

fn seconds(text: &str) -> Result<f64> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0 && seconds.is_finite());
    seconds.with_context(|| format!("--seconds {text}: not a positive number"))
}

fn pair(text: &str) -> Result<(usize, usize)> {
    let cores =
        text.split_once(',').and_then(|(envoy, client)| Some((envoy.parse().ok()?, client.parse().ok()?)));
    cores.with_context(|| format!("--cores {text}: two numbers such as 0,1 were expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        // Any file will do.
        let files = ["--module", file!(), "--envoy", file!()];
        let files = files.map(|part| {
            if part == file!() { concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml") } else { part }
        });
        Options::parse(files.iter().chain(arguments).map(OsString::from))
    }

    #[test]
    fn quick_changes_only_what_was_not_given() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.rounds, options.effort), (45, Effort::Seconds(0.06)));
        assert_eq!(options.scenarios.len(), 16);
        assert!(options.json.ends_with("target/ipp/bench.json"));
        let options = parse(&["--quick", "--requests", "50"]).unwrap();
        assert_eq!((options.rounds, options.effort), (15, Effort::Requests(50)));
    }

    #[test]
    fn unusable_values_name_their_option() {
        for (arguments, message) in [
            (&["--rounds", "0"][..], "--rounds 0: not a number from 1 to 1000"),
            (&["--rounds"], "--rounds needs a value"),
            (&["--seconds", "-1"], "--seconds -1: not a positive number"),
            (&["--cores", "1"], "--cores 1: two numbers such as 0,1 were expected"),
            (&["--sizes", "12parsecs"], "--sizes 12parsecs: a size such as 900, 16KB or 8MB was expected"),
            (&["--profile", "tall"], "--profile tall: prose, dense, stream, select or all was expected"),
            (&["--fast"], "unknown argument \"--fast\""),
        ] {
            assert_eq!(parse(arguments).unwrap_err().to_string(), message);
        }
    }
}
