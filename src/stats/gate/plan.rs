//! How many runs a margin takes, and which margin a number of runs can carry.
//!
//! Source: the power of a t test (Cohen 1988), both sides with one noise. Assumes the noise of the past. Smallest
//! sample: a noise estimate. Cannot see a machine that will be noisier than it was.

use super::super::Interval;
use super::super::runs::Noise;
use super::super::tails::{normal_quantile, t_quantile};

/// More runs than this are not asked for: a gate that needs them needs a quieter machine or a wider margin.
pub const MOST_RUNS: u32 = 100;

/// Chance of passing that a planned number of runs must give a release that changed nothing.
const POWER: f64 = 0.8;

/// How many runs each side needs so that a release that changed nothing passes with four chances in five.
/// None where [`MOST_RUNS`] are too few.
pub fn runs_needed(noise: &Noise, margin_pct: f64, confidence: f64) -> Option<u32> {
    (1..=MOST_RUNS).find(|runs| smallest_margin_pct(noise, *runs, *runs, confidence) <= margin_pct)
}

/// The smallest margin, in per cent, that this many runs of the candidate against this many of the reference settle
/// with four chances in five for a release that changed nothing.
pub fn smallest_margin_pct(noise: &Noise, runs: u32, reference_runs: u32, confidence: f64) -> f64 {
    let (n, m) = (f64::from(runs.max(1)), f64::from(reference_runs.max(1)));
    let reach = t_quantile(0.5 + confidence / 2.0, noise.df + n + m - 2.0) + normal_quantile(POWER);
    // Gates take history's noise with the error that it has.
    let sd_log = noise.sd_log * (1.0 + 1.0 / (2.0 * noise.df).sqrt());
    100.0 * (reach * sd_log * (1.0 / n + 1.0 / m).sqrt()).exp_m1()
}

/// More samples than this are not asked for: a value that close to its limit is not settled by waiting.
const MOST_SAMPLES: u64 = 10_000_000;

/// How many more runs bring the end of a value's range that is nearer to a limit up to it, if the value stays what it is.
/// Ranges narrow with the root of their evidence. None where [`MOST_RUNS`] are too few.
pub fn runs_to_settle(value: &Interval, limit: f64, runs: u64) -> Option<u32> {
    let more = (runs as f64 * (excess(value, limit)? - 1.0))
        .ceil()
        .max(1.0);
    (more <= f64::from(MOST_RUNS)).then_some(more as u32)
}

/// The same for samples: how many it takes in all. None where ten million are too few.
pub fn samples_to_settle(value: &Interval, limit: f64, samples: u64) -> Option<u64> {
    let total = (samples as f64 * excess(value, limit)?).ceil() + 1.0;
    (total <= MOST_SAMPLES as f64).then_some(total as u64)
}

/// How many times as much evidence it takes.
fn excess(value: &Interval, limit: f64) -> Option<f64> {
    let (room, half) = if limit > value.value {
        (limit - value.value, value.upper - value.value)
    } else {
        (value.value - limit, value.value - value.lower)
    };
    let times = (half / room).powi(2);
    (room > 0.0 && times.is_finite()).then_some(times.max(1.0))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn plans_follow_the_noise() {
        let noise = Noise {
            sd_log: 0.021,
            df: 60.0,
        };
        let runs = runs_needed(&noise, 2.0, 0.95).expect("two per cent is within reach");
        assert!((20..=24).contains(&runs), "{runs}");
        assert!(smallest_margin_pct(&noise, 1, 1, 0.95) > smallest_margin_pct(&noise, 1, 50, 0.95));
        assert_eq!(
            runs_needed(
                &Noise {
                    sd_log: 0.5,
                    df: 60.0
                },
                1.0,
                0.95
            ),
            None
        );
    }

    #[test]
    fn a_value_that_is_half_its_range_from_the_limit_takes_four_times_the_evidence() {
        let value = Interval {
            value: 100.0,
            lower: 96.0,
            upper: 104.0,
        };
        for limit in [98.0, 102.0] {
            assert_eq!(runs_to_settle(&value, limit, 3), Some(9));
            assert_eq!(samples_to_settle(&value, limit, 1_000), Some(4_001));
        }
        assert_eq!(runs_to_settle(&value, 100.1, 3), None);
        assert_eq!(samples_to_settle(&value, 100.0, 1_000), None);
    }
}
