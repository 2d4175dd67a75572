//! Where the level of a stretch of runs may have changed.
//!
//! Source: seeded intervals (Kovács et al. 2023) with narrowest-over-threshold (Baranowski, Chen & Fryzlewicz 2019) on
//! the winsorised CUSUM of `levels`, with a low threshold: `reading` decides. Assumes levels that last.
//! Smallest sample: [`LEVEL_RUNS`] runs on each side; a gross change at the newest end, [`GROSS_RUNS`]. Cannot see a
//! shape: a ramp comes out as a staircase, which [`super::bleed`] reads.

use super::levels::{Levels, Split};
use super::serial::Memory;
use super::signal::{Signal, median_of};

/// Runs that a level needs on each side. Rank tests cannot tell five standard deviations with fewer either: the
/// largest z of n new against many old runs is √(3n).
pub const LEVEL_RUNS: usize = 7;

/// Runs after which a gross change at the newest end is believed: three may be a bad machine, the fourth confirms.
pub const GROSS_RUNS: usize = 4;

/// How far the medians of a gross change are apart, in standard deviations of single runs.
const GROSS: f64 = 6.0;

/// So many of the runs before are asked whether they ever were where a gross change went.
const GROSS_MEMORY: usize = 100;

/// More than one in fifty there: then the series goes there at times, and more runs must tell.
const GROSS_BEFORE: f64 = 0.02;

/// From which z on a place is suspected, as if runs were independent: what noise with memory makes of it is weighed
/// later, by [`super::reading`].
const SUSPECT: f64 = 6.0;

/// Where the level may have changed, ascending: narrowest over threshold on seeded intervals, each place then moved to
/// the strongest one between its neighbours.
pub(super) fn candidates(levels: &Levels) -> Vec<usize> {
    let mut places = narrowest_over_threshold(levels);
    for _ in 0..2 {
        for i in 0..places.len() {
            let start = i.checked_sub(1).map_or(0, |before| places[before]);
            let end = places.get(i + 1).copied().unwrap_or(levels.len());
            if let Some(strongest) = levels.strongest(start, end, LEVEL_RUNS) {
                places[i] = strongest.at;
            }
        }
    }
    places
}

fn narrowest_over_threshold(levels: &Levels) -> Vec<usize> {
    let mut candidates: Vec<(usize, usize, usize)> = seeded_intervals(levels.len())
        .into_iter()
        .filter_map(|(start, end)| {
            let best = levels.strongest(start, end, LEVEL_RUNS)?;
            (best.z.abs() > SUSPECT).then_some((start, end, best.at))
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

/// Intervals of lengths n, n/√2, n/2 …, each length shifted by half of itself, down to twice [`LEVEL_RUNS`].
fn seeded_intervals(n: usize) -> Vec<(usize, usize)> {
    let mut intervals = Vec::new();
    let mut length = n as f64;
    while length >= 2.0 * LEVEL_RUNS as f64 && length >= 2.0 {
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

/// A change at the newest end that is too large to wait for [`LEVEL_RUNS`]: all new runs lie beyond the middle between
/// both levels, the levels are [`GROSS`] apart, and the series was hardly ever there before.
pub(super) fn gross_at_the_end(signal: &Signal, levels: &Levels, last: usize) -> Option<Split> {
    let n = levels.len();
    (GROSS_RUNS..LEVEL_RUNS)
        .rev()
        .filter_map(|runs| n.checked_sub(runs))
        .find_map(|at| {
            let start = last.max(at.saturating_sub(GROSS_MEMORY));
            if at < start + LEVEL_RUNS {
                return None;
            }
            let (old, new) = (&signal.plain[start..at], &signal.plain[at..]);
            let sd = noise_of(&signal.even[start..at])
                .max(noise_of(&signal.even[at..]))
                .max(signal.own_sd(at..n))
                * signal.excess(at..n);
            let (from, to) = (median_of(&mut old.to_vec()), median_of(&mut new.to_vec()));
            let (middle, shift) = (f64::midpoint(from, to), to - from);
            let beyond = |x: &&f64| (**x - middle).signum() == shift.signum();
            let before = &signal.plain[at.saturating_sub(GROSS_MEMORY)..at];
            let gross = shift.abs() > GROSS * sd
                && new.iter().all(|x| beyond(&x))
                && before.iter().filter(beyond).count() as f64
                    <= GROSS_BEFORE * before.len() as f64;
            gross.then(|| Split {
                at,
                shift,
                z: shift / levels.error(start, at, n),
            })
        })
}

/// The standard deviation of these runs: about their mean or from one to the next, whichever is larger.
fn noise_of(even: &[f64]) -> f64 {
    let mean = even.iter().sum::<f64>() / even.len() as f64;
    let scatter: f64 = even.iter().map(|x| (x - mean).powi(2)).sum();
    let about_mean = scatter / (even.len() as f64 - 1.0);
    about_mean.max(Memory::none(even).variance).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::reading::Reading;
    use super::super::seeded::Seeded;
    use super::*;

    fn found(values: &[f64]) -> Vec<Split> {
        let times: Vec<i64> = (0..values.len() as i64)
            .map(|d| d * 86_400_000_000)
            .collect();
        let signal = Signal::of(&values.iter().map(|x| x.exp()).collect::<Vec<_>>(), &times);
        let releases: Vec<usize> = (0..values.len()).collect();
        Reading::of(&signal, &releases).splits
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
    fn stationary_noise_alarms_at_most_once_in_ten_years_whatever_its_kind() {
        let scaled = |values: Vec<f64>| values.into_iter().map(|v| 0.01 * v).collect::<Vec<_>>();
        let white = alarms(|r| scaled((0..365).map(|_| r.normal()).collect()), 50);
        let heavy = alarms(
            |r| {
                scaled(
                    (0..365)
                        .map(|_| r.normal() / (r.uniform().max(1e-3)).sqrt())
                        .collect(),
                )
            },
            50,
        );
        let lingering = alarms(|r| scaled(r.autoregressive(365, 0.6)), 50);
        let strong = alarms(|r| scaled(r.autoregressive(365, 0.85)), 50);
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
            50,
        );
        let counts = [white, heavy, lingering, strong, levels];
        assert!(counts.iter().all(|alarms| *alarms <= 5), "{counts:?}");
    }
}
