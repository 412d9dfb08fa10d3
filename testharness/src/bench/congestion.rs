//! TCP's congestion control on every socket: the plainest, in place of what the machine happens to prefer.
//!
//! Some machines prefer BBR, which paces what it sends with timers. That is made for long ways: on loopback
//! it adds milliseconds to large bodies, and the work of its timers to the core of the Envoys. Reno is part
//! of every kernel, and without losses it does nothing.

use std::os::fd::AsFd;

use anyhow::Result;
use serde_json::{Value, json};

/// A socket option of Envoy that chooses it. The value is `reno` in base64.
pub(super) fn envoy_option() -> Value {
    const IPPROTO_TCP: u8 = 6;
    const TCP_CONGESTION: u8 = 13;
    json!({
        "description": "congestion control",
        "level": IPPROTO_TCP,
        "name": TCP_CONGESTION,
        "buf_value": "cmVubw==",
        "state": "STATE_PREBIND",
    })
}

/// Chooses it for this socket, and for those that are accepted from it.
#[cfg(target_os = "linux")]
pub(super) fn plain(socket: &impl AsFd) -> Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::TcpCongestion};
    Ok(setsockopt(socket, TcpCongestion, &"reno".into())?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn plain(_: &impl AsFd) -> Result<()> {
    Ok(())
}
