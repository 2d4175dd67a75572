//! How many alarms a project affords: more series make more noise, and those who are told of it stop listening.
//!
//! Source: Benjamini & Hochberg (1995) over what is seen at once, in the online form of Javanmard & Montanari (2018,
//! LOND) over what was told before: a quarter is shared evenly among its series, and each alarm that was told affords as
//! much again. Assumes series whose noise is independent or goes together. Smallest sample: one series. Cannot see that
//! many alarms of a quarter have one cause: deduplication and [`super::common_mode`] come before.

/// Of the alarms of a quarter so many may be false.
const FALSE_SHARE: f64 = 0.1;

/// False alarms of one series in a quarter at the least evidence that is told: measured on 310 years of series in which
/// nothing happens (eleven, of which the clearest had 1.2 more than the least).
const OF_ONE_SERIES: f64 = 0.01;

/// How long an alarm counts for those after it, days.
pub const QUARTER_DAYS: i64 = 91;

/// The surplus of evidence (see [`super::judge::Change::surplus`]) from which on a change is worth an alarm, in a project
/// of so many series that had so many alarms in the quarter before. False alarms get rarer with the surplus as the tail
/// of the χ² distribution does, by its half in the exponent; what was measured falls faster.
pub fn least_surplus(series: usize, alarms: usize) -> f64 {
    let expected = OF_ONE_SERIES * series as f64;
    let afforded = FALSE_SHARE * (alarms + 1) as f64;
    (2.0 * (expected / afforded).ln()).max(0.0)
}

/// Which of the changes that are seen at once are told: as many of the clearest as afford each other.
pub fn afforded(surpluses: &[f64], series: usize, alarms: usize) -> Vec<bool> {
    let mut clearest = surpluses.to_vec();
    clearest.sort_unstable_by(|a, b| b.total_cmp(a));
    let least = clearest
        .iter()
        .enumerate()
        .rev()
        .find(|(before, surplus)| **surplus >= least_surplus(series, alarms + before))
        .map_or(f64::INFINITY, |(_, surplus)| *surplus);
    surpluses.iter().map(|surplus| *surplus >= least).collect()
}

#[cfg(test)]
mod tests {
    use super::super::seeded::Seeded;
    use super::*;

    #[test]
    fn a_few_series_ask_for_no_more_and_many_for_clearer_changes() {
        assert!(least_surplus(10, 0) < 1e-9);
        assert!((least_surplus(1_000, 0) - 2.0 * 100.0_f64.ln()).abs() < 1e-9);
        assert!(least_surplus(1_000, 99) < 1e-9);
    }

    #[test]
    fn clear_changes_afford_less_clear_ones_beside_them() {
        assert_eq!(afforded(&[5.0, 7.0], 1_000, 0), [false, false]);
        assert_eq!(afforded(&[5.0, 7.0, 30.0], 1_000, 0), [false, false, true]);
        let together = afforded(&[7.0, 30.0, 40.0, 8.0], 1_000, 0);
        assert_eq!(together, [true; 4]);
        assert_eq!(afforded(&[], 1_000, 0), [false; 0]);
    }

    /// The share of false ones among the alarms of a thousand quarters, and how many of the real ones are told.
    fn quarters(series: usize, real: usize, clear: f64) -> (f64, f64) {
        let mut random = Seeded::new(5);
        let (mut share, mut seen) = (0.0, 0);
        for _ in 0..1_000 {
            let mut alarms = 0;
            let mut untrue = 0;
            let mut order: Vec<(f64, bool)> = (0..series)
                .map(|_| {
                    let is_told = random.uniform() < OF_ONE_SERIES;
                    let surplus = -2.0 * random.uniform().max(1e-12).ln();
                    (if is_told { surplus } else { -1.0 }, false)
                })
                .collect();
            for _ in 0..real {
                let at = (random.uniform() * order.len() as f64) as usize;
                order.insert(at, (clear + 3.0 * random.normal(), true));
            }
            for (surplus, is_real) in order.into_iter().filter(|(surplus, _)| *surplus >= 0.0) {
                if afforded(&[surplus], series, alarms) == [true] {
                    alarms += 1;
                    untrue += usize::from(!is_real);
                    seen += usize::from(is_real);
                }
            }
            share += untrue as f64 / alarms.max(1) as f64;
        }
        (share / 1_000.0, seen as f64 / (1_000 * real.max(1)) as f64)
    }

    #[test]
    fn of_ten_alarms_at_most_one_is_false_however_many_series_there_are() {
        for series in [10, 100, 1_000] {
            assert!(quarters(series, 0, 0.0).0 <= 0.12, "{series}");
            let (share, seen) = quarters(series, 10, 15.0);
            assert!(share <= 0.1 && seen >= 0.9, "{series}: {share}, {seen}");
        }
    }
}
