//! The way from one folder to a file.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

/// The path of a file as it is seen from a folder. Both have to exist.
pub(super) fn path(folder: &Path, file: &Path) -> Result<PathBuf> {
    let absolute = |path: &Path| path.canonicalize().with_context(|| format!("{}", path.display()));
    Ok(between(&absolute(folder)?, &absolute(file)?))
}

fn between(folder: &Path, file: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (folder.components().collect(), file.components().collect());
    let common = from.iter().zip(&to).take_while(|(from, to)| from == to).count();
    let up = from[common..].iter().map(|_| Component::ParentDir);
    up.chain(to[common..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_goes_up_and_down() {
        let way =
            |folder: &str, file: &str| between(Path::new(folder), Path::new(file)).display().to_string();
        assert_eq!(way("/a/recordings", "/a/config.yaml"), "../config.yaml");
        assert_eq!(way("/a/b/c", "/x/y.yaml"), "../../../x/y.yaml");
        assert_eq!(way("/a", "/a/b/c.yaml"), "b/c.yaml");
    }
}
