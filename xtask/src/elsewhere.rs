//! A copy of the sources in another folder, to see whether the place of the sources gets into what is built.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::stop::{Result, Stop};
use crate::workspace::Workspace;

/// The copy of this workspace, brought up to date. Files that are the same are left alone, so that cargo builds
/// only what has changed.
pub fn copy(workspace: &Workspace) -> Result<Workspace> {
    let copy = Workspace { root: workspace.output()?.join("elsewhere") };
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(&workspace.root);
    let listed =
        git.stdin(Stdio::null()).output().map_err(|error| Stop::new(format!("cannot start git: {error}")))?;
    if !listed.status.success() {
        return Err(Stop::new(format!(
            "git ls-files: {}",
            String::from_utf8_lossy(&listed.stderr).trim_end()
        )));
    }
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    // What was deleted since the last time would still be built.
    for part in ["selector", "filter", "examples", "testharness", "xtask", ".cargo"] {
        remove_others(&copy.root, Path::new(part), &workspace.root)?;
    }
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let from = workspace.root.join(name);
        if from.is_file() {
            update(&from, &copy.root.join(name))?;
        }
    }
    Ok(copy)
}

fn update(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).map_err(|error| Stop::file("read", from, &error))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| Stop::file("make the folder", folder, &error))?;
    }
    fs::write(to, bytes).map_err(|error| Stop::file("write", to, &error))
}

fn remove_others(copy: &Path, part: &Path, original: &Path) -> Result<()> {
    let Ok(entries) = copy.join(part).read_dir() else { return Ok(()) };
    for entry in entries.flatten() {
        let (part, path) = (part.join(entry.file_name()), entry.path());
        if path.is_dir() {
            remove_others(copy, &part, original)?;
        } else if !original.join(&part).is_file() {
            fs::remove_file(&path).map_err(|error| Stop::file("remove", &path, &error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_goes_and_what_is_the_same_keeps_its_time() {
        let root = std::env::temp_dir().join(format!("xtask-elsewhere-{}", std::process::id()));
        let (original, copy) = (root.join("a"), root.join("b"));
        fs::create_dir_all(original.join("src")).expect("folder");
        fs::create_dir_all(copy.join("src")).expect("folder");
        fs::write(original.join("src/kept.rs"), "1").expect("file");
        fs::write(copy.join("src/kept.rs"), "1").expect("file");
        fs::write(copy.join("src/gone.rs"), "2").expect("file");
        let time = copy.join("src/kept.rs").metadata().and_then(|it| it.modified()).expect("a time");
        remove_others(&copy, Path::new("src"), &original).expect("removed");
        update(&original.join("src/kept.rs"), &copy.join("src/kept.rs")).expect("updated");
        assert!(!copy.join("src/gone.rs").exists());
        assert_eq!(copy.join("src/kept.rs").metadata().and_then(|it| it.modified()).expect("a time"), time);
        fs::remove_dir_all(root).expect("removed");
    }
}
