//! What a process has used of its core, by the kernel's own accounts.

use std::collections::BTreeSet;
use std::fs;
use std::ops::{AddAssign, Sub};

use anyhow::{Context, Result, bail};

/// Time of all threads of a process, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// On the core.
    pub(super) ran: u64,
    /// Ready to run, while something else had the core.
    pub(super) waited: u64,
}

impl Usage {
    /// Until now.
    pub(super) fn of(process: u32) -> Result<Self> {
        let mut usage = Self::default();
        let folder = format!("/proc/{process}/task");
        for thread in fs::read_dir(&folder).with_context(|| format!("reading {folder}"))? {
            let path = thread?.path().join("schedstat");
            // A thread that ended between the listing and now.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            usage += Self::parse(&text).with_context(|| format!("{} has {text:?}", path.display()))?;
        }
        Ok(usage)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_ascii_whitespace().map(str::parse);
        Some(Self { ran: fields.next()?.ok()?, waited: fields.next()?.ok()? })
    }

    /// The part of the time that it was ready to run and did not.
    pub(super) fn waiting_share(&self) -> f64 {
        self.waited as f64 / (self.ran + self.waited).max(1) as f64
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.ran += other.ran;
        self.waited += other.waited;
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { ran: self.ran.saturating_sub(earlier.ran), waited: self.waited.saturating_sub(earlier.waited) }
    }
}

/// The processes that this one has started, to tell which one is new.
pub(super) fn children() -> Result<BTreeSet<u32>> {
    let mut children = BTreeSet::new();
    for entry in fs::read_dir("/proc").context("reading /proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that ended between the listing and now.
        let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
        if parent(&stat) == Some(std::process::id()) {
            children.insert(process);
        }
    }
    Ok(children)
}

/// The one child that was not there before.
pub(super) fn started_since(before: &BTreeSet<u32>) -> Result<u32> {
    let now = children()?;
    match now.difference(before).collect::<Vec<_>>().as_slice() {
        [one] => Ok(**one),
        others => bail!("exactly one new process was expected, not {others:?}"),
    }
}

/// The second field after the name, which is in parentheses and may contain anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_has_the_time_on_the_core_and_the_time_before_it() {
        assert_eq!(Usage::parse("1500 60924 1\n"), Some(Usage { ran: 1500, waited: 60924 }));
        assert_eq!(Usage::parse("1500"), None);
        assert!((Usage { ran: 300, waited: 100 }.waiting_share() - 0.25).abs() < 1e-9);
        assert_eq!(Usage::default().waiting_share(), 0.0);
    }

    #[test]
    fn a_name_may_look_like_fields() {
        assert_eq!(parent("18 (a) R 7 (b) S 42 18 18 0 -1"), Some(42));
        assert_eq!(parent(""), None);
    }
}
