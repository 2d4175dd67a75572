//! A percentile as if the same visitors had come as then.
//!
//! Source: post-stratification (Holt & Smith 1979) with Kish's effective sample size (1965). Assumes that within a
//! stratum (device, country group, navigation type) visitors are alike then and now. Smallest sample: the percentile's
//! own, in effective samples. Cannot see a change of mix inside a stratum; strata that nobody visited now are left out
//! and their share is told.

use collectors::histogram::Histogram;

use super::percentile::weighted_percentile;
use super::{Interval, Needs};

/// One class of visitors in the window.
#[derive(Debug, Clone, PartialEq)]
pub struct Stratum {
    /// Its share of the reference mix; shares need not add up to 1.
    pub reference_share: f64,
    /// What was observed now: lower edge, upper edge and count of each bucket, ascending, in base units.
    pub buckets: Vec<(f64, f64, u64)>,
}

impl Stratum {
    /// A stratum of the reference mix with what was observed of it now.
    pub fn of(reference_share: f64, histogram: &Histogram) -> Self {
        // A bucket holds whole numbers up to its upper edge, which stand for half a unit around them.
        let buckets = histogram
            .buckets()
            .map(|(low, high, count)| (low as f64 - 0.5, high as f64 + 0.5, count))
            .collect();
        Self {
            reference_share,
            buckets,
        }
    }

    fn count(&self) -> f64 {
        self.buckets.iter().map(|(_, _, n)| *n as f64).sum()
    }
}

/// A re-weighted percentile with what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reweighted {
    /// The percentile in base units.
    pub interval: Interval,
    /// How many independent samples of the reference mix the evidence is worth.
    pub effective: f64,
    /// The share of the reference mix of which nobody came, and which is therefore not in it.
    pub uncovered: f64,
}

/// Percentile `q` of the window, its strata weighted to the reference mix.
///
/// # Errors
/// [`Needs`] with the effective samples it takes, where they are too few.
pub fn reweighted(strata: &[Stratum], q: f64, confidence: f64) -> Result<Reweighted, Needs> {
    let asked: f64 = strata.iter().map(|s| s.reference_share.max(0.0)).sum();
    let seen: Vec<(&Stratum, f64)> = strata
        .iter()
        .filter(|s| s.reference_share > 0.0)
        .map(|s| (s, s.count()))
        .filter(|(_, n)| *n > 0.0)
        .collect();
    let covered: f64 = seen.iter().map(|(s, _)| s.reference_share).sum();
    let effective = effective_samples(seen.iter().map(|(s, n)| (s.reference_share / n, *n)));
    let cells = weighted_cells(&seen, covered);
    let interval = weighted_percentile(effective, q, confidence, |p| at(&cells, p))?;
    Ok(Reweighted {
        interval,
        effective,
        uncovered: if asked > 0.0 {
            1.0 - covered / asked
        } else {
            0.0
        },
    })
}

/// Kish's effective sample size of groups of `(weight of one sample, samples)`: the square of the sum of weights over
/// the sum of their squares. Equal weights give the count itself.
pub fn effective_samples(groups: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let (sum, squares) = groups
        .into_iter()
        .fold((0.0, 0.0), |(s, q), (w, n)| (s + w * n, q + w * w * n));
    if squares > 0.0 {
        sum * sum / squares
    } else {
        0.0
    }
}

/// Buckets of all strata as ascending, non-overlapping cells with the probability in each.
fn weighted_cells(seen: &[(&Stratum, f64)], covered: f64) -> Vec<(f64, f64, f64)> {
    let mut cells: Vec<(f64, f64, f64)> = Vec::new();
    for (stratum, n) in seen {
        let weight = stratum.reference_share / covered / n;
        cells.extend(
            stratum
                .buckets
                .iter()
                .map(|(low, high, count)| (*low, *high, *count as f64 * weight)),
        );
    }
    cells.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    // HDR buckets of all strata share one layout, so equal edges are the same bucket.
    cells.dedup_by(|next, kept| {
        let same = next.0 == kept.0 && next.1 == kept.1;
        if same {
            kept.2 += next.2;
        }
        same
    });
    cells
}

/// The value below which the share `p` of the weighted observations lies, interpolated inside its cell.
fn at(cells: &[(f64, f64, f64)], p: f64) -> Option<f64> {
    let mut below = 0.0;
    for (low, high, mass) in cells {
        if below + mass >= p && *mass > 0.0 {
            return Some(low + (high - low) * ((p - below) / mass).clamp(0.0, 1.0));
        }
        below += mass;
    }
    cells.last().map(|(_, high, _)| *high)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// `n` visitors spread evenly over a range of ten from `from`.
    fn class(reference_share: f64, from: f64, n: u64) -> Stratum {
        let buckets = (0..10)
            .map(|i| (from + f64::from(i), from + f64::from(i) + 1.0, n / 10))
            .collect();
        Stratum {
            reference_share,
            buckets,
        }
    }

    #[test]
    fn people_changing_phones_is_not_a_regression() {
        // Then half of the visitors had slow phones; now nine of ten have, and each class is as fast as ever.
        let then = reweighted(
            &[class(0.5, 100.0, 5_000), class(0.5, 200.0, 5_000)],
            0.75,
            0.95,
        )
        .unwrap();
        let now = reweighted(
            &[class(0.5, 100.0, 1_000), class(0.5, 200.0, 9_000)],
            0.75,
            0.95,
        )
        .unwrap();
        assert!(
            (then.interval.value - now.interval.value).abs() < 0.2,
            "{then:?} {now:?}"
        );
        assert!(now.effective < 4_000.0 && now.interval.half_width() > then.interval.half_width());
    }

    #[test]
    fn a_histogram_alone_keeps_its_percentile() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|value| histogram.record(value).unwrap());
        let found = reweighted(&[Stratum::of(1.0, &histogram)], 0.75, 0.95).unwrap();
        assert!((found.interval.value - 750.0).abs() <= 0.5, "{found:?}");
    }

    #[test]
    fn the_mix_as_it_is_gives_the_plain_percentile() {
        let found = reweighted(
            &[class(0.2, 100.0, 2_000), class(0.8, 200.0, 8_000)],
            0.5,
            0.95,
        )
        .unwrap();
        assert!((found.effective - 10_000.0).abs() < 1e-6);
        assert!((found.interval.value - 203.75).abs() < 1e-6);
    }

    #[test]
    fn a_class_that_stayed_away_is_left_out_and_told() {
        let found = reweighted(
            &[class(0.75, 100.0, 1_000), class(0.25, 200.0, 0)],
            0.5,
            0.95,
        )
        .unwrap();
        assert!((found.uncovered - 0.25).abs() < 1e-12);
        assert!((found.interval.value - 105.0).abs() < 1e-6);
    }

    #[test]
    fn a_handful_that_stands_for_many_is_refused() {
        assert_eq!(
            reweighted(
                &[class(0.9, 100.0, 10), class(0.1, 200.0, 90_000)],
                0.75,
                0.95
            )
            .map(|r| r.effective),
            Err(Needs::samples(13))
        );
        assert_eq!(
            reweighted(&[], 0.75, 0.95).map(|r| r.effective),
            Err(Needs::samples(13))
        );
    }
}
