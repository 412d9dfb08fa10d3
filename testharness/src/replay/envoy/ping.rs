//! A request that Envoy's only worker answers by itself: when it has, it has done everything that came before.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

use crate::client::{Request, fetch};
use crate::upstream::Protocol;

/// Where to ask.
///
/// A worker is one event loop and reads its sockets in the order in which they became readable. So what was written to
/// it before this question was asked it has read, and what it had to do at once it has done, when the answer is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ping(pub(super) SocketAddr);

impl Ping {
    /// Returns when the worker has done what came before.
    pub(super) async fn answered(self) -> Result<()> {
        let answer = fetch(Protocol::H1, self.0, &Request::get("/")).await?;
        ensure!(answer.status == 200, "Envoy's worker answered {} to a ping", answer.status);
        Ok(())
    }
}
