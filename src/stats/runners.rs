//! Machines that take turns: runs that go back and forth between two levels.
//!
//! Source: Otsu (1979) for two classes; the sojourn of a Markov chain with two states (geometric) for how long a visit
//! may last. Assumes one gap between the two, on the scale of the tests. Believed only where the classes are far apart,
//! hardly anything lies between them, and each was visited four times. Smallest sample: [`LEAST_RUNS`]. Cannot tell a
//! regression that came and was mended four times from a machine that came and went.

use super::signal::{median_of, scale_of};

/// Fewer runs show no habit.
const LEAST_RUNS: usize = 30;

/// How far the levels are apart, in standard deviations of a run.
const APART: f64 = 5.0;

/// At most this share of the runs lies in the middle half of the gap.
const BETWEEN: f64 = 0.03;

/// How often each level was visited, for at least [`VISIT`] runs: shorter visits are pulses.
const VISITS: usize = 4;
const VISIT: usize = 3;

/// A visit that chance makes as long less often than once in e to this, given the others, is no visit: it stays.
const STAYS: f64 = 8.0;

/// What each run is off because of where it ran: the gap where it ran on the rarer machine. None where runs do not
/// take turns. Where a level itself changed by more than the gap, what lies before and after is looked at by itself.
pub(super) fn offsets(values: &[f64]) -> Option<Vec<f64>> {
    let mut offsets = vec![0.0; values.len()];
    find(values, &mut offsets).then_some(offsets)
}

fn find(values: &[f64], offsets: &mut [f64]) -> bool {
    if values.len() < LEAST_RUNS {
        return false;
    }
    let Some(classes) = Classes::of(values) else {
        return false;
    };
    let visits = visits(values, classes.middle);
    let of_class = |upper: bool| {
        let long = visits.iter().filter(|visit| visit.runs >= VISIT);
        long.filter(|visit| visit.upper == upper).count()
    };
    if of_class(true) >= VISITS && of_class(false) >= VISITS {
        let staying = stays(&visits);
        let turns = || visits.iter().zip(&staying).filter(|(_, stays)| !**stays);
        let runs = |upper: bool| -> usize {
            let of_class = turns().filter(|(visit, _)| visit.upper == upper);
            of_class.map(|(visit, _)| visit.runs).sum()
        };
        let rarer = runs(true) <= runs(false);
        let gap = if rarer { classes.gap } else { -classes.gap };
        for (visit, _) in turns().filter(|(visit, _)| visit.upper == rarer) {
            offsets[visit.start..visit.start + visit.runs].fill(gap);
        }
        return true;
    }
    // The two classes are before and after a change: each may have its own turns.
    let Some(longest) = visits.iter().max_by_key(|visit| visit.runs) else {
        return false;
    };
    let at = if longest.start > values.len() - longest.start - longest.runs {
        longest.start
    } else {
        longest.start + longest.runs
    };
    if at == 0 || at == values.len() {
        return false;
    }
    let (before, after) = offsets.split_at_mut(at);
    let found = find(&values[..at], before);
    find(&values[at..], after) || found
}

/// Two levels that values lie about.
struct Classes {
    middle: f64,
    gap: f64,
}

impl Classes {
    /// The two classes with the least scatter; none where they are not apart.
    fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let all: f64 = sorted.iter().sum();
        let (mut sum, mut best) = (0.0, (0.0, 1));
        for (k, x) in (1..n).zip(&sorted) {
            sum += x;
            let (below, above) = (k as f64, (n - k) as f64);
            let between = below * above * (sum / below - (all - sum) / above).powi(2);
            if between > best.0 {
                best = (between, k);
            }
        }
        let (lower, upper) = sorted.split_at(best.1);
        let levels = [lower, upper].map(|class| median_of(&mut class.to_vec()));
        let (middle, gap) = (f64::midpoint(levels[0], levels[1]), levels[1] - levels[0]);
        let mut off: Vec<f64> = values
            .iter()
            .map(|x| (x - levels[usize::from(*x > middle)]).abs())
            .collect();
        let sd = scale_of(&mut off);
        let between = values.iter().filter(|x| (**x - middle).abs() < gap / 8.0);
        let is_apart = gap > APART * sd && between.count() as f64 <= BETWEEN * n as f64;
        is_apart.then_some(Self { middle, gap })
    }
}

/// Runs in a row on one level.
#[derive(Debug, Clone, Copy)]
struct Visit {
    start: usize,
    runs: usize,
    upper: bool,
}

fn visits(values: &[f64], middle: f64) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    for (i, x) in values.iter().enumerate() {
        let upper = *x > middle;
        match visits.last_mut().filter(|visit| visit.upper == upper) {
            Some(visit) => visit.runs += 1,
            None => visits.push(Visit {
                start: i,
                runs: 1,
                upper,
            }),
        }
    }
    visits
}

/// Which visits are far longer than the others of their level are.
fn stays(visits: &[Visit]) -> Vec<bool> {
    let mut in_all = [(0, 0); 2];
    for visit in visits {
        let (count, runs) = &mut in_all[usize::from(visit.upper)];
        (*count, *runs) = (*count + 1, *runs + visit.runs);
    }
    let is_long = |visit: &Visit| {
        let (count, runs) = in_all[usize::from(visit.upper)];
        let usual = (runs - visit.runs) as f64 / (count - 1).max(1) as f64;
        visit.runs as f64 > usual * (STAYS + f64::from(count).ln())
    };
    visits.iter().map(is_long).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::seeded::Seeded;
    use super::*;

    fn turns(random: &mut Seeded, n: usize, gap: f64, stays: f64) -> (Vec<f64>, Vec<bool>) {
        let mut slow = false;
        let slows: Vec<bool> = (0..n)
            .map(|_| {
                if random.uniform() > stays {
                    slow = random.uniform() < 0.4;
                }
                slow
            })
            .collect();
        let values = slows
            .iter()
            .map(|slow| random.normal() + if *slow { gap } else { 0.0 })
            .collect();
        (values, slows)
    }

    #[test]
    fn runs_on_the_rarer_machine_are_off_by_the_gap() {
        let (values, slows) = turns(&mut Seeded::new(1), 200, 12.0, 0.8);
        let offsets = offsets(&values).unwrap();
        for (offset, slow) in offsets.iter().zip(slows) {
            assert!((offset - if slow { 12.0 } else { 0.0 }).abs() < 0.5);
        }
    }

    #[test]
    fn one_step_or_two_are_no_turns_and_neither_is_noise_however_heavy() {
        let mut random = Seeded::new(2);
        let mut values: Vec<f64> = (0..200).map(|_| random.normal()).collect();
        assert_eq!(offsets(&values), None);
        values[80..].iter_mut().for_each(|x| *x += 20.0);
        assert_eq!(offsets(&values), None);
        values[120..].iter_mut().for_each(|x| *x -= 20.0);
        assert_eq!(offsets(&values), None);
        let heavy: Vec<f64> = (0..400)
            .map(|_| random.normal() / random.uniform().max(1e-3).sqrt())
            .collect();
        assert_eq!(offsets(&heavy), None);
        assert_eq!(offsets(&random.autoregressive(400, 0.95)), None);
        assert_eq!(offsets(&[1.0; 100]), None);
    }

    #[test]
    fn before_and_after_a_large_step_the_turns_are_found_alike() {
        let (mut values, slows) = turns(&mut Seeded::new(3), 300, 10.0, 0.8);
        values[150..].iter_mut().for_each(|x| *x += 200.0);
        let offsets = offsets(&values).unwrap();
        let right = offsets
            .iter()
            .zip(&slows)
            .filter(|(offset, slow)| (**offset != 0.0) == **slow);
        assert!(right.count() >= 295);
    }

    #[test]
    fn who_stays_far_longer_than_ever_has_moved() {
        for (stays, lasts) in [(0.0, 60), (0.0, 300), (0.8, 100), (0.8, 400)] {
            let (mut values, slows) = turns(&mut Seeded::new(4), 200 + lasts, 12.0, stays);
            for (x, slow) in values[200..].iter_mut().zip(&slows[200..]) {
                *x += if *slow { 0.0 } else { 12.0 };
            }
            let offsets = offsets(&values).unwrap();
            let levels: Vec<f64> = values.iter().zip(offsets).map(|(x, off)| x - off).collect();
            let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
            let moved = mean(&levels[205..]) - mean(&levels[..195]);
            assert!((moved - 12.0).abs() < 0.7, "{moved} after {lasts}");
        }
    }
}
