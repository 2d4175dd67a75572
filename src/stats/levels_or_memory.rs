//! Whether what lingers in a series is memory or levels: the first guess of where its level changed.
//!
//! Source: a penalised likelihood (Yao 1988; Zhang & Siegmund 2007) of white noise plus a first-order autoregression
//! about piecewise constant levels (the model of DeCAFS, Romano et al. 2022), by the Kalman filter (1960) in its
//! stationary start. Assumes noise of one kind throughout, up to its local strength. Smallest sample: twice
//! [`super::change_point::LEVEL_RUNS`]. Cannot tell a few small steps from memory, nor a ramp from a walk: then it names no levels. Only
//! the noise is taken from its answer; what is told is decided by [`super::change_point`] on that noise.

use super::change_point::{narrowest_over_threshold, settle, threshold};
use super::levels::Levels;
use super::serial::Memory;
use super::signal::Signal;

/// What one change of level costs on the scale of twice the log-likelihood, in logarithms of the number of runs: its
/// place, its size, and that places are picked by their size.
const PRICE: f64 = 3.0;

/// And besides, since a series is looked at again at every run. Found by simulation: with 4 the alarms on noise that
/// jumps between two levels double, with 10 a tenth of the steps of three standard deviations is lost.
const LOOKS_PRICE: f64 = 8.0;

/// Runs that a level lasts, but for the newest: noise that jumps between two levels does so more often.
const LASTING_RUNS: usize = 20;

/// Memories and lingering shares whose likelihood is taken; between them it hardly differs.
const MODELS: [(f64, f64); 12] = [
    (0.0, 0.0),
    (0.3, 0.5),
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
];

/// The values less the levels that explain them better than long memory does; as they are where none do.
pub(super) fn without_levels(signal: &Signal) -> Vec<f64> {
    let n = signal.tame.len();
    let levels = Levels::of(signal, &Memory::none(&signal.tame));
    let threshold = threshold(n);
    let mut places = narrowest_over_threshold(&levels, threshold);
    let mut best = without(signal, &levels, &[]);
    if places.is_empty() {
        return best;
    }
    while places.len() > n / LASTING_RUNS {
        drop_weakest(&levels, &mut places);
    }
    settle(&levels, &mut places, threshold);
    let filters: Vec<Filter> = MODELS.iter().map(|m| Filter::of(*m, n)).collect();
    let price = PRICE * (n as f64).ln() + LOOKS_PRICE;
    let mut highest = likelihood(signal, &filters, &best);
    while !places.is_empty() {
        if lasting(&places) {
            let left_over = without(signal, &levels, &places);
            let worth = likelihood(signal, &filters, &left_over) - price * places.len() as f64;
            if worth > highest {
                (highest, best) = (worth, left_over);
            }
        }
        drop_weakest(&levels, &mut places);
    }
    best
}

fn lasting(places: &[usize]) -> bool {
    let starts = std::iter::once(&0).chain(places);
    starts
        .zip(places)
        .all(|(start, end)| end - start >= LASTING_RUNS)
}

/// Twice the log-likelihood of noise under the model that suits it best.
fn likelihood(signal: &Signal, filters: &[Filter], noise: &[f64]) -> f64 {
    let even: Vec<f64> = noise
        .iter()
        .zip(&signal.roughness)
        .map(|(x, r)| x / r.sqrt())
        .collect();
    filters
        .iter()
        .map(|f| f.twice_log_likelihood(&even))
        .fold(f64::NEG_INFINITY, f64::max)
}

fn drop_weakest(levels: &Levels, places: &mut Vec<usize>) {
    let strength = |i: usize| {
        let start = i.checked_sub(1).map_or(0, |before| places[before]);
        let end = places.get(i + 1).copied().unwrap_or(levels.len());
        levels.split(start, places[i], end).z.abs()
    };
    let weakest = (0..places.len()).min_by(|a, b| strength(*a).total_cmp(&strength(*b)));
    if let Some(i) = weakest {
        places.remove(i);
    }
}

/// The tame values less the mean of their level.
fn without(signal: &Signal, levels: &Levels, places: &[usize]) -> Vec<f64> {
    let mut left_over = signal.tame.clone();
    let centre = signal.tame.first().copied().unwrap_or(0.0);
    let ends = places.iter().copied().chain([levels.len()]);
    let starts = std::iter::once(0).chain(places.iter().copied());
    for (start, end) in starts.zip(ends) {
        let level = centre + levels.mean(start, end);
        left_over[start..end].iter_mut().for_each(|x| *x -= level);
    }
    left_over
}

/// The Kalman filter of one model at unit variance: its gains do not depend on the values.
struct Filter {
    phi: f64,
    /// For the first runs how much of the surprise goes into the state, and the surprise's variance; then the last.
    steps: Vec<(f64, f64)>,
    log_variances: f64,
}

/// The filter has settled once the variance of its state moves by less.
const SETTLED: f64 = 1e-9;

impl Filter {
    fn of((phi, share): (f64, f64), n: usize) -> Self {
        let mut state = share;
        let mut steps: Vec<(f64, f64)> = Vec::new();
        let mut log_variances = 0.0;
        for run in 0..n {
            let surprise = state + 1.0 - share;
            let gain = state / surprise;
            steps.push((gain, surprise));
            let next = phi * phi * state * (1.0 - gain) + share * (1.0 - phi * phi);
            if (next - state).abs() < SETTLED {
                log_variances += (n - run) as f64 * surprise.ln();
                break;
            }
            log_variances += surprise.ln();
            state = next;
        }
        Self {
            phi,
            steps,
            log_variances,
        }
    }

    /// With the variance at its likeliest, and without constants.
    fn twice_log_likelihood(&self, values: &[f64]) -> f64 {
        let (mut state, mut squares) = (0.0, 0.0);
        let mut take = |x: f64, gain: f64, variance: f64| {
            let surprise = x - state;
            squares += surprise * surprise / variance;
            state = self.phi * (state + gain * surprise);
        };
        let (first, later) = values.split_at(self.steps.len().min(values.len()));
        for (x, (gain, variance)) in first.iter().zip(&self.steps) {
            take(*x, *gain, *variance);
        }
        if let Some((gain, variance)) = self.steps.last() {
            later.iter().for_each(|x| take(*x, *gain, *variance));
        }
        let n = values.len() as f64;
        -n * (squares / n).max(f64::MIN_POSITIVE).ln() - self.log_variances
    }
}

#[cfg(test)]
mod tests {
    use super::super::seeded::Seeded;
    use super::*;

    fn left_over(noise: &[f64], level: impl Fn(usize) -> f64) -> f64 {
        let values: Vec<f64> = noise
            .iter()
            .enumerate()
            .map(|(i, x)| (0.01 * (x + level(i))).exp())
            .collect();
        let times: Vec<i64> = (0..noise.len() as i64)
            .map(|d| d * 86_400_000_000)
            .collect();
        let signal = Signal::of(&values, &times);
        let scatter = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            values.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
        };
        scatter(&without_levels(&signal)) / scatter(&signal.tame)
    }

    #[test]
    fn levels_are_taken_out_and_memory_is_left_in() {
        let mut random = Seeded::new(41);
        for round in 0..40 {
            let noise = random.autoregressive(110, 0.3);
            let levels = |i: usize| [0.0, 5.0, -3.0][usize::from(i >= 40) + usize::from(i >= 75)];
            let stepped = left_over(&noise, levels);
            assert!(stepped < 0.3, "{stepped} of levels left in {round}");
            let lingering = left_over(&random.autoregressive(110, 0.85), |_| 0.0);
            assert!(lingering > 0.999, "memory taken out in {round}");
        }
    }

    #[test]
    fn the_filter_gives_the_likelihood_of_an_autoregression() {
        let values = Seeded::new(5).autoregressive(60, 0.6);
        let innovations = 1.0 - 0.36_f64;
        let squares = values[0].powi(2)
            + values
                .windows(2)
                .map(|w| (w[1] - 0.6 * w[0]).powi(2) / innovations)
                .sum::<f64>();
        let by_hand = -60.0 * (squares / 60.0).ln() - 59.0 * innovations.ln();
        let filtered = Filter::of((0.6, 1.0), 60).twice_log_likelihood(&values);
        assert!(
            (filtered - by_hand).abs() < 1e-6,
            "{filtered} for {by_hand}"
        );
    }
}
