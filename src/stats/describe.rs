//! A step or a ramp as a change with its range, its confidence and its reason in plain words.
//!
//! Source: medians of the levels on both sides, with the errors of [`super::levels`]; likelihood for the range of
//! places. Assumes shapes of one stretch, in order. Smallest sample: what found the shape. Cannot see whose fault it is.

use std::ops::Range;

use super::bleed::{Ramp, Shape};
use super::judge::{Change, Kind, LEVEL_ROWS, Settings};
use super::levels::location_range;
use super::reading::{firm_evidence, place_price};
use super::signal::midmean_of;
use super::stretch::Stretch;
use super::tails::normal_quantile;
use super::wording;
use super::{CONFIDENCE, Direction, Interval};

/// What is believed less than this is not told, in hindsight either. It stays in the reading, since without it others
/// would be read wrongly.
const LEAST_CONFIDENCE: f64 = 0.001;

/// The standard error of a midmean of normal noise, in that of the mean (Rosenberger & Gasko 1983).
const MIDMEAN_ERROR: f64 = 1.09;

impl Stretch<'_> {
    /// What this stretch did, oldest first, without what is too small to matter.
    pub(super) fn changes(&self, settings: &Settings) -> Vec<Change> {
        let spans: Vec<(usize, usize)> = self.shapes.iter().map(Shape::span).collect();
        let described = self.shapes.iter().enumerate().filter_map(|(i, shape)| {
            // A ramp's ends may reach into its neighbour's level: each side keeps at least one row.
            let from = i
                .checked_sub(1)
                .map_or(0, |p| spans[p].1)
                .min(spans[i].0 - 1);
            let to = spans
                .get(i + 1)
                .map_or(self.rows.len(), |next| next.0)
                .max(spans[i].1 + 1);
            self.describe(shape, from, to, settings)
        });
        described.collect()
    }

    /// A shape as a change, between the level that begins at `from` and the one that ends at `to`; none where it is
    /// too small to matter.
    fn describe(
        &self,
        shape: &Shape,
        from: usize,
        to: usize,
        settings: &Settings,
    ) -> Option<Change> {
        let (first, last) = shape.span();
        let (shift, half, old) = self.shift(shape, from, to);
        let effect = Interval {
            value: shift,
            lower: shift - half,
            upper: shift + half,
        };
        let effect = Interval {
            value: self.signal.scale.percent(old, effect.value),
            lower: self.signal.scale.percent(old, effect.lower),
            upper: self.signal.scale.percent(old, effect.upper),
        };
        if effect.value.abs() < settings.minimum_pct {
            return None;
        }
        let (lo, hi, z) = match shape {
            Shape::Step(split) => {
                let (lo, hi) = location_range(&self.levels, from, split.at, to);
                (lo, hi, split.z.abs())
            }
            Shape::Ramp(ramp, z) => {
                let (lo, hi) = onset_range(ramp, shift, self.levels.long_run_variance(), from);
                (lo, hi, *z)
            }
        };
        let releases = self.releases(first, last);
        // Of a climb that begins with the second run nobody saw the level before: it was there from the first on.
        let (first, lo) = match shape {
            Shape::Ramp(..) if first == 1 => (0, 0),
            _ => (first, lo),
        };
        let slope =
            matches!(shape, Shape::Ramp(..)).then(|| per_release_pct(effect.value, releases));
        let kind = kind_of(shape, effect.value, settings.direction);
        let confidence = confidence(z * z - place_price(self.rows.len()));
        if confidence < LEAST_CONFIDENCE {
            return None;
        }
        let reason = self.reason(
            first,
            (lo, hi),
            slope.map(|slope| (slope, releases)),
            &effect,
            self.signal.scale.percent(old, self.signal.sd).abs(),
            settings.direction,
        );
        let place = |i: usize| self.places[i.min(self.places.len() - 1)];
        Some(Change {
            kind,
            index: place(first),
            onset_lo: place(lo),
            onset_hi: place(hi),
            end: place(last),
            effect_pct: effect,
            confidence,
            surplus: z * z - firm_evidence(self.rows.len()) - settings.least_surplus,
            slope_pct_per_release: slope,
            mean_error_pct: {
                let error = self.levels.error_of_mean(last + 1 - first);
                self.signal.scale.percent(old, error).abs()
            },
            releases,
            reason,
        })
    }

    /// Shift on the scale of the tests, half its range, and the level before. Steps by midmeans of the plain values,
    /// which wild points hardly move and drawing-in does not shorten.
    fn shift(&self, shape: &Shape, from: usize, to: usize) -> (f64, f64, f64) {
        let (first, last) = shape.span();
        let before = from.max(first.saturating_sub(LEVEL_ROWS))..first;
        let after = last.min(to - 1)..to.min(last + LEVEL_ROWS);
        let error = (self.levels.variance_of_mean(before.start, before.end)
            + self.levels.variance_of_mean(after.start, after.end))
        .sqrt();
        let half = normal_quantile(0.5 + CONFIDENCE / 2.0) * error;
        let level = |rows: Range<usize>| {
            midmean_of(&self.signal.plain[rows.clone()], &self.signal.weight[rows])
        };
        let old = level(before);
        match shape {
            Shape::Step(_) => (level(after) - old, MIDMEAN_ERROR * half, old),
            Shape::Ramp(ramp, _) => (ramp.shift, half.min(ramp.shift.abs()), old),
        }
    }

    /// How many releases lie from the one of row `first` to the one of row `last`, both counted.
    fn releases(&self, first: usize, last: usize) -> usize {
        1 + self.rows[first..=last.min(self.rows.len() - 1)]
            .windows(2)
            .filter(|w| w[0].release != w[1].release)
            .count()
    }

    fn reason(
        &self,
        first: usize,
        range: (usize, usize),
        slope: Option<(f64, usize)>,
        effect: &Interval,
        noise_pct: f64,
        direction: Direction,
    ) -> String {
        let name = |i: usize| self.rows[i].release;
        let whole = wording::change(effect);
        let noise = wording::percent(round_to_tenths(noise_pct));
        if let Some((slope, releases)) = slope {
            let each = wording::signed_percent(slope, slope.abs() / 4.0);
            let told = format!(
                "since {}, {releases} releases, {each} each, {whole} in all",
                name(first)
            );
            return if slope.abs() < noise_pct {
                format!("{told}; no single release exceeded the noise of ±{noise}")
            } else {
                format!("{told}, at a noise of ±{noise} between runs")
            };
        }
        let (earliest, latest) = (name(range.0), name(range.1));
        let with = if earliest == latest {
            format!("with {}", name(first))
        } else {
            format!("with one of {earliest} to {latest}")
        };
        let word = match (direction, effect.value > 0.0) {
            (Direction::Unknown, _) => "changed",
            (Direction::Lower, true) | (Direction::Higher, false) => "worse",
            _ => "better",
        };
        format!("{word} {with}: {whole}, at a noise of ±{noise} between runs")
    }
}

/// What each of so many releases adds to the one before, in per cent, where all of them together add `whole_pct`.
fn per_release_pct(whole_pct: f64, releases: usize) -> f64 {
    let releases = releases.max(1) as f64;
    let factor = 1.0 + whole_pct / 100.0;
    if factor > 0.0 {
        100.0 * (factor.ln() / releases).exp_m1()
    } else {
        // A level that fell to nought or below it went there in equal parts.
        whole_pct / releases
    }
}

fn round_to_tenths(percent: f64) -> f64 {
    if percent >= 0.1 {
        (10.0 * percent).round() / 10.0
    } else {
        (100.0 * percent).round() / 100.0
    }
}

/// What share of the changes with this evidence, beyond the price of their place, are real: a logistic curve through 970
/// findings of live replays with known truth (six sets of `cargo bench --bench detection` and the injected half of a
/// public benchmark). It ends at 99 of 100, since one in a hundred had another cause whatever the evidence.
fn confidence(evidence: f64) -> f64 {
    0.99 / (1.0 + ((12.5 - evidence) / 2.25).exp())
}

fn kind_of(shape: &Shape, effect: f64, direction: Direction) -> Kind {
    let better = match direction {
        Direction::Lower => effect < 0.0,
        Direction::Higher => effect > 0.0,
        Direction::Unknown => false,
    };
    match shape {
        _ if better => Kind::Improvement,
        Shape::Step(_) => Kind::Step,
        Shape::Ramp(..) => Kind::Bleed,
    }
}

/// Where a ramp may have begun: its kink is known to about (the noise over the slope, squared, times twelve) cubed
/// root of runs (the information of a kink's place in a straight climb), two such errors each way.
fn onset_range(ramp: &Ramp, shift: f64, variance: f64, from: usize) -> (usize, usize) {
    let width = (ramp.end - ramp.start) as f64;
    let slope = shift.abs() / width;
    let error = 2.0 * (4.0 * variance / (slope * slope * width)).sqrt();
    let first = ramp.start + 1;
    let reach = error.ceil().min(width) as usize;
    (
        first.saturating_sub(reach).max(from),
        (first + reach).min(ramp.end),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::super::judge::{Row, judge};
    use super::super::seeded::Seeded;
    use super::*;

    /// What is told of one release a day, with noise of one per cent.
    fn told(random: &mut Seeded, releases: usize, level: impl Fn(usize) -> f64) -> Vec<Change> {
        let names: Vec<String> = (0..releases).map(|i| format!("v{i}")).collect();
        let rows: Vec<Row<'_>> = (0..releases)
            .map(|i| Row {
                time_us: i as i64 * 86_400_000_000,
                release: &names[i],
                value: 100.0 * level(i) * (0.01 * random.normal()).exp(),
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
    fn forty_releases_that_each_cost_half_a_percent_are_a_bleed_though_nothing_was_measured_before()
    {
        let mut random = Seeded::new(401);
        let seen = (0..50).filter(|_| {
            let changes = told(&mut random, 40, |i| 1.004_f64.powi(i as i32));
            matches!(&changes[..], [only] if only.kind == Kind::Bleed && only.is_firm() && only.index < 12)
        });
        assert!(seen.count() >= 45);
    }

    #[test]
    fn a_climb_with_hardly_a_run_before_it_was_there_from_the_first() {
        let mut random = Seeded::new(403);
        let seen = (0..50).filter(|_| {
            let changes = told(&mut random, 60, |i| 1.005_f64.powi(i as i32));
            let [climb] = &changes[..] else { return false };
            let whole = 100.0 * (1.005_f64.powi(59) - 1.0);
            climb.kind == Kind::Bleed
                && (climb.index, climb.onset_lo) == (0, 0)
                && climb.reason.starts_with("since v0, 5")
                && (climb.effect_pct.value - whole).abs() < 0.15 * whole
        });
        assert!(seen.count() >= 33);
        // What has a level before it has its own first release.
        let begun = (0..50).filter(|_| {
            let changes = told(&mut random, 60, |i| 1.01_f64.powi(i.max(15) as i32));
            matches!(&changes[..], [climb] if climb.index.abs_diff(15) < 6)
        });
        assert!(begun.count() >= 45);
    }

    #[test]
    fn a_release_that_ends_a_climb_by_going_back_is_credited() {
        let mut random = Seeded::new(404);
        let credited = (0..50).filter(|_| {
            let climb = |i: usize| match i {
                0..120 => 1.0 + 0.002 * i.saturating_sub(60) as f64,
                _ => 1.0,
            };
            let changes = told(&mut random, 180, climb);
            matches!(&changes[..], [bleed, fix] if bleed.kind == Kind::Bleed && fix.kind == Kind::Improvement
                && fix.index.abs_diff(120) <= 2 && (fix.effect_pct.value + 10.7).abs() < 2.0)
        });
        assert!(credited.count() >= 40);
    }

    #[test]
    fn what_each_release_adds_makes_the_whole() {
        assert!((per_release_pct(33.1, 3) - 10.0).abs() < 1e-9);
        assert!((per_release_pct(-75.0, 2) + 50.0).abs() < 1e-9);
        assert!((per_release_pct(-100.0, 4) + 25.0).abs() < 1e-9);
    }

    #[test]
    fn releases_that_each_exceed_the_noise_are_not_said_to_hide_in_it() {
        let mut random = Seeded::new(402);
        for (each, hides) in [(1.004_f64, true), (1.05, false)] {
            let climb = |i: usize| each.powi(i.clamp(30, 70) as i32);
            let changes = told(&mut random, 100, climb);
            let [bleed] = &changes[..] else {
                panic!("{changes:?}")
            };
            assert_eq!(bleed.kind, Kind::Bleed);
            let says = bleed.reason.contains("no single release exceeded");
            assert_eq!(says, hides, "{}", bleed.reason);
        }
    }
}
