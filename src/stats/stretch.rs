//! One epoch's stretch of a series, read: its noise, its levels, its steps and ramps.
//!
//! Source: [`super::signal`] and [`super::reading`], put together. Assumes rows of one epoch in release order. Smallest
//! sample: twice [`LEVEL_RUNS`], or with a gross change fewer. Cannot see other
//! stretches; of levels that last a month each, steps below two and a half standard deviations of single runs are
//! mostly missed (see the tests), longer ones need less.

use super::bleed::Shape;
use super::change_point::{GROSS_RUNS, LEVEL_RUNS};
use super::judge::Row;
use super::levels::{Levels, Split};
use super::long;
use super::precision::Precision;
use super::reading::{Reading, left_over};
use super::signal::{Scale, Signal};

/// A stretch, ready to be asked.
pub(super) struct Stretch<'a> {
    pub(super) rows: Vec<Row<'a>>,
    /// Where each of them stands among all rows of the stretch.
    pub(super) places: Vec<usize>,
    pub(super) signal: Signal,
    pub(super) levels: Levels,
    pub(super) splits: Vec<Split>,
    pub(super) shapes: Vec<Shape>,
}

impl<'a> Stretch<'a> {
    /// None where there are too few rows for any change.
    pub(super) fn of(rows: &[Row<'a>]) -> Option<Self> {
        let places: Vec<usize> = (0..rows.len())
            .filter(|i| rows[*i].value.is_finite())
            .collect();
        let rows: Vec<Row<'a>> = places.iter().map(|i| rows[*i]).collect();
        if rows.len() < LEVEL_RUNS + GROSS_RUNS {
            return None;
        }
        let values: Vec<f64> = rows.iter().map(|r| r.value).collect();
        let times: Vec<i64> = rows.iter().map(|r| r.time_us).collect();
        let scale = Scale::of(&values);
        let precision: Vec<Precision> = rows.iter().map(|row| precision_of(row, &scale)).collect();
        let signal = Signal::of_scaled(scale.put(&values), scale, &times, &precision);
        let Reading {
            levels,
            splits,
            shapes,
        } = long::read(&signal, &values, &times, &precision, &numbered(&rows));
        Some(Self {
            rows,
            places,
            signal,
            levels,
            splits,
            shapes,
        })
    }

    /// The values as they came but for their weekday, on the scale of the tests, less everything that was found in them.
    pub(super) fn noise(&self) -> Vec<f64> {
        let left_over = left_over(&self.signal, &self.levels, &self.shapes);
        let drawn_in = self
            .signal
            .plain
            .iter()
            .zip(&self.signal.tame)
            .map(|(plain, tame)| plain - tame);
        let turns = self.signal.turns.iter().copied();
        left_over
            .iter()
            .zip(drawn_in)
            .zip(turns.chain(std::iter::repeat(0.0)))
            .map(|((left, wild), turn)| left + wild + turn)
            .collect()
    }

    /// When its rows were measured.
    pub(super) fn times_us(&self) -> Vec<i64> {
        self.rows.iter().map(|r| r.time_us).collect()
    }
}

fn precision_of(row: &Row<'_>, scale: &Scale) -> Precision {
    let se = row.se.map_or(0.0, |se| scale.put_error(row.value, se));
    Precision {
        count: row.count,
        variance: if se.is_finite() { se * se } else { 0.0 },
    }
}

/// The rows' releases, numbered in their order.
fn numbered(rows: &[Row<'_>]) -> Vec<usize> {
    let mut number = 0;
    (0..rows.len())
        .map(|i| {
            number += usize::from(i > 0 && rows[i].release != rows[i - 1].release);
            number
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::Direction;
    use super::super::judge::{Change, Kind, Settings, judge};
    use super::super::seeded::Seeded;
    use super::*;

    /// 105 days at three levels, of 40, 35 and 30 days.
    fn three_levels(random: &mut Seeded, noise: f64, up_pct: f64, down_pct: f64) -> Vec<Change> {
        let second = 2350.0 * (1.0 + up_pct / 100.0);
        let levels = [2350.0, second, second * (1.0 + down_pct / 100.0)];
        let names: Vec<String> = (0..105).map(|i| format!("v2.{}", i / 7)).collect();
        let rows: Vec<Row<'_>> = (0..105)
            .map(|i| Row {
                time_us: i as i64 * 86_400_000_000,
                release: &names[i],
                value: levels[usize::from(i >= 40) + usize::from(i >= 75)]
                    * (noise * random.normal()).exp(),
                count: None,
                se: None,
            })
            .collect();
        let settings = Settings {
            direction: Direction::Lower,
            minimum_pct: 0.5,
            least_surplus: 0.0,
        };
        judge(&rows, &[], &settings)
    }

    #[test]
    fn steps_between_levels_of_a_month_are_not_taken_for_memory() {
        let mut random = Seeded::new(2026);
        for round in 0..30 {
            let changes = three_levels(&mut random, 0.014, 8.6, -13.0);
            let [up, down] = &changes[..] else {
                panic!("{changes:?} in {round}")
            };
            assert!(up.kind == Kind::Step && up.index.abs_diff(40) <= 1 && up.is_firm());
            assert!((up.effect_pct.value - 8.6).abs() < 1.5, "{up:?}");
            assert!(
                down.kind == Kind::Improvement && down.index.abs_diff(75) <= 1 && down.is_firm()
            );
            assert!((down.effect_pct.value + 13.0).abs() < 1.5, "{down:?}");
        }
    }

    /// Of 100 series, in how many a step of so many standard deviations and one of half as many more are both seen.
    fn seen(deviations: f64) -> usize {
        let mut random = Seeded::new(71);
        (0..100)
            .filter(|_| {
                let changes = three_levels(&mut random, 0.014, 1.4 * deviations, -2.1 * deviations);
                let near = |at: usize| changes.iter().any(|c| c.index.abs_diff(at) <= 4);
                near(40) && near(75)
            })
            .count()
    }

    #[test]
    fn a_month_at_a_level_shows_steps_from_three_standard_deviations_up() {
        let (two, three, four) = (seen(2.0), seen(3.0), seen(4.0));
        assert!(
            two >= 30 && three >= 90 && four >= 97,
            "{two}, {three}, {four}"
        );
    }
}
