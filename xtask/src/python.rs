//! Finds a Python with pip, or installs one.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{apt_get_install, capture, may_apt_get, on_path};
use crate::stop::{Result, Stop};

/// `purpose` is what needs it, `instead` what serves as well.
pub fn with_pip(purpose: &str, instead: &str) -> Result<PathBuf> {
    if let Some(python) = usable() {
        return Ok(python);
    }
    let install = "apt-get update && apt-get install -y python3 python3-pip";
    if may_apt_get() {
        apt_get_install(&["python3", "python3-pip"])?;
    }
    usable().ok_or_else(|| {
        Stop::new(format!("{purpose} needs python3 with pip, and there is none"))
            .help(format!("{install}\nor {instead}"))
    })
}

fn usable() -> Option<PathBuf> {
    let python = on_path("python3")?;
    let has_pip =
        capture(Command::new(&python).args(["-m", "pip", "--version"]), |_| Duration::from_secs(60));
    has_pip.is_ok_and(|captured| captured.success()).then_some(python)
}
