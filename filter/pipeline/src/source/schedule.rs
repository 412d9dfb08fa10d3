//! When a source is fetched next.

use std::time::Duration;

/// The first pause after a failure.
const FIRST: Duration = Duration::from_secs(1);
/// What pauses between failures grow to, if the interval is not longer.
const LONGEST: Duration = Duration::from_secs(30);

/// The pause after a good answer: the interval, give or take a tenth by chance, so that sources drift apart.
pub fn after_success(interval: Duration, random: u64) -> Duration {
    spread(interval, 10, random)
}

/// The pause after that many failures in a row: 1 s, doubled each time, up to 30 s or the interval where that is
/// longer; give or take a quarter by chance.
pub fn after_failure(failures: u32, interval: Duration, random: u64) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    spread(FIRST.saturating_mul(doubled).min(LONGEST.max(interval)), 4, random)
}

/// No pause is longer. What is due later was set by a clock that has been put back since.
pub fn latest(interval: Duration) -> Duration {
    LONGEST.max(interval).saturating_mul(2)
}

/// `pause`, give or take one part of `parts`.
fn spread(pause: Duration, parts: u32, random: u64) -> Duration {
    let part = pause.checked_div(parts).unwrap_or_default();
    let width = u64::try_from(part.as_nanos().saturating_mul(2)).unwrap_or(u64::MAX);
    let offset = random.checked_rem(width.saturating_add(1)).unwrap_or(0);
    pause.saturating_sub(part).saturating_add(Duration::from_nanos(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANCES: [u64; 4] = [0, 1, u64::MAX / 2, u64::MAX];

    #[test]
    fn pauses_stay_in_their_bounds() {
        for random in CHANCES {
            for seconds in [1, 15, 3600] {
                let interval = Duration::from_secs(seconds);
                let pause = after_success(interval, random);
                assert!(pause >= interval * 9 / 10 && pause <= interval * 11 / 10, "{pause:?}");
                for failures in 0..200 {
                    let pause = after_failure(failures, interval, random);
                    let usual = Duration::from_secs(1 << failures.saturating_sub(1).min(12));
                    let usual = usual.min(Duration::from_secs(30.max(seconds)));
                    assert!(pause >= usual * 3 / 4 && pause <= usual * 5 / 4, "{failures} {pause:?}");
                    assert!(pause <= latest(interval));
                }
            }
        }
    }
}
