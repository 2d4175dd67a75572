//! Statistics: numbers in, verdicts out. No I/O, no clock, no randomness of its own.
//!
//! Everything here is a plain function of its arguments: values are in the series' base unit, times are
//! microseconds since the epoch in UTC, changes are in per cent, quantiles and confidences lie between 0 and 1.
//! A statistic that its evidence cannot carry is an [`Err`] of [`Needs`], never a made-up number.

pub mod alarm_budget;
pub mod backtest;
pub mod bleed;
pub mod blind_spot;
pub mod budget;
pub mod change_point;
pub mod common_mode;
pub mod compare;
mod describe;
pub mod detections;
pub mod difference;
pub mod epoch;
pub mod gate;
pub mod headroom;
mod injection;
pub mod judge;
mod jump;
#[cfg(test)]
mod laws;
pub mod ledger;
mod levels;
mod likelihood;
mod long;
pub mod mix;
pub mod percentile;
mod precision;
mod reading;
pub mod release_order;
pub mod replay;
mod runners;
pub mod runs;
pub mod seeded;
mod serial;
mod signal;
mod stretch;
mod tails;
pub mod wording;

use serde::{Deserialize, Serialize};

pub use collectors::report::Direction;

/// An estimate with the range in which the true value lies at the confidence that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// The lowest likely value.
    pub lower: f64,
    /// The highest likely value.
    pub upper: f64,
}

impl Interval {
    /// An interval of no width, for what is known exactly.
    pub fn exact(value: f64) -> Self {
        Self {
            value,
            lower: value,
            upper: value,
        }
    }

    /// Half the width, in the unit of the value.
    pub fn half_width(&self) -> f64 {
        (self.upper - self.lower) / 2.0
    }

    /// The interval of `factor` times the quantity; a negative factor swaps the ends.
    pub fn scaled(&self, factor: f64) -> Self {
        let (a, b) = (self.lower * factor, self.upper * factor);
        Self {
            value: self.value * factor,
            lower: a.min(b),
            upper: a.max(b),
        }
    }

    /// The same evidence seen so that larger is worse: mirrored where higher is better.
    pub fn worse_upwards(&self, direction: Direction) -> Self {
        match direction {
            Direction::Higher => self.scaled(-1.0),
            Direction::Lower | Direction::Unknown => *self,
        }
    }
}

/// An estimate with its standard error, for what is added up or weighted further.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error, in the same unit.
    pub se: f64,
}

impl Estimate {
    /// The range that holds the truth with `confidence`, as if the error were normal.
    pub fn interval(&self, confidence: f64) -> Interval {
        let half = tails::normal_quantile(0.5 + confidence / 2.0) * self.se;
        Interval {
            value: self.value,
            lower: self.value - half,
            upper: self.value + half,
        }
    }
}

/// What a refused statistic would need before it can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Needs {
    /// How many samples it takes in all, where samples are what is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub samples: Option<u64>,
    /// How many more runs it takes, where runs are what is missing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub runs: Option<u32>,
}

impl Needs {
    /// `total` samples in all.
    pub fn samples(total: u64) -> Self {
        Self {
            samples: Some(total),
            runs: None,
        }
    }

    /// `more` runs on top of those at hand.
    pub fn runs(more: u32) -> Self {
        Self {
            samples: None,
            runs: Some(more),
        }
    }
}

/// The confidence of every range on a page, unless a rule says otherwise: "the true value lies here in 95 of 100 cases".
pub const CONFIDENCE: f64 = 0.95;
