//! Checks that what the documents point at exists: relative links, and paths in code style.

mod references;

use std::fs;
use std::path::{Path, PathBuf};

use references::Reference;

use crate::stop::{Result, Stop};
use crate::workspace::Workspace;

/// True if nothing is missing. What is missing has been printed, as `FILE:LINE: ...`.
pub fn check(workspace: &Workspace) -> Result<bool> {
    let documents = documents(&workspace.root);
    if documents.is_empty() {
        return Err(Stop::new(format!("there is no README.md in {}", workspace.root.display())));
    }
    let mut checked = 0;
    let mut missing = 0;
    for document in &documents {
        let text = fs::read_to_string(document).map_err(|error| Stop::file("read", document, &error))?;
        for reference in references::in_markdown(&text) {
            checked += 1;
            if !exists(&reference, document, &workspace.root) {
                missing += 1;
                println!(
                    "{}:{}: {} does not exist",
                    workspace.short(document),
                    reference.line,
                    reference.path
                );
            }
        }
    }
    println!("documents: {}, references: {checked}, missing: {missing}", documents.len());
    Ok(missing == 0)
}

/// The documents at the root, everything below docs/, and the README of each folder at the root.
fn documents(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        found.extend(Some(root.join(name)).filter(|path| path.is_file()));
    }
    markdown_below(&root.join("docs"), &mut found);
    let folders = sorted_entries(root).into_iter().filter(|path| !path.ends_with("docs"));
    found.extend(folders.map(|folder| folder.join("README.md")).filter(|path| path.is_file()));
    found
}

fn markdown_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for path in sorted_entries(folder) {
        if path.is_dir() {
            markdown_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// In a fixed order, so that two runs print the same.
fn sorted_entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// A link counts from its document, as the browser takes it; a path in code style may count from the root too.
fn exists(reference: &Reference, document: &Path, root: &Path) -> bool {
    let beside = document.parent().unwrap_or(root);
    let from_root = || root.join(reference.path.trim_start_matches('/'));
    if reference.is_link {
        let path = reference.path.as_str();
        // A web view of the repository takes `/x` for the root's x.
        if path.starts_with('/') { from_root().exists() } else { beside.join(path).exists() }
    } else {
        beside.join(&reference.path).exists() || from_root().exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_and_a_missing_readme_are_found() {
        let root = std::env::temp_dir().join(format!("xtask-docs-{}", std::process::id()));
        fs::create_dir_all(root.join("docs/deep")).expect("folder");
        fs::create_dir_all(root.join("envoy")).expect("folder");
        let workspace = Workspace { root: root.clone() };
        assert!(check(&workspace).is_err(), "nothing to check is no success");

        fs::write(root.join("README.md"), "[a](docs/a.md#top) `envoy/demo.yaml`").expect("file");
        fs::write(root.join("docs/a.md"), "[back](../README.md) `docs/a.md` `a.md`").expect("file");
        fs::write(root.join("docs/deep/b.md"), "[a](../a.md)").expect("file");
        fs::write(root.join("envoy/README.md"), "`demo.yaml` [it](demo.yaml)").expect("file");
        assert!(!check(&workspace).expect("checked"), "envoy/demo.yaml is missing");
        fs::write(root.join("envoy/demo.yaml"), "").expect("file");
        assert!(check(&workspace).expect("checked"));
        assert_eq!(documents(&root).len(), 4);
        fs::remove_dir_all(&root).expect("removed");
    }
}
