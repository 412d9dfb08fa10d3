//! Runs other programs: with a time limit and their output kept, or in xtask's own place.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::stop::{Result, Stop};

/// What a program said, and how it ended.
pub struct Captured {
    /// `None`: it ran out of time and was killed.
    pub status: Option<ExitStatus>,
    /// Both its streams, in the order they came.
    pub text: String,
}

impl Captured {
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }

    /// The line that most likely says what went wrong.
    pub fn reason(&self) -> String {
        let lines: Vec<&str> = self.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let is_error = |line: &&&str| line.to_ascii_lowercase().starts_with("error");
        let line = lines.iter().find(is_error).or(lines.last()).copied().unwrap_or("it said nothing");
        match self.status {
            Some(_) => line.to_owned(),
            None => format!("no answer in time; its last words: {line}"),
        }
    }
}

/// Runs `command` without a terminal and keeps what it says. `limit` is asked again as the text grows, so that
/// a program that has shown a sign of life can be given more time.
pub fn capture(command: &mut Command, limit: impl Fn(&str) -> Duration) -> io::Result<Captured> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let text = Arc::new(Mutex::new(Vec::new()));
    let readers = [
        child.stdout.take().map(|stream| collect(stream, Arc::clone(&text))),
        child.stderr.take().map(|stream| collect(stream, Arc::clone(&text))),
    ];
    let so_far = || {
        let bytes = text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() > limit(&so_far()) {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    // A grandchild may hold the pipe open for ever: wait for the last words, but not long.
    let patience = Instant::now();
    while readers.iter().flatten().any(|reader| !reader.is_finished()) && patience.elapsed().as_millis() < 500
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Captured { status, text: so_far() })
}

fn collect(mut stream: impl Read + Send + 'static, into: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let new = buffer.get(..count).unwrap_or_default();
            into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(new);
        }
    })
}

/// Ends xtask by becoming `command`: Ctrl-C, the terminal and the exit code are then that program's own.
#[cfg(unix)]
pub fn become_program(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(Stop::new(format!("cannot start {}: {error}", command.get_program().to_string_lossy())))
}

#[cfg(not(unix))]
pub fn become_program(mut command: Command) -> Result<ExitCode> {
    let status = command.status().map_err(|error| {
        Stop::new(format!("cannot start {}: {error}", command.get_program().to_string_lossy()))
    })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The first executable of that name on PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

#[cfg(unix)]
pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub fn is_executable(file: &Path) -> bool {
    file.is_file()
}

/// Whether Debian's packages can be installed from here without asking anybody.
pub fn may_apt_get() -> bool {
    on_path("apt-get").is_some() && is_root()
}

fn is_root() -> bool {
    let answer = Command::new("id").arg("-u").stdin(Stdio::null()).output();
    answer.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs Debian packages; the list of packages is fetched first, because a fresh image has none.
pub fn apt_get_install(packages: &[&str]) -> Result<()> {
    let step = crate::console::Step::start(format!("installing {} with apt-get", packages.join(" ")));
    let quarter_hour = |_: &str| Duration::from_secs(900);
    let mut last = None;
    for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends"]] {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        if arguments != ["update"] {
            command.args(packages);
        }
        let captured = capture(&mut command, quarter_hour)
            .map_err(|error| Stop::new(format!("cannot start apt-get: {error}")))?;
        last = Some(captured);
    }
    // A failed update alone is no failure: the old list may do.
    match last {
        Some(captured) if !captured.success() => Err(Stop::new(format!(
            "apt-get install {} failed: {}",
            packages.join(" "),
            apt_reason(&captured)
        ))),
        _ => {
            step.done("done");
            Ok(())
        }
    }
}

/// apt marks its errors with `E:`.
fn apt_reason(captured: &Captured) -> String {
    let marked = captured.text.lines().find(|line| line.starts_with("E:"));
    marked.map_or_else(|| captured.reason(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Captured {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        capture(&mut command, |_| limit).expect("sh starts")
    }

    #[test]
    fn both_streams_are_kept() {
        let captured = shell("echo out; echo err >&2", Duration::from_secs(10));
        assert!(captured.success());
        assert!(captured.text.contains("out\n") && captured.text.contains("err\n"), "{}", captured.text);
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_its_last_words_are_reported() {
        let captured = shell("echo connecting; exec sleep 60", Duration::from_millis(200));
        assert!(captured.status.is_none());
        assert_eq!(captured.reason(), "no answer in time; its last words: connecting");
    }

    #[test]
    fn the_reason_is_the_first_error_line_else_the_last_line() {
        let captured =
            shell("echo start; echo 'error: no network'; echo bye; exit 1", Duration::from_secs(10));
        assert!(!captured.success());
        assert_eq!(captured.reason(), "error: no network");
        assert_eq!(shell("echo one; echo two; exit 1", Duration::from_secs(10)).reason(), "two");
    }
}
