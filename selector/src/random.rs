//! Randomness as an argument: the source a plugin draws from, and one with a seed.

/// A source of random bits. The caller brings it, so a decision can be repeated with the same seed.
pub trait Rng {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// A whole number in `0..n`, each equally likely; 0 when `n` is 0.
    ///
    /// Draws as many bits as `n` needs until they are below `n` (fewer than two draws on average), which has
    /// no modulo bias and, for one seed, gives the same on 32-bit wasm as natively.
    fn below(&mut self, n: usize) -> usize {
        let Some(last @ 1..) = n.checked_sub(1) else { return 0 };
        let mask = usize::MAX.wrapping_shr(last.leading_zeros());
        // Bounded: a broken source must not hang a proxy's worker. Giving up has a chance below 2^-128.
        for _ in 0..128 {
            let draw = self.next_u64() as usize & mask;
            if draw <= last {
                return draw;
            }
        }
        0
    }

    /// A number in `[0, 1)`: 53 random bits, which is all that an `f64` can hold there.
    fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }
}

/// Steele, Lea and Flood's SplitMix64: 8 bytes of state, any seed is good, far more than picking needs.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts the sequence that belongs to this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Rng for SplitMix64 {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_sequence() {
        let mut rng = SplitMix64::new(1_234_567);
        let drawn: [u64; 5] = std::array::from_fn(|_| rng.next_u64());
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn below_is_uniform() {
        let mut rng = SplitMix64::new(7);
        for n in 1..=9_usize {
            let mut seen = vec![0_u32; n];
            (0..9_000).for_each(|_| seen[rng.below(n)] += 1);
            let fair = 9_000.0 / n as f64;
            // Five standard deviations.
            let slack = 5.0 * (fair * (1.0 - 1.0 / n as f64)).sqrt();
            assert!(seen.iter().all(|&count| (f64::from(count) - fair).abs() <= slack), "{n}: {seen:?}");
        }
    }

    #[test]
    fn below_takes_any_bound() {
        let mut rng = SplitMix64::new(0);
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
        assert!((0..100).all(|_| rng.below(usize::MAX) < usize::MAX));
        assert!((0..100).any(|_| rng.below(usize::MAX) > usize::MAX / 2));
    }

    #[test]
    fn below_ends_with_a_broken_source() {
        struct Stuck;
        impl Rng for Stuck {
            fn next_u64(&mut self) -> u64 {
                u64::MAX
            }
        }
        assert_eq!(Stuck.below(3), 0);
        assert_eq!(Stuck.below(4), 3);
        assert!(Stuck.unit() < 1.0);
    }

    #[test]
    fn unit_fills_its_interval() {
        let mut rng = SplitMix64::new(3);
        let draws: Vec<f64> = (0..10_000).map(|_| rng.unit()).collect();
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
