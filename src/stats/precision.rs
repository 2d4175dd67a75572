//! How precise each row is by itself, beside the others of its stretch.
//!
//! Source: weighted least squares, with two components of variance (Searle, Casella & McCulloch 1992): what runs differ by
//! whatever they hold, and what falls with the number of observations in each, in the proportion that is likeliest.
//! Assumes that observations within a row are alike from row to row. Smallest sample: [`LEAST_ROWS`] whose counts
//! differ; below, and where no share is clearly likelier, all rows weigh the same. Cannot see rows that are imprecise
//! for other reasons than their count.

use super::signal::median_of;

/// A row's own precision, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Precision {
    /// How many observations the row rests on.
    pub(super) count: Option<u64>,
    /// Variance of its value that these observations leave, on the scale of the tests; nought where it is not known.
    pub(super) variance: f64,
}

/// Fewer rows do not tell what counts have to do with noise.
const LEAST_ROWS: usize = 20;

/// Where no two counts are further apart than this, all rows are equally precise for our ends.
const LEAST_RATIO: f64 = 1.5;

/// The variance that falls with the count, over the variance that does not, in a row of the usual count.
const SHARES: [f64; 6] = [0.1, 0.3, 1.0, 3.0, 10.0, 100.0];

/// What such a share costs on the scale of twice the log-likelihood: most series need none.
const PRICE: f64 = 6.0;

/// How far a row counts, in standard deviations of its own.
const REACH: f64 = 4.0;

/// How much larger the standard deviation of each row's noise is than that of a row of the usual count, 1 at least.
/// `off` is how far each row is from the level around it.
pub(super) fn excess(off: &[f64], precision: &[Precision]) -> Vec<f64> {
    let alike = || vec![1.0; off.len()];
    let counts: Option<Vec<f64>> = precision
        .iter()
        .map(|row| row.count.map(|count| count.max(1) as f64))
        .collect();
    let Some(counts) = counts.filter(|counts| counts.len() >= LEAST_ROWS) else {
        return alike();
    };
    let most = counts.iter().copied().fold(0.0, f64::max);
    let least = counts.iter().copied().fold(f64::INFINITY, f64::min);
    if most < LEAST_RATIO * least {
        return alike();
    }
    let usual = median_of(&mut counts.clone());
    let variances = |share: f64| -> Vec<f64> {
        let of_count = |count: &f64| (1.0 + share * usual / count) / (1.0 + share);
        counts.iter().map(of_count).collect()
    };
    let of_equals = twice_log_likelihood(off, &variances(0.0));
    let likeliest = SHARES
        .iter()
        .map(|share| variances(*share))
        .map(|variances| (twice_log_likelihood(off, &variances), variances))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match likeliest {
        Some((likelihood, variances)) if likelihood - of_equals > PRICE => {
            variances.iter().map(|v| v.sqrt().max(1.0)).collect()
        }
        _ => alike(),
    }
}

/// Of normal noise with these variances up to a factor, at the likeliest factor; wild rows count as far as [`REACH`].
fn twice_log_likelihood(off: &[f64], variances: &[f64]) -> f64 {
    let squares: Vec<f64> = off.iter().zip(variances).map(|(x, v)| x * x / v).collect();
    // The median of a square of a standard normal variable is 0.455.
    let usual = median_of(&mut squares.clone()) / 0.455;
    let limit = REACH * REACH * usual;
    let n = squares.len() as f64;
    let mean = squares.iter().map(|s| s.min(limit)).sum::<f64>() / n;
    let logs: f64 = variances.iter().map(|v| v.ln()).sum();
    -n * mean.max(f64::MIN_POSITIVE).ln() - logs
}

#[cfg(test)]
mod tests {
    use super::super::seeded::Seeded;
    use super::*;

    fn rows(counts: impl Iterator<Item = u64>) -> Vec<Precision> {
        let row = |count| Precision {
            count: Some(count),
            variance: 0.0,
        };
        counts.map(row).collect()
    }

    /// Noise of which in a row of a hundred observations so much of the variance falls with their number.
    fn noise(random: &mut Seeded, rows: &[Precision], share: f64) -> Vec<f64> {
        let of = |row: &Precision| {
            let own = share * 100.0 / row.count.unwrap_or(100) as f64;
            random.normal() * (1.0 - share + own).sqrt()
        };
        rows.iter().map(of).collect()
    }

    #[test]
    fn rows_of_few_observations_are_as_imprecise_as_they_show_themselves() {
        let mut random = Seeded::new(3);
        let few = rows((0..120).map(|i| if i % 4 == 0 { 4 } else { 100 }));
        let off = noise(&mut random, &few, 1.0);
        let found = excess(&off, &few);
        // √(100 / 4) is five times as imprecise.
        assert!((4.0..=5.1).contains(&found[0]), "{}", found[0]);
        assert!((found[1] - 1.0).abs() < 1e-12, "{}", found[1]);
    }

    #[test]
    fn counts_that_tell_nothing_weigh_nothing() {
        let mut random = Seeded::new(4);
        let weekly = rows((0..150).map(|i| if i % 7 < 2 { 30 } else { 100 }));
        let taken = (0..200).filter(|_| {
            let off = noise(&mut random, &weekly, 0.0);
            excess(&off, &weekly) != vec![1.0; 150]
        });
        assert!(taken.count() <= 4);
        let alike = rows((0..150).map(|i| 100 + i % 7));
        assert_eq!(
            excess(&noise(&mut random, &alike, 1.0), &alike),
            vec![1.0; 150]
        );
        let unknown = vec![Precision::default(); 150];
        assert_eq!(
            excess(&noise(&mut random, &weekly, 1.0), &unknown),
            vec![1.0; 150]
        );
    }

    #[test]
    fn rows_without_noise_are_no_trouble() {
        let few = rows((0..40).map(|i| 1 + i));
        assert!(excess(&[0.0; 40], &few).iter().all(|x| x.is_finite()));
    }
}
