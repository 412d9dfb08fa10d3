//! What is measured: the size, the structure and the order of the request bodies, streamed answers, and the choice
//! among models.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use super::selection::{By, MODELS};
use super::stream::{CHUNKS, Watching};

/// What a body consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// A long conversation: few, long strings.
    Prose,
    /// Nested tool schemas: short strings and much structure.
    Dense,
}

/// Where `model` stands among the members of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ModelAt {
    /// Before everything else.
    First,
    /// After everything else.
    Last,
}

/// What the filter does that a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// It reads the body and routes by the model's name.
    Route,
    /// The answer is a stream, which it watches like this.
    Watch(Watching),
    /// It chooses the model. What it adds is compared with [`Task::Route`].
    Select(By),
}

/// One row of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scenario {
    /// Bytes of the body.
    pub(super) size: usize,
    /// What it consists of.
    pub(super) profile: Profile,
    /// Where its model is.
    pub(super) model_at: ModelAt,
    pub(super) task: Task,
}

/// Which profiles were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profiles {
    Prose,
    Dense,
    Stream,
    Select,
    All,
}

impl Profiles {
    pub(super) fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "prose" => Self::Prose,
            "dense" => Self::Dense,
            "stream" => Self::Stream,
            "select" => Self::Select,
            "all" => Self::All,
            _ => bail!("--profile {text}: prose, dense, stream, select or all was expected"),
        })
    }
}

const KB: usize = 1 << 10;
const PROSE_SIZES: [usize; 4] = [KB, 16 * KB, 256 * KB, 900 * KB];
const DENSE_SIZES: [usize; 1] = [256 * KB];

/// The smallest body that the generator can make.
const SMALLEST: usize = 512;

/// Every scenario for these sizes, or for the usual ones.
pub(super) fn scenarios(sizes: Option<&[usize]>, profiles: Profiles) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut add = |profile, sizes: &[usize]| {
        for size in sizes {
            all.extend([ModelAt::First, ModelAt::Last].map(|model_at| Scenario {
                size: *size,
                profile,
                model_at,
                task: Task::Route,
            }));
        }
    };
    if matches!(profiles, Profiles::Prose | Profiles::All) {
        add(Profile::Prose, sizes.unwrap_or(&PROSE_SIZES));
    }
    match (profiles, sizes) {
        (Profiles::Dense, Some(sizes)) => add(Profile::Dense, sizes),
        (Profiles::Dense, None) | (Profiles::All, None) => add(Profile::Dense, &DENSE_SIZES),
        (Profiles::All, Some(_)) | (Profiles::Prose | Profiles::Stream | Profiles::Select, _) => {}
    }
    // The other tasks belong to what is usual, or to the sizes of their requests.
    let (streams, choices) = (Watching::ALL.map(Task::Watch), By::ALL.map(Task::Select));
    let tasks: &[Task] = match (profiles, sizes) {
        (Profiles::Stream, _) => &streams,
        (Profiles::Select, _) => &choices,
        (Profiles::All, None) => &[&streams[..], &choices[..]].concat(),
        (Profiles::All, Some(_)) | (Profiles::Prose | Profiles::Dense, _) => &[],
    };
    for task in tasks {
        all.extend(sizes.unwrap_or(&[KB]).iter().map(|size| Scenario {
            size: *size,
            profile: Profile::Prose,
            model_at: ModelAt::First,
            task: *task,
        }));
    }
    all
}

impl Task {
    /// How the answer is watched, if it is a stream.
    pub(super) fn stream(self) -> Option<Watching> {
        match self {
            Self::Watch(watching) => Some(watching),
            Self::Route | Self::Select(_) => None,
        }
    }
}

impl Scenario {
    /// What the figures of one request are divided by: the chunks of its answer.
    pub(super) fn units(&self) -> usize {
        if self.task.stream().is_some() { CHUNKS } else { 1 }
    }

    /// What the figures are of.
    pub(super) fn unit(&self) -> &'static str {
        if self.task.stream().is_some() { "chunk" } else { "request" }
    }
}

/// Reads `900`, `16KB` or `8MB`; the units are powers of 1024.
pub(super) fn parse_size(text: &str) -> Result<usize> {
    let expected = || format!("--sizes {text}: a size such as 900, 16KB or 8MB was expected");
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => KB,
        "m" | "mb" | "mib" => KB * KB,
        _ => bail!(expected()),
    };
    let count: usize = digits.parse().with_context(expected)?;
    let size = count.checked_mul(unit).with_context(expected)?;
    ensure!(size >= SMALLEST, "--sizes {text}: at least {SMALLEST} bytes are needed");
    Ok(size)
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.task {
            Task::Route => None,
            Task::Watch(watching) => Some(format!("chunk, {}", watching.name())),
            Task::Select(by) => Some(format!("choice among {MODELS}, {}", by.name())),
        };
        if let Some(name) = name {
            f.write_str(&name)?;
            return if self.size == KB { Ok(()) } else { write!(f, ", {} B", self.size) };
        }
        match self.size {
            size if size >= KB * KB && size.is_multiple_of(KB * KB) => write!(f, "{} MB", size / KB / KB)?,
            size if size.is_multiple_of(KB) => write!(f, "{} KB", size / KB)?,
            size => write!(f, "{size} B")?,
        }
        let dense = if self.profile == Profile::Dense { " dense" } else { "" };
        write!(f, "{dense}, model {}", self.model_at.name())
    }
}

impl Profile {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Prose => "prose",
            Self::Dense => "dense",
        }
    }
}

impl ModelAt {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(sizes: Option<&[usize]>, profiles: Profiles) -> Vec<String> {
        scenarios(sizes, profiles).iter().map(Scenario::to_string).collect()
    }

    #[test]
    fn dense_bodies_have_a_size_of_their_own_unless_they_are_all_there_is() {
        assert_eq!(names(Some(&[1 << 10]), Profiles::All), ["1 KB, model first", "1 KB, model last"]);
        assert_eq!(names(None, Profiles::Dense), ["256 KB dense, model first", "256 KB dense, model last"]);
        assert_eq!(
            names(Some(&[8 << 20]), Profiles::Dense),
            ["8 MB dense, model first", "8 MB dense, model last"]
        );
        assert_eq!(names(None, Profiles::All).len(), 16);
    }

    #[test]
    fn streams_are_counted_by_chunk() {
        let rows = ["chunk, not observed", "chunk, observe", "chunk, usage", "chunk, stream-usage"];
        assert_eq!(names(None, Profiles::Stream), rows);
        assert_eq!(names(None, Profiles::All)[10..14], rows);
        assert_eq!(names(None, Profiles::All)[14..], names(None, Profiles::Select));
        assert_eq!(
            names(None, Profiles::Select),
            ["choice among 20, by load", "choice among 20, by figures"]
        );
        assert_eq!(names(Some(&[2000]), Profiles::Stream)[1], "chunk, observe, 2000 B");
        for scenario in scenarios(None, Profiles::All) {
            let expected = if scenario.task.stream().is_some() { (200, "chunk") } else { (1, "request") };
            assert_eq!((scenario.units(), scenario.unit()), expected);
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("900KB").unwrap(), 921_600);
        assert_eq!(parse_size("8m").unwrap(), 8 << 20);
        assert_eq!(parse_size("1000").unwrap(), 1000);
        for bad in ["", "KB", "1GB", "-1KB", "99999999999999999999", "17"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
