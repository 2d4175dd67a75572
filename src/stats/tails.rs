//! Quantiles and tails of the distributions that the tests rest on, total over their arguments.
//!
//! Source: the `statrs` crate; the binomial through the regularised incomplete beta function (DLMF 8.17.5) and, where
//! that would be slow and its series long, through the Cornish-Fisher expansion, exact to less than one rank there.

use statrs::distribution::{ContinuousCDF, FisherSnedecor, Normal, StudentsT};
use statrs::function::beta::checked_beta_reg;

/// Variance above which a binomial quantile comes from Cornish-Fisher: one rank is then a fiftieth of its spread.
const LARGE_VARIANCE: f64 = 2_500.0;

/// The `p`-quantile of the standard normal distribution; `p` is kept inside (0, 1).
pub(super) fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p.clamp(1e-300, 1.0 - 1e-16))
}

/// The probability that a standard normal variable is at most `z`.
pub(super) fn normal_at_most(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The `p`-quantile of Student's t with `df` degrees of freedom; the normal one where `df` is not positive or huge.
pub(super) fn t_quantile(p: f64, df: f64) -> f64 {
    if !(df > 0.0 && df < 1e4) {
        return normal_quantile(p);
    }
    match StudentsT::new(0.0, 1.0, df) {
        Ok(t) => t.inverse_cdf(p.clamp(1e-12, 1.0 - 1e-12)),
        Err(_) => normal_quantile(p),
    }
}

/// The probability that an F variable with these degrees of freedom exceeds `x`; 1 where they are not positive.
pub(super) fn f_above(x: f64, numerator_df: f64, denominator_df: f64) -> f64 {
    FisherSnedecor::new(numerator_df, denominator_df).map_or(1.0, |f| f.sf(x.max(0.0)))
}

/// The probability that at most `k` of `n` independent samples fall below the `q`-quantile.
pub(super) fn binomial_at_most(k: i64, n: u64, q: f64) -> f64 {
    if k < 0 {
        return 0.0;
    }
    if k as u64 >= n {
        return 1.0;
    }
    checked_beta_reg(n as f64 - k as f64, k as f64 + 1.0, 1.0 - q).unwrap_or(f64::NAN)
}

/// The smallest `k` for which at most `k` of `n` fall below the `q`-quantile with probability `p` or more.
pub(super) fn binomial_quantile(p: f64, n: u64, q: f64) -> u64 {
    let (mean, variance) = (n as f64 * q, n as f64 * q * (1.0 - q));
    let z = normal_quantile(p);
    // Cornish & Fisher (1938), first correction for skewness, with the continuity correction.
    let guess = mean + z * variance.sqrt() + (1.0 - 2.0 * q) * (z * z - 1.0) / 6.0 - 0.5;
    let mut k = guess.ceil().clamp(0.0, n as f64) as i64;
    if variance > LARGE_VARIANCE {
        return k as u64;
    }
    while k > 0 && binomial_at_most(k - 1, n, q) >= p {
        k -= 1;
    }
    while (k as u64) < n && binomial_at_most(k, n, q) < p {
        k += 1;
    }
    k as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums the probabilities themselves.
    fn oracle(k: u64, n: u64, q: f64) -> f64 {
        let mut probability = (1.0 - q).powi(n as i32);
        let mut sum = probability;
        for i in 1..=k {
            probability *= (n - i + 1) as f64 / i as f64 * q / (1.0 - q);
            sum += probability;
        }
        sum
    }

    #[test]
    fn the_binomial_tail_equals_the_sum_of_its_terms() {
        for n in [1, 7, 40, 300] {
            for q in [0.25, 0.5, 0.75] {
                for k in 0..n {
                    assert!(
                        (binomial_at_most(k as i64, n, q) - oracle(k, n, q)).abs() < 1e-9,
                        "{k} of {n} at {q}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_binomial_quantile_is_the_first_rank_that_reaches_the_probability() {
        for (n, q) in [(13, 0.75), (368, 0.99), (1_000, 0.5), (9_000, 0.999)] {
            for p in [0.025, 0.5, 0.975] {
                let k = binomial_quantile(p, n, q) as i64;
                assert!(binomial_at_most(k, n, q) >= p);
                assert!(k == 0 || binomial_at_most(k - 1, n, q) < p);
            }
        }
    }

    #[test]
    fn cornish_fisher_meets_the_exact_quantile_where_it_takes_over() {
        for q in [0.5, 0.75, 0.9] {
            let n = (LARGE_VARIANCE / (q * (1.0 - q))) as u64 + 1;
            for p in [0.005, 0.025, 0.975, 0.995] {
                let fast = binomial_quantile(p, n, q) as i64;
                let mut exact = fast - 5;
                while binomial_at_most(exact, n, q) < p {
                    exact += 1;
                }
                assert!((fast - exact).abs() <= 1, "{fast} for {exact} at {q}");
            }
        }
    }

    #[test]
    fn students_t_has_its_textbook_value() {
        assert!((t_quantile(0.975, 4.0) - 2.776_445).abs() < 1e-4);
        assert!((t_quantile(0.975, 1e9) - 1.959_964).abs() < 1e-5);
    }
}
