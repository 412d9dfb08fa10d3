//! Where the workspace is, where xtask keeps what it makes, and which commit is checked out.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::stop::{Result, Stop};

#[derive(Debug, Clone)]
pub struct Workspace {
    pub root: PathBuf,
}

impl Workspace {
    /// Cargo names the running package's folder; the compiled-in one is for a start without cargo.
    pub fn find() -> Result<Self> {
        let package =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent().unwrap_or(Path::new("/")).to_path_buf();
        if root.join("Cargo.toml").is_file() {
            Ok(Self { root })
        } else {
            Err(Stop::new(format!("{} holds no Cargo.toml, so it is not the workspace", root.display()))
                .help("start it as `cargo xtask` from inside the repository"))
        }
    }

    /// Everything xtask makes. Always below the workspace, so that the paths in the documentation are true
    /// for every CARGO_TARGET_DIR.
    pub fn output(&self) -> Result<PathBuf> {
        let folder = self.root.join("target").join("ipp");
        fs::create_dir_all(&folder).map_err(|error| Stop::file("make the folder", &folder, &error))?;
        Ok(folder)
    }

    /// A target folder apart: two toolchains and other flags must not throw away the native build.
    pub fn wasm_target(&self) -> PathBuf {
        self.root.join("target").join("wasm")
    }

    pub fn commit(&self) -> String {
        let answer = Command::new("git")
            .args(["rev-parse", "--short=12", "HEAD"])
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        match answer {
            Ok(output) if output.status.success() => {
                String::from_utf8_lossy(&output.stdout).trim().to_owned()
            }
            // No git, a tarball, or a repository without a commit.
            _ => "unknown".to_owned(),
        }
    }

    /// Whether files differ from the commit that is checked out. False where there is no git to ask.
    pub fn is_changed(&self) -> bool {
        let mut git = Command::new("git");
        git.args(["status", "--porcelain"])
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        git.output().is_ok_and(|output| !output.stdout.trim_ascii().is_empty())
    }

    /// A path as a reader in the workspace would type it.
    pub fn short<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }

    /// The cargo that started us, and so the toolchain that the user chose.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(cargo_program());
        command.current_dir(&self.root);
        command
    }
}

pub fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

pub fn cargo_home() -> Option<PathBuf> {
    match std::env::var_os("CARGO_HOME") {
        Some(home) => Some(home.into()),
        None => std::env::home_dir().map(|home| home.join(".cargo")),
    }
}
