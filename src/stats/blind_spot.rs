//! The smallest step and the smallest bleed that would be told within a quarter, given a series' own noise.
//!
//! Source: sensitivity by injection, as detection benchmarks do it: the series' history without its own changes gets a
//! change of known size at the start of its last quarter, and the judge is asked; the size is then halved in. Assumes
//! that noise stays as it was. Smallest sample: `BEFORE` rows before that quarter in the running epoch. Cannot see
//! what the next quarter's noise will be.

use serde::{Deserialize, Serialize};

use super::Direction;
use super::judge::{Change, Row, Settings, judge};
use super::stretch::Stretch;

/// What would go unseen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlindSpot {
    /// The smallest step that is told within the quarter, per cent; none where even doubling is not.
    pub step_pct: Option<f64>,
    /// The smallest bleed, per cent in all, spread evenly over the quarter and told by its end.
    pub bleed_pct: Option<f64>,
    /// How many rows that quarter had.
    pub rows: usize,
}

/// A quarter of a year, microseconds.
pub const QUARTER_US: i64 = 91 * 86_400_000_000;

/// Rows before the quarter that a level takes to be known.
const BEFORE: usize = 14;

/// A larger change than this is not searched for, per cent.
const LARGEST_PCT: f64 = 100.0;

/// The search ends when the size is known to a twentieth of itself.
const PRECISION: f64 = 1.05;

/// The blind spot of the running epoch's `rows`; none where they hold too little history, or are not all positive.
pub fn blind_spot(rows: &[Row<'_>], settings: &Settings) -> Option<BlindSpot> {
    let stretch = Stretch::of(rows)?;
    let newest = stretch.rows.last()?.time_us;
    let first = stretch
        .rows
        .partition_point(|r| r.time_us <= newest - QUARTER_US);
    let quarter = stretch.rows.len() - first;
    if first < BEFORE || quarter < BEFORE || !stretch.signal.log {
        return None;
    }
    let noise = stretch.noise();
    let told = |shape: &dyn Fn(f64) -> f64, percent: f64| {
        let size = (percent / 100.0).ln_1p();
        let higher = settings.direction == Direction::Higher;
        let worse = if higher { -size } else { size };
        let injected: Vec<Row<'_>> = (0..noise.len())
            .map(|i| {
                let share = if i < first {
                    0.0
                } else {
                    shape((i - first + 1) as f64 / quarter as f64)
                };
                Row {
                    value: (noise[i] + worse * share).exp(),
                    ..stretch.rows[i]
                }
            })
            .collect();
        judge(&injected, &[], settings)
            .iter()
            .any(|change| is_it(change, first, worse))
    };
    Some(BlindSpot {
        step_pct: smallest(settings.minimum_pct, |percent| told(&|_| 1.0, percent)),
        bleed_pct: smallest(settings.minimum_pct, |percent| {
            told(&|passed| passed, percent)
        }),
        rows: quarter,
    })
}

/// Whether a change is the injected one: it reaches into the quarter and points the same way.
fn is_it(change: &Change, first: usize, worse: f64) -> bool {
    change.firm
        && change.onset_hi.max(change.end) >= first
        && change.effect_pct.value.signum() == worse.signum()
}

/// The smallest percentage that is told, found by doubling and then halving in on the logarithm.
fn smallest(from: f64, told: impl Fn(f64) -> bool) -> Option<f64> {
    let start = from.max(0.01);
    let mut seen = std::iter::successors(Some(start), |p| Some(p * 2.0))
        .take_while(|p| *p <= LARGEST_PCT)
        .find(|p| told(*p))?;
    let mut unseen = if seen > start {
        seen / 2.0
    } else {
        return Some(seen);
    };
    while seen / unseen > PRECISION {
        let middle = (seen * unseen).sqrt();
        if told(middle) {
            seen = middle
        } else {
            unseen = middle
        }
    }
    Some(seen)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::seeded::Seeded;
    use super::*;

    fn of(sd: f64, n: usize, level: impl Fn(usize) -> f64) -> Option<BlindSpot> {
        seeded(8, sd, n, level)
    }

    fn seeded(seed: u64, sd: f64, n: usize, level: impl Fn(usize) -> f64) -> Option<BlindSpot> {
        let mut random = Seeded::new(seed);
        let names: Vec<String> = (0..n).map(|i| format!("v{i}")).collect();
        let rows: Vec<Row<'_>> = names
            .iter()
            .enumerate()
            .map(|(i, name)| Row {
                time_us: i as i64 * 86_400_000_000,
                release: name,
                value: 100.0 * level(i) * (sd * random.normal()).exp(),
                count: None,
            })
            .collect();
        blind_spot(
            &rows,
            &Settings {
                direction: Direction::Lower,
                minimum_pct: 0.1,
            },
        )
    }

    #[test]
    fn a_noisier_series_is_blind_to_larger_changes_and_to_larger_bleeds_than_steps() {
        let middle = |sd: f64, of: &dyn Fn(BlindSpot) -> Option<f64>| {
            let seeds = [8, 9, 10, 11, 12];
            let mut found = seeds.map(|seed| of(seeded(seed, sd, 180, |_| 1.0).unwrap()).unwrap());
            found.sort_by(f64::total_cmp);
            found[2]
        };
        let (step, bleed) = (|b: BlindSpot| b.step_pct, |b: BlindSpot| b.bleed_pct);
        let (small, large) = (middle(0.005, &step), middle(0.02, &step));
        assert!(
            (0.3..0.9).contains(&small) && (1.2..3.6).contains(&large),
            "{small} {large}"
        );
        let slow = middle(0.005, &bleed);
        assert!(slow > small, "{slow} {small}");
    }

    #[test]
    fn what_the_series_itself_did_is_not_taken_for_the_injected_change() {
        let (flat, stepped) = (
            of(0.01, 180, |_| 1.0).unwrap(),
            of(0.01, 180, |i| if i < 130 { 1.0 } else { 1.2 }).unwrap(),
        );
        let (a, b) = (flat.step_pct.unwrap(), stepped.step_pct.unwrap());
        assert!((a / b).ln().abs() < 0.4, "{a} {b}");
    }

    #[test]
    fn too_little_history_has_no_blind_spot_to_name() {
        assert_eq!(of(0.01, 100, |_| 1.0), None);
    }
}
