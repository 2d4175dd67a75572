//! A long stretch, read in windows that overlap by half.
//!
//! Source: the practice of batch detectors on streams; what makes it sound is that each change is told by the one window
//! that has at least a quarter of itself on both sides of it. Assumes that what a level is can be told from
//! [`WINDOW`] runs. Smallest sample: more than [`LONGEST`] runs; below that one reading sees all. Cannot see a climb that is
//! within the noise of a whole window; those that windows see in part are joined.
//!
//! One reading weighs a dozen changes; years of runs have more, and each that goes unseen hides others. Windows lie at
//! fixed places and are read by their own rows alone, so what is long past stays as it was told, and a new run costs the
//! reading of the newest window: the others are remembered by their contents.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::bleed::Shape;
use super::levels::{Levels, Split};
use super::precision::Precision;
use super::reading::{LASTING_RUNS, Reading, evened, left_over};
use super::serial::Memory;
use super::signal::{Scale, Signal};

/// Up to so many runs are read at once.
pub(super) const LONGEST: usize = 1_500;

/// Runs of a window; the newest one has up to half as many more.
const WINDOW: usize = 1_000;

/// How far apart windows begin.
const HOP: usize = WINDOW / 2;

/// Where the window begins that tells the newest changes of so many rows: at a fixed place, with as many rows before it
/// as any.
fn newest_window(rows: usize) -> usize {
    if rows <= LONGEST {
        return 0;
    }
    (rows - WINDOW) / HOP * HOP
}

/// Reads a stretch of any length: its signal, the values, times and precisions that this was made of, and the releases'
/// numbers, ascending.
pub(super) fn read(
    signal: &Signal,
    values: &[f64],
    times_us: &[i64],
    precision: &[Precision],
    releases: &[usize],
) -> Reading {
    let n = signal.tame.len();
    if n <= LONGEST {
        return Reading::of(signal, releases);
    }
    // One scale for all windows, so that their sizes are of one kind.
    let scale = signal.scale;
    let scaled = scale.put(values);
    let (mut shapes, mut splits): (Vec<Shape>, Vec<Split>) = Default::default();
    let newest = newest_window(n);
    for start in (0..=newest).step_by(HOP) {
        let end = if start == newest { n } else { start + WINDOW };
        let own = Range {
            start: if start == 0 { 0 } else { start + HOP / 2 },
            end: if start == newest { n } else { end - HOP / 2 },
        };
        let rows = Rows {
            scaled: &scaled[start..end],
            scale,
            times_us: &times_us[start..end],
            precision: &precision[start..end],
            releases: &releases[start..end],
        };
        let seen = if start == newest {
            Arc::new(rows.read())
        } else {
            SEEN.of(&rows)
        };
        for shape in &seen.shapes {
            add(&mut shapes, shape.moved(start), &own);
        }
        for split in &seen.splits {
            let split = split.moved(start);
            let is_known = splits
                .last()
                .is_some_and(|known| split.at < known.at + LASTING_RUNS);
            if is_near(&own, split.at) && !is_known {
                splits.push(split);
            }
        }
    }
    let plain = Levels::of(signal, &Memory::none(&signal.even));
    let noise = left_over(signal, &plain, &shapes);
    Reading {
        levels: Levels::of(signal, &Memory::fit(&evened(&signal.weight, noise))),
        splits,
        shapes,
    }
}

/// What a window is read from.
struct Rows<'a> {
    scaled: &'a [f64],
    scale: Scale,
    times_us: &'a [i64],
    precision: &'a [Precision],
    releases: &'a [usize],
}

/// What was seen in a window, by its own rows.
struct Seen {
    splits: Vec<Split>,
    shapes: Vec<Shape>,
}

impl Rows<'_> {
    fn read(&self) -> Seen {
        let scaled = self.scaled.to_vec();
        let signal = Signal::of_scaled(scaled, self.scale, self.times_us, self.precision);
        let reading = Reading::of(&signal, self.releases);
        Seen {
            splits: reading.splits,
            shapes: reading.shapes,
        }
    }

    /// Rows with the same fingerprint are read alike, whatever came after them.
    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let first = self.releases.first().copied().unwrap_or_default();
        self.times_us.hash(&mut hasher);
        for (x, release) in self.scaled.iter().zip(self.releases) {
            x.to_bits().hash(&mut hasher);
            (release - first).hash(&mut hasher);
        }
        for row in self.precision {
            row.count.hash(&mut hasher);
            row.variance.to_bits().hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Windows that were read before: those of the past are the same with every new run.
struct Known(LazyLock<Mutex<HashMap<u64, Arc<Seen>>>>);

static SEEN: Known = Known(LazyLock::new(Mutex::default));

/// Windows that are kept, some hundred bytes each; when there are more, all are read again.
const KEPT: usize = 20_000;

impl Known {
    fn of(&self, rows: &Rows<'_>) -> Arc<Seen> {
        let fingerprint = rows.fingerprint();
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = known().get(&fingerprint) {
            return seen.clone();
        }
        let seen = Arc::new(rows.read());
        let mut known = known();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(fingerprint, seen.clone());
        seen
    }
}

/// Whether a change is a window's own to tell; two windows may place it a few rows to either side of their border.
fn is_near(own: &Range<usize>, row: usize) -> bool {
    (own.start.saturating_sub(LASTING_RUNS)..own.end + LASTING_RUNS).contains(&row)
}

/// Whether a window tells a shape that none before it has told. Of a climb that began near the end of the one before too
/// little was seen there.
fn is_told_here(own: &Range<usize>, shape: &Shape) -> bool {
    let first = shape.span().0;
    let is_climb = matches!(shape, Shape::Ramp(..));
    is_near(own, first) || (is_climb && first < own.start)
}

/// Adds what a window with these rows of its own saw, once.
fn add(shapes: &mut Vec<Shape>, shape: Shape, own: &Range<usize>) {
    let first = shape.span().0;
    let known = shapes.last().copied();
    let alike = known.filter(|known| {
        let reach = known.span().1.max(known.span().0 + LASTING_RUNS);
        first < reach && known.shift() * shape.shift() > 0.0
    });
    if let (Some(joined), Some(place)) = (
        alike.and_then(|known| known.joined(shape)),
        shapes.last_mut(),
    ) {
        *place = joined;
    } else if let (Some(known), Some(place)) = (alike, shapes.last_mut()) {
        let is_clearer = is_told_here(own, &shape) && shape.evidence() > known.evidence();
        let before_reach = known.span().1 <= shape.span().1;
        if is_clearer && before_reach {
            *place = shape;
        }
    } else if is_told_here(own, &shape) && known.is_none_or(|known| first >= known.span().1) {
        shapes.push(shape);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::super::Direction;
    use super::super::judge::{Change, Kind, Row, Settings, judge};
    use super::super::seeded::Seeded;
    use super::*;

    fn told(values: &[f64]) -> Vec<Change> {
        let names: Vec<String> = (0..values.len()).map(|i| format!("v{}", i / 2)).collect();
        let rows: Vec<Row<'_>> = names
            .iter()
            .zip(values)
            .enumerate()
            .map(|(i, (release, value))| Row {
                time_us: i as i64 * 21_600_000_000,
                release,
                value: *value,
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

    fn series(seed: u64, n: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut random = Seeded::new(seed);
        (0..n)
            .map(|i| 100.0 * level(i) * (0.01 * random.normal()).exp())
            .collect()
    }

    #[test]
    fn windows_overlap_by_half_and_the_newest_has_a_thousand_runs() {
        assert_eq!(newest_window(1_500), 0);
        assert_eq!(newest_window(1_501), 500);
        assert_eq!(newest_window(1_999), 500);
        assert_eq!(newest_window(2_000), 1_000);
    }

    #[test]
    fn of_thirty_steps_in_ten_thousand_runs_each_is_told_once_where_it_is() {
        let at: Vec<usize> = (1..=30).map(|k| 330 * k).collect();
        let values = series(1, 10_000, |i| {
            let step = at.iter().filter(|at| **at <= i).count();
            if step % 2 == 0 { 1.0 } else { 1.04 }
        });
        let changes = told(&values);
        assert_eq!(changes.len(), at.len(), "{changes:?}");
        for (change, at) in changes.iter().zip(at) {
            assert!(
                change.index.abs_diff(at) <= 3 && change.is_firm(),
                "{change:?}"
            );
        }
    }

    #[test]
    fn a_step_at_a_border_is_told_once() {
        for at in 740..=760 {
            let values = series(at as u64, 1_600, |i| if i < at { 1.0 } else { 1.02 });
            let changes = told(&values);
            let [step] = &changes[..] else {
                panic!("at {at}: {changes:?}")
            };
            assert!(step.index.abs_diff(at) <= 6, "at {at}: {step:?}");
        }
    }

    #[test]
    fn a_bleed_through_three_windows_is_one() {
        let values = series(3, 3_000, |i| {
            1.0 + 0.2 * (i.saturating_sub(600).min(1_200)) as f64 / 1_200.0
        });
        let changes = told(&values);
        let [bleed] = &changes[..] else {
            panic!("{changes:?}")
        };
        assert_eq!(bleed.kind, Kind::Bleed);
        assert!(
            bleed.index.abs_diff(600) < 60 && bleed.end.abs_diff(1_800) < 60,
            "{bleed:?}"
        );
        assert!((bleed.effect_pct.value - 20.0).abs() < 2.0, "{bleed:?}");
    }

    #[test]
    fn a_slow_bleed_stays_told_whatever_window_it_begins_in() {
        let bleed = |i: usize| 1.0 + 0.04 * i.saturating_sub(1_150) as f64 / 1_000.0;
        for seed in 5..10 {
            let values = series(seed, 3_200, bleed);
            for n in [1_990, 2_000, 2_010, 2_490, 2_500, 2_600, 3_200] {
                let changes = told(&values[..n]);
                let [only] = &changes[..] else {
                    panic!("seed {seed}, {n} runs: {changes:?}")
                };
                let is_told = only.kind == Kind::Bleed && only.is_firm();
                assert!(is_told && only.index.abs_diff(1_150) < 200, "{n}: {only:?}");
            }
        }
    }

    #[test]
    fn what_is_long_past_stays_as_it_was_told_whatever_comes() {
        let level = |i: usize| match i {
            0..400 => 1.0,
            400..1_300 => 1.03,
            _ => 1.0,
        };
        let values = series(4, 4_000, level);
        let past = |n: usize| {
            let changes = told(&values[..n]);
            let places = changes.iter().filter(|c| c.index < 1_400);
            places.map(|c| (c.kind, c.index)).collect::<Vec<_>>()
        };
        let known = past(2_300);
        assert_eq!(known.len(), 2, "{known:?}");
        for n in (2_400..=4_000).step_by(200) {
            assert_eq!(past(n), known, "with {n} runs");
        }
    }
}
