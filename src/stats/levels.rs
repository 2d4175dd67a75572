//! Two levels of one stretch of runs, compared at once.
//!
//! Source: the CUSUM of means over prefix sums; Welch (1947) for two variances, each shrunk towards the one that is
//! usual there, and inflated by the long-run variance of [`super::serial`]. Assumes values that [`super::signal`] made
//! tame. Smallest sample: one run a side. Cannot see the correlation of neighbouring levels, which only helps.

use super::change_point::LEVEL_RUNS;
use super::serial::Memory;
use super::signal::Signal;

/// How many runs' worth of the variance that is usual there is mixed into a level's own: a handful of runs may lie
/// close together by chance.
const SHARED_RUNS: f64 = 10.0;

/// A place where the level changes: the first run of the new level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub(super) at: usize,
    /// Level after minus level before, on the scale of the tests.
    pub(super) shift: f64,
    /// The same in standard deviations of what chance does.
    pub(super) z: f64,
}

impl Split {
    /// The same so many rows later.
    pub(super) fn moved(self, by: usize) -> Split {
        let at = self.at + by;
        Split { at, ..self }
    }
}

/// Sums over a stretch, from which any two levels are compared at once.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    /// What the rows weigh, summed up, empty where each is 1; and the sums with these weights of the rows and of their
    /// squares.
    weight: Vec<f64>,
    sum: Vec<f64>,
    squares: Vec<f64>,
    roughness: Vec<f64>,
    variance: f64,
    /// Sums of the variance that each row has at least, by the squares of the weights; empty where none is known.
    own: Vec<f64>,
    /// Inflation of the variance of a mean, by number of runs.
    inflation: Vec<f64>,
}

impl Levels {
    pub(super) fn of(signal: &Signal, memory: &Memory) -> Self {
        // Centred first: squares of logarithms of large numbers would cost digits.
        let centre = signal.tame.first().copied().unwrap_or(0.0);
        let running = |values: &mut dyn Iterator<Item = f64>| {
            let mut total = 0.0;
            std::iter::once(0.0)
                .chain(values.map(|x| {
                    total += x;
                    total
                }))
                .collect()
        };
        let weighed = || {
            let rows = signal.tame.iter().zip(&signal.weight);
            rows.map(|(x, w)| (x - centre, *w))
        };
        let inflation = (0..=signal.tame.len())
            .map(|n| memory.inflation(n))
            .collect();
        Self {
            weight: if signal.is_even() {
                Vec::new()
            } else {
                running(&mut signal.weight.iter().copied())
            },
            sum: running(&mut weighed().map(|(x, w)| w * x)),
            squares: running(&mut weighed().map(|(x, w)| w * (x * x))),
            roughness: running(&mut signal.roughness.iter().copied()),
            variance: memory.variance.max(f64::MIN_POSITIVE),
            own: if signal.own_variance.is_empty() {
                Vec::new()
            } else {
                let rows = signal.own_variance.iter().zip(&signal.weight);
                running(&mut rows.map(|(own, w)| w * w * own))
            },
            inflation,
        }
    }

    /// How many runs there are.
    pub(super) fn len(&self) -> usize {
        self.sum.len() - 1
    }

    /// What the runs from `start` up to `end` weigh together: as many as they are where all are usual ones.
    fn weight(&self, start: usize, end: usize) -> f64 {
        if self.weight.is_empty() {
            (end - start) as f64
        } else {
            self.weight[end] - self.weight[start]
        }
    }

    /// Mean of the runs from `start` up to `end`, less the stretch's first value.
    pub(super) fn mean(&self, start: usize, end: usize) -> f64 {
        (self.sum[end] - self.sum[start]) / self.weight(start, end)
    }

    /// Sum of squared deviations from their mean.
    pub(super) fn scatter(&self, start: usize, end: usize) -> f64 {
        let weight = self.weight(start, end);
        (self.squares[end]
            - self.squares[start]
            - (self.sum[end] - self.sum[start]).powi(2) / weight)
            .max(0.0)
    }

    /// Variance of the mean of these runs.
    pub(super) fn variance_of_mean(&self, start: usize, end: usize) -> f64 {
        let n = (end - start) as f64;
        let usual = self.variance * (self.roughness[end] - self.roughness[start]) / n;
        let own = (SHARED_RUNS * usual + self.scatter(start, end)) / (SHARED_RUNS + n - 1.0);
        let least = if self.own.is_empty() {
            0.0
        } else {
            (self.own[end] - self.own[start]) / self.weight(start, end)
        };
        own.max(least) * self.inflation[end - start] / self.weight(start, end)
    }

    /// Standard error of the mean of so many usual runs about a level or line.
    pub(super) fn error_of_mean(&self, runs: usize) -> f64 {
        let n = runs.clamp(1, self.inflation.len().max(2) - 1);
        let inflation = self.inflation.get(n).copied().unwrap_or(1.0);
        (self.variance * inflation / n as f64).sqrt()
    }

    /// Variance that one run adds to a sum over long stretches.
    pub(super) fn long_run_variance(&self) -> f64 {
        self.variance * self.inflation.last().copied().unwrap_or(1.0)
    }

    /// The standard error of the change of level at `at` between `start` and `end`.
    pub(super) fn error(&self, start: usize, at: usize, end: usize) -> f64 {
        (self.variance_of_mean(start, at) + self.variance_of_mean(at, end)).sqrt()
    }

    /// The change of level at `at` between `start` and `end`.
    pub(super) fn split(&self, start: usize, at: usize, end: usize) -> Split {
        let shift = self.mean(at, end) - self.mean(start, at);
        let z = shift / self.error(start, at, end);
        Split { at, shift, z }
    }

    /// The strongest change between `start` and `end` with at least `side` runs on each side.
    pub(super) fn strongest(&self, start: usize, end: usize, side: usize) -> Option<Split> {
        (start + side..(end + 1).saturating_sub(side))
            .map(|at| self.split(start, at, end))
            .max_by(|a, b| a.z.abs().total_cmp(&b.z.abs()))
    }
}

/// The places at which the change may as well be: those whose likelihood is within what one location parameter makes
/// up by chance (a drop of 6 in z², about 95 of 100 cases for a step of two standard deviations).
pub(super) fn location_range(
    levels: &Levels,
    start: usize,
    at: usize,
    end: usize,
) -> (usize, usize) {
    let best = levels.split(start, at, end).z.powi(2);
    let likely = |place: usize| best - levels.split(start, place, end).z.powi(2) <= 6.0;
    let lower = (start + LEVEL_RUNS..at)
        .rev()
        .take_while(|p| likely(*p))
        .last()
        .unwrap_or(at);
    let upper = (at + 1..(end + 1).saturating_sub(LEVEL_RUNS))
        .take_while(|p| likely(*p))
        .last()
        .unwrap_or(at);
    (lower, upper)
}
