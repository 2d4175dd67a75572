//! What one series did, told in hindsight: steps, bleeds, improvements and epochs, with their ranges and reasons.
//!
//! Source: [`super::change_point`] and [`super::bleed`], put together. Assumes rows in release order, one a run (or one
//! a day for the field). Smallest sample: seven runs on each side of a change, four after a gross one. Cannot see what
//! all series of a testbed share: [`super::common_mode`] does; nor when it would have been told: [`super::replay`] does.

use serde::{Deserialize, Serialize};

use super::epoch::Boundary;
use super::signal::median_of;
use super::stretch::Stretch;
use super::{Direction, Interval};

/// One run's value, or one day's percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// When, microseconds since the epoch in UTC.
    pub time_us: i64,
    /// The release's name; rows of one release stand together.
    pub release: &'a str,
    /// The value in base units; rows that are not finite are passed over.
    pub value: f64,
    /// How many observations it rests on, where that is known.
    pub count: Option<u64>,
    /// The standard error that these observations leave it with, in base units, where that is known.
    pub se: Option<f64>,
}

/// What is worth telling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Which way is good.
    pub direction: Direction,
    /// The smallest change in per cent that anybody wants to hear of.
    pub minimum_pct: f64,
    /// What is asked beyond the evidence that is always asked before a change is told while runs still come in, on the
    /// scale of twice the log-likelihood; [`super::alarm_budget`] says how much.
    pub least_surplus: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            direction: Direction::Unknown,
            minimum_pct: 0.5,
            least_surplus: 0.0,
        }
    }
}

/// What kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The level moved at once: for the worse, or either way where the direction is unknown.
    Step,
    /// The level moved for the better, at once or over several releases.
    Improvement,
    /// The level moved over many releases, each too little to see.
    Bleed,
    /// It is measured in another way from here on.
    Epoch,
}

/// Something a series did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What.
    pub kind: Kind,
    /// The first row that differs: of the new level, of the climb, or of the epoch.
    pub index: usize,
    /// The earliest row that may be it.
    pub onset_lo: usize,
    /// The latest row that may be it.
    pub onset_hi: usize,
    /// The last row that moved the level: `index` but for bleeds and slow improvements.
    pub end: usize,
    /// The change in per cent of the level before it, with its range; for an epoch what the level did there.
    pub effect_pct: Interval,
    /// How sure, 0 to 1: of the findings told with it, that share is real.
    pub confidence: f64,
    /// By how much its evidence exceeds what is told while runs still come in, on the scale of twice the log-likelihood.
    pub surplus: f64,
    /// Per cent per release, where it took several.
    pub slope_pct_per_release: Option<f64>,
    /// The standard error of a mean over as many runs as it took, in per cent of the level before it.
    pub mean_error_pct: f64,
    /// How many releases it took.
    pub releases: usize,
    /// Why we say so, in plain words.
    pub reason: String,
}

/// Most rows that a level is described by: further ones may have drifted.
pub(super) const LEVEL_ROWS: usize = 60;

/// Judges a whole series. `boundaries` are where it began to be measured anew ([`super::epoch::boundaries`]); each
/// stretch between them is judged on its own, so that no change reaches across one.
pub fn judge(rows: &[Row<'_>], boundaries: &[Boundary], settings: &Settings) -> Vec<Change> {
    let mut edges: Vec<usize> = boundaries
        .iter()
        .map(|b| b.index)
        .filter(|i| (1..rows.len()).contains(i))
        .collect();
    edges.sort_unstable();
    edges.dedup();
    let starts = std::iter::once(0).chain(edges.iter().copied());
    let ends = edges.iter().copied().chain([rows.len()]);
    let mut changes: Vec<Change> = boundaries
        .iter()
        .filter(|b| b.index < rows.len())
        .map(|b| epoch(rows, &edges, b))
        .collect();
    for (start, end) in starts.zip(ends) {
        changes.extend(
            judge_stretch(&rows[start..end], settings)
                .into_iter()
                .map(|c| c.moved(start)),
        );
    }
    changes.sort_by_key(|c| (c.index, c.kind != Kind::Epoch));
    changes
}

impl Change {
    /// Clear enough to be told while runs still come in; what is not stands in hindsight, and a finding once told stays
    /// while its change is seen at all.
    pub fn is_firm(&self) -> bool {
        self.surplus >= 0.0
    }

    fn moved(mut self, by: usize) -> Self {
        for place in [
            &mut self.index,
            &mut self.onset_lo,
            &mut self.onset_hi,
            &mut self.end,
        ] {
            *place += by;
        }
        self
    }
}

/// An epoch's beginning, with what the level did there.
fn epoch(rows: &[Row<'_>], edges: &[usize], boundary: &Boundary) -> Change {
    let at = boundary.index;
    let before = edges
        .iter()
        .rev()
        .find(|e| **e < at)
        .copied()
        .unwrap_or(0)
        .max(at.saturating_sub(LEVEL_ROWS));
    let after = edges
        .iter()
        .find(|e| **e > at)
        .copied()
        .unwrap_or(rows.len())
        .min(at + LEVEL_ROWS);
    let level = |range: std::ops::Range<usize>| {
        median_of(
            &mut rows[range]
                .iter()
                .map(|r| r.value)
                .filter(|v| v.is_finite())
                .collect::<Vec<_>>(),
        )
    };
    let (old, new) = (level(before..at), level(at..after));
    let shift = if old.abs() > 0.0 && at > 0 {
        100.0 * (new - old) / old.abs()
    } else {
        0.0
    };
    Change {
        kind: Kind::Epoch,
        index: at,
        onset_lo: at,
        onset_hi: at,
        end: at,
        effect_pct: Interval::exact(shift),
        confidence: 1.0,
        surplus: f64::MAX,
        slope_pct_per_release: None,
        mean_error_pct: 0.0,
        releases: 1,
        reason: format!("measured in a new way from here: {}", boundary.reason),
    }
}

fn judge_stretch(rows: &[Row<'_>], settings: &Settings) -> Vec<Change> {
    Stretch::of(rows).map_or_else(Vec::new, |stretch| stretch.changes(settings))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::epoch::Cause;
    use super::super::seeded::Seeded;
    use super::*;
    use proptest::prelude::*;

    const LOWER: Settings = Settings {
        direction: Direction::Lower,
        minimum_pct: 0.5,
        least_surplus: 0.0,
    };

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("v{i}")).collect()
    }

    fn rows<'a>(names: &'a [String], values: &[f64]) -> Vec<Row<'a>> {
        values
            .iter()
            .zip(names)
            .enumerate()
            .map(|(i, (value, name))| Row {
                time_us: i as i64 * 86_400_000_000,
                release: name,
                value: *value,
                count: None,
                se: None,
            })
            .collect()
    }

    fn told(values: &[f64], settings: &Settings) -> Vec<Change> {
        judge(&rows(&names(values.len()), values), &[], settings)
    }

    fn series(seed: u64, n: usize, noise: f64, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut random = Seeded::new(seed);
        (0..n)
            .map(|i| 100.0 * level(i) * (noise * random.normal()).exp())
            .collect()
    }

    #[test]
    fn a_two_percent_creep_over_thirty_releases_is_one_bleed() {
        let values = series(1, 120, 0.003, |i| {
            1.0 + 0.02 * (i.saturating_sub(50).min(30)) as f64 / 30.0
        });
        let changes = told(&values, &LOWER);
        let [bleed] = &changes[..] else {
            panic!("{changes:?}")
        };
        assert_eq!(bleed.kind, Kind::Bleed);
        assert!(
            bleed.index.abs_diff(51) <= 6 && (bleed.effect_pct.value - 2.0).abs() < 0.3,
            "{bleed:?}"
        );
        assert!(bleed.onset_lo <= 51 && bleed.onset_hi >= 51);
        assert!(
            bleed.reason.starts_with(&format!(
                "since v{}, {} releases, +0.",
                bleed.index, bleed.releases
            )),
            "{}",
            bleed.reason
        );
    }

    #[test]
    fn a_step_for_the_better_is_an_improvement_and_mirrors_where_higher_is_better() {
        let values = series(2, 100, 0.01, |i| if i < 60 { 1.0 } else { 0.9 });
        assert!(
            matches!(&told(&values, &LOWER)[..], [c] if c.kind == Kind::Improvement && c.effect_pct.upper < -8.0)
        );
        let higher = Settings {
            direction: Direction::Higher,
            ..LOWER
        };
        assert!(matches!(&told(&values, &higher)[..], [c] if c.kind == Kind::Step));
        let unknown = Settings::default();
        assert!(
            matches!(&told(&values, &unknown)[..], [c] if c.kind == Kind::Step && c.reason.starts_with("changed with"))
        );
    }

    #[test]
    fn a_declared_epoch_explains_its_own_shift() {
        let values = series(3, 100, 0.01, |i| if i < 60 { 1.0 } else { 1.3 });
        let boundary = Boundary {
            index: 60,
            cause: Cause::Machine,
            reason: "machine: a → b".into(),
        };
        let changes = judge(&rows(&names(100), &values), &[boundary], &LOWER);
        assert!(
            matches!(&changes[..], [c] if c.kind == Kind::Epoch && (c.effect_pct.value - 30.0).abs() < 2.0),
            "{changes:?}"
        );
    }

    #[test]
    fn a_change_too_small_to_matter_is_not_told() {
        let values = series(4, 400, 0.001, |i| if i < 200 { 1.0 } else { 1.003 });
        assert_eq!(told(&values, &LOWER), []);
        assert_eq!(
            told(
                &values,
                &Settings {
                    minimum_pct: 0.1,
                    ..LOWER
                }
            )
            .len(),
            1
        );
    }

    #[test]
    fn short_empty_or_constant_series_say_nothing() {
        for n in [0, 1, 7, 8, 300] {
            assert_eq!(told(&vec![5.0; n], &LOWER), []);
        }
        assert_eq!(told(&[f64::NAN; 40], &LOWER), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn one_wild_point_changes_no_verdict(seed in 0_u64..500, at in 12_usize..138, wild in 0.01..50.0_f64) {
            let values = series(seed, 150, 0.01, |i| if i < 80 { 1.0 } else { 1.1 });
            prop_assume!(at.abs_diff(80) > 12);
            let mut hit = values.clone();
            hit[at] *= wild;
            let kinds = |values: &[f64]| told(values, &LOWER).iter().map(|c| (c.kind, c.index.abs_diff(80) <= 2)).collect::<Vec<_>>();
            prop_assert_eq!(kinds(&values), kinds(&hit));
        }

        #[test]
        fn the_unit_does_not_matter(seed in 0_u64..500, unit in 1e-6..1e9_f64) {
            let values = series(seed, 120, 0.01, |i| if i < 60 { 1.0 } else { 1.05 });
            let scaled: Vec<f64> = values.iter().map(|v| v * unit).collect();
            let places = |values: &[f64]| told(values, &LOWER).iter().map(|c| (c.kind, c.index)).collect::<Vec<_>>();
            prop_assert_eq!(places(&values), places(&scaled));
        }

        #[test]
        fn the_direction_mirrors(seed in 0_u64..500) {
            let values = series(seed, 120, 0.01, |i| if i < 60 { 1.0 } else { 1.08 });
            let mirrored: Vec<f64> = values.iter().map(|v| 1e4 / v).collect();
            let of = |values: &[f64], direction| told(values, &Settings { direction, ..LOWER }).iter().map(|c| (c.kind, c.index)).collect::<Vec<_>>();
            prop_assert_eq!(of(&values, Direction::Lower), of(&mirrored, Direction::Higher));
        }
    }
}
