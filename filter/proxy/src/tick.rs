//! The period of a root context's ticks: the shortest that any part of it needs.

use crate::host;
use std::time::Duration;

/// What the host was told last.
#[derive(Default)]
pub(crate) struct Ticker(Option<Duration>);

impl Ticker {
    /// Tells the host the shortest of these periods, unless it knows it. Where nobody ever needed one nothing ticks.
    pub(crate) fn arm<const N: usize>(&mut self, needs: [Option<Duration>; N]) {
        let shortest = needs.into_iter().flatten().min();
        if shortest == self.0 {
            return;
        }
        // 0 stops the ticks.
        match host::set_tick_period(shortest.unwrap_or_default()) {
            Ok(()) => self.0 = shortest,
            Err(refused) => log::error!("the host refused a tick period (status {})", refused.0),
        }
    }
}
