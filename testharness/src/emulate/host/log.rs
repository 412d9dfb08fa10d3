//! What guests log.

use super::{Answer, Calls, Status, StreamIndex};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details of details.
    Trace,
    /// Details.
    Debug,
    /// What happens.
    Info,
    /// What should not happen.
    Warn,
    /// What is wrong.
    Error,
    /// What is very wrong: the SDK logs a panic so.
    Critical,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How bad it is.
    pub level: Level,
    /// The stream whose callback logged it; none for a root context's.
    pub stream: Option<StreamIndex>,
    /// The text.
    pub text: String,
}

impl Calls<'_> {
    /// `proxy_log`. A level that is none takes Envoy down (`PANIC_DUE_TO_CORRUPT_ENUM`); here it is refused.
    pub fn log(&mut self, level: u32, text: &[u8]) -> Answer<()> {
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical];
        let level = *usize::try_from(level).ok().and_then(|at| levels.get(at)).ok_or(Status::BadArgument)?;
        let stream = self.context().stream;
        let text = String::from_utf8_lossy(text).into_owned();
        self.host.lines.push(Line { level, stream, text });
        Ok(())
    }
}
