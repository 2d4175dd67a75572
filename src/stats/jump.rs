//! The change of level at a release whose neighbours drift.
//!
//! Source: a regression discontinuity (Thistlethwaite & Campbell 1960): the levels that the nearest releases on both
//! sides show, brought to the edge along their own drift. Assumes drift that goes on much as over the last few
//! releases; what it is uneven beyond the noise widens the range. Smallest sample: one release on each side. Cannot
//! tell a neighbour's step from drift unless the neighbour is given as the end of the side.

use super::ledger::Span;
use super::{Estimate, Interval};

/// A level at a release's edge is the mean of at most so many releases, brought there along the drift.
const NEAREST: usize = 3;

/// The drift on a side is that over at most so many releases beyond the nearest one: further ones may have gone
/// another way, fewer leave it to noise.
const DRIFT_RELEASES: usize = 8;

/// The level at a place as a sum of the releases' values.
pub(super) struct Level {
    weights: Vec<f64>,
    /// The releases that it comes from, from the place outwards.
    side: Vec<usize>,
}

impl Level {
    /// What a release's own value says.
    pub(super) fn at(n: usize, release: usize) -> Self {
        Self::of(n, vec![release])
    }

    /// What the releases from `from` up to `release` show at the last of them.
    pub(super) fn before(n: usize, from: usize, release: usize) -> Self {
        let side = (from..release).rev().take(DRIFT_RELEASES + 1);
        Self::of(n, side.collect())
    }

    /// What the releases from `release` up to `to` show at the first of them.
    pub(super) fn after(n: usize, release: usize, to: usize) -> Self {
        Self::of(n, (release..to).take(DRIFT_RELEASES + 1).collect())
    }

    fn of(n: usize, side: Vec<usize>) -> Self {
        let mut weights = vec![0.0; n];
        edge(&mut weights, &side);
        Self { weights, side }
    }
}

/// A change as a sum of the releases' values.
pub(super) struct Jump {
    weights: Vec<f64>,
    /// Per release, the standard deviation of what its own uneven drift adds to the sum though it is not asked for.
    uneven: Vec<f64>,
}

impl Jump {
    /// From the edge of the releases `from..span.first` to the edge of `span.last..to`.
    pub(super) fn of(values: &[Estimate], from: usize, span: Span, to: usize) -> Self {
        let n = values.len();
        let (low, high) = (
            Level::before(n, from, span.first),
            Level::after(n, span.last, to),
        );
        Self::between(values, &low, &high, span)
    }

    /// From one level to another, of which what the releases of `span` did is asked for.
    pub(super) fn between(values: &[Estimate], low: &Level, high: &Level, span: Span) -> Self {
        let spread = unevenness(values, &[&low.side, &high.side]);
        let weights: Vec<f64> = high
            .weights
            .iter()
            .zip(&low.weights)
            .map(|(h, l)| h - l)
            .collect();
        let mut uneven = vec![0.0; values.len()];
        let mut sum_from_here = 0.0;
        for k in (1..values.len()).rev() {
            sum_from_here += weights[k];
            let asked = if (span.first..=span.last).contains(&k) {
                1.0
            } else {
                0.0
            };
            uneven[k] = spread * (sum_from_here - asked);
        }
        Self { weights, uneven }
    }

    /// What is left when the other change is accounted for.
    pub(super) fn subtract(&mut self, other: &Jump) {
        let less = |mine: &mut [f64], theirs: &[f64]| {
            mine.iter_mut().zip(theirs).for_each(|(m, t)| *m -= t);
        };
        less(&mut self.weights, &other.weights);
        less(&mut self.uneven, &other.uneven);
    }

    fn value(&self, values: &[Estimate]) -> f64 {
        self.weights
            .iter()
            .zip(values)
            .map(|(w, v)| w * v.value)
            .sum()
    }

    fn se(&self, values: &[Estimate]) -> f64 {
        let noise = self.weights.iter().zip(values).map(|(w, v)| w * v.se);
        noise
            .chain(self.uneven.iter().copied())
            .map(|term| term * term)
            .sum::<f64>()
            .sqrt()
    }

    /// How many standard errors it is from nought.
    pub(super) fn strength(&self, values: &[Estimate]) -> f64 {
        self.value(values).abs() / self.se(values).max(f64::MIN_POSITIVE)
    }

    /// The change with its range, `z` standard errors to either side.
    pub(super) fn interval(&self, values: &[Estimate], z: f64) -> Interval {
        let (value, half) = (self.value(values), z * self.se(values));
        Interval {
            value,
            lower: value - half,
            upper: value + half,
        }
    }
}

/// Adds the level at the nearest of `side` (releases from the edge outwards): the mean of the nearest few, less the
/// drift between their middle and the edge.
fn edge(weights: &mut [f64], side: &[usize]) {
    let few = NEAREST.min(side.len());
    for i in &side[..few] {
        weights[*i] += 1.0 / few as f64;
    }
    let (Some(nearest), Some(furthest)) = (side.first(), side.last()) else {
        return;
    };
    if side.len() > 1 {
        let lag = (few - 1) as f64 / 2.0;
        let per_release = lag / (side.len() - 1) as f64;
        weights[*nearest] += per_release;
        weights[*furthest] -= per_release;
    }
}

/// How unevenly the releases of these sides drift, as a standard deviation a release: what their differences scatter
/// about the side's mean drift beyond the noise.
fn unevenness(values: &[Estimate], sides: &[&[usize]]) -> f64 {
    let (mut scatter, mut noise, mut count, mut freedom) = (0.0, 0.0, 0.0, 0.0);
    for side in sides.iter().filter(|side| side.len() > 2) {
        let differences: Vec<f64> = side
            .windows(2)
            .map(|w| values[w[1]].value - values[w[0]].value)
            .collect();
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        scatter += differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
        noise += side
            .windows(2)
            .map(|w| values[w[0]].se.powi(2) + values[w[1]].se.powi(2))
            .sum::<f64>();
        count += differences.len() as f64;
        freedom += differences.len() as f64 - 1.0;
    }
    if freedom < 1.0 {
        return 0.0;
    }
    (scatter / freedom - noise / count).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jump(values: &[f64], at: usize) -> f64 {
        let values: Vec<Estimate> = values
            .iter()
            .map(|value| Estimate {
                value: *value,
                se: 1.0,
            })
            .collect();
        let span = Span {
            first: at,
            last: at,
        };
        Jump::of(&values, 0, span, values.len()).value(&values)
    }

    #[test]
    fn of_a_straight_climb_each_release_has_its_own_step_alone() {
        for n in [2, 3, 5, 30] {
            let climb: Vec<f64> = (0..n).map(|i| 7.0 + 2.5 * i as f64).collect();
            for at in 1..n {
                assert!((jump(&climb, at) - 2.5).abs() < 1e-9, "{at} of {n}");
            }
        }
    }

    #[test]
    fn between_two_flat_levels_it_is_their_distance() {
        let levels: Vec<f64> = (0..20).map(|i| if i < 8 { 3.0 } else { 10.0 }).collect();
        assert!((jump(&levels, 8) - 7.0).abs() < 1e-9);
    }
}
