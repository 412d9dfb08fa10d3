//! Starts the other programs of the workspace with a fresh module: demo, replay, benchmark, image.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::stop::{Result, Stop};
use crate::workspace::Workspace;
use crate::{envoy, module, process, toolchain};

const HARNESS: &str = "ipp-testharness";
/// A package of its own: what speaks HTTPS takes as long to compile as all of xtask ten times over.
pub const IMAGE: &str = "ipp-image";
const OPTIMIZED: &str = "release";

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
    start(workspace, "ipp-bench", OPTIMIZED, &arguments.collect::<Vec<_>>())
}

/// Replays recordings. Without `--engine` it is the compiled module that is asked, in the fast host.
pub fn replay(workspace: &Workspace, arguments: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if makes_something(&arguments) {
        let mut command = replay_command(workspace)?;
        command.args(arguments);
        if let Ok(here) = std::env::current_dir() {
            command.current_dir(here);
        }
        return process::become_program(command);
    }
    let engine = engine(&arguments);
    let given =
        |option: &str| arguments.iter().any(|it| it.to_str().is_some_and(|it| it.starts_with(option)));
    let mut command = replay_command(workspace)?;
    if engine.as_deref() != Some("native") && !given("--module") {
        let toolchain = toolchain::choose(workspace)?;
        command.env("IPP_MODULE", module::build(workspace, &toolchain, module::STOCK)?.path);
    }
    if matches!(engine.as_deref(), Some("envoy" | "all")) {
        command.env("IPP_ENVOY", envoy::find(workspace)?.path);
    }
    if engine.is_none() {
        arguments.extend(["--engine".into(), "wasm".into()]);
    }
    command.args(arguments);
    if let Ok(here) = std::env::current_dir() {
        command.current_dir(here);
    }
    process::become_program(command)
}

/// Writes the module as an OCI layout, and pushes it if that is asked for.
pub fn image(workspace: &Workspace, arguments: impl Iterator<Item = OsString>) -> Result<ExitCode> {
    let arguments: Vec<OsString> = arguments.collect();
    eprintln!("building {IMAGE} (first time: about 40 s) ...");
    let mut command = image_command(workspace)?;
    // A wrong command line is found now, not after a minute of building.
    let checked = image_command(workspace)?.args(&arguments).arg("--check").status();
    match checked.map(|status| status.code()) {
        Ok(Some(0)) => {}
        Ok(code) => {
            return Ok(code
                .and_then(|code| u8::try_from(code).ok())
                .map_or(ExitCode::FAILURE, ExitCode::from));
        }
        Err(error) => return Err(Stop::new(format!("cannot start {IMAGE}: {error}"))),
    }
    let toolchain = toolchain::choose(workspace)?;
    let module = module::build(workspace, &toolchain, module::STOCK)?.path;
    if workspace.is_changed() {
        eprintln!(
            "note: the commit that the image names is not what it was built from: there are changes since"
        );
    }
    command.arg("--module").arg(module).arg("--commit").arg(workspace.commit());
    if !arguments.iter().any(|it| it.to_str().is_some_and(|it| it == "--out" || it.starts_with("--out="))) {
        command.arg("--out").arg(workspace.output()?.join("image"));
    }
    command.args(arguments);
    process::become_program(command)
}

/// The built program that makes images, without arguments.
pub fn image_command(workspace: &Workspace) -> Result<Command> {
    let mut build = workspace.cargo();
    build.args(["build", "--quiet", "--package", IMAGE]);
    if !build.status().is_ok_and(|status| status.success()) {
        return Err(Stop::new(format!("{IMAGE} did not build; cargo's words are above")));
    }
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--package", IMAGE, "--manifest-path"]);
    command.arg(workspace.root.join("Cargo.toml")).arg("--");
    // The user's own folder, or `--out DIR` would mean another one.
    if let Ok(here) = std::env::current_dir() {
        command.current_dir(here);
    }
    Ok(command)
}

/// Whether it is one of the program's other commands, which need no module and no engine.
fn makes_something(arguments: &[OsString]) -> bool {
    let first = arguments.first().and_then(|it| it.to_str());
    first.is_some_and(|it| ["import", "record", "render"].contains(&it))
}

/// The value of `--engine`, in both of its forms.
fn engine(arguments: &[OsString]) -> Option<String> {
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--engine") {
            Some("") => return arguments.next().map(str::to_owned),
            Some(value) => return value.strip_prefix('=').map(str::to_owned),
            None => {}
        }
    }
    None
}

/// The built program that replays, without arguments.
pub fn replay_command(workspace: &Workspace) -> Result<Command> {
    const PROGRAM: &str = "ipp-replay";
    eprintln!("building {PROGRAM} ...");
    let built = harness(workspace, "build", PROGRAM, "dev").status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(Stop::new(format!("{PROGRAM} did not build; cargo's words are above")));
    }
    let mut command = harness(workspace, "run", PROGRAM, "dev");
    command.arg("--manifest-path").arg(workspace.root.join("Cargo.toml")).args(["--quiet", "--"]);
    Ok(command)
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
    // Neither the demo nor the benchmark runs a module itself: minutes less to compile.
    let lean = |verb| {
        let mut command = harness(workspace, verb, program, profile);
        command.arg("--no-default-features");
        command
    };
    let built = lean("build").status();
    if !built.is_ok_and(|status| status.success()) {
        return Err(Stop::new(format!("{program} did not build; cargo's words are above")));
    }
    // Built already, so a quiet run: from here on the screen is the program's.
    let mut command = lean("run");
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
    fn the_engine_is_found_in_both_forms() {
        let engine = |words: &[&str]| engine(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(engine(&["x", "--engine", "all"]).as_deref(), Some("all"));
        assert_eq!(engine(&["--engine=native", "x"]).as_deref(), Some("native"));
        assert_eq!(engine(&["x", "--junit", "engine"]), None);
    }

    #[test]
    fn only_the_first_word_is_a_command() {
        let makes = |words: &[&str]| makes_something(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert!(makes(&["render", "--as", "envoy"]) && makes(&["import", "har"]));
        assert!(!makes(&[]) && !makes(&["recordings", "render"]) && !makes(&["--engine", "all"]));
    }

    #[test]
    fn options_of_the_demo_are_handed_on() {
        assert!(Demo::default().arguments().is_empty());
        let demo = Demo { once: true, port: Some(8080), config: Some("a b.yaml".into()) };
        assert_eq!(demo.arguments(), ["--once", "--port", "8080", "--config", "a b.yaml"]);
    }
}
