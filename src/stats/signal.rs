//! A series made ready for the tests: logarithms, without its weekday, its wild points drawn in.
//!
//! Source: Hampel (1974) for the running-median filter, Winsor for drawing points in; Fisher's F for the weekday.
//! Assumes that noise multiplies (positive values; else they are taken as they are, in units of their median), or that it
//! does so to the upper side more, which a power evens out (Box & Cox 1964); rows that rest on fewer observations weigh
//! less, by [`super::precision`].
//! Smallest sample: one value. Cannot keep a pulse of up to five runs: it counts as wild, by intent.

use std::ops::Range;

use super::precision::{Precision, excess};
use super::runners;
use super::tails::f_above;

/// Half the window of the running median: a level that lasts six runs is a level, five are a pulse.
const HALF_WINDOW: usize = 5;

/// How far a point may stand off the running median, in standard deviations: costs 1 % of efficiency on normal noise.
const REACH: f64 = 2.5;

/// Rows before and after over which the noise of a place is taken.
const NEAR: usize = 20;

/// How far a point counts towards the noise, in standard deviations.
const NOISE_REACH: f64 = 4.0;

/// A weekday pattern is removed when chance alone would show one as strong this rarely.
const WEEKDAY_CHANCE: f64 = 1e-4;

/// Four weeks: below that a weekday is four runs at best.
const WEEKDAY_ROWS: usize = 28;

const DAY_US: i64 = 86_400_000_000;

/// Values on the scale of the tests.
#[derive(Debug, Clone, Default)]
pub(super) struct Signal {
    /// Without the weekday, wild points as they came.
    pub(super) plain: Vec<f64>,
    /// The same with wild points drawn in.
    pub(super) tame: Vec<f64>,
    /// How much larger the variance around each row is than what is usual in the stretch.
    pub(super) roughness: Vec<f64>,
    /// Standard deviation of the noise about the running median.
    pub(super) sd: f64,
    /// What the values are measured in.
    pub(super) scale: Scale,
    /// What was taken off runs on another machine of two that take turns; empty where none do.
    pub(super) turns: Vec<f64>,
    /// The same as `tame` with the noise of less precise rows made as small as that of the others.
    pub(super) even: Vec<f64>,
    /// What each row weighs beside a usual one, 1 at most: one over how much larger the variance of its noise is.
    pub(super) weight: Vec<f64>,
    /// The variance that each row has at least; empty where none is known.
    pub(super) own_variance: Vec<f64>,
}

impl Signal {
    /// Prepares values (finite, oldest first) with their times, of which nobody knows how precise each is.
    #[cfg(test)]
    pub(super) fn of(values: &[f64], times_us: &[i64]) -> Self {
        let scale = Scale::of(values);
        let precision = vec![Precision::default(); values.len()];
        Self::of_scaled(scale.put(values), scale, times_us, &precision)
    }

    /// Prepares values that are on a scale already (finite, oldest first), with their times and how precise each is.
    pub(super) fn of_scaled(
        mut plain: Vec<f64>,
        scale: Scale,
        times_us: &[i64],
        precision: &[Precision],
    ) -> Self {
        remove_weekday(&mut plain, times_us);
        let turns = runners::offsets(&plain).unwrap_or_default();
        plain
            .iter_mut()
            .zip(&turns)
            .for_each(|(x, turn)| *x -= turn);
        let middle = running_median(&plain);
        let mut off: Vec<f64> = plain.iter().zip(&middle).map(|(x, m)| x - m).collect();
        let excess = excess(&off, precision);
        off.iter_mut().zip(&excess).for_each(|(x, e)| *x /= e);
        let sd = scale_of(&mut off.iter().map(|x| x.abs()).collect::<Vec<_>>());
        let roughness = roughness(&off, sd);
        for (x, r) in off.iter_mut().zip(&roughness) {
            let reach = REACH * sd * r.sqrt();
            *x = x.clamp(-reach, reach);
        }
        let even = middle.iter().zip(&off).map(|(m, x)| m + x).collect();
        off.iter_mut().zip(&excess).for_each(|(x, e)| *x *= e);
        let tame = middle.iter().zip(&off).map(|(m, x)| m + x).collect();
        let mut own_variance = Vec::new();
        if precision.iter().any(|row| row.variance > 0.0) {
            own_variance = own_variances(precision);
        }
        Self {
            plain,
            tame,
            roughness,
            sd,
            scale,
            turns,
            even,
            weight: excess.iter().map(|e| 1.0 / (e * e)).collect(),
            own_variance,
        }
    }
}

impl Signal {
    /// The least standard deviation of these rows, root mean square; nought where none is known.
    pub(super) fn own_sd(&self, rows: Range<usize>) -> f64 {
        let n = rows.len() as f64;
        (self.own_variance.get(rows)).map_or(0.0, |own| (own.iter().sum::<f64>() / n).sqrt())
    }

    /// Whether all rows weigh the same.
    pub(super) fn is_even(&self) -> bool {
        self.weight.iter().all(|w| *w >= 1.0)
    }

    /// How much larger the standard deviation of these rows' noise is than a usual row's, root mean square.
    pub(super) fn excess(&self, rows: Range<usize>) -> f64 {
        let n = rows.len() as f64;
        let variances: f64 = self.weight[rows].iter().map(|w| 1.0 / w).sum();
        (variances / n).sqrt()
    }
}

/// A row that is less precise than this many times the usual is drawn in already, and says nothing of the others.
const MOST_OWN: f64 = 4.0;

fn own_variances(precision: &[Precision]) -> Vec<f64> {
    let own: Vec<f64> = precision.iter().map(|row| row.variance).collect();
    let most = MOST_OWN * median_of(&mut own.clone());
    own.into_iter().map(|variance| variance.min(most)).collect()
}

/// What values are measured in where they are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// In units of their median size, or where most are nought, of their mean.
    Units(f64),
    /// As (1 − (middle / value)^λ) / λ (Box & Cox 1964): the logarithm of value over middle at λ = 0, and the higher
    /// values the closer together the larger λ is.
    Power {
        /// λ, from 0.
        lambda: f64,
        /// The median; 1 at λ = 0, where only distances count.
        middle: f64,
    },
}

/// The largest λ: beyond it the higher values would hardly count.
const MOST_LAMBDA: f64 = 2.0;

/// From this skewness of the noise on (of the outer tenths about the median, relative to their distance) it is made even.
const SKEWED: f64 = 0.4;

/// Fewer rows do not show how skewed noise is.
const SKEWED_ROWS: usize = 60;

impl Default for Scale {
    fn default() -> Self {
        Self::Units(1.0)
    }
}

impl Scale {
    /// The scale on which the noise of these values lies most evenly about its level.
    pub(super) fn of(values: &[f64]) -> Self {
        if values.is_empty() || values.iter().any(|v| *v <= 0.0) {
            return Self::Units(unit_of(values));
        }
        let logs: Vec<f64> = values.iter().map(|v| v.ln()).collect();
        let lambda = if logs.len() < SKEWED_ROWS {
            0.0
        } else {
            evening(&logs)
        };
        let middle = if lambda > 0.0 {
            median_of(&mut values.to_vec())
        } else {
            1.0
        };
        Self::Power { lambda, middle }
    }

    /// Values on this scale.
    pub(super) fn put(&self, values: &[f64]) -> Vec<f64> {
        values.iter().map(|v| self.put_one(*v)).collect()
    }

    fn put_one(&self, value: f64) -> f64 {
        match *self {
            Self::Units(unit) => value / unit,
            Self::Power { lambda, middle } if lambda > 0.0 => {
                -((-lambda * (value / middle).ln()).exp_m1()) / lambda
            }
            Self::Power { middle, .. } => (value / middle).ln(),
        }
    }

    /// A standard error of `se` at `value`, on this scale.
    pub(super) fn put_error(&self, value: f64, se: f64) -> f64 {
        match *self {
            Self::Units(unit) => se / unit,
            Self::Power { lambda, middle } if lambda > 0.0 => {
                (-lambda * (value / middle).ln()).exp() * se / value
            }
            Self::Power { .. } => se / value,
        }
    }

    /// The value that is there on the scale.
    pub(super) fn value(&self, x: f64) -> f64 {
        match *self {
            Self::Units(unit) => x * unit,
            Self::Power { lambda, middle } => middle * power_log(x, lambda).exp(),
        }
    }

    /// A change of level in per cent of the level before it; both on this scale.
    pub(super) fn percent(&self, before: f64, change: f64) -> f64 {
        match *self {
            Self::Power { lambda, .. } => {
                100.0 * (power_log(before + change, lambda) - power_log(before, lambda)).exp_m1()
            }
            Self::Units(_) if before.abs() > 1e-12 => 100.0 * change / before.abs(),
            Self::Units(_) => 100.0 * change,
        }
    }
}

/// The logarithm of value over middle of a place on the power scale. The scale ends where values would be infinite.
fn power_log(x: f64, lambda: f64) -> f64 {
    if lambda > 0.0 {
        -(1.0 - lambda * x).max(1e-3).ln() / lambda
    } else {
        x
    }
}

/// The whole λ that makes the noise of these logarithms most even; 0 where it is not skewed.
fn evening(logs: &[f64]) -> f64 {
    let mut off: Vec<f64> = logs
        .iter()
        .zip(running_median(logs))
        .map(|(x, m)| x - m)
        .collect();
    off.sort_unstable_by(f64::total_cmp);
    let tenth = off.len() / 10;
    let (low, high) = (off[tenth], off[off.len() - 1 - tenth]);
    let skewness = |lambda: f64| {
        let at = |x: f64| {
            if lambda > 0.0 {
                -(-lambda * x).exp_m1() / lambda
            } else {
                x
            }
        };
        let width = at(high) - at(low);
        if width > 0.0 {
            (at(high) + at(low)) / width
        } else {
            0.0
        }
    };
    if skewness(0.0) < SKEWED {
        return 0.0;
    }
    let mut lambda = 0.0;
    while lambda < MOST_LAMBDA && skewness(lambda + 1.0) > 0.0 {
        lambda += 1.0;
    }
    lambda
}

/// The median, reordering its argument; 0 without values.
pub(super) fn median_of(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let (n, middle) = (values.len(), values.len() / 2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if n % 2 == 1 {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

/// The mean of the middle half of the weight; 0 without values.
pub(super) fn midmean_of(values: &[f64], weights: &[f64]) -> f64 {
    let mut ranked: Vec<(f64, f64)> = values
        .iter()
        .copied()
        .zip(weights.iter().copied())
        .collect();
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let quarter = weights.iter().sum::<f64>() / 4.0;
    let outer = |ranked: &mut dyn Iterator<Item = &(f64, f64)>| {
        let mut passed = 0.0;
        let is_outer = |(_, weight): &&(f64, f64)| {
            passed += weight;
            passed <= quarter
        };
        ranked.take_while(is_outer).count()
    };
    let (low, high) = (outer(&mut ranked.iter()), outer(&mut ranked.iter().rev()));
    let middle = &ranked[low..ranked.len() - high];
    let weight: f64 = middle.iter().map(|(_, weight)| weight).sum();
    middle.iter().map(|(x, weight)| x * weight).sum::<f64>() / weight.max(f64::MIN_POSITIVE)
}

/// What values of both signs or with zeros are measured in: their median size, or, where most are zero, the mean size.
fn unit_of(values: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = values.iter().map(|v| v.abs()).collect();
    let median = median_of(&mut sizes);
    if median > 0.0 {
        return median;
    }
    let count = sizes.len().max(1) as f64;
    let mean: f64 = sizes.iter().map(|size| size / count).sum();
    if mean > 0.0 { mean } else { 1.0 }
}

/// Standard deviation from absolute deviations: their median times 1.4826, or, where more than half are nought, what
/// their mean says (1.2533 times it for normal noise).
pub(super) fn scale_of(off: &mut [f64]) -> f64 {
    let robust = 1.482_6 * median_of(off);
    if robust > 0.0 {
        return robust;
    }
    1.253_3 * off.iter().sum::<f64>() / off.len().max(1) as f64
}

/// The median of up to eleven neighbours; at the ends, of the eleven outermost.
fn running_median(values: &[f64]) -> Vec<f64> {
    let (n, window) = (values.len(), 2 * HALF_WINDOW + 1);
    let mut near = Vec::with_capacity(window);
    (0..n)
        .map(|i| {
            let start = i.saturating_sub(HALF_WINDOW).min(n.saturating_sub(window));
            near.clear();
            near.extend_from_slice(&values[start..(start + window).min(n)]);
            median_of(&mut near)
        })
        .collect()
}

/// The mean square off the running median around each row, over what is usual; a quarter at least, since a few quiet
/// rows prove little.
fn roughness(off: &[f64], sd: f64) -> Vec<f64> {
    let limit = NOISE_REACH * sd;
    let mut total = 0.0;
    let squares = off.iter().map(|x| {
        total += x.clamp(-limit, limit).powi(2);
        total
    });
    let sums: Vec<f64> = std::iter::once(0.0).chain(squares).collect();
    let n = off.len();
    let around = |i: usize| {
        let (start, end) = (i.saturating_sub(NEAR), (i + NEAR + 1).min(n));
        (sums[end] - sums[start]) / (end - start) as f64
    };
    let local: Vec<f64> = (0..n).map(around).collect();
    let usual = median_of(&mut local.clone());
    if usual <= 0.0 {
        return vec![1.0; n];
    }
    local.iter().map(|x| (x / usual).max(0.25)).collect()
}

fn weekday(time_us: i64) -> usize {
    // The epoch's first day was a Thursday; only that days are told apart matters.
    time_us.div_euclid(DAY_US).rem_euclid(7) as usize
}

/// Takes the weekday's mean deviation from its own week off every value, where the pattern is beyond chance.
fn remove_weekday(values: &mut [f64], times_us: &[i64]) {
    let n = values.len();
    if n < WEEKDAY_ROWS {
        return;
    }
    let middle = running_median(values);
    let off: Vec<f64> = values.iter().zip(&middle).map(|(x, m)| x - m).collect();
    let limit = 3.0 * scale_of(&mut off.iter().map(|x| x.abs()).collect::<Vec<_>>());
    let tame = |x: f64| x.clamp(-limit, limit);
    let (mut sums, mut counts) = ([0.0; 7], [0.0; 7]);
    for (x, time) in off.iter().zip(times_us) {
        let day = weekday(*time);
        sums[day] += tame(*x);
        counts[day] += 1.0;
    }
    let days = counts.iter().filter(|c| **c >= 3.0).count();
    if days < 2 || counts.iter().any(|c| *c > 0.0 && *c < 3.0) {
        return;
    }
    let grand = sums.iter().sum::<f64>() / n as f64;
    let effect: Vec<f64> = sums
        .iter()
        .zip(&counts)
        .map(|(s, c)| if *c > 0.0 { s / c - grand } else { 0.0 })
        .collect();
    let between: f64 = effect.iter().zip(&counts).map(|(e, c)| c * e * e).sum();
    let within: f64 = off
        .iter()
        .zip(times_us)
        .map(|(x, t)| (tame(*x) - grand - effect[weekday(*t)]).powi(2))
        .sum();
    let (between_df, within_df) = (days as f64 - 1.0, (n - days) as f64);
    if within > 0.0
        && f_above(
            (between / between_df) / (within / within_df),
            between_df,
            within_df,
        ) < WEEKDAY_CHANCE
    {
        values
            .iter_mut()
            .zip(times_us)
            .for_each(|(x, t)| *x -= effect[weekday(*t)]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::seeded::Seeded;
    use super::*;

    fn days(n: usize) -> Vec<i64> {
        (0..n as i64).map(|d| d * DAY_US).collect()
    }

    #[test]
    fn a_pulse_is_drawn_in_and_a_level_is_kept() {
        let mut values = vec![100.0; 60];
        for (i, v) in values.iter_mut().enumerate() {
            *v *= 1.0 + 0.001 * (i % 3) as f64;
        }
        values[20] = 300.0;
        values[21] = 310.0;
        values[40..].iter_mut().for_each(|v| *v *= 1.5);
        let signal = Signal::of(&values, &days(60));
        assert!(signal.tame[20] - signal.tame[19] < 0.02);
        assert!((signal.tame[40] - signal.tame[39] - 1.5_f64.ln()).abs() < 0.01);
        assert!((signal.plain[20] - 300.0_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn a_weekday_pattern_is_removed_and_noise_is_left_alone() {
        let mut random = Seeded::new(6);
        let noise: Vec<f64> = (0..140)
            .map(|_| 100.0 * (0.01 * random.normal()).exp())
            .collect();
        let weekly: Vec<f64> = noise
            .iter()
            .enumerate()
            .map(|(i, v)| if i % 7 < 2 { v * 1.05 } else { *v })
            .collect();
        let signal = Signal::of(&weekly, &days(140));
        assert!(signal.sd < 0.014, "{}", signal.sd);
        let plain: Vec<f64> = noise.iter().map(|v| v.ln()).collect();
        assert_eq!(Signal::of(&noise, &days(140)).plain, plain);
    }

    #[test]
    fn skewed_noise_is_made_even_and_its_changes_are_told_in_per_cent_all_the_same() {
        let mut random = Seeded::new(9);
        let values: Vec<f64> = (0..200)
            .map(|_| 100.0 * (-0.3 * random.uniform().ln()).exp())
            .collect();
        let scale = Scale::of(&values);
        assert!(matches!(scale, Scale::Power { lambda, .. } if lambda > 0.0));
        for (before, after) in [(100.0, 120.0), (150.0, 90.0)] {
            let on = scale.put(&[before, after]);
            let percent = scale.percent(on[0], on[1] - on[0]);
            assert!((percent - 100.0 * (after / before - 1.0)).abs() < 1e-9);
            assert!((scale.value(on[1]) - after).abs() < 1e-9);
        }
        let even: Vec<f64> = (0..200)
            .map(|_| 100.0 * (0.3 * random.normal()).exp())
            .collect();
        let logarithmic = Scale::Power {
            lambda: 0.0,
            middle: 1.0,
        };
        assert_eq!(Scale::of(&even), logarithmic);
        assert_eq!(Scale::of(&values[..50]), logarithmic);
    }

    #[test]
    fn mostly_zeros_are_taken_in_units_of_their_mean() {
        let mut shifts = vec![0.0; 11];
        shifts.extend([100_000.0; 9]);
        let signal = Signal::of(&shifts, &days(20));
        assert!(signal.tame.iter().all(|x| x.is_finite()), "{signal:?}");
        assert!((signal.plain[19] - 20.0 / 9.0).abs() < 1e-9 && signal.plain[0] == 0.0);
        assert_eq!(Signal::of(&[0.0; 5], &days(5)).plain, [0.0; 5]);
    }

    #[test]
    fn values_of_both_signs_are_taken_in_units_of_their_median() {
        let signal = Signal::of(&[-2.0, 0.0, 2.0, 4.0], &days(4));
        assert!(matches!(signal.scale, Scale::Units(_)));
        assert_eq!(signal.plain, [-1.0, 0.0, 1.0, 2.0]);
    }
}
