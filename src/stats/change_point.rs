//! Where the level of a stretch of runs changed.
//!
//! Source: seeded intervals (Kovács et al. 2023) with narrowest-over-threshold (Baranowski, Chen & Fryzlewicz 2019) on
//! the winsorised CUSUM of `levels`; then backward elimination. Assumes levels that last. Smallest sample:
//! [`LEVEL_RUNS`] runs on each side; a gross change at the newest end, [`GROSS_RUNS`]. Cannot see a shape: a ramp comes
//! out as a staircase, which [`super::bleed`] reads.

use super::levels::{Levels, Split};
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

/// A level that lasts at most so many runs and then goes back to where it was went away: no change, but a long pulse.
const WENT_AWAY_RUNS: usize = 10;

/// The threshold of the largest CUSUM among `n` runs, in standard deviations. Found by simulating white, lingering,
/// heavy-tailed, two-level and ever rougher noise, replayed run by run, so that each year is 365 looks (see the tests);
/// the growth is that of a maximum of correlated normal variables.
pub fn threshold(n: usize) -> f64 {
    (2.0 * (n.max(FEWEST_LOOKS) as f64).ln()).sqrt() + EXCESS
}

/// A short series will be looked at as often as a long one was.
const FEWEST_LOOKS: usize = 300;

/// What the simulated maxima need beyond the asymptotic one.
const EXCESS: f64 = 1.6;

/// The z at which a change among `n` runs is told while runs still come in one by one: each of them is another look,
/// at noise whose memory is known to about one part in √n.
pub fn firm_threshold(n: usize) -> f64 {
    (threshold(n) + LOOKS) * (1.0 + 1.0 / (n.max(1) as f64).sqrt())
}

/// What looking again at every run takes.
const LOOKS: f64 = 0.4;

/// The changes of level of a stretch, oldest first, each beyond the threshold against both of its neighbouring levels.
pub(super) fn splits(signal: &Signal, levels: &Levels) -> Vec<Split> {
    let threshold = threshold(levels.len());
    let mut places = narrowest_over_threshold(levels, threshold);
    let mut found = settle(levels, &mut places, threshold);
    drop_what_went_away(levels, &mut places, &mut found);
    found.extend(gross_at_the_end(
        signal,
        levels,
        found.last().map_or(0, |s| s.at),
    ));
    found
}

/// Narrowest-over-threshold on seeded intervals: the places alone, ascending.
pub(super) fn narrowest_over_threshold(levels: &Levels, threshold: f64) -> Vec<usize> {
    let mut candidates: Vec<(usize, usize, usize)> = seeded_intervals(levels.len())
        .into_iter()
        .filter_map(|(start, end)| {
            let best = levels.strongest(start, end, LEVEL_RUNS)?;
            (best.z.abs() > threshold).then_some((start, end, best.at))
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

/// Moves each place to the strongest one between its neighbours, drops the weakest while it is below the threshold.
pub(super) fn settle(levels: &Levels, places: &mut Vec<usize>, threshold: f64) -> Vec<Split> {
    loop {
        for i in 0..places.len() {
            let (start, end) = neighbours(places, i, levels.len());
            if let Some(best) = levels.strongest(start, end, LEVEL_RUNS) {
                places[i] = best.at;
            }
        }
        let splits = compared(levels, places);
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

fn neighbours(places: &[usize], i: usize, n: usize) -> (usize, usize) {
    let start = i.checked_sub(1).map_or(0, |p| places[p]);
    (start, places.get(i + 1).copied().unwrap_or(n))
}

fn compared(levels: &Levels, places: &[usize]) -> Vec<Split> {
    (0..places.len())
        .map(|i| {
            let (start, end) = neighbours(places, i, levels.len());
            levels.split(start, places[i], end)
        })
        .collect()
}

/// Takes out pairs of changes that are a pulse: the level came back soon, to within a third of the way it went.
fn drop_what_went_away(levels: &Levels, places: &mut Vec<usize>, found: &mut Vec<Split>) {
    let pulse = |pair: &[Split]| {
        let [up, down] = pair else { return false };
        down.at - up.at <= WENT_AWAY_RUNS && (up.shift + down.shift).abs() < up.shift.abs() / 3.0
    };
    while let Some(i) = found.windows(2).position(pulse) {
        places.drain(i..i + 2);
        *found = compared(levels, places);
    }
}

/// A change at the newest end that is too large to wait for [`LEVEL_RUNS`]: all new runs lie beyond the middle between
/// both levels, the levels are [`GROSS`] apart, and the series was hardly ever there before.
fn gross_at_the_end(signal: &Signal, levels: &Levels, last: usize) -> Option<Split> {
    let n = levels.len();
    let sd = signal.sd.max(levels.standard_deviation());
    (GROSS_RUNS..LEVEL_RUNS)
        .rev()
        .filter_map(|runs| n.checked_sub(runs))
        .find_map(|at| {
            let start = last.max(at.saturating_sub(GROSS_MEMORY));
            if at < start + LEVEL_RUNS {
                return None;
            }
            let (old, new) = (&signal.plain[start..at], &signal.plain[at..]);
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

#[cfg(test)]
mod tests {
    use super::super::seeded::Seeded;
    use super::super::serial::Memory;
    use super::*;

    fn found(values: &[f64]) -> Vec<Split> {
        let times: Vec<i64> = (0..values.len() as i64)
            .map(|d| d * 86_400_000_000)
            .collect();
        let signal = Signal::of(&values.iter().map(|x| x.exp()).collect::<Vec<_>>(), &times);
        splits(&signal, &Levels::of(&signal, &Memory::fit(&signal.tame)))
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
