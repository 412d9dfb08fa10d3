//! Which Rust toolchain builds for wasm32-wasip1, and why that one.

mod debian;
mod rustup;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{capture, may_apt_get};
use crate::stop::{Result, Stop};
use crate::workspace::{Workspace, cargo_program};

pub const TARGET: &str = "wasm32-wasip1";
/// The profile of the root Cargo.toml that modules are built with.
pub const PROFILE: &str = "module";

/// The environment variable that names a toolchain instead of leaving the choice to us.
pub const CHOICE: &str = "IPP_TOOLCHAIN";

#[derive(Debug)]
pub enum Toolchain {
    /// A rustc with the target's standard library: rustup's, or a distribution's.
    Ordinary { version: String, why: String },
    /// Debian's rustc, which builds the standard library from its sources.
    Debian { tools: debian::Tools, version: String, why: String },
}

impl Toolchain {
    pub fn name(&self) -> String {
        match self {
            Self::Ordinary { version, .. } => version.clone(),
            Self::Debian { version, .. } => format!("{version}, standard library built from source"),
        }
    }

    /// Why it was taken, one reason a line.
    pub fn why(&self) -> &str {
        match self {
            Self::Ordinary { why, .. } | Self::Debian { why, .. } => why,
        }
    }

    /// `cargo build` for the target in the modules' profile, and the rustc flags that this toolchain needs itself.
    pub fn build_command(&self) -> (Command, Vec<String>) {
        let (mut command, flags) = match self {
            Self::Ordinary { .. } => {
                let mut cargo = Command::new(cargo_program());
                cargo.arg("build");
                (cargo, Vec::new())
            }
            Self::Debian { tools, .. } => tools.build_command(),
        };
        command.args(["--profile", PROFILE, "--target", TARGET]);
        (command, flags)
    }
}

pub fn choose(workspace: &Workspace) -> Result<Toolchain> {
    let choice = std::env::var(CHOICE).unwrap_or_default();
    let (rustup_wanted, debian_wanted) = match choice.as_str() {
        "" => (true, true),
        "rustup" => (true, false),
        "debian" => (false, true),
        other => {
            return Err(Stop::usage(format!("{CHOICE} is `{other}`; expected `rustup` or `debian`"))
                .help(format!("unset {CHOICE} to take the first toolchain that serves")));
        }
    };

    let mut tried = Vec::new();
    if rustup_wanted {
        match ordinary("the target is installed") {
            Ok(toolchain) => return Ok(toolchain),
            Err(reason) => tried.push(reason),
        }
        match rustup::add_target(workspace, choice == "rustup") {
            Ok(()) => match ordinary("`rustup target add` has just installed the target") {
                Ok(toolchain) => return Ok(toolchain),
                Err(reason) => tried.push(reason),
            },
            Err(reason) => tried.push(reason),
        }
    }
    if debian_wanted {
        let before = if tried.is_empty() { format!("{CHOICE} asks for it") } else { tried.join("\n") };
        match from_debian(before) {
            Ok(toolchain) => return Ok(toolchain),
            Err(reason) => tried.push(reason),
        }
    }
    Err(Stop::new(format!("no Rust toolchain builds for {TARGET}:\n  - {}", tried.join("\n  - "))).help(
        format!(
            "with rustup:  rustup target add {TARGET}\n\
         on Debian 12: apt-get update && apt-get install -y {}",
            debian::PACKAGES.join(" ")
        ),
    ))
}

/// The rustc that cargo would take, if it has the target's standard library.
fn ordinary(why: &str) -> std::result::Result<Toolchain, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let folder = ask(Path::new(&rustc), &["--print", "target-libdir", "--target", TARGET])
        .ok_or_else(|| format!("{} does not know the target {TARGET}", rustc.to_string_lossy()))?;
    let version = ask(Path::new(&rustc), &["--version"]).unwrap_or_else(|| "rustc".to_owned());
    if has_std(Path::new(&folder)) {
        Ok(Toolchain::Ordinary { version, why: why.to_owned() })
    } else {
        Err(format!("{version} has no standard library for {TARGET}"))
    }
}

/// rustc prints the folder of any target it has heard of, so the folder's content decides.
fn has_std(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

fn from_debian(before: String) -> std::result::Result<Toolchain, String> {
    let (tools, how) = match debian::find() {
        Ok(tools) => (tools, "Debian's packages are installed"),
        Err(missing) if may_apt_get() => {
            eprintln!("{missing}");
            crate::process::apt_get_install(&debian::PACKAGES).map_err(|stop| stop.what)?;
            (debian::find()?, "Debian's packages have just been installed")
        }
        Err(missing) => return Err(format!("{missing} (and no root with apt-get here to install it)")),
    };
    let version =
        ask(Path::new(debian::RUSTC), &["--version"]).unwrap_or_else(|| "Debian's rustc".to_owned());
    Ok(Toolchain::Debian { tools, version, why: format!("{before}\n{how}") })
}

/// The first line of a program's answer.
fn ask(program: &Path, arguments: &[&str]) -> Option<String> {
    let captured = capture(Command::new(program).args(arguments), |_| Duration::from_secs(20)).ok()?;
    captured.success().then(|| captured.text.lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_libstd_is_no_installed_target() {
        let folder = std::env::temp_dir().join(format!("xtask-libdir-{}", std::process::id()));
        assert!(!has_std(&folder));
        std::fs::create_dir_all(&folder).expect("folder");
        assert!(!has_std(&folder));
        std::fs::write(folder.join("libstd-0123.rlib"), "").expect("file");
        assert!(has_std(&folder));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
