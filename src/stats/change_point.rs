//! Where the level of a stretch of runs changed.
//!
//! Source: seeded intervals (Kovács et al. 2023) with narrowest-over-threshold (Baranowski, Chen & Fryzlewicz 2019) on
//! a CUSUM of winsorised values, each side with its own variance (Welch 1947) shrunk towards the stretch's, inflated by
//! the long-run variance of [`super::serial`]; then backward elimination. Assumes levels that last. Smallest sample:
//! [`SIDE`] runs on each side. Cannot see a shape: a ramp comes out as a staircase, which [`super::bleed`] reads.

use super::serial::Memory;
use super::signal::Signal;

/// Runs that a level needs on each side to be told from a pulse. A gross step meets the threshold with so many.
pub const SIDE: usize = 4;

/// The threshold of the largest CUSUM among `n` runs, in standard deviations, beyond which chance goes less than once
/// in fifty years of daily runs. Found by simulation of white, lingering, heavy-tailed and two-level noise (see the tests); the
/// growth is that of a maximum of correlated normal variables.
pub fn threshold(n: usize) -> f64 {
    (2.0 * (n.max(10) as f64).ln()).sqrt() + EXCESS
}

/// What the simulated maxima need beyond the asymptotic one.
const EXCESS: f64 = 1.4;

/// How many runs' worth of the whole stretch's variance is mixed into a side's own.
const SHARED_RUNS: f64 = 20.0;

/// A place where the level changes: the first run of the new level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Split {
    pub(super) at: usize,
    /// Level after minus level before, on the scale of the tests.
    pub(super) shift: f64,
    /// The same in standard deviations of what chance does.
    pub(super) z: f64,
}

/// Sums over a stretch, from which any two levels are compared at once.
#[derive(Debug, Clone)]
pub(super) struct Levels {
    sum: Vec<f64>,
    squares: Vec<f64>,
    variance: f64,
    /// Inflation of the variance of a mean, by number of runs.
    inflation: Vec<f64>,
}

impl Levels {
    pub(super) fn of(signal: &Signal, memory: &Memory) -> Self {
        // Centred first: squares of logarithms of large numbers would cost digits.
        let centre = signal.tame.first().copied().unwrap_or(0.0);
        let running = |f: &dyn Fn(f64) -> f64| {
            let mut total = 0.0;
            std::iter::once(0.0)
                .chain(signal.tame.iter().map(|x| {
                    total += f(x - centre);
                    total
                }))
                .collect()
        };
        let inflation = (0..=signal.tame.len())
            .map(|n| memory.inflation(n))
            .collect();
        Self {
            sum: running(&|x| x),
            squares: running(&|x| x * x),
            variance: memory.variance.max(f64::MIN_POSITIVE),
            inflation,
        }
    }

    /// How many runs there are.
    pub(super) fn len(&self) -> usize {
        self.sum.len() - 1
    }

    /// Mean of the runs from `start` up to `end`, less the stretch's first value.
    pub(super) fn mean(&self, start: usize, end: usize) -> f64 {
        (self.sum[end] - self.sum[start]) / (end - start) as f64
    }

    /// Sum of squared deviations from their mean.
    pub(super) fn scatter(&self, start: usize, end: usize) -> f64 {
        let n = (end - start) as f64;
        (self.squares[end] - self.squares[start] - (self.sum[end] - self.sum[start]).powi(2) / n)
            .max(0.0)
    }

    /// Variance of the mean of these runs.
    pub(super) fn variance_of_mean(&self, start: usize, end: usize) -> f64 {
        let n = (end - start) as f64;
        let own =
            (SHARED_RUNS * self.variance + self.scatter(start, end)) / (SHARED_RUNS + n - 1.0);
        own * self.inflation[end - start] / n
    }

    /// Variance that one run adds to a sum over long stretches.
    pub(super) fn long_run_variance(&self) -> f64 {
        self.variance * self.inflation.last().copied().unwrap_or(1.0)
    }

    /// The change of level at `at` between `start` and `end`.
    pub(super) fn split(&self, start: usize, at: usize, end: usize) -> Split {
        let shift = self.mean(at, end) - self.mean(start, at);
        let error = (self.variance_of_mean(start, at) + self.variance_of_mean(at, end)).sqrt();
        Split {
            at,
            shift,
            z: shift / error,
        }
    }

    /// The strongest change between `start` and `end` with at least `side` runs on each side.
    pub(super) fn strongest(&self, start: usize, end: usize, side: usize) -> Option<Split> {
        (start + side..(end + 1).saturating_sub(side))
            .map(|at| self.split(start, at, end))
            .max_by(|a, b| a.z.abs().total_cmp(&b.z.abs()))
    }
}

/// The changes of level of a stretch, oldest first, each beyond `threshold` against both of its neighbouring levels.
pub(super) fn splits(levels: &Levels, threshold: f64) -> Vec<Split> {
    let mut found = narrowest_over_threshold(levels, threshold);
    settle(levels, &mut found, threshold)
}

/// Narrowest-over-threshold on seeded intervals: the places alone, ascending.
fn narrowest_over_threshold(levels: &Levels, threshold: f64) -> Vec<usize> {
    let mut candidates: Vec<(usize, usize, usize)> = seeded_intervals(levels.len())
        .into_iter()
        .filter_map(|(start, end)| {
            levels
                .strongest(start, end, SIDE)
                .filter(|s| s.z.abs() > threshold)
                .map(|s| (start, end, s.at))
        })
        .collect();
    candidates.sort_by_key(|(start, end, _)| (end - start, *start));
    let mut places: Vec<usize> = Vec::new();
    for (start, end, at) in candidates {
        if !places.iter().any(|p| start < *p && *p < end) {
            places.push(at);
        }
    }
    places.sort_unstable();
    places
}

/// Intervals of lengths n, n/√2, n/2 …, each length shifted by half of itself, down to twice [`SIDE`].
fn seeded_intervals(n: usize) -> Vec<(usize, usize)> {
    let mut intervals = Vec::new();
    let mut length = n as f64;
    while length >= 2.0 * SIDE as f64 && length >= 2.0 {
        let count = 2 * (n as f64 / length).ceil() as usize - 1;
        let step = if count > 1 {
            (n as f64 - length) / (count - 1) as f64
        } else {
            0.0
        };
        for i in 0..count {
            let start = (i as f64 * step).floor() as usize;
            intervals.push((start, ((i as f64 * step + length).ceil() as usize).min(n)));
        }
        length /= std::f64::consts::SQRT_2;
    }
    intervals
}

/// Moves each place to the strongest one between its neighbours, drops the weakest while it is below the threshold.
pub(super) fn settle(levels: &Levels, places: &mut Vec<usize>, threshold: f64) -> Vec<Split> {
    loop {
        for i in 0..places.len() {
            let start = i.checked_sub(1).map_or(0, |p| places[p]);
            let end = places.get(i + 1).copied().unwrap_or(levels.len());
            if let Some(best) = levels.strongest(start, end, SIDE) {
                places[i] = best.at;
            }
        }
        let splits: Vec<Split> = (0..places.len())
            .map(|i| {
                let start = i.checked_sub(1).map_or(0, |p| places[p]);
                levels.split(
                    start,
                    places[i],
                    places.get(i + 1).copied().unwrap_or(levels.len()),
                )
            })
            .collect();
        let weakest = splits
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.z.abs().total_cmp(&b.1.z.abs()));
        match weakest {
            Some((i, split)) if split.z.abs() < threshold => {
                places.remove(i);
            }
            _ => return splits,
        }
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
    let lower = (start + SIDE..at)
        .rev()
        .take_while(|p| likely(*p))
        .last()
        .unwrap_or(at);
    let upper = (at + 1..(end + 1).saturating_sub(SIDE))
        .take_while(|p| likely(*p))
        .last()
        .unwrap_or(at);
    (lower, upper)
}

#[cfg(test)]
mod tests {
    use super::super::seeded::Seeded;
    use super::*;

    fn found(values: &[f64]) -> Vec<Split> {
        let times: Vec<i64> = (0..values.len() as i64)
            .map(|d| d * 86_400_000_000)
            .collect();
        let signal = Signal::of(&values.iter().map(|x| x.exp()).collect::<Vec<_>>(), &times);
        let levels = Levels::of(&signal, &Memory::fit(&signal.tame));
        splits(&levels, threshold(values.len()))
    }

    fn stepped(random: &mut Seeded, n: usize, at: usize, step: f64) -> Vec<f64> {
        (0..n)
            .map(|i| 0.01 * (random.normal() + if i >= at { step } else { 0.0 }))
            .collect()
    }

    #[test]
    fn a_step_of_two_deviations_is_found_where_it_is() {
        let mut random = Seeded::new(2);
        for _ in 0..20 {
            let splits = found(&stepped(&mut random, 200, 120, 2.0));
            assert_eq!(splits.len(), 1, "{splits:?}");
            assert!(
                splits[0].at.abs_diff(120) <= 3 && (splits[0].shift - 0.02).abs() < 0.006,
                "{splits:?}"
            );
        }
    }

    #[test]
    fn two_steps_close_together_are_both_found() {
        let mut random = Seeded::new(3);
        let mut values = stepped(&mut random, 200, 100, 4.0);
        values[112..].iter_mut().for_each(|v| *v -= 0.06);
        let places: Vec<usize> = found(&values).iter().map(|s| s.at).collect();
        assert!(
            matches!(places[..], [a, b] if a.abs_diff(100) <= 1 && b.abs_diff(112) <= 1),
            "{places:?}"
        );
    }

    #[test]
    fn a_pulse_of_three_wild_runs_is_not_a_level() {
        let mut random = Seeded::new(4);
        for at in [20, 97, 100] {
            let mut values = stepped(&mut random, 100, 100, 0.0);
            values.iter_mut().skip(at).take(3).for_each(|v| *v += 1.0);
            assert_eq!(found(&values), [], "at {at}");
        }
    }

    #[test]
    fn a_gross_step_is_found_with_four_runs() {
        let mut random = Seeded::new(5);
        let values = stepped(&mut random, 104, 100, 30.0);
        assert_eq!(
            found(&values).iter().map(|s| s.at).collect::<Vec<_>>(),
            [100]
        );
        assert_eq!(found(&values[..103]), []);
    }

    /// Alarms in so many series of a year of daily runs.
    fn alarms(mut noise: impl FnMut(&mut Seeded) -> Vec<f64>, rounds: u32) -> usize {
        let mut random = Seeded::new(99);
        (0..rounds)
            .map(|_| {
                let values = noise(&mut random);
                found(&values).len()
            })
            .sum()
    }

    #[test]
    fn stationary_noise_alarms_less_than_once_in_ten_years_whatever_its_kind() {
        let scaled = |values: Vec<f64>| values.into_iter().map(|v| 0.01 * v).collect::<Vec<_>>();
        let white = alarms(|r| scaled((0..365).map(|_| r.normal()).collect()), 200);
        let heavy = alarms(
            |r| {
                scaled(
                    (0..365)
                        .map(|_| r.normal() / (r.uniform().max(1e-3)).sqrt())
                        .collect(),
                )
            },
            200,
        );
        let lingering = alarms(|r| scaled(r.autoregressive(365, 0.6)), 200);
        let strong = alarms(|r| scaled(r.autoregressive(365, 0.85)), 100);
        let levels = alarms(
            |r| {
                let mut slow = false;
                scaled(
                    (0..365)
                        .map(|_| {
                            if r.uniform() < 0.25 {
                                slow = !slow
                            }
                            r.normal() + if slow { 6.0 } else { 0.0 }
                        })
                        .collect(),
                )
            },
            200,
        );
        let counts = [white, heavy, lingering, strong, levels];
        assert!(
            counts
                .iter()
                .zip([200, 200, 200, 100, 200])
                .all(|(alarms, years)| *alarms * 10 <= years),
            "{counts:?}"
        );
    }
}
