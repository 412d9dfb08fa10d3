//! Which processor core the Envoys have, and which one the client and the upstream.

use anyhow::{Result, ensure};

/// The two cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cores {
    /// That of the Envoys, of which only one has work at a time.
    pub(super) envoy: usize,
    /// That of the client and the upstream.
    pub(super) client: usize,
}

impl Cores {
    /// The given cores, or the first two that this process may use.
    pub(super) fn choose(given: Option<(usize, usize)>) -> Result<Self> {
        let allowed = allowed()?;
        let (envoy, client) = match (given, allowed.as_slice()) {
            (Some(given), _) => given,
            (None, [first, second, ..]) => (*first, *second),
            (None, _) => anyhow::bail!(
                "two cores are needed, one for Envoy and one for the client; this process may use {allowed:?}"
            ),
        };
        ensure!(envoy != client, "--cores: Envoy and the client on the same core would be measured together");
        for core in [envoy, client] {
            ensure!(
                allowed.contains(&core),
                "--cores: this process may use the cores {allowed:?}, and {core} is not one of them"
            );
        }
        Ok(Self { envoy, client })
    }

    /// From here on this thread, and every thread and process that it starts, runs where the Envoys do.
    pub(super) fn as_envoy(&self) -> Result<()> {
        pin(self.envoy)
    }

    /// From here on this thread, and every thread and process that it starts, runs where the client does.
    pub(super) fn as_client(&self) -> Result<()> {
        pin(self.client)
    }
}

#[cfg(target_os = "linux")]
fn allowed() -> Result<Vec<usize>> {
    use nix::sched::{CpuSet, sched_getaffinity};
    let set = sched_getaffinity(nix::unistd::Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect())
}

#[cfg(target_os = "linux")]
fn pin(core: usize) -> Result<()> {
    let mut set = nix::sched::CpuSet::new();
    set.set(core)?;
    Ok(nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?)
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Result<Vec<usize>> {
    anyhow::bail!("the benchmark needs Linux: it pins threads to cores and reads /proc")
}

#[cfg(not(target_os = "linux"))]
fn pin(_: usize) -> Result<()> {
    allowed().map(|_| ())
}
