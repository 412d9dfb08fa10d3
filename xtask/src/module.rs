//! Builds a module: a cdylib package compiled for wasm32-wasip1, copied to where Envoy and the tests take it from.

mod exports;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::console::{grouped, seconds};
use crate::stop::{Result, Stop};
use crate::toolchain::{PROFILE, TARGET, Toolchain};
use crate::workspace::{Workspace, cargo_home};

/// The package whose module is called just `ipp.wasm`.
pub const STOCK: &str = "ipp-module";
/// The example of a module with one's own plugins.
pub const CUSTOM: &str = "custom-plugin";

/// A module that crashes when told to, for tests.
pub const TRAP: &str = "trap-module";

/// Envoy's WebAssembly engine has both; without them scanning a body takes several times as long.
const FEATURES: &str = "-Ctarget-feature=+simd128,+bulk-memory";

pub struct Built {
    pub path: PathBuf,
    size: u64,
    sha256: String,
    toolchain: String,
    why: String,
    commit: String,
    time: Duration,
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path.display())?;
        writeln!(f, "  size      {} bytes", grouped(self.size))?;
        writeln!(f, "  sha256    {}", self.sha256)?;
        writeln!(f, "  commit    {}", self.commit)?;
        writeln!(f, "  toolchain {}", self.toolchain)?;
        for (index, reason) in self.why.lines().enumerate() {
            writeln!(f, "  {:<9} {reason}", if index == 0 { "because" } else { "" })?;
        }
        write!(f, "  time      {}", seconds(self.time))
    }
}

pub fn build(workspace: &Workspace, toolchain: &Toolchain, package: &str) -> Result<Built> {
    build_of_commit(workspace, toolchain, package, workspace.commit())
}

/// For a workspace that is no clone, and so cannot say itself which commit it is.
pub fn build_of_commit(
    workspace: &Workspace,
    toolchain: &Toolchain,
    package: &str,
    commit: String,
) -> Result<Built> {
    let started = Instant::now();
    let target = workspace.wasm_target();
    let first = if target.is_dir() { "" } else { " (first time: about 1 minute)" };
    eprintln!("building the module {package}{first} ...");

    let mut command = command(workspace, toolchain, &[package], &commit);
    let status = command.status().map_err(|error| {
        Stop::new(format!("cannot start {}: {error}", command.get_program().to_string_lossy()))
    })?;
    if !status.success() {
        return Err(Stop::new(format!(
            "the module {package} did not build for {TARGET}; cargo's words are above"
        )));
    }

    let made = target.join(TARGET).join(PROFILE).join(format!("{}.wasm", package.replace('-', "_")));
    let bytes = fs::read(&made).map_err(|error| {
        Stop::file("read", &made, &error)
            .help(format!("the package {package} must be a cdylib (`[lib] crate-type = [\"cdylib\"]`)"))
    })?;
    let bytes = exports::prune(&bytes).map_err(|why| Stop::new(format!("{}: {why}", made.display())))?;
    let path = workspace.output()?.join(file_name(package));
    replace_file(&path, &bytes)?;
    Ok(Built {
        path,
        size: bytes.len() as u64,
        sha256: hex(&Sha256::digest(&bytes)),
        toolchain: toolchain.name(),
        why: toolchain.why().to_owned(),
        commit,
        time: started.elapsed(),
    })
}

/// Builds several at once. Each of them then is found built by [`build`], which also says what went wrong with one.
pub fn build_ahead(workspace: &Workspace, toolchain: &Toolchain, packages: &[&str]) {
    eprintln!("building the modules {} ...", packages.join(", "));
    let mut command = command(workspace, toolchain, packages, &workspace.commit());
    // The last step of each is linking, on one core.
    let _ = command.args(["--quiet", "--keep-going"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn command(workspace: &Workspace, toolchain: &Toolchain, packages: &[&str], commit: &str) -> Command {
    let (mut command, mut flags) = toolchain.build_command();
    flags.push(FEATURES.to_owned());
    flags.extend(remaps(&workspace.root, cargo_home().as_deref()));
    command
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .arg("--target-dir")
        .arg(workspace.wasm_target())
        .current_dir(&workspace.root)
        // The strongest of cargo's sources of flags, so that no RUSTFLAGS around us gets into the module; the
        // separator lets a path hold a space.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("IPP_COMMIT", commit);
    command
}

fn file_name(package: &str) -> String {
    if package == STOCK { "ipp.wasm".to_owned() } else { format!("{package}.wasm") }
}

/// The same sources give the same bytes wherever they lie, and no home folder is told to the world.
fn remaps(root: &Path, cargo_home: Option<&Path>) -> Vec<String> {
    let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let mut flags = vec![remap(root, "/ipp")];
    flags.extend(cargo_home.map(|home| remap(home, "/cargo")));
    flags
}

/// An Envoy that watches the file must never see half of it.
fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let half = path.with_extension("wasm.part");
    fs::write(&half, bytes).map_err(|error| Stop::file("write", &half, &error))?;
    fs::rename(&half, path).map_err(|error| Stop::file("write", path, &error))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stock_module_has_the_short_name() {
        assert_eq!(file_name(STOCK), "ipp.wasm");
        assert_eq!(file_name(CUSTOM), "custom-plugin.wasm");
    }

    #[test]
    fn sha256_is_printed_as_sha256sum_prints_it() {
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(&Sha256::digest(b"")), of_nothing);
    }

    #[test]
    fn paths_are_remapped_one_flag_each() {
        let flags = remaps(Path::new("/home/a b/ipp"), Some(Path::new("/home/a b/.cargo")));
        assert_eq!(
            flags,
            ["--remap-path-prefix=/home/a b/ipp=/ipp", "--remap-path-prefix=/home/a b/.cargo=/cargo"]
        );
    }
}
