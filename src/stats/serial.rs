//! How much neighbouring runs resemble each other, and how far means of runs therefore stray.
//!
//! Source: the variogram (Matheron 1963) of lagged differences, the median over blocks, so that steps and ramps, which
//! fill few of the blocks, do not count, while memory, which is in all of them, does. It is weighed over a grid of white
//! noise plus a first-order autoregression (as in DeCAFS, Romano et al. 2022) by Bayes' rule, since few runs cannot tell
//! the models apart. Assumes memory that fades geometrically. Smallest sample: three runs; below six all models weigh
//! the same. Cannot tell a random walk from many small steps: memory is capped.

use super::signal::median_of;

/// Lags whose differences are looked at: memory beyond a dozen runs is told from steps no more.
const LAGS: usize = 12;

/// Memories that are weighed; 0.95 forgets half in fourteen runs.
const PHIS: [f64; 7] = [0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95];

/// Shares of the variance that linger, each at each memory.
const SHARES: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 1.0];

/// Prior odds of no memory at all against all the others together: benchmark histories mostly have some.
const NO_MEMORY: f64 = 0.2;

/// Length of the blocks whose variograms are compared: three times the longest lag.
const BLOCK: usize = 36;

/// Blocks overlap by three quarters.
const STRIDE: usize = 9;

/// Relative variance of a block-median variogram times the number of runs: 3 for a successive difference of white noise
/// (von Neumann), a half more for taking the median.
const VARIOGRAM_VARIANCE: f64 = 4.5;

/// The errors at neighbouring lags go together: a dozen lags say as much as so many would independently.
const INDEPENDENT_LAGS: f64 = 4.0;

/// The noise of single runs and of means of runs, on the scale of the tests.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Memory {
    /// Variance of one run.
    pub(super) variance: f64,
    /// How many times larger the variance of a mean of so many runs is than if they were independent; ascending.
    inflation: Vec<(f64, f64)>,
}

impl Memory {
    /// Fits tame values (see [`super::signal`]) of one epoch.
    pub(super) fn fit(tame: &[f64]) -> Self {
        let lags = LAGS.min(tame.len() / 3).max(1);
        let seen: Vec<f64> = (1..=lags)
            .filter_map(|lag| half_variogram(tame, lag))
            .collect();
        let models = weighed(&seen, tame.len());
        let variance = models.iter().map(|m| m.weight * m.variance).sum();
        let sizes = std::iter::successors(Some(1.0_f64), |n| Some((n * 1.4).ceil()));
        let sizes = sizes.take_while(|n| *n < 1.4 * tame.len().max(1) as f64 + 1.0);
        // The mean of standard deviations: a fair chance of a long memory counts, a small one does not rule.
        let inflation = sizes
            .map(|n| {
                (
                    n,
                    models
                        .iter()
                        .map(|m| m.weight * m.inflation(n).sqrt())
                        .sum::<f64>()
                        .powi(2),
                )
            })
            .collect();
        Self {
            variance,
            inflation,
        }
    }

    /// As if neighbours did not resemble each other: the variance of what changes from one run to the next.
    pub(super) fn none(tame: &[f64]) -> Self {
        Self {
            variance: half_variogram(tame, 1).unwrap_or(0.0),
            inflation: Vec::new(),
        }
    }

    /// How many times larger the variance of a mean of `n` runs is than if they were independent, for up to as many
    /// runs as were fitted.
    pub(super) fn inflation(&self, n: usize) -> f64 {
        let n = n.max(1) as f64;
        let above = self.inflation.partition_point(|(size, _)| *size < n);
        match (
            above.checked_sub(1).and_then(|i| self.inflation.get(i)),
            self.inflation.get(above),
        ) {
            (Some((a, low)), Some((b, high))) => low + (high - low) * (n / a).ln() / (b / a).ln(),
            (None, Some((_, value))) | (Some((_, value)), None) => *value,
            (None, None) => 1.0,
        }
    }
}

/// White noise plus an autoregression, and how much we believe in it.
struct Model {
    variance: f64,
    share: f64,
    phi: f64,
    weight: f64,
}

impl Model {
    /// Variance of the mean of `n` values times n, in units of their variance.
    fn inflation(&self, n: f64) -> f64 {
        let phi = self.phi;
        let lingering =
            (1.0 + phi) / (1.0 - phi) - 2.0 * phi * (1.0 - phi.powf(n)) / (n * (1.0 - phi).powi(2));
        1.0 + self.share * (lingering - 1.0)
    }
}

/// All models with their posterior weights.
fn weighed(seen: &[f64], n: usize) -> Vec<Model> {
    let grid = PHIS
        .iter()
        .flat_map(|phi| SHARES.iter().map(|share| (*phi, *share)));
    let each = (1.0 - NO_MEMORY) / (PHIS.len() * SHARES.len()) as f64;
    let priors =
        std::iter::once((0.0, 0.0, NO_MEMORY)).chain(grid.map(|(phi, share)| (phi, share, each)));
    let precision = n as f64 / VARIOGRAM_VARIANCE * INDEPENDENT_LAGS.min(seen.len() as f64)
        / seen.len().max(1) as f64;
    let mut models: Vec<Model> = priors
        .map(|(phi, share, prior)| {
            let shape: Vec<f64> = (1..=seen.len())
                .map(|lag| 1.0 - share * phi.powi(lag as i32))
                .collect();
            // Relative errors: the scale is the mean of what each lag says of it.
            let says: Vec<f64> = seen.iter().zip(&shape).map(|(v, s)| v / s).collect();
            let variance = says.iter().sum::<f64>() / says.len().max(1) as f64;
            let misfit: f64 = if variance > 0.0 {
                says.iter().map(|v| (v / variance - 1.0).powi(2)).sum()
            } else {
                0.0
            };
            Model {
                variance,
                share,
                phi,
                weight: prior.ln() - precision * misfit / 2.0,
            }
        })
        .collect();
    let best = models
        .iter()
        .map(|m| m.weight)
        .fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = models.iter().map(|m| (m.weight - best).exp()).sum();
    models
        .iter_mut()
        .for_each(|m| m.weight = (m.weight - best).exp() / total);
    models
}

/// Half the mean squared difference at a lag: the median over blocks.
fn half_variogram(tame: &[f64], lag: usize) -> Option<f64> {
    let of = |block: &[f64]| {
        let pairs = block.len().checked_sub(lag).filter(|pairs| *pairs > 0)?;
        Some(
            block
                .iter()
                .zip(&block[lag..])
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>()
                / pairs as f64
                / 2.0,
        )
    };
    if tame.len() <= BLOCK {
        return of(tame);
    }
    let mut blocks: Vec<f64> = tame.windows(BLOCK).step_by(STRIDE).filter_map(of).collect();
    Some(median_of(&mut blocks))
}

#[cfg(test)]
mod tests {
    use super::super::seeded::Seeded;
    use super::*;

    /// The fitted standard deviation of a mean of 50 runs over the true one: mean and largest over series.
    fn ratio(n: usize, phi: f64, step: f64) -> (f64, f64) {
        let mut random = Seeded::new(17);
        let truth = Model {
            variance: 1.0,
            share: 1.0,
            phi,
            weight: 1.0,
        };
        let found: Vec<f64> = (0..60)
            .map(|_| {
                let mut values = random.autoregressive(n, phi);
                values[n / 2..].iter_mut().for_each(|v| *v += step);
                let fitted = Memory::fit(&values);
                (fitted.variance * fitted.inflation(50) / truth.inflation(50.0)).sqrt()
            })
            .collect();
        (
            found.iter().sum::<f64>() / 60.0,
            found.iter().copied().fold(0.0, f64::max),
        )
    }

    #[test]
    fn the_spread_of_means_is_about_right_or_a_third_too_wide() {
        for n in [150, 365] {
            for phi in [0.0, 0.3, 0.6, 0.85] {
                let (mean, largest) = ratio(n, phi, 0.0);
                assert!(
                    (0.8..1.4).contains(&mean) && largest < 2.2,
                    "{mean} up to {largest} at {phi} of {n}"
                );
            }
        }
    }

    #[test]
    fn a_large_step_hardly_counts_as_noise() {
        let (mean, _) = ratio(365, 0.0, 8.0);
        assert!(mean < 1.3, "{mean}");
    }

    #[test]
    fn the_mean_of_one_run_is_not_inflated_and_that_of_many_is() {
        let memory = Memory::fit(&Seeded::new(3).autoregressive(300, 0.8));
        assert!((memory.inflation(1) - 1.0).abs() < 1e-9);
        assert!(memory.inflation(100) > 4.0 && memory.inflation(100) > memory.inflation(10));
    }

    #[test]
    fn values_that_do_not_vary_have_no_variance() {
        assert_eq!(Memory::fit(&[3.0; 50]).variance, 0.0);
        assert_eq!(Memory::fit(&[3.0]).variance, 0.0);
    }
}
