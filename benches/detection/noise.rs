//! How measurements vary while nothing changes: the kinds of noise beneath the labelled series.

use rand::RngExt;
use rand::rngs::StdRng;
use rand_distr::{Distribution, Gamma, LogNormal, StandardNormal, StudentT};

/// Degrees of freedom of the heavy tails: the fewest whole ones with a finite variance.
const HEAVY_DF: f64 = 3.0;
/// Shape of the skewed gamma; its skewness is 2/√shape, here 1.6.
const GAMMA_SHAPE: f64 = 1.5;
/// Standard deviation of the logarithm of the skewed log-normal; its skewness is 4.7.
const TAIL_LOG_SD: f64 = 0.9;
/// Share of the variance that is between the two runners, and the share that is between releases.
const BETWEEN_RUNNERS: f64 = 0.75;
const BETWEEN_RELEASES: f64 = 0.64;

/// A kind of noise.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Noise {
    /// Independent and normal.
    White,
    /// Independent, Student's t: single runs far out on both sides.
    StudentT,
    /// A fast and a slow runner, each kept with its own probability from row to row.
    TwoLevel { stay_fast: f64, stay_slow: f64 },
    /// Independent, gamma: a long side upwards.
    Gamma,
    /// Independent, log-normal: a longer one.
    LogNormal,
    /// Normal, told in whole units, so that few values are distinct; the unit in standard deviations.
    Rounded { unit_sd: f64 },
    /// Normal about a small level and told in `unit`; in this share of the rows nothing was there to measure: zero.
    NearZero {
        level: f64,
        unit: f64,
        zero_share: f64,
    },
    /// Each release has an effect that its runs share.
    PerRelease,
    /// A first-order autoregression with this coefficient.
    Memory { phi: f64 },
    /// Normal, about a weekly cycle that the level carries.
    Weekly,
}

impl Noise {
    /// The kind beneath the series of this turn of an injected class: ten kinds in rotation.
    pub(crate) fn beneath(turn: usize, random: &mut StdRng) -> Noise {
        match turn % 10 {
            0 => Noise::White,
            1 => Noise::two_level(random),
            2 => Noise::Gamma,
            3 => Noise::Memory { phi: 0.3 },
            4 => Noise::StudentT,
            5 => Noise::PerRelease,
            6 => Noise::rounded(random),
            7 => Noise::LogNormal,
            8 => Noise::NearZero {
                level: random.random_range(0.05..0.12),
                unit: 0.000_1,
                zero_share: 0.03,
            },
            _ => Noise::Memory { phi: 0.5 },
        }
    }

    /// Runners that change every two to five rows.
    pub(crate) fn two_level(random: &mut StdRng) -> Noise {
        Noise::TwoLevel {
            stay_fast: random.random_range(0.5..0.8),
            stay_slow: random.random_range(0.5..0.8),
        }
    }

    /// A unit of one to two and a half standard deviations: five to nine distinct values.
    pub(crate) fn rounded(random: &mut StdRng) -> Noise {
        Noise::Rounded {
            unit_sd: random.random_range(1.0..2.5),
        }
    }

    /// As in the labels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Noise::White => "white",
            Noise::StudentT => "student_t",
            Noise::TwoLevel { .. } => "two_level",
            Noise::Gamma => "gamma",
            Noise::LogNormal => "log_normal",
            Noise::Rounded { .. } => "rounded",
            Noise::NearZero { .. } => "near_zero",
            Noise::PerRelease => "per_release",
            Noise::Memory { .. } => "memory",
            Noise::Weekly => "weekly",
        }
    }

    /// By how much the standard error of a mean over many rows exceeds that of independent rows.
    pub(crate) fn inflation(self, runs: usize) -> f64 {
        let memory = |phi: f64| (1.0 + phi) / (1.0 - phi);
        let variance = match self {
            Noise::TwoLevel {
                stay_fast,
                stay_slow,
            } => BETWEEN_RUNNERS * memory(stay_fast + stay_slow - 1.0) + (1.0 - BETWEEN_RUNNERS),
            // Rounding adds the variance of a uniform error of one unit.
            Noise::Rounded { unit_sd } => 1.0 + unit_sd.powi(2) / 12.0,
            Noise::PerRelease => BETWEEN_RELEASES * runs as f64 + (1.0 - BETWEEN_RELEASES),
            Noise::Memory { phi } => memory(phi),
            _ => 1.0,
        };
        variance.sqrt()
    }

    /// The level to begin at, in the unit of the values.
    pub(crate) fn base(self, sd_log: f64, random: &mut StdRng) -> f64 {
        match self {
            Noise::Rounded { unit_sd } => 1.0 / (unit_sd * sd_log),
            Noise::NearZero { level, .. } => level,
            Noise::Weekly => random.random_range(150.0..4_000.0),
            _ => 10_f64.powf(random.random_range(0.0..4.5)),
        }
    }

    /// One deviation a row, of mean zero and variance one before rounding; rows of a release are neighbours.
    pub(crate) fn deviations(self, releases: &[usize], random: &mut StdRng) -> Vec<f64> {
        match self {
            Noise::TwoLevel {
                stay_fast,
                stay_slow,
            } => two_levels(stay_fast, stay_slow, releases.len(), random),
            Noise::PerRelease => per_release(releases, random),
            Noise::Memory { phi } => remembering(phi, releases.len(), random),
            _ => releases.iter().map(|_| self.independent(random)).collect(),
        }
    }

    fn independent(self, random: &mut StdRng) -> f64 {
        match self {
            Noise::StudentT => {
                let t = StudentT::new(HEAVY_DF).expect("positive degrees of freedom");
                t.sample(random) / (HEAVY_DF / (HEAVY_DF - 2.0)).sqrt()
            }
            Noise::Gamma => {
                let gamma = Gamma::new(GAMMA_SHAPE, 1.0).expect("a positive shape");
                (gamma.sample(random) - GAMMA_SHAPE) / GAMMA_SHAPE.sqrt()
            }
            Noise::LogNormal => {
                let log_normal = LogNormal::new(0.0, TAIL_LOG_SD).expect("a finite deviation");
                let (mean, grown) = ((TAIL_LOG_SD.powi(2) / 2.0).exp(), TAIL_LOG_SD.powi(2));
                (log_normal.sample(random) - mean) / (mean * grown.exp_m1().sqrt())
            }
            _ => normal(random),
        }
    }

    /// What a program would report of this value.
    pub(crate) fn told(self, value: f64, random: &mut StdRng) -> f64 {
        match self {
            Noise::Rounded { .. } => value.round(),
            Noise::NearZero { zero_share, .. } if random.random_bool(zero_share) => 0.0,
            Noise::NearZero { unit, .. } => (value / unit).round() * unit,
            _ => value,
        }
    }
}

/// A standard normal number.
pub(crate) fn normal(random: &mut StdRng) -> f64 {
    StandardNormal.sample(random)
}

fn two_levels(stay_fast: f64, stay_slow: f64, rows: usize, random: &mut StdRng) -> Vec<f64> {
    let slow_share = (1.0 - stay_fast) / (2.0 - stay_fast - stay_slow);
    let level_sd = (slow_share * (1.0 - slow_share)).sqrt();
    let mut is_slow = random.random_bool(slow_share);
    (0..rows)
        .map(|_| {
            let stays = if is_slow { stay_slow } else { stay_fast };
            is_slow ^= !random.random_bool(stays);
            let level = (f64::from(u8::from(is_slow)) - slow_share) / level_sd;
            BETWEEN_RUNNERS.sqrt() * level + (1.0 - BETWEEN_RUNNERS).sqrt() * normal(random)
        })
        .collect()
}

fn per_release(releases: &[usize], random: &mut StdRng) -> Vec<f64> {
    let (mut current, mut effect) = (None, 0.0);
    releases
        .iter()
        .map(|release| {
            if current.replace(release) != Some(release) {
                effect = normal(random);
            }
            BETWEEN_RELEASES.sqrt() * effect + (1.0 - BETWEEN_RELEASES).sqrt() * normal(random)
        })
        .collect()
}

fn remembering(phi: f64, rows: usize, random: &mut StdRng) -> Vec<f64> {
    // Begins in its stationary distribution, so that the first rows are no special ones.
    let mut state = normal(random);
    (0..rows)
        .map(|_| {
            state = phi * state + (1.0 - phi * phi).sqrt() * normal(random);
            state
        })
        .collect()
}
