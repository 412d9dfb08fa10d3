//! `ipp-replay`: recorded requests through the filter, and whether what comes out is right. `cargo xtask replay` runs it.

use std::process::ExitCode;

use clap::Parser;
use ipp_testharness::replay::command::replay;
use ipp_testharness::replay::engines::engine;
use ipp_testharness::replay::options::{Command, Import, Options};
use ipp_testharness::{capture, import, render};

fn main() -> ExitCode {
    // Unusable arguments end the process here, with 2.
    let options = Options::parse();
    if let Some(command) = &options.command {
        return match make(command) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("ipp-replay: {error:#}");
                ExitCode::from(2)
            }
        };
    }
    match replay(&options.replay, engine, std::io::stdout()) {
        Ok(summary) if summary.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(unusable) => {
            eprintln!("ipp-replay: {unusable}");
            ExitCode::from(2)
        }
    }
}

/// Makes recordings or objects. False if some could not be made.
fn make(command: &Command) -> anyhow::Result<bool> {
    match command {
        Command::Import(Import::Har(options)) => import::har::run(options),
        Command::Import(Import::Tap(options)) => import::tap::run(options),
        Command::Record(options) => capture::run(options),
        Command::Render(options) => render::run(options).map(|()| true),
    }
}
