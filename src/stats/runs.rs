//! What a release measures, from its runs: the centre, and a range from the spread between runs.
//!
//! Source: Student (1908) on log values; pooled variance and the F test (Fisher 1925). Assumes that runs are
//! independent and that noise multiplies (a machine that is 2 % slower is so at any size), so values are compared as
//! logarithms; where a value is not positive, as themselves. Smallest sample: two runs, or one with noise borrowed
//! from the series' own history. Cannot see what all runs of a release share, such as a code layout.

use super::tails::{f_above, normal_quantile, t_quantile};
use super::{Estimate, Interval, Needs};

/// How much single runs of one series scatter around their release's true value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Standard deviation of the logarithm of a run's value (0.021 is 2.1 %).
    pub sd_log: f64,
    /// Degrees of freedom that estimate rests on.
    pub df: f64,
}

/// History counts for at most this many degrees of freedom: it says how noisy the machine was, not how it is.
pub const HISTORY_DF: f64 = 30.0;

/// Chance at which a release's own spread is taken as wilder than its history, whose noise is then not borrowed.
const WILDER: f64 = 0.05;

/// Mean and standard deviation with its degrees of freedom, on the scale in which runs are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) mean: f64,
    pub(super) sd: f64,
    pub(super) df: f64,
}

/// Mean and spread of values; none without values.
pub(super) fn spread(values: &[f64]) -> Option<Spread> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let df = n - 1.0;
    let sd = if df > 0.0 { (squares / df).sqrt() } else { 0.0 };
    Some(Spread { mean, sd, df })
}

/// The logarithms, where every value has one.
pub(super) fn logarithms(values: &[f64]) -> Option<Vec<f64>> {
    values
        .iter()
        .map(|v| (v.is_finite() && *v > 0.0).then(|| v.ln()))
        .collect()
}

/// A release's value from its runs' values alone, with the range in which its true value lies.
///
/// # Errors
/// [`Needs`] with the runs still missing, below two runs.
pub fn statistic(values: &[f64], confidence: f64) -> Result<Interval, Needs> {
    if values.len() < 2 {
        return Err(Needs::runs(2 - values.len() as u32));
    }
    let logs = logarithms(values);
    let Some(own) = spread(logs.as_deref().unwrap_or(values)) else {
        return Err(Needs::runs(2));
    };
    let half = t_quantile(0.5 + confidence / 2.0, own.df) * own.sd / (own.df + 1.0).sqrt();
    Ok(around(own.mean, half, logs.is_some()))
}

/// A release's value from few runs, with noise borrowed from the series' history. One run is enough.
///
/// # Errors
/// [`Needs`] of one run without any, and of two where a value is not positive and noise cannot be lent to it.
pub fn statistic_with(values: &[f64], history: &Noise, confidence: f64) -> Result<Interval, Needs> {
    let Some(logs) = logarithms(values) else {
        return statistic(values, confidence);
    };
    let own = spread(&logs).ok_or(Needs::runs(1))?;
    let noise = combined(&own, Some(history)).ok_or(Needs::runs(1))?;
    let half = t_quantile(0.5 + confidence / 2.0, noise.df) * noise.sd_log / (own.df + 1.0).sqrt();
    Ok(around(own.mean, half, true))
}

fn around(mean: f64, half: f64, log: bool) -> Interval {
    let back = |x: f64| if log { x.exp() } else { x };
    Interval {
        value: back(mean),
        lower: back(mean - half),
        upper: back(mean + half),
    }
}

/// A release's value with its likeliest standard error, for sums and differences of many releases: what their errors do
/// together needs no allowance for each. None where it has no run, or nothing says how noisy it is.
pub fn estimate(values: &[f64], history: Option<&Noise>) -> Option<Estimate> {
    let logs = logarithms(values);
    let is_log = logs.is_some();
    let own = spread(logs.as_deref().unwrap_or(values))?;
    let noise = pooled(&own, history.filter(|_| is_log).copied())?;
    let error = noise.sd_log / (own.df + 1.0).sqrt();
    let value = if is_log { own.mean.exp() } else { own.mean };
    Some(Estimate {
        value,
        se: if is_log { value * error } else { error },
    })
}

/// A release's own spread and its history's, pooled by their degrees of freedom; none where neither says anything.
///
/// History is widened by its own standard error.
pub(super) fn combined(own: &Spread, history: Option<&Noise>) -> Option<Noise> {
    let widened = |noise: &Noise| Noise {
        sd_log: noise.sd_log * (1.0 + 1.0 / (2.0 * noise.df).sqrt()),
        df: noise.df,
    };
    let lent = history.filter(|h| h.df > 0.0 && h.sd_log > 0.0);
    pooled(own, lent.map(widened))
}

/// The same of noise as it is given: capped at [`HISTORY_DF`], and left out where the runs at hand are clearly wilder.
fn pooled(own: &Spread, history: Option<Noise>) -> Option<Noise> {
    let alone = (own.df > 0.0 && own.sd > 0.0).then_some(Noise {
        sd_log: own.sd,
        df: own.df,
    });
    let Some(Noise { sd_log: sd, df }) = history.filter(|h| h.df > 0.0 && h.sd_log > 0.0) else {
        return alone;
    };
    let df = df.min(HISTORY_DF);
    if own.df > 0.0 && f_above((own.sd / sd).powi(2), own.df, df) < WILDER {
        return alone;
    }
    // Runs that are clearly calmer share what makes releases differ, which they do not show.
    if own.df > 0.0 && f_above((sd / own.sd).powi(2), df, own.df) < SHARED {
        return Some(Noise { sd_log: sd, df });
    }
    let variance = (own.df * own.sd.powi(2) + df * sd.powi(2)) / (own.df + df);
    Some(Noise {
        sd_log: variance.sqrt(),
        df: own.df + df,
    })
}

/// Noise between the runs of one release, pooled over releases; none unless some release has two runs.
pub fn pooled_noise(releases: &[&[f64]]) -> Option<Noise> {
    let (mut squares, mut df) = (0.0, 0.0);
    for own in releases.iter().filter_map(|r| spread(&logarithms(r)?)) {
        squares += own.df * own.sd.powi(2);
        df += own.df;
    }
    (df > 0.0).then(|| Noise {
        sd_log: (squares / df).sqrt(),
        df,
    })
}

/// Runs of releases differ by more than runs of one release when chance alone would make them so this rarely.
const SHARED: f64 = 0.05;

/// What a series' history says of its noise: within releases, where these have `least_df` degrees of freedom in all, else
/// between neighbours. Where the runs of a release share something, a machine or an hour, releases differ by more than
/// their runs do: then it is their noise (one-way analysis of variance, Fisher 1925). None where nothing says anything.
/// Values are given by release, oldest first.
pub fn history_noise(releases: &[&[f64]], least_df: f64) -> Option<Noise> {
    let Some(within) = pooled_noise(releases).filter(|noise| noise.df >= least_df) else {
        return noise_of_changes(&logarithms(&releases.concat())?, true);
    };
    let logs: Vec<Vec<f64>> = releases.iter().filter_map(|r| logarithms(r)).collect();
    let several: Vec<&Vec<f64>> = logs.iter().filter(|own| own.len() > 1).collect();
    let runs = several.iter().map(|own| own.len()).min().unwrap_or(0) as f64;
    let means: Vec<f64> = several
        .iter()
        .map(|own| own.iter().sum::<f64>() / own.len() as f64)
        .collect();
    let between = noise_of_changes(&means, false).map(|noise| Noise {
        sd_log: noise.sd_log * runs.sqrt(),
        ..noise
    });
    let is_shared = |between: &Noise| {
        within.sd_log > 0.0
            && f_above(
                (between.sd_log / within.sd_log).powi(2),
                between.df,
                within.df,
            ) < SHARED
    };
    Some(between.filter(is_shared).unwrap_or(within))
}

/// Noise of a series with one run a release, from the changes between neighbours, so that steps and drift hardly
/// count. Robust: the interquartile range of the changes stands for their spread. None below five values.
///
/// Source: von Neumann (1941) for successive differences; half as efficient as a known mean, hence half the freedom.
pub fn successive_noise(values: &[f64]) -> Option<Noise> {
    noise_of_changes(&logarithms(values)?, false)
}

/// The same of logarithms; `with_tails` where noise decides: then it is no less than its outer tenth says.
fn noise_of_changes(logs: &[f64], with_tails: bool) -> Option<Noise> {
    let mut changes: Vec<f64> = logs.windows(2).map(|w| w[1] - w[0]).collect();
    if changes.len() < 4 {
        return None;
    }
    changes.sort_by(f64::total_cmp);
    let at = |q: f64| {
        let rank = q * (changes.len() - 1) as f64;
        let (low, part) = (rank.floor() as usize, rank.fract());
        changes[low] + part * (changes[(low + 1).min(changes.len() - 1)] - changes[low])
    };
    let quartile_range = 2.0 * normal_quantile(0.75);
    let middle = (at(0.75) - at(0.25)) / quartile_range;
    let tails = (at(0.95) - at(0.05)) / (2.0 * normal_quantile(0.95));
    let spread = if with_tails {
        middle.max(tails)
    } else {
        middle
    };
    let sd = spread / std::f64::consts::SQRT_2;
    (sd > 0.0).then(|| Noise {
        sd_log: sd,
        df: changes.len() as f64 / 2.0,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::seeded::Seeded;
    use super::*;

    /// Releases of five runs that share as much as `shared` standard deviations of one.
    fn releases(random: &mut Seeded, shared: f64) -> Vec<Vec<f64>> {
        let mut release = || {
            let own = shared * random.normal();
            let runs = (0..5).map(|_| 100.0 * (0.01 * (own + random.normal())).exp());
            runs.collect::<Vec<f64>>()
        };
        (0..20).map(|_| release()).collect()
    }

    #[test]
    fn what_the_runs_of_a_release_share_is_noise_of_releases() {
        let mut random = Seeded::new(31);
        let mut noise = |shared: f64| {
            let releases = releases(&mut random, shared);
            let slices: Vec<&[f64]> = releases.iter().map(Vec::as_slice).collect();
            100.0 * history_noise(&slices, 5.0).unwrap().sd_log
        };
        let alone: Vec<f64> = (0..20).map(|_| noise(0.0)).collect();
        // The mean of five runs with 2 % that they share and 1 % each: as if each had √(5·2² + 1²) %.
        let shared: Vec<f64> = (0..20).map(|_| noise(2.0)).collect();
        let near =
            |all: &[f64], sd: f64| all.iter().filter(|n| (*n / sd - 1.0).abs() < 0.5).count();
        assert!(near(&alone, 1.0) >= 17, "{alone:?}");
        assert!(near(&shared, 21_f64.sqrt()) >= 16, "{shared:?}");
    }

    #[test]
    fn gross_runs_count_in_the_noise_that_decides_though_half_of_the_runs_are_calm() {
        let mut random = Seeded::new(32);
        let values: Vec<f64> = (0..40)
            .map(|i| 100.0 * (0.01 * random.normal()).exp() * if i % 8 == 5 { 1.2 } else { 1.0 })
            .collect();
        let releases: Vec<&[f64]> = values.chunks(1).collect();
        let (decides, shown) = (history_noise(&releases, 5.0), successive_noise(&values));
        assert!(decides.unwrap().sd_log > 3.0 * shown.unwrap().sd_log);
    }

    #[test]
    fn one_run_alone_has_no_range_and_says_what_it_needs() {
        assert_eq!(statistic(&[12.0], 0.95), Err(Needs::runs(1)));
        assert_eq!(statistic(&[], 0.95), Err(Needs::runs(2)));
    }

    #[test]
    fn one_run_has_a_range_once_history_lends_its_noise() {
        let found = statistic_with(
            &[100.0],
            &Noise {
                sd_log: 0.02,
                df: 40.0,
            },
            0.95,
        )
        .unwrap();
        assert!((found.value - 100.0).abs() < 1e-9);
        assert!(found.lower < 96.0 && found.lower > 94.0, "{found:?}");
    }

    #[test]
    fn ranges_cover_the_truth_as_often_as_they_say() {
        let mut random = Seeded::new(5);
        let noise = Noise {
            sd_log: 0.05,
            df: 60.0,
        };
        let (mut alone, mut lent) = (0, 0);
        for _ in 0..4_000 {
            let runs: Vec<f64> = (0..3)
                .map(|_| 100.0 * (0.05 * random.normal()).exp())
                .collect();
            let inside = |i: Interval| u32::from(i.lower <= 100.0 && 100.0 <= i.upper);
            alone += inside(statistic(&runs, 0.95).unwrap());
            lent += inside(statistic_with(&runs, &noise, 0.95).unwrap());
        }
        assert!((3_760..3_860).contains(&alone), "{alone}");
        assert!(lent >= 3_760, "{lent}");
    }

    #[test]
    fn a_release_much_wilder_than_its_history_borrows_nothing() {
        let own = spread(&[0.0, 0.5, -0.5, 0.4]).unwrap();
        let noise = combined(
            &own,
            Some(&Noise {
                sd_log: 0.01,
                df: 100.0,
            }),
        )
        .unwrap();
        assert_eq!(
            noise,
            Noise {
                sd_log: own.sd,
                df: own.df
            }
        );
    }

    #[test]
    fn pooling_finds_the_noise_between_runs_and_not_between_releases() {
        let mut random = Seeded::new(9);
        let releases: Vec<Vec<f64>> = (0..60)
            .map(|r| {
                (0..3)
                    .map(|_| 100.0 * (1.0 + f64::from(r)) * (0.03 * random.normal()).exp())
                    .collect()
            })
            .collect();
        let groups: Vec<&[f64]> = releases.iter().map(Vec::as_slice).collect();
        let noise = pooled_noise(&groups).unwrap();
        assert!((noise.sd_log - 0.03).abs() < 0.005 && noise.df == 120.0);
        assert_eq!(pooled_noise(&[&[3.0], &[4.0]]), None);
    }

    #[test]
    fn successive_changes_give_the_noise_in_spite_of_a_step_and_a_wild_run() {
        let mut random = Seeded::new(11);
        let mut values: Vec<f64> = (0..200)
            .map(|i| if i < 100 { 50.0 } else { 90.0 } * (0.02 * random.normal()).exp())
            .collect();
        values[30] = 5_000.0;
        let noise = successive_noise(&values).unwrap();
        assert!((noise.sd_log - 0.02).abs() < 0.005, "{noise:?}");
    }
}
