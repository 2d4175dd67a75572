//! Each element of the story is truly in the numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::LazyLock;

use collectors::report::{Buckets, Observation, Payload};

use super::releases::{DAY_US, HOUR_US, SECOND_US};
use super::*;

mod field;
mod laboratory;

/// 21 November 2026, 14:10 UTC.
const NOW_US: i64 = 1_795_270_200 * SECOND_US;

static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| reports(SEED, NOW_US));

fn reports(seed: u64, now_us: i64) -> Vec<Report> {
    Shop::new(seed, now_us)
        .arrivals()
        .filter_map(|arrival| match arrival {
            Arrival::Report(report) => Some(*report),
            Arrival::Release(_) | Arrival::Epoch(_) => None,
        })
        .collect()
}

/// The observations of one flow and metric in one release, each with its report.
fn observations(
    release: &str,
    flow: &str,
    metric: &str,
) -> Vec<(&'static Report, &'static Observation)> {
    let of_release = REPORTS
        .iter()
        .filter(|r| r.context.release.as_deref() == Some(release));
    of_release
        .flat_map(|report| report.observations.iter().map(move |o| (report, o)))
        .filter(|(_, o)| o.flow == flow && o.metric == metric)
        .collect()
}

fn device(observation: &Observation) -> &str {
    observation
        .beacon
        .as_ref()
        .and_then(|b| b.device.as_deref())
        .unwrap_or("")
}

/// P75 by nearest rank of raw values, in the native unit.
fn p75(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty());
    values.sort_by(f64::total_cmp);
    values[(values.len() * 3).div_ceil(4) - 1]
}

fn values(observation: &Observation) -> Vec<f64> {
    match &observation.payload {
        Payload::Samples(samples) => samples.values.clone(),
        _ => panic!("{} has no samples", observation.flow),
    }
}

/// Raw values in a report, and how many buckets of its histograms hold something.
fn size(report: &Report) -> (usize, usize) {
    report
        .observations
        .iter()
        .fold((0, 0), |(raw, buckets), o| match &o.payload {
            Payload::Samples(samples) => (raw + samples.values.len(), buckets),
            Payload::Buckets(Buckets::Hdr { histogram, .. }) => {
                (raw, buckets + histogram.pairs().len())
            }
            _ => panic!("{} is neither", o.flow),
        })
}

#[test]
fn the_same_seed_and_clock_give_the_same_stream_and_another_seed_does_not() {
    assert!(reports(SEED, NOW_US) == *REPORTS);
    assert!(reports(SEED + 1, NOW_US) != *REPORTS);
}

#[test]
fn arrivals_are_in_order_and_none_lies_ahead_whatever_the_hour() {
    for hour in [0, 5, 12, 23] {
        let now_us = NOW_US + hour * HOUR_US;
        let mut last = i64::MIN;
        for arrival in Shop::new(SEED, now_us).arrivals() {
            assert!((last..=now_us).contains(&arrival.time_us()));
            last = arrival.time_us();
        }
        assert!(now_us - last < HOUR_US, "the data reach up to now");
    }
}

#[test]
fn the_history_is_nine_months_and_its_size_is_bounded() {
    let raw: usize = REPORTS.iter().map(|r| size(r).0).sum();
    let buckets: usize = REPORTS.iter().map(|r| size(r).1).sum();
    assert!((700_000..1_100_000).contains(&raw), "{raw} values");
    assert!(buckets < 500_000, "{buckets} buckets");
    assert!(REPORTS.len() < 1_800, "{} uploads", REPORTS.len());
    let first_us = REPORTS[0].context.time_us.unwrap();
    assert!((HISTORY_DAYS - 3..=HISTORY_DAYS).contains(&((NOW_US - first_us) / DAY_US)));
}
