//! The project's chores, started as `cargo xtask COMMAND`.

mod attach;
mod check;
mod commands;
mod console;
mod elsewhere;
mod envoy;
mod launch;
mod module;
mod process;
mod python;
mod stop;
mod toolchain;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::run(std::env::args_os().skip(1)) {
        Ok(code) => code,
        Err(stop) => {
            eprintln!("{stop}");
            ExitCode::from(stop.code)
        }
    }
}
