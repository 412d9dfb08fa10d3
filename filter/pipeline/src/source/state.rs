//! What all workers know of a source: its document, when it is due, who is at it. Small, since everybody looks at it
//! on each tick.

use std::time::Duration;

/// The state of a source as workers share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The hash of the last good document; 0 for none.
    pub document: u64,
    /// The hash of what was wrong with parts of it; 0 for nothing.
    pub problems: u64,
    /// When the source last gave it. All times are nanoseconds since the Unix epoch.
    pub confirmed_ns: u64,
    /// When the next fetch is due.
    pub due_ns: u64,
    /// The fetch that is under way; 0 for none.
    pub claim: u64,
    /// When that is given up.
    pub claimed_until_ns: u64,
    /// Failures since the last good answer.
    pub failures: u64,
    /// What the source calls the document.
    pub etag: String,
}

/// The form of the record. Another number is another form, which is not read.
const FORM: u8 = 1;

impl State {
    /// Whether a fetch may begin. A time further off than any that is ever set was set before the clock was put back.
    pub fn is_due(&self, now_ns: u64, longest: Duration, patience: Duration) -> bool {
        let passed = |time: u64, longest: Duration| time <= now_ns || time > later(now_ns, longest);
        passed(self.due_ns, longest) && (self.claim == 0 || passed(self.claimed_until_ns, patience))
    }

    /// The record that workers share.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        for number in self.numbers() {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(self.etag.as_bytes());
        bytes
    }

    fn numbers(&self) -> [u64; 7] {
        [
            self.document,
            self.problems,
            self.confirmed_ns,
            self.due_ns,
            self.claim,
            self.claimed_until_ns,
            self.failures,
        ]
    }

    /// Reads one; nothing where it is none, or one of another form.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[FORM])?;
        let mut number = || {
            let (number, behind) = rest.split_first_chunk()?;
            rest = behind;
            Some(u64::from_le_bytes(*number))
        };
        let state = Self {
            document: number()?,
            problems: number()?,
            confirmed_ns: number()?,
            due_ns: number()?,
            claim: number()?,
            claimed_until_ns: number()?,
            failures: number()?,
            etag: String::new(),
        };
        let etag = std::str::from_utf8(rest).ok()?.to_owned();
        Some(Self { etag, ..state })
    }
}

/// A time so much after another, both in nanoseconds since the Unix epoch.
pub fn later(now_ns: u64, pause: Duration) -> u64 {
    now_ns.saturating_add(u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        let state = State {
            document: 1,
            problems: 2,
            confirmed_ns: 3,
            due_ns: 4,
            claim: 5,
            claimed_until_ns: 6,
            failures: 7,
            etag: "\"x\"".to_owned(),
        };
        let bytes = state.encode();
        assert_eq!(State::decode(&bytes), Some(state));
        assert_eq!(State::decode(&bytes[..40]), None);
        assert_eq!(State::decode(&[]), None);
        assert_eq!(State::decode(&[&[9], &bytes[1..]].concat()), None);
    }

    #[test]
    fn when_a_fetch_may_begin() {
        const SECOND: u64 = 1_000_000_000;
        let due = |state: &State| state.is_due(100 * SECOND, Duration::from_secs(60), Duration::from_secs(6));
        let at = |seconds| State { due_ns: seconds * SECOND, ..State::default() };
        assert!(due(&State::default()));
        assert!(due(&at(100)));
        assert!(!due(&at(101)));
        assert!(due(&at(161)), "the clock was put back");
        let claimed = |until| State { claim: 1, claimed_until_ns: until * SECOND, ..at(100) };
        assert!(!due(&claimed(101)));
        assert!(due(&claimed(100)), "the worker that waited is gone");
        assert!(due(&claimed(107)), "the clock was put back");
    }

    /// Another module may have left anything under the key.
    #[test]
    fn no_bytes_make_it_panic() {
        let mut random = ipp_selector::SplitMix64::new(2);
        let mut next = move || ipp_selector::Rng::next_u64(&mut random);
        let mut read = 0;
        for _ in 0..20_000 {
            let mut bytes: Vec<u8> = (0..next() % 80).map(|_| next().to_le_bytes()[0]).collect();
            if next() % 2 == 0 && !bytes.is_empty() {
                bytes[0] = FORM;
            }
            if let Some(state) = State::decode(&bytes) {
                assert_eq!(state.encode(), bytes);
                state.is_due(next(), Duration::from_nanos(next()), Duration::from_nanos(next()));
                read += 1;
            }
        }
        assert!(read > 100, "{read}");
    }
}
