//! `ipp-bench`: what the filter adds to the CPU time and the latency of a request. `cargo xtask bench` runs it.

use std::process::ExitCode;

use ipp_testharness::bench::{Options, USAGE, run};

// One thread starts the Envoys and waits; the load has threads of its own.
#[tokio::main(flavor = "current_thread")]
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
            eprintln!("ipp-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
