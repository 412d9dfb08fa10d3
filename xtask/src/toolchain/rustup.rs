//! `rustup target add`, which must not cost a machine without a way to rustup's server much time, nor often.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::TARGET;
use crate::console::Step;
use crate::process::{capture, on_path};
use crate::workspace::Workspace;

const FIRST_SIGN_OF_LIFE: Duration = Duration::from_secs(20);
const DOWNLOAD: Duration = Duration::from_secs(300);
const FORGET_FAILURE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The error says why the target could not be had. `asked_for`: the user named rustup, so neither an old
/// failure nor a machine-wide "install nothing" stands in the way.
pub fn add_target(workspace: &Workspace, asked_for: bool) -> Result<(), String> {
    if on_path("rustup").is_none() {
        return Err("rustup is not installed".to_owned());
    }
    // rustup's own switch against installing things unasked; whoever set it means us as well.
    if !asked_for && std::env::var("RUSTUP_AUTO_INSTALL").is_ok_and(|value| value == "0") {
        return Err(format!(
            "RUSTUP_AUTO_INSTALL=0 forbids adding it unasked (`rustup target add {TARGET}` does it)"
        ));
    }
    let note = workspace.output().map_err(|stop| stop.what)?.join("rustup-target-failed");
    if !asked_for && let Some(reason) = recent_failure(&note, SystemTime::now()) {
        return Err(format!("{reason} (not tried again today; delete {} to try)", workspace.short(&note)));
    }

    let step = Step::start(format!("rustup target add {TARGET}"));
    // Run in the workspace, because a toolchain file or an override there decides which toolchain gets the target.
    let mut command = Command::new("rustup");
    command.args(["target", "add", TARGET]).current_dir(&workspace.root);
    let limit =
        |text: &str| if text.contains("downloading component") { DOWNLOAD } else { FIRST_SIGN_OF_LIFE };
    let reason = match capture(&mut command, limit) {
        Ok(captured) if captured.success() => {
            step.done("done");
            let _ = fs::remove_file(&note);
            return Ok(());
        }
        Ok(captured) => shorten(captured.reason().trim_start_matches("error: ")),
        Err(error) => error.to_string(),
    };
    let reason = format!("`rustup target add {TARGET}` failed: {reason}");
    step.done("not to be had");
    // Without the note the next run tries again: slower, not wrong.
    let _ = fs::write(&note, &reason);
    Err(reason)
}

fn recent_failure(note: &Path, now: SystemTime) -> Option<String> {
    let written = note.metadata().ok()?.modified().ok()?;
    // A clock set back makes the note look new.
    let age = now.duration_since(written).unwrap_or_default();
    (age < FORGET_FAILURE_AFTER).then(|| fs::read_to_string(note).ok())?
}

/// rustup repeats whole addresses; the first part says enough.
fn shorten(reason: &str) -> String {
    const ENOUGH: usize = 120;
    match reason.char_indices().nth(ENOUGH) {
        Some((end, _)) => format!("{} ...", reason.split_at(end).0),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_remembered_for_a_day() {
        let note = std::env::temp_dir().join(format!("xtask-note-{}", std::process::id()));
        assert_eq!(recent_failure(&note, SystemTime::now()), None);
        fs::write(&note, "no network").expect("note");
        let now = SystemTime::now();
        assert_eq!(recent_failure(&note, now).as_deref(), Some("no network"));
        assert_eq!(recent_failure(&note, now + FORGET_FAILURE_AFTER + Duration::from_secs(1)), None);
        fs::remove_file(&note).expect("removed");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        assert_eq!(shorten("short"), "short");
        assert_eq!(shorten(&"ä".repeat(500)).chars().count(), 124);
    }
}
