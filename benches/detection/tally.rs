//! Scores detections of labelled series, by the rules of the scorer of the detection benchmark in the documentation.
//!
//! An alarm is a step, a bleed or an epoch. A step is found by an alarm other than an epoch within [`MARGIN`] rows, a
//! bleed by any alarm from shortly before its onset until shortly after its end, an epoch by an epoch within the margin.
//! Every other alarm is a false one. Where nothing was put in, any alarm is false.

use std::collections::BTreeMap;

use longwatch::stats::detections::Detection;
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::alarms::{Alarms, MARGIN};
use crate::fresh::{Fresh, ROWS_PER_YEAR, Truth};

/// Rows before a bleed's onset at which its estimated onset may still lie.
const BLEED_LEAD: usize = 10;

/// From these on alarms are counted together, by how sure they say they are.
const CONFIDENCES: [f64; 4] = [0.0, 0.5, 0.9, 0.98];

/// Series and what was found in them, counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    true_steps: usize,
    false_alarms: usize,
    missed_steps: usize,
    /// By nominal size in per cent: found, and how many there are.
    by_size: BTreeMap<u64, (usize, usize)>,
    step_delays_rows: Vec<f64>,
    bleeds: Vec<Bleed>,
    epochs: usize,
    epochs_told: usize,
    epochs_as_regression: usize,
    /// By family and class: how many false alarms in how many rows.
    false_by_class: BTreeMap<(&'static str, &'static str), (usize, usize)>,
    /// By what was said of them: how many alarms were real, and how many there were.
    by_confidence: [(usize, usize); CONFIDENCES.len()],
    /// What went wrong, a line each.
    pub(crate) errors: Vec<String>,
}

/// Which alarms say that they are about as sure.
fn alike(alarm: &Detection) -> usize {
    CONFIDENCES
        .iter()
        .rposition(|least| alarm.confidence >= *least)
        .unwrap_or(0)
}

/// What became of a bleed.
#[derive(Debug)]
struct Bleed {
    alarms: usize,
    is_named: bool,
    /// Releases from the onset to the first alarm, and what they had cost by then in per cent.
    first_alarm: Option<(f64, f64)>,
}

impl Tally {
    /// Counts a series. `releases` has the release's number of each row.
    pub(crate) fn add(
        &mut self,
        name: &str,
        fresh: &Fresh,
        releases: &[usize],
        found: &[Detection],
    ) {
        let label = &fresh.label;
        let mut alarms = Alarms::of(found, label.points);
        let whose = format!("{name} {} {}", label.class, label.noise_from);
        // A step takes no alarm that a bleed or an epoch explains, and a new machine excuses only what is left.
        self.add_bleeds(&label.truth, releases, &mut alarms, &whose);
        self.add_epochs(&label.truth, &mut alarms, &whose);
        self.add_steps(fresh, &mut alarms, &whose);
        alarms.forgive_new_machines(&label.truth);
        let own = self
            .false_by_class
            .entry((label.family, label.class))
            .or_default();
        own.1 += label.points;
        for alarm in found.iter().filter(|alarm| alarm.kind != "epoch") {
            let alike = &mut self.by_confidence[alike(alarm)];
            *alike = (alike.0 + 1, alike.1 + 1);
        }
        for alarm in alarms.unused() {
            if alarm.kind != "epoch" {
                self.by_confidence[alike(alarm)].0 -= 1;
            }
            own.0 += 1;
            self.false_alarms += usize::from(label.family == "injected");
            self.errors.push(format!(
                "{whose}: false {} at row {}, told at {}, {} %: {}",
                alarm.kind, alarm.index, alarm.detected_at, alarm.effect_pct, alarm.reason
            ));
        }
    }

    fn add_bleeds(
        &mut self,
        truth: &[Truth],
        releases: &[usize],
        alarms: &mut Alarms<'_>,
        whose: &str,
    ) {
        for bleed in truth {
            let Truth::Bleed {
                start,
                end,
                releases: slower,
                per_release_pct,
                ..
            } = bleed
            else {
                continue;
            };
            let window = start.saturating_sub(BLEED_LEAD)..=end + MARGIN;
            let inside = alarms.take(|alarm| window.contains(&alarm.index));
            let first = inside.iter().map(|alarm| alarm.detected_at).min();
            let first_alarm = first.map(|first| {
                let at = first.clamp(*start, releases.len() - 1);
                let delay = releases[at] - releases[*start];
                let done = (*slower).min(delay + 1) as f64;
                let lost = (done * (per_release_pct / 100.0).ln_1p()).exp_m1();
                (delay as f64, 100.0 * lost)
            });
            let is_named = inside.iter().any(|alarm| alarm.kind == "bleed");
            if !is_named {
                let instead: Vec<&str> = inside.iter().map(|alarm| alarm.kind).collect();
                self.errors
                    .push(format!("{whose}: told as {instead:?}: {bleed:?}"));
            }
            self.bleeds.push(Bleed {
                alarms: inside.len(),
                is_named,
                first_alarm,
            });
        }
    }

    fn add_epochs(&mut self, truth: &[Truth], alarms: &mut Alarms<'_>, whose: &str) {
        for epoch in truth {
            let Truth::Epoch { index, .. } = epoch else {
                continue;
            };
            self.epochs += 1;
            let near = |alarm: &Detection| alarm.index.abs_diff(*index) <= MARGIN;
            let is_told = alarms.take_nearest(*index, |alarm| near(alarm) && alarm.kind == "epoch");
            // Told as a regression although the environment moved.
            let wrong = alarms.take(|alarm| near(alarm) && alarm.kind != "epoch");
            self.epochs_told += usize::from(is_told);
            self.epochs_as_regression += usize::from(!wrong.is_empty());
            if !is_told || !wrong.is_empty() {
                self.errors.push(format!(
                    "{whose}: told {is_told}, as regression {}: {epoch:?}",
                    !wrong.is_empty()
                ));
            }
        }
    }

    fn add_steps(&mut self, fresh: &Fresh, alarms: &mut Alarms<'_>, whose: &str) {
        let truth = &fresh.label.truth;
        let steps: Vec<(usize, f64)> = truth
            .iter()
            .filter_map(|truth| match truth {
                Truth::Step {
                    index, effect_pct, ..
                } => Some((*index, *effect_pct)),
                _ => None,
            })
            .collect();
        let rows: Vec<usize> = steps.iter().map(|(row, _)| *row).collect();
        for ((row, effect_pct), told) in steps.iter().zip(alarms.pair_with_steps(&rows)) {
            let nominal = fresh.label.step_pct.map(u64::from);
            let size = nominal.unwrap_or(effect_pct.abs().round() as u64);
            let of_size = self.by_size.entry(size).or_default();
            of_size.1 += 1;
            if let Some(alarm) = told {
                of_size.0 += 1;
                self.true_steps += 1;
                let delay = alarm.detected_at.saturating_sub(*row);
                self.step_delays_rows.push(delay as f64);
            } else {
                self.missed_steps += 1;
                self.errors
                    .push(format!("{whose}: missed {effect_pct} % at row {row}"));
            }
        }
    }

    /// Prints the figures, a line each, with the counts behind them; delays only of a replay, since hindsight tells
    /// everything at the last row.
    pub(crate) fn print(&self, as_replay: bool) {
        let (true_steps, alarms) = (self.true_steps, self.true_steps + self.false_alarms);
        let steps = self.true_steps + self.missed_steps;
        counted("steps: precision", true_steps, alarms, "alarms");
        counted("steps: recall", true_steps, steps, "steps");
        let (precision, recall) = (share(true_steps, alarms), share(true_steps, steps));
        let f1 = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
        row("steps: F1", f1, "");
        for (size, (found, all)) in &self.by_size {
            counted(&format!("  of {size} %: recall"), *found, *all, "");
        }
        if as_replay {
            let delay = median(&self.step_delays_rows);
            row("steps: delay, rows", delay, "median");
        }
        self.print_bleeds();
        if as_replay {
            self.print_delays();
        }
        let (told, wrong) = (self.epochs_told, self.epochs_as_regression);
        counted("epochs: told", told, self.epochs, "");
        counted("epochs: told as a regression", wrong, self.epochs, "");
        self.print_false_alarms();
        for (least, (real, all)) in CONFIDENCES.iter().zip(self.by_confidence) {
            let name = format!("told with a confidence from {least}: real");
            counted(&name, real, all, "");
        }
    }

    fn print_bleeds(&self) {
        let all = self.bleeds.len();
        let found = self.bleeds.iter().filter(|b| b.alarms > 0).count();
        let named = self.bleeds.iter().filter(|b| b.is_named).count();
        let alarms: usize = self.bleeds.iter().map(|b| b.alarms).sum();
        counted("bleeds: found", found, all, "");
        counted("bleeds: named as such", named, all, "");
        let each = alarms as f64 / found.max(1) as f64;
        let behind = format!("{alarms} for {found} found");
        row("bleeds: alarms each", each, &behind);
    }

    fn print_delays(&self) {
        let firsts: Vec<(f64, f64)> = self.bleeds.iter().filter_map(|b| b.first_alarm).collect();
        let mut delays: Vec<f64> = firsts.iter().map(|(delay, _)| *delay).collect();
        delays.sort_by(f64::total_cmp);
        let late = delays.get((0.9 * delays.len().saturating_sub(1) as f64) as usize);
        let late = late.map_or_else(String::new, |late| format!("median; P90 {late}"));
        row("bleeds: delay, releases", median(&delays), &late);
        let lost: Vec<f64> = firsts.iter().map(|(_, lost)| *lost).collect();
        row(
            "bleeds: lost at the first alarm, %",
            median(&lost),
            "median",
        );
    }

    fn print_false_alarms(&self) {
        let silent = ["variance", "spike", "env_benign"];
        for ((_, class), counts) in &self.false_by_class {
            if silent.contains(class) {
                rate(&format!("false alarms a year, {class}"), *counts);
            }
        }
        let stationary = || {
            self.false_by_class
                .iter()
                .filter(|((family, _), _)| *family == "stationary")
        };
        let sum = stationary().fold((0, 0), |sum, (_, own)| (sum.0 + own.0, sum.1 + own.1));
        rate("false alarms a year, nothing put in", sum);
        for ((_, class), counts) in stationary() {
            rate(&format!("  of them {class}"), *counts);
        }
    }
}

/// Prints a share with its counts.
fn counted(what: &str, some: usize, all: usize, of_what: &str) {
    row(
        what,
        share(some, all),
        &format!("{some} of {all} {of_what}"),
    );
}

fn row(what: &str, measured: f64, behind: &str) {
    println!("{what:<42} {measured:>7.3}  {}", behind.trim_end());
}

/// Prints alarms a year with the highest rate at which so few are seen once in twenty times.
fn rate(what: &str, (alarms, rows): (usize, usize)) {
    let years = rows as f64 / ROWS_PER_YEAR as f64;
    // Garwood 1936: half the chi-squared quantile with twice as many degrees of freedom, and two more.
    let most =
        ChiSquared::new(2.0 * alarms as f64 + 2.0).map_or(f64::NAN, |c| c.inverse_cdf(0.95) / 2.0);
    let behind = format!(
        "{alarms} in {years:.1} series-years, at most {:.2} a year (95 % Poisson upper bound)",
        most / years
    );
    row(what, alarms as f64 / years, &behind);
}

/// A share of all; one where there are none.
fn share(some: usize, all: usize) -> f64 {
    if all == 0 {
        1.0
    } else {
        some as f64 / all as f64
    }
}

/// The middle of some numbers, the mean of the two middle ones; not a number where there are none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}
