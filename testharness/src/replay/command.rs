//! The replay as a command: load, run, report. The binary adds only the arguments and the exit code.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::recording::{Config, EngineKind, Plan as Planned, Recording, Unreadable};

use super::engine::{Engine, EngineError};
use super::options::Replay;
use super::outcome::{Finished, Summary};
use super::report::{human::Human, json, junit};
use super::run::{Plan, run};
use super::{select, update};

/// Why nothing could be run, or nothing reported.
#[derive(Debug)]
pub enum Unusable {
    /// These recordings cannot be read.
    Recordings(Vec<Unreadable>),
    /// There is nothing to run.
    Nothing(String),
    /// An engine that was asked for cannot be had.
    Engine(EngineKind, EngineError),
    /// A file that was named cannot be read or written.
    File(PathBuf, std::io::Error),
    /// The report cannot be written.
    Report(std::io::Error),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Recordings(all) => {
                let lines: Vec<_> = all.iter().map(ToString::to_string).collect();
                out.write_str(&lines.join("\n"))
            }
            Self::Nothing(why) => out.write_str(why),
            Self::Engine(kind, why) => write!(out, "the engine {kind}: {why}"),
            Self::File(file, error) => write!(out, "{}: {error}", file.display()),
            Self::Report(error) => write!(out, "the report cannot be written: {error}"),
        }
    }
}

impl std::error::Error for Unusable {}

/// Replays what the options say and reports to `out`. Engines are made by `engine` when all recordings are read.
///
/// # Errors
/// Nothing was run, or a report could not be written.
pub fn replay(
    options: &Replay,
    engine: impl Fn(EngineKind, &Replay) -> Result<Box<dyn Engine>, EngineError>,
    out: impl Write,
) -> Result<Summary, Unusable> {
    let recordings = load(options)?;
    let mut engines = Vec::new();
    for kind in options.engines() {
        // What no recording runs on need not be there.
        if recordings.iter().any(|recording| recording.engines.contains(&kind)) || engines.is_empty() {
            engines.push(engine(kind, options).map_err(|why| Unusable::Engine(kind, why))?);
        }
    }
    let mut human = Human::new(out, recordings.len());
    let mut summary = Summary::default();
    let mut all: Vec<Finished<'_>> = Vec::new();
    let mut written = Ok(());
    let plan = Plan {
        recordings: &recordings,
        engines: &engines,
        role: options.role.into(),
        fail_fast: options.fail_fast,
    };
    run(&plan, |mut finished| {
        let notes = if options.update { update::apply(&mut finished) } else { Vec::new() };
        summary.add(&finished.rows);
        let report = human.finished(&finished);
        let noted = notes.iter().try_for_each(|note| human.note(note));
        if let Err(error) = report.and(noted)
            && written.is_ok()
        {
            written = Err(Unusable::Report(error));
        }
        all.push(finished);
    });
    written?;
    if let Some(file) = &options.json {
        let text = json(&summary, &all).map_err(|error| Unusable::File(file.clone(), error.into()))?;
        write(file, &text)?;
    }
    if let Some(file) = &options.junit {
        write(file, &junit(&summary, &all))?;
    }
    human.end(&summary).map_err(Unusable::Report)?;
    Ok(summary)
}

fn load(options: &Replay) -> Result<Vec<Recording>, Unusable> {
    let mut recordings = select::load(&options.paths).map_err(Unusable::Recordings)?;
    if let Some(text) = &options.filter {
        let wanted = |text: &str, pattern: &str| text.to_lowercase().contains(&pattern.to_lowercase());
        recordings.retain(|recording| {
            wanted(&recording.name, text) || wanted(&recording.file.display().to_string(), text)
        });
    }
    if recordings.is_empty() {
        let paths: Vec<_> = options.paths.iter().map(|path| path.display().to_string()).collect();
        let filter =
            options.filter.as_ref().map(|text| format!(" that matches {text:?}")).unwrap_or_default();
        return Err(Unusable::Nothing(format!("there is no recording in {}{filter}", paths.join(", "))));
    }
    if let Some(file) = &options.config {
        let config = Config::load(file).map_err(|error| Unusable::File(file.clone(), error))?;
        let open = |recording: &&mut Recording| matches!(recording.plan, Planned::Exchanges(_));
        for recording in recordings.iter_mut().filter(open) {
            recording.use_config(&config);
        }
    }
    Ok(recordings)
}

fn write(file: &Path, text: &str) -> Result<(), Unusable> {
    std::fs::write(file, text).map_err(|error| Unusable::File(file.to_owned(), error))
}
