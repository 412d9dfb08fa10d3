//! Which files are meant, and what is in them.

use std::path::{Path, PathBuf};

use crate::recording::{Recording, Unreadable, looks_like_one};

/// The recordings of files and folders, in the order of the arguments and, in folders, of names. Everything that is
/// unreadable is an error.
///
/// In a folder, what cannot be a recording is passed over: snapshots, configurations, bodies.
///
/// # Errors
/// All that is wrong with all of the files.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Recording>, Vec<Unreadable>> {
    let mut recordings: Vec<Recording> = Vec::new();
    let mut unreadable = Vec::new();
    for path in paths {
        let files = if path.is_dir() { walk(path) } else { Ok(vec![path.clone()]) };
        let files = match files {
            Ok(files) => files,
            Err(error) => {
                unreadable.push(error);
                continue;
            }
        };
        for file in files {
            if recordings.iter().any(|known| known.file == file) {
                continue;
            }
            match Recording::load(&file) {
                Ok(recording) => recordings.push(recording),
                Err(error) => unreadable.push(error),
            }
        }
    }
    if unreadable.is_empty() { Ok(recordings) } else { Err(unreadable) }
}

/// The recordings of a folder and of those in it.
fn walk(folder: &Path) -> Result<Vec<PathBuf>, Unreadable> {
    let failed = |error: std::io::Error| Unreadable::whole(folder, format!("cannot be listed: {error}"));
    let mut entries = std::fs::read_dir(folder)
        .and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        })
        .map_err(failed)?;
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            files.extend(walk(&entry)?);
        } else if looks_like_one(&entry) {
            files.push(entry);
        }
    }
    Ok(files)
}
