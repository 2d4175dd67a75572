//! What holds for every series, whatever it measures: laws of the judge, and the noises that must not alarm anybody.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::Direction;
use super::common_mode::{Member, judge_together};
use super::judge::{Change, Row, Settings, judge};
use super::seeded::Seeded;

const LOWER: Settings = Settings {
    direction: Direction::Lower,
    minimum_pct: 0.5,
    least_surplus: 0.0,
};
const DAY_US: i64 = 86_400_000_000;
/// Rows of a series: a year of daily runs.
const YEAR: usize = 365;
/// Years of each noise.
const YEARS: usize = 40;

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("v{i}")).collect()
}

fn daily<'a>(names: &'a [String], values: &[f64]) -> Vec<Row<'a>> {
    (0..values.len())
        .map(|i| Row {
            time_us: i as i64 * DAY_US,
            release: &names[i],
            value: values[i],
            count: None,
            se: None,
        })
        .collect()
}

/// Changes that would be told in so many years of a noise.
fn alarms(seed: u64, mut noise: impl FnMut(&mut Seeded) -> Vec<f64>) -> usize {
    let mut random = Seeded::new(seed);
    let names = names(YEAR);
    (0..YEARS)
        .map(|_| {
            let values = noise(&mut random);
            let changes = judge(&daily(&names, &values), &[], &LOWER);
            changes.iter().filter(|change| change.is_firm()).count()
        })
        .sum()
}

/// A hundred, moved by so many per cent.
fn around_100(percents: impl IntoIterator<Item = f64>) -> Vec<f64> {
    percents
        .into_iter()
        .map(|percent| 100.0 * (percent / 100.0).exp())
        .collect()
}

fn shuffled(random: &mut Seeded, mut values: Vec<f64>) -> Vec<f64> {
    for i in (1..values.len()).rev() {
        let j = (random.uniform() * (i + 1) as f64) as usize;
        values.swap(i, j.min(i));
    }
    values
}

fn normal(random: &mut Seeded, sd: f64) -> Vec<f64> {
    (0..YEAR).map(|_| sd * random.normal()).collect()
}

/// A walk whose steps have this standard deviation, in per cent.
fn walk(random: &mut Seeded, step: f64) -> Vec<f64> {
    let mut level = 0.0;
    (0..YEAR)
        .map(|_| {
            level += step * random.normal();
            level
        })
        .collect()
}

#[test]
fn the_order_of_independent_runs_says_nothing() {
    // Whatever a series did, its runs in any other order did nothing.
    let stepped = |random: &mut Seeded| {
        let mut values = normal(random, 1.0);
        values[200..].iter_mut().for_each(|x| *x += 6.0);
        around_100(shuffled(random, values))
    };
    let climbing = |random: &mut Seeded| {
        let values = normal(random, 1.0);
        let climb = (0..YEAR).map(|i| i as f64 / 40.0);
        let climbing = values.iter().zip(climb).map(|(x, c)| x + c).collect();
        around_100(shuffled(random, climbing))
    };
    let told = [alarms(1, stepped), alarms(2, climbing)];
    assert!(told.iter().all(|told| *told <= 1), "{told:?}");
}

#[test]
fn heavy_tails_and_rounded_values_alarm_nobody() {
    let heavy = |random: &mut Seeded| {
        let values: Vec<f64> = (0..YEAR)
            .map(|_| random.normal() / random.uniform().max(1e-3).sqrt())
            .collect();
        around_100(values)
    };
    let skewed = |random: &mut Seeded| {
        let values: Vec<f64> = (0..YEAR)
            .map(|_| -2.0 * random.uniform().max(1e-9).ln())
            .collect();
        around_100(values)
    };
    let rounded = |random: &mut Seeded| {
        normal(random, 0.8)
            .iter()
            .map(|x| (20.0 + x).round())
            .collect()
    };
    let two_values = |random: &mut Seeded| {
        (0..YEAR)
            .map(|_| if random.uniform() < 0.3 { 17.0 } else { 16.0 })
            .collect()
    };
    let told = [
        alarms(3, heavy),
        alarms(4, skewed),
        alarms(5, rounded),
        alarms(6, two_values),
    ];
    assert!(told.iter().all(|told| *told <= 1), "{told:?}");
}

#[test]
fn mixed_runners_alarm_nobody_whether_they_alternate_or_linger() {
    let runners = |stays: f64| {
        move |random: &mut Seeded| {
            let mut slow = false;
            let values: Vec<f64> = (0..YEAR)
                .map(|_| {
                    if random.uniform() > stays {
                        slow = random.uniform() < 0.4;
                    }
                    random.normal() + if slow { 12.0 } else { 0.0 }
                })
                .collect();
            around_100(values)
        }
    };
    let told = [alarms(7, runners(0.0)), alarms(8, runners(0.7))];
    assert!(told.iter().all(|told| *told <= 2), "{told:?}");
}

#[test]
fn noise_that_lingers_or_drifts_alarms_at_most_once_in_eight_years() {
    let lingering =
        |phi: f64| move |random: &mut Seeded| around_100(random.autoregressive(YEAR, phi));
    let drifting = |step: f64| {
        move |random: &mut Seeded| {
            let (noise, walk) = (normal(random, 1.0), walk(random, step));
            around_100(noise.iter().zip(walk).map(|(x, w)| x + w))
        }
    };
    let told = [
        alarms(9, lingering(0.5)),
        alarms(10, lingering(0.85)),
        alarms(11, drifting(0.3)),
        alarms(12, |random| around_100(walk(random, 1.0))),
    ];
    assert!(told.iter().all(|told| *told <= YEARS / 8), "{told:?}");
}

#[test]
fn weekdays_with_their_traffic_alarm_nobody() {
    let weekly = |random: &mut Seeded| {
        let values: Vec<f64> = (0..YEAR)
            .map(|i| {
                let weekend = i % 7 >= 5;
                let (shift, sd) = if weekend { (4.0, 2.0) } else { (0.0, 0.8) };
                shift + sd * random.normal()
            })
            .collect();
        around_100(values)
    };
    let told = alarms(13, weekly);
    assert!(told <= 1, "{told}");
}

/// The changes told of values that rest on so many observations each, and have these standard errors in per cent.
fn told_of(
    values: &[f64],
    count: impl Fn(usize) -> Option<u64>,
    se_pct: Option<f64>,
) -> Vec<Change> {
    let names = names(values.len());
    let mut rows = daily(&names, values);
    for (i, row) in rows.iter_mut().enumerate() {
        row.count = count(i);
        row.se = se_pct.map(|percent| row.value * percent / 100.0);
    }
    judge(&rows, &[], &LOWER)
}

/// The noise of rows that hold so many observations of ten per cent each, in per cent.
fn sampled(random: &mut Seeded, count: impl Fn(usize) -> u64) -> Vec<f64> {
    (0..YEAR)
        .map(|i| 10.0 * random.normal() / (count(i) as f64).sqrt())
        .collect()
}

#[test]
fn days_of_little_traffic_hide_no_step() {
    // Every third day has a fiftieth of the others' visits; the step is one and a half deviations of a busy day.
    let count = |i: usize| if i.is_multiple_of(3) { 2 } else { 100 };
    let seen = |counts: bool| {
        let mut random = Seeded::new(31);
        let is_seen = |_: &usize| {
            let noise = sampled(&mut random, count);
            let stepped = noise.iter().enumerate();
            let values = around_100(stepped.map(|(i, x)| x + if i < 200 { 0.0 } else { 1.5 }));
            let changes = told_of(&values, |i| counts.then(|| count(i)), None);
            changes
                .iter()
                .any(|c| c.is_firm() && c.index.abs_diff(200) <= 8)
        };
        (0..YEARS).filter(is_seen).count()
    };
    let (with, without) = (seen(true), seen(false));
    assert!(with >= 36 && without <= 25, "{with}, {without}");
}

#[test]
fn weeks_of_little_traffic_alarm_nobody() {
    let count = |i: usize| {
        if (150..180).contains(&i) || i >= 340 {
            3
        } else {
            100
        }
    };
    let mut random = Seeded::new(32);
    let noises: Vec<Vec<f64>> = (0..YEARS).map(|_| sampled(&mut random, count)).collect();
    let told = |counts: bool| {
        let is_told = |noise: &&Vec<f64>| {
            let values = around_100(noise.iter().copied());
            let firm = |known: usize| {
                let changes = told_of(&values[..known], |i| counts.then(|| count(i)), None);
                changes.iter().any(|c| c.is_firm())
            };
            (145..YEAR).step_by(2).any(firm)
        };
        noises.iter().filter(is_told).count()
    };
    let (with, without) = (told(true), told(false));
    assert!(with <= 1 && without >= 5, "{with}, {without}");
}

#[test]
fn nothing_finer_than_the_rows_own_uncertainty_is_told() {
    let mut random = Seeded::new(33);
    let noise = normal(&mut random, 0.1);
    let step = |percent: f64| {
        let stepped = noise.iter().enumerate();
        around_100(stepped.map(|(i, x)| x + if i < 345 { 0.0 } else { percent }))
    };
    let told = |percent: f64, se_pct: f64| {
        let changes = told_of(&step(percent), |_| Some(50), Some(se_pct));
        changes.iter().filter(|c| c.is_firm()).count()
    };
    // Twenty runs of a standard error of one per cent place their level within half a per cent.
    assert_eq!((told(0.8, 0.1), told(0.8, 1.0)), (1, 0));
    assert_eq!((told(2.0, 1.0), told(6.0, 1.0)), (0, 1));
}

#[test]
fn a_day_that_is_hardly_known_silences_no_other() {
    let mut random = Seeded::new(34);
    let noise = normal(&mut random, 1.0);
    let stepped = noise.iter().enumerate();
    let values = around_100(stepped.map(|(i, x)| x + if i < 200 { 0.0 } else { 2.0 }));
    let names = names(YEAR);
    let mut rows = daily(&names, &values);
    let told = |rows: &[Row<'_>]| {
        let changes = judge(rows, &[], &LOWER);
        changes
            .iter()
            .map(|c| (c.index, c.is_firm()))
            .collect::<Vec<_>>()
    };
    let before = told(&rows);
    for (i, row) in rows.iter_mut().enumerate() {
        // A few page views, of which the 99th percentile may be anything.
        let percent = if i % 30 == 3 { 300.0 } else { 0.8 };
        row.se = Some(row.value * percent / 100.0);
    }
    assert_eq!((before.len(), told(&rows)), (1, before));
}

#[test]
fn mostly_zeros_alarm_nobody() {
    let shifts = |random: &mut Seeded| {
        (0..YEAR)
            .map(|_| {
                if random.uniform() < 0.7 {
                    0.0
                } else {
                    0.1 * random.uniform()
                }
            })
            .collect()
    };
    let told = alarms(14, shifts);
    assert!(told <= 1, "{told}");
}

#[test]
fn runs_that_come_in_bursts_and_after_gaps_alarm_nobody() {
    let mut random = Seeded::new(15);
    let names = names(YEAR);
    let told: usize = (0..YEARS)
        .map(|_| {
            let values = around_100(normal(&mut random, 1.0));
            let mut rows = daily(&names, &values);
            let mut now_us = 0;
            for row in &mut rows {
                let gap = if random.uniform() < 0.1 { 20.0 } else { 0.05 };
                now_us += (gap * DAY_US as f64 * random.uniform()) as i64;
                row.time_us = now_us;
            }
            judge(&rows, &[], &LOWER).len()
        })
        .sum();
    assert!(told <= 1, "{told}");
}

#[test]
fn an_independent_series_more_changes_others_by_chance_alone() {
    // Of three series two speak for their testbed, so that noise which moves along with another's step makes an epoch.
    let mut random = Seeded::new(16);
    let names = names(120);
    let mut changed = 0;
    for _ in 0..100 {
        let steps_at = 75 + (random.uniform() * 30.0) as usize;
        let mut member = |level: &dyn Fn(usize) -> f64| {
            let values = around_100((0..120).map(|i| random.normal() + level(i)));
            Member {
                rows: daily(&names, &values),
                boundaries: Vec::new(),
            }
        };
        let stepped = |i: usize| if i < 60 { 0.0 } else { 6.0 };
        let own = |i: usize| if i < steps_at { 0.0 } else { -5.0 };
        let three = [member(&stepped), member(&|_| 0.0), member(&|_| 0.0)];
        let fourth = member(&own);
        let all: Vec<Member<'_>> = three.iter().cloned().chain([fourth]).collect();
        let alone: Vec<Vec<Change>> = judge_together(&three, &[LOWER; 3]);
        let together = judge_together(&all, &[LOWER; 4]);
        changed += usize::from(alone[..] != together[..3]);
    }
    assert!(changed <= 6, "{changed}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A handful of runs, of whatever size, proves nothing unless they agree by far.
    #[test]
    fn few_runs_prove_nothing(seed in 0_u64..1_000, n in 0_usize..14) {
        let mut random = Seeded::new(seed);
        let values = around_100((0..n).map(|_| 3.0 * random.normal()));
        prop_assert_eq!(judge(&daily(&names(n), &values), &[], &LOWER), []);
    }

    /// Values that mirror about their level mirror what is told of them.
    #[test]
    fn upside_down_the_same_places_are_told(seed in 0_u64..1_000, step in 3.0..20.0_f64) {
        let mut random = Seeded::new(seed);
        let percents: Vec<f64> = (0..120).map(|i| random.normal() + if i < 70 { 0.0 } else { step }).collect();
        let names = names(120);
        let places = |sign: f64| {
            let values = around_100(percents.iter().map(|x| sign * x));
            let settings = Settings { direction: Direction::Unknown, ..LOWER };
            let changes = judge(&daily(&names, &values), &[], &settings);
            changes.iter().map(|c| (c.kind, c.index, c.effect_pct.value > 0.0)).collect::<Vec<_>>()
        };
        let mirrored: Vec<_> = places(-1.0).into_iter().map(|(kind, at, up)| (kind, at, !up)).collect();
        prop_assert_eq!(places(1.0), mirrored);
    }
}
