//! The state of one selection: who is still in, and with what score.

use crate::candidate::Candidate;

/// A candidate within one selection.
#[derive(Clone, Debug)]
pub struct Contender<'c> {
    candidate: &'c Candidate,
    index: usize,
    raw: Option<f64>,
    total: f64,
}

impl<'c> Contender<'c> {
    pub(crate) fn new(candidate: &'c Candidate, index: usize, total: f64) -> Self {
        Self { candidate, index, raw: None, total }
    }

    /// Who it is.
    pub fn candidate(&self) -> &'c Candidate {
        self.candidate
    }

    /// Its place in the list that the selection started from. Names may repeat, places do not.
    pub fn index(&self) -> usize {
        self.index
    }

    /// What the last scorer said, or `None` if that one left it out.
    pub fn raw(&self) -> Option<f64> {
        self.raw
    }

    /// The weighted sum so far; what a picker goes by.
    pub fn total(&self) -> f64 {
        self.total
    }
}

/// A score as it enters the total: held to `[0, 1]`, and 0 for NaN.
///
/// Upstream lets NaN through, which makes every later comparison false and the pick arbitrary.
pub fn clamp(score: f64) -> f64 {
    if score > 0.0 { score.min(1.0) } else { 0.0 }
}

/// The candidates that no filter has removed yet: what a filter works on.
pub struct Survivors<'c>(Vec<Contender<'c>>);

impl<'c> Survivors<'c> {
    pub(crate) fn all(candidates: &'c [Candidate]) -> Self {
        Self(
            candidates
                .iter()
                .enumerate()
                .map(|(index, candidate)| Contender::new(candidate, index, 0.0))
                .collect(),
        )
    }

    /// Removes those for which `keep` says no. A filter can only remove.
    pub fn retain(&mut self, mut keep: impl FnMut(&Candidate) -> bool) {
        self.0.retain(|contender| keep(contender.candidate));
    }

    /// Those still in, in the order of the list.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = &'c Candidate> + Clone {
        self.0.iter().map(Contender::candidate)
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contenders(&self) -> &[Contender<'c>] {
        &self.0
    }

    /// Moves on to scoring: from here nobody is removed.
    pub(crate) fn into_scores(self) -> Scores<'c> {
        Scores(self.0)
    }
}

/// The candidates that one scorer has to judge, with a place for each score.
///
/// All places start without a score: a candidate that is left out gets 0, as if it were the worst.
pub struct Scores<'c>(Vec<Contender<'c>>);

impl<'c> Scores<'c> {
    /// Those to be judged, in the order of the list.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = &'c Candidate> + Clone {
        self.0.iter().map(Contender::candidate)
    }

    /// How many are to be judged; never 0 in a selection.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody to judge.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives everybody a score, in order; `None` leaves the candidate out.
    pub fn fill<S: Into<Option<f64>>>(&mut self, mut score: impl FnMut(&Candidate) -> S) {
        for contender in &mut self.0 {
            contender.raw = score(contender.candidate).into();
        }
    }

    /// Gives one a score, by its position in [`candidates`](Scores::candidates).
    pub fn set(&mut self, position: usize, score: f64) {
        if let Some(contender) = self.0.get_mut(position) {
            contender.raw = Some(score);
        }
    }

    /// The scores given so far.
    pub fn values(&self) -> impl Iterator<Item = f64> + Clone {
        self.0.iter().filter_map(Contender::raw)
    }

    /// Replaces each score given so far: to normalise figures after [`fill`](Scores::fill) has read them.
    pub fn map(&mut self, mut replace: impl FnMut(f64) -> f64) {
        for contender in &mut self.0 {
            contender.raw = contender.raw.map(&mut replace);
        }
    }

    /// Gives a score to everybody who was left out so far.
    pub fn give_missing(&mut self, score: f64) {
        for contender in &mut self.0 {
            contender.raw.get_or_insert(score);
        }
    }

    pub(crate) fn forget(&mut self) {
        for contender in &mut self.0 {
            contender.raw = None;
        }
    }

    pub(crate) fn add_to_totals(&mut self, weight: f64) {
        for contender in &mut self.0 {
            contender.total += contender.raw.map_or(0.0, clamp) * weight;
        }
    }

    pub(crate) fn contenders(&self) -> &[Contender<'c>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_held_to_its_range() {
        // vectors.md, clamp; then what it does not list.
        let cases = [(0.5, 0.5), (0.0, 0.0), (1.0, 1.0), (-0.5, 0.0), (-100.0, 0.0), (100.0, 1.0)];
        let ours = [(f64::NAN, 0.0), (f64::INFINITY, 1.0), (f64::NEG_INFINITY, 0.0), (1e-300, 1e-300)];
        for (score, want) in cases.into_iter().chain(ours) {
            assert_eq!(clamp(score), want, "{score}");
        }
    }

    #[test]
    fn a_position_out_of_range_is_ignored() {
        let candidates = [Candidate::new("a")];
        let mut scores = Survivors::all(&candidates).into_scores();
        scores.set(1, 1.0);
        assert_eq!(scores.values().count(), 0);
        scores.set(0, 0.5);
        assert_eq!(scores.values().collect::<Vec<_>>(), [0.5]);
    }
}
