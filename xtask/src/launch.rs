//! Starts the harness's programs, the demo and the benchmark, with a fresh module and an Envoy.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::stop::{Result, Stop};
use crate::workspace::Workspace;
use crate::{envoy, module, process, toolchain};

const HARNESS: &str = "ipp-testharness";
/// Optimised like a release, but built in a fraction of the time that the module's profile takes natively.
const TOOLS_PROFILE: &str = "tools";

#[derive(Debug, Default)]
pub struct Demo {
    pub once: bool,
    pub port: Option<u16>,
    pub config: Option<PathBuf>,
}

impl Demo {
    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        if self.once {
            arguments.push("--once".into());
        }
        if let Some(port) = self.port {
            arguments.extend(["--port".into(), port.to_string().into()]);
        }
        if let Some(config) = &self.config {
            arguments.extend(["--config".into(), config.into()]);
        }
        arguments
    }
}

pub fn up(workspace: &Workspace, demo: &Demo) -> Result<ExitCode> {
    if let Some(config) = &demo.config {
        // Found now, not after a minute of building.
        std::fs::metadata(config).map_err(|error| Stop::file("read the configuration", config, &error))?;
    }
    start(workspace, "ipp-demo", "dev", &demo.arguments())
}

pub fn bench(workspace: &Workspace, arguments: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    start(workspace, "ipp-bench", TOOLS_PROFILE, &arguments.collect::<Vec<_>>())
}

fn start(workspace: &Workspace, program: &str, profile: &str, arguments: &[OsString]) -> Result<ExitCode> {
    let toolchain = toolchain::choose(workspace)?;
    let module = module::build(workspace, &toolchain, module::STOCK)?;
    let envoy = envoy::find(workspace)?;
    eprintln!(
        "module {}\nenvoy  {} ({})",
        workspace.short(&module.path),
        envoy.path.display(),
        envoy.version
    );

    eprintln!("building {program} ...");
    let built = harness(workspace, "build", program, profile).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(Stop::new(format!("{program} did not build; cargo's words are above")));
    }
    // Built already, so a quiet run: from here on the screen is the program's.
    let mut command = harness(workspace, "run", program, profile);
    // The user's own folder, or `--config FILE` would mean another file.
    if let Ok(here) = std::env::current_dir() {
        command.arg("--manifest-path").arg(workspace.root.join("Cargo.toml")).current_dir(here);
    }
    command.arg("--quiet").arg("--").arg("--module").arg(&module.path).arg("--envoy").arg(&envoy.path);
    command.args(arguments);
    process::become_program(command)
}

fn harness(workspace: &Workspace, verb: &str, program: &str, profile: &str) -> Command {
    let mut command = workspace.cargo();
    command.args([verb, "--profile", profile, "--package", HARNESS, "--bin", program]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_demo_are_handed_on() {
        assert!(Demo::default().arguments().is_empty());
        let demo = Demo { once: true, port: Some(8080), config: Some("a b.yaml".into()) };
        assert_eq!(demo.arguments(), ["--once", "--port", "8080", "--config", "a b.yaml"]);
    }
}
