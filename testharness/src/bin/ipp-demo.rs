//! `ipp-demo`: the shipped Envoy configuration with simulated model servers behind it. `cargo xtask up` runs it.

use std::process::ExitCode;

use ipp_testharness::demo::{Options, USAGE, run};

#[tokio::main]
async fn main() -> ExitCode {
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error:#}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ipp-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
