//! Debian's toolchain: a rustc with the sources of its standard library, for machines that reach no rustup server.

use std::path::{Path, PathBuf};
use std::process::Command;

pub const PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc", "lld-19"];
pub const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const STD_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
const LIBC: &str = "/usr/lib/wasm32-wasi";

/// What of it has no fixed path.
#[derive(Debug)]
pub struct Tools {
    linker: PathBuf,
}

/// The error says what is missing.
pub fn find() -> Result<Tools, String> {
    let libc = format!("{LIBC}/libc.a");
    for needed in [RUSTC, CARGO, STD_SOURCE, libc.as_str()] {
        if !Path::new(needed).is_file() {
            return Err(format!("Debian's toolchain for WebAssembly lacks {needed}"));
        }
    }
    match newest_linker(Path::new("/usr/bin")) {
        Some(linker) => Ok(Tools { linker }),
        None => Err("Debian's toolchain for WebAssembly lacks /usr/bin/wasm-ld-19".to_owned()),
    }
}

/// Debian names the linker after its LLVM release.
fn newest_linker(folder: &Path) -> Option<PathBuf> {
    let entries = folder.read_dir().ok()?.flatten();
    let numbered = entries.filter_map(|entry| {
        let release: u32 = entry.file_name().to_str()?.strip_prefix("wasm-ld-")?.parse().ok()?;
        Some((release, entry.path()))
    });
    numbered.max().map(|(_, path)| path)
}

impl Tools {
    pub fn build_command(&self) -> (Command, Vec<String>) {
        let mut command = Command::new(CARGO);
        // What the cargo around us, or a user of rustup, has set is about another toolchain.
        for name in
            ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "LD_LIBRARY_PATH"]
        {
            command.env_remove(name);
        }
        command
            .env("RUSTC", RUSTC)
            // Building std is a nightly feature of cargo; std's own sources need nightly features of rustc.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_WASIP1_LINKER", &self.linker)
            .args(["build", "-Zbuild-std=std,panic_abort"]);
        let flags = vec![
            format!("-Lnative={LIBC}"),
            "--remap-path-prefix=/usr/lib/rustlib/src/rust=/rust".to_owned(),
        ];
        (command, flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_linker_wins_by_number() {
        let folder = std::env::temp_dir().join(format!("xtask-linker-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("folder");
        assert_eq!(newest_linker(&folder), None);
        for name in ["wasm-ld-9", "wasm-ld-19", "wasm-ld", "wasm-ld-old"] {
            std::fs::write(folder.join(name), "").expect("file");
        }
        assert_eq!(newest_linker(&folder), Some(folder.join("wasm-ld-19")));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
