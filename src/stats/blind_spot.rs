//! The smallest step and the smallest bleed that would be told within a quarter, given a series' own noise.
//!
//! Source: power by simulation: changes of growing size are put into the series' own noise (`injection`) at
//! the start of its last quarter, and the judge is asked at the quarter's end, with the thresholds that it has
//! everywhere. Assumes that noise stays as it was, and that larger changes are seen more often. Smallest sample:
//! 14 rows before that quarter in the running epoch, and a level's runs in it. Cannot see what the next
//! quarter's noise will be; the power itself is known to 9 points of 100, from 20 paths.

use serde::{Deserialize, Serialize};

use super::change_point::LEVEL_RUNS;
use super::injection::{Quiet, is_injected, worsening};
use super::judge::{Row, Settings, judge};

/// What would go unseen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BlindSpot {
    /// The smallest step that is told within the quarter, per cent; none where even doubling is not.
    pub step_pct: Option<f64>,
    /// The smallest bleed, per cent in all, spread evenly over the quarter and told by its end.
    pub bleed_pct: Option<f64>,
    /// The same for each of the quarter's releases.
    pub bleed_pct_per_release: Option<f64>,
    /// In what share of cases these are told.
    pub power: f64,
    /// How many rows (runs, or days of field data) that quarter had.
    pub rows: usize,
    /// How many releases it had.
    pub releases: usize,
    /// The standard deviation of single rows, per cent of the level.
    pub noise_pct: f64,
    /// How many changes were put in to find out.
    pub tried: u64,
}

/// A quarter of a year, microseconds.
pub const QUARTER_US: i64 = 91 * 86_400_000_000;

/// The share of changes that are to be told.
const POWER: f64 = 0.8;

/// Turns of the noise that each size is tried in.
const PATHS: usize = 20;

/// Rows before the quarter that a level takes to be known.
const BEFORE: usize = 14;

/// Rows that are judged at most: with more, both before the quarter and in it, the newest are taken.
const MOST_ROWS: usize = 400;

/// A larger change than this is not searched for, per cent.
const LARGEST_PCT: f64 = 100.0;

/// Sizes are tried in steps of a tenth.
const FINER: f64 = 1.1;

/// How many such steps are taken at once, until the size is between two of them.
const STRIDE: i32 = 4;

/// The blind spot of the running epoch's `rows`; none where they hold too little history.
pub fn blind_spot(rows: &[Row<'_>], settings: &Settings) -> Option<BlindSpot> {
    let quiet = Quiet::of(rows, MOST_ROWS)?;
    let newest = quiet.rows().last()?.time_us;
    let n = quiet.rows().len();
    let first = quiet
        .rows()
        .partition_point(|row| row.time_us <= newest - QUARTER_US);
    let first = if rows.len() > MOST_ROWS {
        first.max(n / 2)
    } else {
        first
    };
    let quarter = n - first;
    if first < BEFORE || quarter < LEVEL_RUNS {
        return None;
    }
    let mut tried = 0;
    let mut told = |percent: f64, is_bleed: bool| {
        let percent = worsening(percent, settings.direction);
        let share = |i: usize| match (i + 1).saturating_sub(first) {
            0 => 0.0,
            passed if is_bleed => passed as f64 / quarter as f64,
            _ => 1.0,
        };
        enough(|path| {
            tried += 1;
            let injected = quiet.with(quiet.turn(path, PATHS), percent, share);
            judge(&injected, &[], settings)
                .iter()
                .any(|change| change.is_firm() && is_injected(change, first, percent))
        })
    };
    // Five standard errors of the difference of both levels, which is where levels begin to be told.
    let error = quiet.noise_pct * (1.0 / first as f64 + 1.0 / quarter as f64).sqrt();
    let floor = settings.minimum_pct.max(0.01);
    let step_pct = smallest(floor, 5.0 * error, |percent| told(percent, false));
    let guess = step_pct.map_or(LARGEST_PCT, |step| 2.0 * step);
    let bleed_pct = smallest(floor, guess, |percent| told(percent, true));
    let releases = releases(&quiet.rows()[first..]);
    Some(BlindSpot {
        step_pct,
        bleed_pct,
        bleed_pct_per_release: bleed_pct.map(|percent| percent / releases as f64),
        power: POWER,
        rows: quarter,
        releases,
        noise_pct: quiet.noise_pct,
        tried,
    })
}

/// Whether it is told on enough of the paths; no more are tried than it takes to know.
fn enough(mut told: impl FnMut(usize) -> bool) -> bool {
    let needed = (POWER * PATHS as f64).ceil() as usize;
    let (mut hits, mut misses) = (0, 0);
    // Neighbouring turns are much alike, so they are not tried one after the other.
    for path in (0..PATHS).map(|k| k * 7 % PATHS) {
        if told(path) {
            hits += 1
        } else {
            misses += 1
        }
        if hits >= needed || misses > PATHS - needed {
            break;
        }
    }
    hits >= needed
}

/// The smallest of the sizes `floor`, `floor` and a tenth … that is told, searched from `guess`.
fn smallest(floor: f64, guess: f64, mut told: impl FnMut(f64) -> bool) -> Option<f64> {
    let size = |k: i32| floor * FINER.powi(k);
    let top = ((LARGEST_PCT / floor).ln() / FINER.ln()).floor() as i32;
    let mut seen = ((guess / floor).max(1.0).ln() / FINER.ln()).round() as i32;
    seen = seen.clamp(0, top.max(0));
    let mut unseen = seen;
    if told(size(seen)) {
        while seen > 0 {
            unseen = (seen - STRIDE).max(-1);
            if unseen < 0 || !told(size(unseen)) {
                break;
            }
            seen = unseen;
        }
        if seen == 0 {
            return Some(floor);
        }
    } else {
        loop {
            if unseen >= top {
                return None;
            }
            seen = (unseen + STRIDE).min(top);
            if told(size(seen)) {
                break;
            }
            unseen = seen;
        }
    }
    while seen - unseen > 1 {
        let middle = (seen + unseen) / 2;
        if middle < 0 || !told(size(middle)) {
            unseen = middle.max(unseen + 1).min(seen - 1);
        } else {
            seen = middle;
        }
    }
    Some(size(seen))
}

fn releases(rows: &[Row<'_>]) -> usize {
    1 + rows
        .windows(2)
        .filter(|w| w[0].release != w[1].release)
        .count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::Direction;
    use super::super::seeded::Seeded;
    use super::*;

    const LOWER: Settings = Settings {
        direction: Direction::Lower,
        minimum_pct: 0.1,
        least_surplus: 0.0,
    };

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("v{}", i / 4)).collect()
    }

    fn rows<'a>(names: &'a [String], values: &[f64]) -> Vec<Row<'a>> {
        (0..values.len())
            .map(|i| Row {
                time_us: i as i64 * 86_400_000_000,
                release: &names[i],
                value: values[i],
                count: None,
                se: None,
            })
            .collect()
    }

    fn series(random: &mut Seeded, sd: f64, n: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..n)
            .map(|i| 100.0 * level(i) * (sd * random.normal()).exp())
            .collect()
    }

    fn of(seed: u64, sd: f64, n: usize, level: impl Fn(usize) -> f64) -> Option<BlindSpot> {
        let values = series(&mut Seeded::new(seed), sd, n, level);
        blind_spot(&rows(&names(n), &values), &LOWER)
    }

    #[test]
    fn a_noisier_series_is_blind_to_larger_changes_and_to_larger_bleeds_than_steps() {
        let (quiet, noisy) = (
            of(8, 0.005, 180, |_| 1.0).unwrap(),
            of(8, 0.02, 180, |_| 1.0).unwrap(),
        );
        let (small, large) = (quiet.step_pct.unwrap(), noisy.step_pct.unwrap());
        assert!(
            (0.3..0.9).contains(&small) && (1.2..3.6).contains(&large),
            "{small} {large}"
        );
        assert!(quiet.bleed_pct.unwrap() > small, "{quiet:?}");
        let each = quiet.bleed_pct.unwrap() / quiet.releases as f64;
        assert_eq!(quiet.bleed_pct_per_release, Some(each));
    }

    #[test]
    fn an_old_release_that_ran_again_today_leaves_the_quarter_a_quarter() {
        let (names, values) = (names(365), series(&mut Seeded::new(77), 0.01, 365, |_| 1.0));
        let mut rows = rows(&names, &values);
        for again in [91, 182, 273] {
            rows[again].time_us = rows[364].time_us;
        }
        let spot = blind_spot(&rows, &LOWER).unwrap();
        assert!((85..=95).contains(&spot.rows), "{spot:?}");
    }

    #[test]
    fn what_the_series_itself_did_is_not_taken_for_the_injected_change() {
        let (flat, stepped) = (
            of(8, 0.01, 180, |_| 1.0).unwrap(),
            of(8, 0.01, 180, |i| if i < 130 { 1.0 } else { 1.2 }).unwrap(),
        );
        let (a, b) = (flat.step_pct.unwrap(), stepped.step_pct.unwrap());
        assert!((a / b).ln().abs() < 0.3, "{a} {b}");
        let jumped = of(8, 0.01, 180, |i| if i < 175 { 1.0 } else { 1.6 }).unwrap();
        let c = jumped.step_pct.unwrap();
        assert!((a / c).ln().abs() < 0.3, "{a} {c}");
    }

    #[test]
    fn of_new_series_with_a_change_of_the_named_size_four_in_five_are_told() {
        let mut random = Seeded::new(41);
        let (mut steps, mut bleeds, rounds) = (0, 0, 60);
        let named = names(180);
        for _ in 0..rounds {
            let known = series(&mut random, 0.01, 180, |_| 1.0);
            let spot = blind_spot(&rows(&named, &known), &LOWER).unwrap();
            let mut told = |percent: f64, share: &dyn Fn(usize) -> f64| {
                let values = series(&mut random, 0.01, 180, |i| 1.0 + percent / 100.0 * share(i));
                let changes = judge(&rows(&named, &values), &[], &LOWER);
                usize::from(
                    changes
                        .iter()
                        .any(|c| c.is_firm() && c.effect_pct.value > 0.0),
                )
            };
            let first = 180 - spot.rows;
            let step = |i: usize| if i < first { 0.0 } else { 1.0 };
            let bleed = |i: usize| (i + 1).saturating_sub(first) as f64 / spot.rows as f64;
            steps += told(spot.step_pct.unwrap(), &step);
            bleeds += told(spot.bleed_pct.unwrap(), &bleed);
        }
        let share = |told: usize| told as f64 / f64::from(rounds);
        assert!((0.68..=0.92).contains(&share(steps)), "{}", share(steps));
        assert!((0.68..=0.92).contains(&share(bleeds)), "{}", share(bleeds));
    }

    #[test]
    fn noise_with_memory_hides_more() {
        let mut random = Seeded::new(5);
        let lingering: Vec<f64> = random
            .autoregressive(180, 0.6)
            .iter()
            .map(|x| 100.0 * (0.01 * x).exp())
            .collect();
        let spot = blind_spot(&rows(&names(180), &lingering), &LOWER).unwrap();
        let plain = of(8, 0.01, 180, |_| 1.0).unwrap();
        assert!(spot.step_pct.unwrap() > 1.3 * plain.step_pct.unwrap());
    }

    #[test]
    fn too_little_history_has_no_blind_spot_to_name() {
        assert_eq!(of(8, 0.01, 100, |_| 1.0), None);
        assert!(of(8, 0.01, 120, |_| 1.0).is_some());
    }

    #[test]
    fn a_long_series_is_tried_at_its_newest_end() {
        let spot = of(8, 0.01, 1_000, |_| 1.0).unwrap();
        assert_eq!(spot.rows, 91);
        let dense: Vec<String> = names(2_000);
        let values = series(&mut Seeded::new(3), 0.01, 2_000, |_| 1.0);
        let mut often = rows(&dense, &values);
        for row in &mut often {
            row.time_us /= 24;
        }
        assert_eq!(blind_spot(&often, &LOWER).unwrap().rows, MOST_ROWS / 2);
    }

    #[test]
    fn the_search_ends_at_the_smallest_size_that_is_told_wherever_it_begins() {
        for guess in [0.01, 0.5, 3.0, 20.0, 500.0] {
            for edge in [0.1, 0.5, 0.56, 2.0, 30.0, 90.0] {
                let found = smallest(0.5, guess, |percent| percent >= edge).unwrap();
                assert!(
                    found >= edge && found <= (edge * FINER).max(0.5),
                    "{guess} {edge} {found}"
                );
            }
            assert_eq!(smallest(0.5, guess, |_| false), None);
        }
    }
}
