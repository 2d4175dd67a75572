//! How the settings at hand would have done on a series' own history, with changes of known size put into it.
//!
//! Source: replays of growing prefixes ([`super::replay`]) over the series' own noise (`injection`), first as it
//! is, then with a step or a bleed in it at a random place. Assumes that noise stays as it was. Smallest sample: twice
//! 14 rows in the running epoch. Cannot tell how often such changes happen, so it has no precision.

use serde::Serialize;

use super::blind_spot::QUARTER_US;
use super::epoch::Boundary;
use super::injection::{Quiet, is_injected, worsening};
use super::judge::{Row, Settings};
use super::replay::replay_from;
use super::seeded::Seeded;
use super::signal::median_of;

/// Rows that a level takes to be known, before a change and after it.
const BEFORE: usize = 14;

/// Rows that are replayed at most: of longer histories the newest.
const MOST_ROWS: usize = 600;

/// A year, microseconds.
const YEAR_US: f64 = 365.25 * 86_400e6;

/// What is put in, how often, and with which seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Sizes of steps, per cent.
    pub steps_pct: Vec<f64>,
    /// Sizes of bleeds, per cent in all, each spread over a quarter.
    pub bleeds_pct: Vec<f64>,
    /// How often each is put in, each time at another place of another turn of the noise.
    pub rounds: usize,
    /// The same seed gives the same places.
    pub seed: u64,
}

/// What kind of change was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Injected {
    /// All at once.
    Step,
    /// A little with each row, over a quarter.
    Bleed,
}

/// How changes of one size fared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fared {
    /// Which kind.
    pub kind: Injected,
    /// How large, per cent.
    pub size_pct: f64,
    /// How often it was put in.
    pub tried: usize,
    /// How often it was told within a quarter (a bleed: before it was a quarter over).
    pub told: usize,
    /// Median rows from its onset until it was told, over those that were.
    pub delay_rows: Option<f64>,
    /// The same in days.
    pub delay_days: Option<f64>,
    /// The same in releases.
    pub delay_releases: Option<f64>,
}

/// What a backtest of one series found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    /// Rows (runs, or days of field data) of the running epoch that it rests on.
    pub rows: usize,
    /// Years that they span.
    pub years: f64,
    /// The standard deviation of single rows, per cent of the level.
    pub noise_pct: f64,
    /// Replays of the noise with nothing put in.
    pub quiet_replays: usize,
    /// Findings in all of them: false alarms.
    pub false_alarms: usize,
    /// The same for each year.
    pub false_alarms_per_year: f64,
    /// What was put in, steps first, smaller ones first.
    pub fared: Vec<Fared>,
}

/// Backtests the newest epoch of a series; none where it holds too little history.
pub fn backtest(
    rows: &[Row<'_>],
    boundaries: &[Boundary],
    settings: &Settings,
    plan: &Plan,
) -> Option<Backtest> {
    let epoch = boundaries.iter().map(|b| b.index).max().unwrap_or(0);
    let quiet = Quiet::of(rows.get(epoch..)?, MOST_ROWS)?;
    let n = quiet.rows().len();
    if n < 2 * BEFORE {
        return None;
    }
    let span_us = quiet.rows()[n - 1].time_us - quiet.rows()[0].time_us;
    let years = (span_us as f64 / YEAR_US).max(f64::MIN_POSITIVE);
    let false_alarms = (0..plan.rounds)
        .map(|round| {
            let path = quiet.with(quiet.turn(round, plan.rounds), 0.0, |_| 0.0);
            replay_from(&path, &[], settings, 1).len()
        })
        .sum();
    let kinds = [
        (Injected::Step, &plan.steps_pct),
        (Injected::Bleed, &plan.bleeds_pct),
    ];
    let sizes = kinds
        .into_iter()
        .flat_map(|(kind, sizes)| sizes.iter().map(move |size| (kind, *size)));
    Some(Backtest {
        rows: n,
        years,
        noise_pct: quiet.noise_pct,
        quiet_replays: plan.rounds,
        false_alarms,
        false_alarms_per_year: false_alarms as f64 / (years * plan.rounds.max(1) as f64),
        fared: sizes
            .map(|(kind, size)| fared(&quiet, kind, size, settings, plan))
            .collect(),
    })
}

fn fared(
    quiet: &Quiet<'_>,
    kind: Injected,
    size_pct: f64,
    settings: &Settings,
    plan: &Plan,
) -> Fared {
    let n = quiet.rows().len();
    let percent = worsening(size_pct, settings.direction);
    // The same places for every size, so that sizes differ by themselves alone.
    let mut random = Seeded::new(plan.seed);
    let mut delays: [Vec<f64>; 3] = Default::default();
    for round in 0..plan.rounds {
        let latest = (n - BEFORE).max(BEFORE + 1);
        let first = BEFORE + (random.uniform() * (latest - BEFORE) as f64) as usize;
        let (first, last) = window(quiet.rows(), first, kind);
        let climb = (climb_end(quiet.rows(), first) - first).max(1) as f64;
        let path = quiet.with(quiet.turn(round, plan.rounds), percent, |i| {
            match (i + 1).saturating_sub(first) {
                0 => 0.0,
                passed if kind == Injected::Bleed => (passed as f64 / climb).min(1.0),
                _ => 1.0,
            }
        });
        let findings = replay_from(&path[..last], &[], settings, first);
        let told = findings
            .iter()
            .filter(|f| f.detected_at >= first && is_injected(&f.change, first, percent))
            .map(|f| f.detected_at)
            .min();
        if let Some(at) = told {
            delays[0].push((at + 1 - first) as f64);
            delays[1].push((path[at].time_us - path[first].time_us) as f64 / 86_400e6);
            let releases = path[first..=at].windows(2);
            delays[2].push(1.0 + releases.filter(|w| w[0].release != w[1].release).count() as f64);
        }
    }
    let told = delays[0].len();
    let [rows, days, releases] =
        delays.map(|mut delays| (!delays.is_empty()).then(|| median_of(&mut delays)));
    Fared {
        kind,
        size_pct,
        tried: plan.rounds,
        told,
        delay_rows: rows,
        delay_days: days,
        delay_releases: releases,
    }
}

/// The first row that is a quarter after `first`, or the end.
fn climb_end(rows: &[Row<'_>], first: usize) -> usize {
    let end_us = rows[first].time_us + QUARTER_US;
    rows.partition_point(|row| row.time_us < end_us)
        .max(first + 1)
}

/// Where a change begins and until which row it may be told: a step within a quarter, a bleed within two. One that
/// would reach beyond the history begins earlier, as far as it can.
fn window(rows: &[Row<'_>], first: usize, kind: Injected) -> (usize, usize) {
    let quarters = if kind == Injected::Bleed { 2 } else { 1 };
    let newest_us = rows.last().map_or(0, |row| row.time_us);
    let room = rows
        .partition_point(|row| row.time_us <= newest_us - quarters * QUARTER_US)
        .max(BEFORE);
    let first = first.min(room);
    let end_us = rows[first].time_us + quarters * QUARTER_US;
    (first, rows.partition_point(|row| row.time_us < end_us))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::Direction;
    use super::super::epoch::Cause;
    use super::*;

    const LOWER: Settings = Settings {
        direction: Direction::Lower,
        minimum_pct: 0.5,
        least_surplus: 0.0,
    };

    fn of(n: usize, direction: Direction, plan: &Plan) -> Option<Backtest> {
        let mut random = Seeded::new(7);
        let names: Vec<String> = (0..n).map(|i| format!("v{}", i / 2)).collect();
        let rows: Vec<Row<'_>> = names
            .iter()
            .enumerate()
            .map(|(i, release)| Row {
                time_us: i as i64 * 86_400_000_000,
                release,
                value: 20.0 * (0.01 * random.normal()).exp(),
                count: None,
                se: None,
            })
            .collect();
        let settings = Settings { direction, ..LOWER };
        backtest(&rows, &[], &settings, plan)
    }

    fn plan() -> Plan {
        Plan {
            steps_pct: vec![0.3, 10.0],
            bleeds_pct: vec![8.0],
            rounds: 6,
            seed: 1,
        }
    }

    #[test]
    fn large_changes_are_told_small_ones_are_not_and_noise_alarms_nobody() {
        let found = of(300, Direction::Lower, &plan()).unwrap();
        let [small, large, bleed] = found.fared[..] else {
            unreachable!("three sizes: {found:?}")
        };
        assert_eq!((found.false_alarms, found.quiet_replays), (0, 6));
        assert_eq!((small.told, small.tried), (0, 6));
        assert_eq!((large.told, bleed.told), (6, 6), "{found:?}");
        let (sudden, slow) = (large.delay_rows.unwrap(), bleed.delay_rows.unwrap());
        assert!(sudden <= 8.0 && slow > sudden && slow < 91.0, "{found:?}");
        let releases = large.delay_releases.unwrap();
        assert!((releases - sudden / 2.0).abs() <= 1.0, "{found:?}");
    }

    #[test]
    fn where_higher_is_better_it_fares_alike() {
        let found = of(300, Direction::Higher, &plan()).unwrap();
        assert_eq!(found.fared[1].told, 6);
    }

    #[test]
    fn only_the_running_epoch_counts_and_too_little_of_it_says_nothing() {
        assert_eq!(of(20, Direction::Lower, &plan()), None);
        let names: Vec<String> = (0..100).map(|i| format!("v{i}")).collect();
        let rows: Vec<Row<'_>> = names
            .iter()
            .enumerate()
            .map(|(i, release)| Row {
                time_us: i as i64 * 86_400_000_000,
                release,
                value: 1.0 + (i % 7) as f64 / 100.0,
                count: None,
                se: None,
            })
            .collect();
        let boundary = Boundary {
            index: 60,
            cause: Cause::Harness,
            reason: String::new(),
        };
        let found = backtest(&rows, &[boundary], &LOWER, &plan()).unwrap();
        assert_eq!(found.rows, 40);
        assert_eq!(found.fared[1].tried, 6);
    }
}
