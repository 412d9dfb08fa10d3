//! The corpus of a fuzz target, mutated: a bounded, repeatable run of what the fuzzer does.
#![allow(unreachable_pub, reason = "each test file has it as a module of its own")]

use ipp_selector::{Rng, SplitMix64};

/// The files of a corpus, in the order of their names. The first byte of each says how its rest is cut.
pub fn corpus(folder: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// What mutations are made of.
pub struct Inputs {
    /// What they begin with.
    pub seeds: Vec<Vec<u8>>,
    /// Bytes and texts that mean something to what is tested.
    pub pieces: &'static [&'static [u8]],
    /// How many bytes of one seed go into another, fewer than this.
    pub longest: usize,
}

impl Inputs {
    /// Hands over so many mutated seeds: the first byte, and the rest.
    pub fn mutated(&self, count: usize, check: impl Fn(usize, &[u8])) {
        let mut rng = SplitMix64::new(20_261_122);
        for _ in 0..count {
            let mut bytes = self.seeds[rng.below(self.seeds.len())].clone();
            for _ in 0..=rng.below(4) {
                self.mutate(&mut bytes, &mut rng);
            }
            if let Some((&cut, body)) = bytes.split_first() {
                check(usize::from(cut), body);
            }
        }
    }

    fn mutate(&self, bytes: &mut Vec<u8>, rng: &mut SplitMix64) {
        let at = rng.below(bytes.len() + 1);
        let end = (at + rng.below(8)).min(bytes.len());
        match rng.below(5) {
            0 => drop(bytes.splice(at..end, [])),
            1 => drop(bytes.splice(at..at, self.pieces[rng.below(self.pieces.len())].iter().copied())),
            2 => drop(bytes.splice(at..end, self.pieces[rng.below(self.pieces.len())].iter().copied())),
            3 => drop(bytes.splice(at..end, [rng.below(256) as u8])),
            _ => {
                let other = &self.seeds[rng.below(self.seeds.len())];
                let from = rng.below(other.len());
                let piece = other[from..(from + rng.below(self.longest)).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}
