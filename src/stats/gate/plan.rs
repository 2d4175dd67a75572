//! How many runs a margin takes, and which margin a number of runs can carry.
//!
//! Source: the power of a t test (Cohen 1988), both sides with one noise. Assumes the noise of the past. Smallest
//! sample: a noise estimate. Cannot see a machine that will be noisier than it was.

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
    100.0 * (reach * noise.sd_log * (1.0 / n + 1.0 / m).sqrt()).exp_m1()
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
        assert!((16..=20).contains(&runs), "{runs}");
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
}
