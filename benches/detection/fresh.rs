//! Two hundred labelled series, all drawn from one seed and none of the detector's code: what each class is, how many
//! there are, and how a series and its label are written.
//!
//! The classes and the fields of a label are those of the labelled series that detectors are compared on, so that their
//! scorer reads these as well. The numbers come from `rand`'s `StdRng`: another release may draw other series.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;

use crate::classes;
use crate::draft::{Draft, rounded_to};
use crate::noise::Noise;

/// Rows in a year of a series; all rates are per so many rows.
pub(crate) const ROWS_PER_YEAR: usize = 365;

/// What was put into a series, in the words of the labels. Rows count from 0.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Truth {
    /// A new level from this row on; `z` is its size in standard errors of the means before and after.
    Step {
        index: usize,
        effect_pct: f64,
        z: f64,
        detectable: bool,
    },
    /// Every release is a little slower than the one before; `end` is the first row of the last such release.
    Bleed {
        start: usize,
        end: usize,
        releases: usize,
        points_per_release: usize,
        per_release_pct: f64,
        total_pct: f64,
        z: f64,
        detectable: bool,
    },
    /// From this row on the spread is larger by a factor.
    Variance { index: usize, factor: f64 },
    /// A pulse that goes away by itself.
    Spike {
        index: usize,
        width: usize,
        effect_pct: f64,
    },
    /// A new level that the environment made; not visible where `env` does not say so.
    Epoch {
        index: usize,
        effect_pct: f64,
        visible: bool,
    },
    /// A new machine at the old level.
    EnvChange {
        index: usize,
        effect_pct: f64,
        visible: bool,
    },
}

/// What is known of a series.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Label {
    /// Where the series is, relative to the labels.
    pub(crate) file: String,
    /// `injected` or `stationary`.
    pub(crate) family: &'static str,
    /// The class within the family.
    pub(crate) class: &'static str,
    /// Rows.
    pub(crate) points: usize,
    direction: &'static str,
    /// Rows that count as a year.
    pub(crate) points_per_year: usize,
    /// Standard deviation of the noise's logarithm; where it varies, the root of the mean variance.
    sigma_log: f64,
    /// The kind of noise.
    pub(crate) noise_from: &'static str,
    /// What was put in.
    pub(crate) truth: Vec<Truth>,
    /// The nominal size of the steps, per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step_pct: Option<u32>,
    /// The group that shares this series' environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
}

/// A series with its label.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    /// The series as `time,release,value[,count][,env]`.
    pub(crate) csv: String,
    pub(crate) label: Label,
}

/// Draws the drafts of one turn of a class: one series, or all of a group.
type Make = fn(&mut StdRng, usize) -> Vec<Draft>;

/// Family, class, turns, and how a turn is drawn.
const CLASSES: [(&str, &str, usize, Make); 19] = [
    ("injected", "step", 44, |r, turn| {
        vec![classes::step(r, turn)]
    }),
    ("injected", "multi_step", 10, |r, turn| {
        vec![classes::multi_step(r, turn)]
    }),
    ("injected", "bleed", 36, |r, turn| {
        vec![classes::bleed(r, turn)]
    }),
    ("injected", "variance", 10, |r, turn| {
        vec![classes::variance(r, turn)]
    }),
    ("injected", "spike", 10, |r, turn| {
        vec![classes::spike(r, turn)]
    }),
    ("injected", "env_benign", 6, |r, turn| {
        vec![classes::env_benign(r, turn)]
    }),
    ("injected", "epoch_env", 10, |r, turn| {
        vec![classes::epoch_env(r, turn)]
    }),
    // Two turns of six.
    ("injected", "epoch_fleet", 2, classes::epoch_fleet),
    ("injected", "rum_step", 8, |r, turn| {
        vec![classes::rum_step(r, turn)]
    }),
    ("injected", "rum_bleed", 8, |r, turn| {
        vec![classes::rum_bleed(r, turn)]
    }),
    ("stationary", "white", 6, |r, _| {
        vec![classes::flat(r, Noise::White)]
    }),
    ("stationary", "student_t", 5, |r, _| {
        vec![classes::flat(r, Noise::StudentT)]
    }),
    ("stationary", "two_level", 5, |r, _| {
        let noise = Noise::two_level(r);
        vec![classes::flat(r, noise)]
    }),
    ("stationary", "skewed", 4, |r, turn| {
        let tails = [Noise::Gamma, Noise::LogNormal];
        vec![classes::flat(r, tails[turn % 2])]
    }),
    ("stationary", "rounded", 3, |r, _| {
        let noise = Noise::rounded(r);
        vec![classes::flat(r, noise)]
    }),
    ("stationary", "near_zero", 4, |r, _| {
        vec![classes::nearly_nothing(r)]
    }),
    ("stationary", "per_release", 3, |r, _| {
        vec![classes::flat(r, Noise::PerRelease)]
    }),
    ("stationary", "ar_noise", 10, |r, turn| {
        let phi = [0.3, 0.5, 0.7, 0.85][turn % 4];
        vec![classes::flat(r, Noise::Memory { phi })]
    }),
    ("stationary", "weekly", 6, |r, turn| {
        vec![classes::weekly(r, turn)]
    }),
];

/// Turns that a seed has at most: seeds beside each other share none.
const TURNS: u64 = 1_000;

/// All series of a seed, by name.
pub(crate) fn all(seed: u64) -> BTreeMap<String, Fresh> {
    let mut made = BTreeMap::new();
    let mut turns = 0..TURNS;
    for (family, class, count, make) in CLASSES {
        for (turn, own) in (0..count).zip(&mut turns) {
            // A generator for each turn: one class may change without drawing the others anew.
            let mut random = StdRng::seed_from_u64(seed.wrapping_mul(TURNS).wrapping_add(own));
            for draft in make(&mut random, turn) {
                let name = format!("fresh_{:03}", made.len());
                let fresh = Fresh::of(&draft, &name, (family, class), &mut random);
                made.insert(name, fresh);
            }
        }
    }
    made
}

impl Fresh {
    fn of(
        draft: &Draft,
        name: &str,
        (family, class): (&'static str, &'static str),
        random: &mut StdRng,
    ) -> Fresh {
        let variance = draft.sd_log.iter().map(|sd| sd * sd).sum::<f64>() / draft.len() as f64;
        let label = Label {
            file: format!("series/{name}.csv"),
            family,
            class,
            points: draft.len(),
            direction: "lower_is_better",
            points_per_year: ROWS_PER_YEAR,
            sigma_log: rounded_to(variance.sqrt(), 5),
            noise_from: draft.noise.name(),
            truth: draft.truth.clone(),
            step_pct: draft.step_pct,
            group: draft.group.clone(),
        };
        let csv = draft.csv(random);
        Fresh { csv, label }
    }
}
