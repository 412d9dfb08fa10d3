//! The crate stays pure: no dependency, and no name of anything that has an effect or is ambient.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

const BANNED: [&str; 14] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::sync",
    "std::thread",
    "std::time",
    "HashMap",
    "Instant",
    "SystemTime",
    "print!",
    "println!",
    "proxy_wasm",
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

#[test]
fn the_crate_is_pure() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("dependencies]"), "no dependencies");

    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    assert!(files.len() > 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for name in BANNED {
            assert!(!text.contains(name), "{} names {name}", file.display());
        }
    }
}
