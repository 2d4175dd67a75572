//! A series' own noise, with changes of known size put into it.
//!
//! Source: the circular block bootstrap with one block (Politis & Romano 1992): the noise is turned to begin elsewhere,
//! which keeps its memory, its tails and its ties, but for one seam. Assumes that noise stays as it was and that what
//! the detector sees in the series is all that is in it. Smallest sample: what [`super::stretch`] needs. Cannot see
//! noise that the series has not had yet.

use super::Direction;
use super::change_point::LEVEL_RUNS;
use super::judge::{Change, Kind, Row};
use super::signal::Scale;
use super::stretch::Stretch;

/// How an injected change is told to be the one that was found: a third to three times its size.
const ALIKE: f64 = 3.0;

/// The noise of one epoch's stretch.
#[derive(Debug, Clone)]
pub(super) struct Quiet<'a> {
    rows: Vec<Row<'a>>,
    noise: Vec<f64>,
    level: f64,
    scale: Scale,
    /// Standard deviation of the noise, in per cent of the level.
    pub(super) noise_pct: f64,
}

impl<'a> Quiet<'a> {
    /// The noise of the newest `most` of an epoch's `rows`, without what was found in them; none where they are too few
    /// for any change.
    pub(super) fn of(rows: &[Row<'a>], most: usize) -> Option<Self> {
        let rows = &rows[rows.len().saturating_sub(most)..];
        let stretch = Stretch::of(rows)?;
        // A gross change that is not yet a level has not been taken out.
        let end = stretch
            .splits
            .last()
            .map(|split| split.at)
            .filter(|at| stretch.rows.len() - at < LEVEL_RUNS)
            .unwrap_or(stretch.rows.len());
        let mut noise = stretch.noise();
        let level = stretch.signal.plain.get(end.checked_sub(1)?)? - noise[end - 1];
        noise.truncate(end);
        let (sd, scale) = (stretch.signal.sd, stretch.signal.scale);
        let mut rows = stretch.rows;
        rows.truncate(end);
        // Runs stand in the order of their releases, and an old release may run again: a quarter is counted in runs one after
        // the other.
        let mut times: Vec<i64> = rows.iter().map(|row| row.time_us).collect();
        times.sort_unstable();
        for (row, time_us) in rows.iter_mut().zip(times) {
            row.time_us = time_us;
        }
        Some(Self {
            rows,
            noise,
            level,
            scale,
            noise_pct: scale.percent(level, sd).abs(),
        })
    }

    pub(super) fn rows(&self) -> &[Row<'a>] {
        &self.rows
    }

    /// Where the `number`th of `paths` turns begins.
    pub(super) fn turn(&self, number: usize, paths: usize) -> usize {
        number * self.noise.len() / paths
    }

    /// The noise turned by so many rows, with a change of `percent`, of which `share` tells how much a row has.
    pub(super) fn with(
        &self,
        turn: usize,
        percent: f64,
        share: impl Fn(usize) -> f64,
    ) -> Vec<Row<'a>> {
        let n = self.noise.len();
        let row = |i: usize| {
            let from = (i + turn) % n;
            let quiet = self.scale.value(self.level + self.noise[from]);
            let value = match self.scale {
                Scale::Power { .. } => quiet * (1.0 + percent / 100.0).powf(share(i)),
                Scale::Units(unit) => quiet + percent / 100.0 * unit * whole(self.level) * share(i),
            };
            Row {
                value,
                count: self.rows[from].count,
                se: self.rows[from].se,
                ..self.rows[i]
            }
        };
        (0..n).map(row).collect()
    }
}

/// What a share is a share of where the level may be nought: then of the unit.
fn whole(level: f64) -> f64 {
    if level.abs() > 1e-12 {
        level.abs()
    } else {
        1.0
    }
}

/// A worsening of so many per cent, signed: where higher is better it falls by as much as would undo the rise.
pub(super) fn worsening(percent: f64, direction: Direction) -> f64 {
    if direction == Direction::Higher {
        100.0 * (1.0 / (1.0 + percent / 100.0) - 1.0)
    } else {
        percent
    }
}

/// Whether a change is the one of `percent` that was put in from row `first` on.
pub(super) fn is_injected(change: &Change, first: usize, percent: f64) -> bool {
    let found = change.effect_pct.value;
    change.kind != Kind::Epoch
        && change.onset_hi.max(change.end) >= first
        && found.signum() == percent.signum()
        && (percent.abs() / ALIKE..=percent.abs() * ALIKE).contains(&found.abs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::seeded::Seeded;
    use super::*;

    fn rows(values: &[f64]) -> Vec<Row<'static>> {
        (0..values.len())
            .map(|i| Row {
                time_us: i as i64 * 86_400_000_000,
                release: "v1",
                value: values[i],
                count: Some(i as u64),
                se: None,
            })
            .collect()
    }

    #[test]
    fn a_turned_path_holds_the_same_noise_at_the_newest_level() {
        let mut random = Seeded::new(1);
        let level = |i: usize| if i < 60 { 100.0 } else { 150.0 };
        let values: Vec<f64> = (0..120)
            .map(|i| level(i) * (0.01 * random.normal()).exp())
            .collect();
        let quiet = Quiet::of(&rows(&values), 1_000).unwrap();
        let path = quiet.with(quiet.turn(1, 4), 0.0, |_| 0.0);
        assert!(path.iter().all(|row| (row.value / 150.0).ln().abs() < 0.05));
        assert_eq!(path[0].count, Some(30));
        assert_eq!(path[0].time_us, 0);
        assert!((0.5..2.0).contains(&quiet.noise_pct));
    }

    #[test]
    fn what_just_jumped_is_left_out_until_it_is_a_level() {
        let mut random = Seeded::new(2);
        let values: Vec<f64> = (0..104)
            .map(|i| if i < 100 { 1.0 } else { 1.5 } * (0.01 * random.normal()).exp())
            .collect();
        let quiet = Quiet::of(&rows(&values), 1_000).unwrap();
        assert_eq!(quiet.rows().len(), 100);
        assert!(
            quiet
                .with(0, 0.0, |_| 0.0)
                .iter()
                .all(|row| row.value < 1.1)
        );
    }

    #[test]
    fn zeros_stay_where_they_were_and_a_change_is_added_in_units_of_the_level() {
        let values: Vec<f64> = (0..60)
            .map(|i| if i % 3 == 0 { 0.0 } else { 0.2 })
            .collect();
        let quiet = Quiet::of(&rows(&values), 1_000).unwrap();
        let (as_is, more) = (
            quiet.with(0, 0.0, |_| 0.0),
            quiet.with(0, 50.0, |i| if i < 30 { 0.0 } else { 1.0 }),
        );
        assert!((as_is[0].value - more[0].value).abs() < 1e-12);
        assert!(more[45].value > as_is[45].value);
    }

    #[test]
    fn what_is_worse_where_higher_is_better_mirrors() {
        let worse = worsening(25.0, Direction::Higher);
        assert!((worse + 20.0).abs() < 1e-9);
        assert_eq!(worsening(25.0, Direction::Lower), 25.0);
    }
}
