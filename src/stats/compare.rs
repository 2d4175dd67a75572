//! How two distributions differ, percentile by percentile.
//!
//! Source: the shift function (Doksum 1974; Wilcox 1995): quantile differences, here with MOVER ranges from each side's
//! order statistics. Assumes independent observations on both sides. Smallest sample: whatever each percentile needs
//! on both sides; others say what they lack. Cannot see that a run's samples share their run: between two releases
//! with one run each, the noise between runs comes on top.

use collectors::histogram::Histogram;

use super::difference::{change_pct, difference};
use super::percentile::percentile;
use super::{Interval, Needs};

/// One percentile on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// The quantile, 0 to 1.
    pub q: f64,
    /// The base's value in its unit, or what it would need.
    pub base: Result<Interval, Needs>,
    /// The head's.
    pub head: Result<Interval, Needs>,
    /// Head minus base in their unit, where both are known.
    pub difference: Option<Interval>,
    /// The same in per cent of the base.
    pub change_pct: Option<Interval>,
}

/// The percentiles that are worth a row, where the counts allow them.
pub const QUANTILES: [f64; 7] = [0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];

/// The confidence of each of so many ranges that hold together at `confidence` (Šidák 1967, whose inequality holds for
/// normal ranges that go together too).
pub fn simultaneous(confidence: f64, ranges: usize) -> f64 {
    confidence.powf(1.0 / ranges.max(1) as f64)
}

/// The distributions of two histograms, at each of [`QUANTILES`].
pub fn histograms(base: &Histogram, head: &Histogram, confidence: f64) -> Vec<Row> {
    compare(
        &QUANTILES,
        |q| percentile(base, q, confidence),
        |q| percentile(head, q, confidence),
    )
}

/// Puts percentiles of both sides beside each other; each side's function gives a quantile with its range.
pub fn compare(
    quantiles: &[f64],
    base: impl Fn(f64) -> Result<Interval, Needs>,
    head: impl Fn(f64) -> Result<Interval, Needs>,
) -> Vec<Row> {
    quantiles
        .iter()
        .map(|&q| {
            let (base, head) = (base(q), head(q));
            let both = base.ok().zip(head.ok());
            Row {
                q,
                base,
                head,
                difference: both.map(|(b, h)| difference(&b, &h)),
                change_pct: both.and_then(|(b, h)| change_pct(&b, &h)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::percentile::percentile_of;
    use super::super::seeded::Seeded;
    use super::*;

    fn side(sorted: &[f64], q: f64) -> Result<Interval, Needs> {
        let at = |rank: u64| sorted.get(rank as usize - 1).copied();
        percentile_of(
            sorted.len() as u64,
            q,
            0.95,
            |q| at((q * sorted.len() as f64).ceil() as u64),
            at,
        )
    }

    fn drawn(random: &mut Seeded, n: usize, tail: f64) -> Vec<f64> {
        let mut values: Vec<f64> = (0..n)
            .map(|_| {
                let u = random.uniform();
                100.0 + 10.0 * u + if u > 0.9 { tail } else { 0.0 }
            })
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn ranges_that_hold_together_are_all_right_as_often_as_they_say() {
        const ASKED: [f64; 5] = [0.5, 0.75, 0.9, 0.95, 0.99];
        let each = simultaneous(0.95, ASKED.len());
        let mut random = Seeded::new(17);
        let of = |sorted: &[f64], q: f64| {
            let at = |rank: u64| sorted.get(rank as usize - 1).copied();
            let n = sorted.len() as u64;
            percentile_of(n, q, each, |q| at((q * n as f64).ceil() as u64), at)
        };
        let wrong = (0..400).filter(|_| {
            let (base, head) = (drawn(&mut random, 900, 5.0), drawn(&mut random, 900, 5.0));
            let rows = compare(&ASKED, |q| of(&base, q), |q| of(&head, q));
            rows.iter()
                .filter_map(|row| row.difference)
                .any(|difference| difference.lower > 0.0 || difference.upper < 0.0)
        });
        let wrong = wrong.count();
        // 5 in 100 at most; four standard deviations of chance above twenty.
        assert!(wrong <= 37, "{wrong} of 400");
    }

    #[test]
    fn a_slower_tail_shows_in_the_tail_alone() {
        let mut random = Seeded::new(4);
        let (base, head) = (
            drawn(&mut random, 3_000, 0.0),
            drawn(&mut random, 3_000, 50.0),
        );
        let rows = compare(&QUANTILES, |q| side(&base, q), |q| side(&head, q));
        let change = |q: f64| {
            rows.iter()
                .find(|r| r.q == q)
                .and_then(|r| r.change_pct)
                .expect("both sides carry it")
        };
        assert!(change(0.5).lower < 0.0 && change(0.5).upper > 0.0);
        assert!(change(0.95).lower > 40.0 && change(0.95).upper < 50.0);
    }

    #[test]
    fn a_percentile_that_one_side_cannot_carry_has_no_difference() {
        let mut random = Seeded::new(4);
        let (base, head) = (drawn(&mut random, 3_000, 0.0), drawn(&mut random, 40, 0.0));
        let rows = compare(&[0.75, 0.99], |q| side(&base, q), |q| side(&head, q));
        assert!(rows[0].difference.is_some());
        assert_eq!(
            (rows[1].head, rows[1].difference),
            (Err(Needs::samples(368)), None)
        );
    }

    #[test]
    fn equal_distributions_differ_as_rarely_as_the_range_promises() {
        let mut random = Seeded::new(12);
        let beyond: u32 = (0..600)
            .map(|_| {
                let (base, head) = (drawn(&mut random, 200, 0.0), drawn(&mut random, 300, 0.0));
                let found = compare(&[0.75], |q| side(&base, q), |q| side(&head, q))[0]
                    .difference
                    .expect("carried");
                u32::from(found.lower > 0.0 || found.upper < 0.0)
            })
            .sum();
        assert!(beyond <= 42, "{beyond} of 600");
    }
}
