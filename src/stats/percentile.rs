//! A percentile with its order-statistic interval, or what it would need.
//!
//! Source: W. R. Thompson (1936), "On confidence ranges for the median"; David & Nagaraja, *Order Statistics*, 7.1.
//! Assumes independent observations of one continuous distribution, and nothing about its shape. Smallest sample:
//! [`samples_needed`] (13 for P75 and 368 for P99 at 95 %): below it one end of the interval would not exist.
//! Cannot see dependence within a run: a run's samples share its machine and minute, so an interval over them says
//! how well *that run* is known. Between runs, use [`super::runs`].

use collectors::histogram::Histogram;

use super::tails::{binomial_quantile, normal_quantile};
use super::{Interval, Needs};

/// The two ranks (1-based, of `n`) whose values enclose the quantile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankBounds {
    /// Rank of the lower end.
    pub lower: u64,
    /// Rank of the upper end.
    pub upper: u64,
}

/// How many samples a two-sided interval for quantile `q` takes: each end needs a rank beyond which the sample may lie
/// wholly on one side with probability at most half of what the confidence leaves.
///
/// `samples_needed(0.99, 0.95)` is 368.
pub fn samples_needed(q: f64, confidence: f64) -> u64 {
    let tail = (1.0 - confidence) / 2.0;
    let widest = q.max(1.0 - q);
    (tail.ln() / widest.ln()).ceil().clamp(1.0, u64::MAX as f64) as u64
}

/// The ranks that enclose quantile `q` of `n` samples at this confidence.
///
/// # Errors
/// [`Needs`] with the samples it takes, where `n` is too small.
pub fn rank_bounds(n: u64, q: f64, confidence: f64) -> Result<RankBounds, Needs> {
    let needed = samples_needed(q, confidence);
    if n < needed {
        return Err(Needs::samples(needed));
    }
    let tail = (1.0 - confidence) / 2.0;
    // P(fewer than l below the quantile) <= tail, and P(u or more below it) <= tail.
    let lower = binomial_quantile(tail, n, q).max(1);
    let upper = (binomial_quantile(1.0 - tail, n, q) + 1).min(n);
    Ok(RankBounds { lower, upper })
}

/// Percentile `q` of a histogram with its interval, in the histogram's base unit.
///
/// # Errors
/// [`Needs`] with the samples it takes, where the histogram holds too few.
pub fn percentile(histogram: &Histogram, q: f64, confidence: f64) -> Result<Interval, Needs> {
    let (quantile, rank) = (
        |q| histogram.quantile(q),
        |rank| histogram.value_at_rank(rank),
    );
    percentile_of(histogram.count(), q, confidence, quantile, rank)
}

/// Percentile `q` of `n` samples with its interval, where `quantile_of` gives the value at a quantile and `at_rank`
/// the value at a rank (1-based), both as the histogram interpolates them, in its base unit.
///
/// # Errors
/// [`Needs`] with the samples it takes, where there are too few.
pub fn percentile_of(
    n: u64,
    q: f64,
    confidence: f64,
    quantile_of: impl Fn(f64) -> Option<f64>,
    at_rank: impl Fn(u64) -> Option<f64>,
) -> Result<Interval, Needs> {
    let bounds = rank_bounds(n, q, confidence)?;
    match (quantile_of(q), at_rank(bounds.lower), at_rank(bounds.upper)) {
        (Some(value), Some(lower), Some(upper)) => Ok(Interval {
            value,
            lower: lower.min(value),
            upper: upper.max(value),
        }),
        _ => Err(Needs::samples(samples_needed(q, confidence))),
    }
}

/// Percentile `q` of weighted or pooled evidence worth `effective` independent samples (Kish), where `quantile_of`
/// gives the value at any quantile of the weighted distribution. The ends stand at the quantiles that the ranks of an
/// unweighted sample of that size would have.
///
/// # Errors
/// [`Needs`] with the samples it takes, where the evidence is worth too few.
pub fn weighted_percentile(
    effective: f64,
    q: f64,
    confidence: f64,
    quantile_of: impl Fn(f64) -> Option<f64>,
) -> Result<Interval, Needs> {
    let needs = || Needs::samples(samples_needed(q, confidence));
    let n = effective.floor();
    let bounds = rank_bounds(n as u64, q, confidence)?;
    let at = |rank: u64| quantile_of(((rank as f64 - 0.5) / n).clamp(0.0, 1.0));
    match (quantile_of(q), at(bounds.lower), at(bounds.upper)) {
        (Some(value), Some(lower), Some(upper)) => Ok(Interval {
            value,
            lower: lower.min(value),
            upper: upper.max(value),
        }),
        _ => Err(needs()),
    }
}

/// What explicit buckets say of a percentile: no value, only where it must lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketRange {
    /// The lower edge of the bucket that holds the lower rank.
    pub lower: f64,
    /// The upper edge of the bucket that holds the upper rank; none in the last, open bucket: "at least `lower`".
    pub upper: Option<f64>,
}

/// Percentile `q` of counts in buckets `(bounds[i-1], bounds[i]]`, the last one open, with the sampling error counted in.
/// The first bucket begins at `floor` (0 for times and sizes).
///
/// # Errors
/// [`Needs`] with the samples it takes, where the buckets hold too few.
pub fn bucket_percentile(
    bounds: &[f64],
    counts: &[u64],
    floor: f64,
    q: f64,
    confidence: f64,
) -> Result<BucketRange, Needs> {
    let total = counts.iter().sum();
    let ranks = rank_bounds(total, q, confidence)?;
    let bucket_of = |rank: u64| {
        let mut seen = 0;
        counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })
    };
    let edge_below = |bucket: usize| {
        bucket
            .checked_sub(1)
            .and_then(|i| bounds.get(i).copied())
            .unwrap_or(floor)
    };
    let lower = bucket_of(ranks.lower).map_or(floor, edge_below);
    let upper = bucket_of(ranks.upper).and_then(|bucket| bounds.get(bucket).copied());
    Ok(BucketRange { lower, upper })
}

/// The standard error that an interval at this confidence stands for, as if it were normal; for weighting points.
pub fn standard_error(interval: &Interval, confidence: f64) -> f64 {
    let z = normal_quantile(0.5 + confidence / 2.0);
    interval.half_width() / z
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::seeded::Seeded;
    use super::*;

    #[test]
    fn the_smallest_samples_are_the_textbook_ones() {
        assert_eq!(samples_needed(0.5, 0.95), 6);
        assert_eq!(samples_needed(0.75, 0.95), 13);
        assert_eq!(samples_needed(0.99, 0.95), 368);
        assert_eq!(samples_needed(0.01, 0.95), 368);
    }

    #[test]
    fn a_p99_of_forty_samples_is_refused_with_its_need() {
        assert_eq!(rank_bounds(40, 0.99, 0.95), Err(Needs::samples(368)));
        assert_eq!(rank_bounds(367, 0.99, 0.95), Err(Needs::samples(368)));
        assert_eq!(rank_bounds(368, 0.99, 0.95).unwrap().upper, 368);
    }

    #[test]
    fn a_histogram_gives_the_ranks_of_its_values() {
        let mut histogram = Histogram::new();
        (1..=1_000).for_each(|value| histogram.record(value).unwrap());
        let found = percentile(&histogram, 0.75, 0.95).unwrap();
        let ranks = rank_bounds(1_000, 0.75, 0.95).unwrap();
        assert_eq!(
            found,
            Interval {
                value: 750.0,
                lower: ranks.lower as f64,
                upper: ranks.upper as f64
            }
        );
        assert_eq!(
            percentile(&Histogram::new(), 0.75, 0.95),
            Err(Needs::samples(13))
        );
    }

    #[test]
    fn the_interval_covers_the_true_quantile_as_often_as_it_says() {
        let mut random = Seeded::new(20_261_121);
        for (n, q) in [
            (13_u64, 0.75),
            (60, 0.75),
            (400, 0.99),
            (1_500, 0.99),
            (40, 0.5),
        ] {
            let (rounds, bounds) = (3_000, rank_bounds(n, q, 0.95).unwrap());
            let mut covered = 0;
            for _ in 0..rounds {
                // The ends enclose the quantile if as many of the sample lie below it as their ranks say.
                let below = (0..n).filter(|_| random.uniform() < q).count() as u64;
                covered += u32::from((bounds.lower..bounds.upper).contains(&below));
            }
            let share = f64::from(covered) / f64::from(rounds);
            assert!(share >= 0.95 - 0.010, "{share} at n = {n}, q = {q}");
        }
    }

    #[test]
    fn weighting_that_changes_nothing_gives_the_unweighted_interval() {
        let uniform = |p: f64| Some(p);
        let found = weighted_percentile(1_000.0, 0.75, 0.95, uniform).unwrap();
        let ranks = rank_bounds(1_000, 0.75, 0.95).unwrap();
        assert!((found.lower - ranks.lower as f64 / 1_000.0).abs() < 1e-3);
        assert!((found.upper - ranks.upper as f64 / 1_000.0).abs() < 1e-3);
        assert_eq!(
            weighted_percentile(12.9, 0.75, 0.95, uniform),
            Err(Needs::samples(13))
        );
    }

    #[test]
    fn explicit_buckets_give_edges_and_never_a_value_inside() {
        let found =
            bucket_percentile(&[100.0, 200.0, 400.0], &[50, 30, 15, 5], 0.0, 0.75, 0.95).unwrap();
        assert_eq!(
            found,
            BucketRange {
                lower: 100.0,
                upper: Some(400.0)
            }
        );
    }

    #[test]
    fn the_last_bucket_only_says_at_least() {
        let found = bucket_percentile(&[100.0], &[10, 990], 0.0, 0.75, 0.95).unwrap();
        assert_eq!(
            found,
            BucketRange {
                lower: 100.0,
                upper: None
            }
        );
    }
}
