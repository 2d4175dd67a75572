//! How likely noise is whose neighbours resemble each other by an amount that nobody knows.
//!
//! Source: white noise plus a first-order autoregression (the model of DeCAFS, Romano et al. 2022), its likelihood by
//! the Kalman filter (1960) in its stationary start, at the variance and the memory that suit the noise best; memory has
//! a price, since most series have little. Assumes noise of one kind, up to its local strength, which is taken from
//! around each run but never from across a change that may be one; a walk has no such strength, so noise that all but
//! walks is asked without it as well. No noise is taken for less than the rows' own uncertainty. Smallest sample: one run. Cannot tell a walk from many small steps, nor a climb
//! within the noise from long memory.

use std::sync::LazyLock;

use super::signal::{Signal, median_of};

/// Memories (what a run keeps of the one before) and shares of the variance that linger; between them the likelihood
/// hardly differs.
const MODELS: [(f64, f64); MODELS_IN_ALL] = [
    (0.0, 0.0),
    (0.3, 1.0),
    (0.6, 0.35),
    (0.6, 1.0),
    (0.8, 0.25),
    (0.8, 0.6),
    (0.8, 1.0),
    (0.95, 0.15),
    (0.95, 0.4),
    (0.95, 0.7),
    (0.95, 1.0),
    (0.99, 0.5),
    (0.99, 0.8),
    (0.99, 1.0),
    // From here on the noise drifts, and how far it is from its mean says nothing of its strength.
    (0.99, 0.7),
    (0.99, 0.9),
    (0.99, 1.0),
    (0.998, 1.0),
];

const MODELS_IN_ALL: usize = 18;

/// So many of them are of noise whose strength is taken from around each run; the others are of noise that is equally
/// strong everywhere.
const OF_LOCAL_STRENGTH: usize = 14;

/// What any memory costs on the scale of twice the log-likelihood; what one over more than a dozen runs costs besides;
/// and what it costs besides when it is a small share of what is otherwise white: that model is a slow drift, and a slow
/// drift is what we look for.
const MEMORY_PRICE: f64 = 5.0;
const LONG_PRICE: f64 = 6.0;
const DRIFT_PRICE: f64 = 6.0;

/// From here on memory is long.
const LONG: f64 = 0.9;

/// From this memory and below this share a model is a drift.
const DRIFT: (f64, f64) = (0.8, 0.5);

/// Filters settle within so many runs.
const SETTLED: usize = 400;

/// Runs before and after over which the strength of the noise is taken.
const NEAR: usize = 20;

/// So many runs' worth of the usual strength are mixed into that around a run: few quiet runs prove little.
const USUAL_RUNS: f64 = 5.0;

/// How far a run counts towards the strength, in standard deviations.
const REACH: f64 = 4.0;

/// The usual strength is at least this share of the root mean square of what is left over, and that of the values:
/// where most of them are equal, their median deviation is nought.
const LEAST_SHARE: f64 = 0.2;
const LEAST_SHARE_OF_VALUES: f64 = 1e-3;

/// The filters of all models at unit variance: they do not depend on the values.
static FILTERS: LazyLock<Filters> = LazyLock::new(Filters::new);

/// How likely noise is about what is thought to be there.
pub(super) struct Likelihood {
    /// One over the standard deviation around each run.
    precision: Vec<f64>,
    /// The sum of these figures' logarithms before each run.
    log_precision: Vec<f64>,
    /// The variance that each run has at least, summed up before each: as it is, and in units of the noise around it;
    /// empty where none is known.
    least: Vec<(f64, f64)>,
}

impl Likelihood {
    /// For noise as strong as what is left over of a signal when all `places` that may be changes are taken out.
    pub(super) fn around(signal: &Signal, left_over: &[f64], places: &[usize]) -> Self {
        let n = left_over.len();
        let usual = usual_variance(left_over)
            .max(LEAST_SHARE_OF_VALUES.powi(2) * variance(&signal.tame))
            .max(f64::MIN_POSITIVE);
        let limit = REACH * REACH * usual;
        let mut total = 0.0;
        let squares = left_over.iter().zip(&signal.weight).map(|(x, w)| {
            total += (w * (x * x)).min(limit);
            total
        });
        let sums: Vec<f64> = std::iter::once(0.0).chain(squares).collect();
        let starts = std::iter::once(0).chain(places.iter().copied());
        let ends = places.iter().copied().chain([n]);
        let precision = starts.zip(ends).flat_map(|(start, end)| {
            let sums = &sums;
            (start..end).map(move |i| {
                let (first, last) = (i.saturating_sub(NEAR).max(start), (i + NEAR + 1).min(end));
                let runs = (last - first) as f64;
                let near = sums[last] - sums[first] + USUAL_RUNS * usual;
                // A mean was taken off: one run less.
                (signal.weight[i] * (runs - 1.0 + USUAL_RUNS) / near).sqrt()
            })
        });
        let precision: Vec<f64> = precision.collect();
        let mut total = 0.0;
        let logs = precision.iter().map(|p| {
            total += p.ln();
            total
        });
        let mut least = vec![(0.0, 0.0)];
        for (own, p) in signal.own_variance.iter().zip(&precision) {
            let (plain, scaled) = least[least.len() - 1];
            least.push((plain + own, scaled + own * p * p));
        }
        Self {
            log_precision: std::iter::once(0.0).chain(logs).collect(),
            precision,
            least,
        }
    }

    /// Twice the logarithm of the likelihood of `noise`, under the memory that suits it best, less that memory's price
    /// and up to a constant.
    pub(super) fn of(&self, noise: &[f64]) -> f64 {
        self.of_part(noise, 0)
    }

    /// The same for a part of the runs, from `start` on.
    pub(super) fn of_part(&self, noise: &[f64], start: usize) -> f64 {
        let end = start + noise.len();
        let precision = self.precision[start..end].iter().copied();
        let density = self.log_precision[end] - self.log_precision[start];
        let of_least = |end: usize| self.least.get(end).copied().unwrap_or_default();
        let (from, to) = (of_least(start), of_least(end));
        let least = Least {
            local: to.1 - from.1,
            even: to.0 - from.0,
        };
        FILTERS.twice_log_likelihood(noise.iter().copied().zip(precision), density, least)
    }
}

/// What the squares of the noise of some runs add up to at least, were they no better than their own uncertainty: for
/// models of local strength in its units, and for the others.
#[derive(Debug, Clone, Copy, Default)]
struct Least {
    local: f64,
    even: f64,
}

/// The variance of most of the noise.
fn usual_variance(left_over: &[f64]) -> f64 {
    let mut off: Vec<f64> = left_over.iter().map(|x| x.abs()).collect();
    let robust = 1.482_6 * median_of(&mut off);
    let squares: f64 = left_over.iter().map(|x| x * x).sum();
    let all = (squares / left_over.len().max(1) as f64).sqrt();
    robust.max(LEAST_SHARE * all).powi(2)
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n
}

/// Each model's filter, run by run until it has settled, side by side so that they are computed at once.
struct Filters {
    /// How much of a surprise goes into the state.
    gain: Vec<[f64; MODELS_IN_ALL]>,
    /// One over the variance of the surprise.
    precision: Vec<[f64; MODELS_IN_ALL]>,
    /// The sum of the logarithms of these variances, before each run.
    log_variances: Vec<[f64; MODELS_IN_ALL]>,
    phi: [f64; MODELS_IN_ALL],
    price: [f64; MODELS_IN_ALL],
}

impl Filters {
    fn new() -> Self {
        let price = MODELS.map(|(phi, share)| {
            let drift = phi >= DRIFT.0 && share < DRIFT.1;
            let prices = [
                (phi > 0.0, MEMORY_PRICE),
                (phi >= LONG, LONG_PRICE),
                (drift, DRIFT_PRICE),
            ];
            let asked = prices.iter().filter(|(holds, _)| *holds);
            asked.map(|(_, price)| price).sum()
        });
        let mut filters = Self {
            gain: Vec::with_capacity(SETTLED),
            precision: Vec::with_capacity(SETTLED),
            log_variances: Vec::with_capacity(SETTLED),
            phi: MODELS.map(|(phi, _)| phi),
            price,
        };
        let mut state = MODELS.map(|(_, share)| share);
        let mut logs = [0.0; MODELS_IN_ALL];
        for _ in 0..SETTLED {
            filters.log_variances.push(logs);
            let (mut gain, mut precision) = ([0.0; MODELS_IN_ALL], [0.0; MODELS_IN_ALL]);
            for (m, (phi, share)) in MODELS.into_iter().enumerate() {
                let variance = state[m] + 1.0 - share;
                gain[m] = state[m] / variance;
                precision[m] = 1.0 / variance;
                logs[m] += variance.ln();
                state[m] = phi * phi * state[m] * (1.0 - gain[m]) + share * (1.0 - phi * phi);
            }
            filters.gain.push(gain);
            filters.precision.push(precision);
        }
        filters
    }

    /// Under the model that suits the values best. Each comes with one over the strength of the noise around it; what
    /// measuring runs in these adds to the logarithm of the density is `density`.
    fn twice_log_likelihood(
        &self,
        values: impl Iterator<Item = (f64, f64)>,
        density: f64,
        least: Least,
    ) -> f64 {
        let each = self.twice_log_likelihoods(values, density, least);
        each.into_iter().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Under each model with its variance at its likeliest, less its price.
    fn twice_log_likelihoods(
        &self,
        values: impl Iterator<Item = (f64, f64)>,
        density: f64,
        least: Least,
    ) -> [f64; MODELS_IN_ALL] {
        let (mut state, mut squares) = ([0.0; MODELS_IN_ALL], [0.0; MODELS_IN_ALL]);
        let mut runs = 0;
        for (x, p) in values {
            let at = runs.min(SETTLED - 1);
            let (gain, precision) = (&self.gain[at], &self.precision[at]);
            let scaled = x * p;
            for m in 0..MODELS_IN_ALL {
                let value = if m < OF_LOCAL_STRENGTH { scaled } else { x };
                let surprise = value - state[m];
                squares[m] += surprise * surprise * precision[m];
                state[m] = self.phi[m] * (state[m] + gain[m] * surprise);
            }
            runs += 1;
        }
        let n = runs as f64;
        let settled = (runs.max(SETTLED - 1) - (SETTLED - 1)) as f64;
        let last = runs.min(SETTLED - 1);
        std::array::from_fn(|m| {
            let beyond = settled * self.precision[SETTLED - 1][m].ln();
            let logs = self.log_variances[last][m] - beyond;
            let (least, density) = if m < OF_LOCAL_STRENGTH {
                (least.local, 0.0)
            } else {
                (least.even, 2.0 * density)
            };
            // No run is foreseen better than it was measured.
            let least = least * self.precision[SETTLED - 1][m];
            let variance = squares[m].max(least) / n;
            // At the likeliest variance the squares are n of it; at the least they are fewer.
            let fit = if squares[m] < least {
                squares[m] / variance - n
            } else {
                0.0
            };
            -n * variance.max(f64::MIN_POSITIVE).ln() - fit - logs - self.price[m] - density
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::seeded::Seeded;
    use super::*;

    fn tame(values: &[f64]) -> Signal {
        Signal {
            tame: values.to_vec(),
            weight: vec![1.0; values.len()],
            ..Signal::default()
        }
    }

    #[test]
    fn the_filter_gives_the_likelihood_of_an_autoregression() {
        for n in [60, 900] {
            let values = Seeded::new(5).autoregressive(n, 0.6);
            let innovations = 1.0 - 0.36_f64;
            let squares = values[0].powi(2)
                + values
                    .windows(2)
                    .map(|w| (w[1] - 0.6 * w[0]).powi(2) / innovations)
                    .sum::<f64>();
            let runs = n as f64;
            let by_hand =
                -runs * (squares / runs).ln() - (runs - 1.0) * innovations.ln() - MEMORY_PRICE;
            let each = FILTERS.twice_log_likelihoods(
                values.into_iter().map(|x| (x, 1.0)),
                0.0,
                Least::default(),
            );
            let model = MODELS.iter().position(|m| *m == (0.6, 1.0));
            let filtered = model.map_or(f64::NAN, |m| each[m]);
            assert!(
                (filtered - by_hand).abs() < 1e-6,
                "{filtered} for {by_hand}"
            );
        }
    }

    #[test]
    fn memory_is_believed_where_it_is_and_not_where_it_is_not() {
        let gain = |phi: f64| {
            let values = Seeded::new(11).autoregressive(300, phi);
            let squares: f64 = values.iter().map(|x| x * x).sum();
            let white = -300.0 * (squares / 300.0).ln();
            FILTERS.twice_log_likelihood(
                values.into_iter().map(|x| (x, 1.0)),
                0.0,
                Least::default(),
            ) - white
        };
        assert!(gain(0.0).abs() < 1e-9 && gain(0.6) > 50.0);
    }

    #[test]
    fn a_quiet_stretch_beyond_a_change_is_measured_by_its_own_noise() {
        let mut random = Seeded::new(3);
        let noise: Vec<f64> = (0..100)
            .map(|i| random.normal() * if i < 60 { 1.0 } else { 0.01 })
            .collect();
        let likelihood = Likelihood::around(&tame(&noise), &noise, &[60]);
        let (before, after) = (likelihood.precision[59], likelihood.precision[60]);
        assert!(after > 1.5 * before, "{before} {after}");
    }

    #[test]
    fn values_that_do_not_vary_are_no_trouble() {
        let likelihood = Likelihood::around(&tame(&[0.0; 30]), &[0.0; 30], &[]);
        assert!(likelihood.of(&[0.0; 30]).is_finite());
    }

    #[test]
    fn noise_is_never_taken_for_less_than_the_rows_own_uncertainty() {
        let mut random = Seeded::new(8);
        let step: Vec<f64> = (0..60)
            .map(|i| 0.1 * random.normal() + if i < 30 { -0.3 } else { 0.3 })
            .collect();
        let level: Vec<f64> = step
            .iter()
            .enumerate()
            .map(|(i, x)| x + if i < 30 { 0.3 } else { -0.3 })
            .collect();
        let gain = |own: f64| {
            let signal = Signal {
                own_variance: vec![own; 60],
                ..tame(&step)
            };
            let likelihood = Likelihood::around(&signal, &level, &[30]);
            likelihood.of(&level) - likelihood.of(&step)
        };
        // Six deviations of the runs, of which memory explains half; under an own deviation of one the step is worth
        // z² = 0.6² · 60 / 4.
        assert!(gain(0.0) > 50.0 && gain(0.001) > 50.0, "{}", gain(0.001));
        assert!((gain(1.0) - 5.4).abs() < 1.5, "{}", gain(1.0));
    }
}
