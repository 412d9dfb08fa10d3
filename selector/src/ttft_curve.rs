//! Time to first token as a function of load: two straight lines through three measured points.

/// A measured point of the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Requests in flight.
    pub in_flight: f64,
    /// Seconds to the first token.
    pub ttft: f64,
}

/// What is known of a model's time to first token (upstream's `ttft-percentile`), at three loads: none
/// ([`floor`](TtftCurve::floor)), some and more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TtftCurve {
    /// Seconds with nothing in flight; 0 while that is not known.
    pub floor: f64,
    /// The point at the lower percentile.
    pub low: Point,
    /// The point at the higher percentile.
    pub high: Point,
    /// How many observations the points are made of.
    pub recent: u32,
    /// How many it takes for them to be trusted.
    pub min_requests: u32,
    /// When the last one was made: nanoseconds since the Unix epoch.
    pub at_ns: u64,
}

/// What the curve says about a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prediction {
    /// Nothing is known.
    Cold,
    /// The floor is: an optimistic guess.
    Seed(f64),
    /// The curve is.
    Trusted(f64),
}

/// A prediction, unless what it rests on is too old.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ExpectedTtft {
    /// The measurements are older than the scorer takes.
    Stale,
    /// What they let expect.
    Fresh(Prediction),
}

impl TtftCurve {
    /// Seconds to the first token with so many requests in flight; `None` where the load is not known.
    ///
    /// With floor F, low point (iL, tL) and high point (iH, tH):
    ///
    /// | | prediction at x |
    /// |---|---|
    /// | F = 0 | none |
    /// | fewer than `min_requests` observations, iH ≤ 0 or tH ≤ F | F |
    /// | low point usable, x < iL | F + x·(tL − F)/iL |
    /// | low point usable, x ≥ iL | tL + (x − iL)·(tH − tL)/(iH − iL) |
    /// | else | F + x·(tH − F)/iH |
    ///
    /// and never less than F. The low point is usable if iH − iL ≥ `min_gap`, tH > tL > F and iL > 0.
    pub fn predict(&self, in_flight: Option<f64>, min_gap: f64) -> Prediction {
        let Self { floor, low, high, .. } = *self;
        if floor.is_nan() || floor <= 0.0 {
            return Prediction::Cold;
        }
        let calibrated = self.recent >= self.min_requests && high.in_flight > 0.0 && high.ttft > floor;
        let Some(x) = in_flight.filter(|x| calibrated && !x.is_nan()) else {
            return Prediction::Seed(floor);
        };
        let usable = high.in_flight - low.in_flight >= min_gap
            && high.ttft > low.ttft
            && low.ttft > floor
            && low.in_flight > 0.0;
        let line = if !usable {
            floor + x * (high.ttft - floor) / high.in_flight
        } else if x < low.in_flight {
            floor + x * (low.ttft - floor) / low.in_flight
        } else {
            low.ttft + (x - low.in_flight) * (high.ttft - low.ttft) / (high.in_flight - low.in_flight)
        };
        Prediction::Trusted(line.max(floor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// vectors.md, ttft_curve.
    const CURVE: TtftCurve = TtftCurve {
        floor: 0.20,
        low: Point { in_flight: 4.0, ttft: 0.35 },
        high: Point { in_flight: 9.0, ttft: 0.55 },
        recent: 100,
        min_requests: 10,
        at_ns: 0,
    };

    fn trusted(curve: TtftCurve, x: f64) -> f64 {
        match curve.predict(Some(x), 2.0) {
            Prediction::Trusted(seconds) => seconds,
            other => panic!("{other:?} at {x}"),
        }
    }

    #[test]
    fn along_the_curve() {
        // The first two are vectors.md, ttft_curve; the others follow from the formula.
        for (x, want) in [(0.0, 0.20), (2.0, 0.275), (4.0, 0.35), (9.0, 0.55), (20.0, 0.99)] {
            assert!((trusted(CURVE, x) - want).abs() < 1e-9, "{x}");
        }
    }

    #[test]
    fn without_the_low_point() {
        let low = |in_flight, ttft| TtftCurve { low: Point { in_flight, ttft }, ..CURVE };
        for curve in [low(8.0, 0.35), low(4.0, 0.15), low(4.0, 0.60), low(0.0, 0.35)] {
            assert!((trusted(curve, 9.0) - 0.55).abs() < 1e-9, "{curve:?}");
            assert!((trusted(curve, 4.5) - 0.375).abs() < 1e-9, "{curve:?}");
        }
    }

    #[test]
    fn what_is_not_calibrated() {
        // vectors.md, ttft_curve: recentN 9, and iH 0.
        let few = TtftCurve { recent: 9, ..CURVE };
        assert_eq!(few.predict(Some(5.0), 2.0), Prediction::Seed(0.20));
        let flat = TtftCurve { high: Point { in_flight: 0.0, ttft: 0.55 }, ..CURVE };
        assert_eq!(flat.predict(Some(5.0), 2.0), Prediction::Seed(0.20));
        let inverted = TtftCurve { high: Point { in_flight: 9.0, ttft: 0.20 }, ..CURVE };
        assert_eq!(inverted.predict(Some(5.0), 2.0), Prediction::Seed(0.20));
        assert_eq!(CURVE.predict(None, 2.0), Prediction::Seed(0.20), "a load that nobody knows");
        assert_eq!(CURVE.predict(Some(f64::NAN), 2.0), Prediction::Seed(0.20));
        for floor in [0.0, -1.0, f64::NAN] {
            assert_eq!(TtftCurve { floor, ..CURVE }.predict(Some(5.0), 2.0), Prediction::Cold);
        }
    }

    #[test]
    fn more_load_is_never_faster() {
        // vectors.md, ttft_curve: monotone.
        let mut last = 0.0;
        for x in 0..=100 {
            let seconds = trusted(CURVE, f64::from(x) / 2.0);
            assert!(seconds >= last, "{x}");
            last = seconds;
        }
    }
}
