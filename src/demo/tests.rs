//! Each element of the story is truly in the numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use collectors::report::{Buckets, Observation, Payload};

use super::releases::{DAY_US, HOUR_US, SECOND_US};
use super::*;

/// 21 November 2026, 14:10 UTC.
const NOW_US: i64 = 1_795_270_200 * SECOND_US;

static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| reports(SEED, NOW_US));

fn reports(seed: u64, now_us: i64) -> Vec<Report> {
    Shop::new(seed, now_us)
        .arrivals()
        .filter_map(|arrival| match arrival {
            Arrival::Report(report) => Some(*report),
            Arrival::Release(_) => None,
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

/// P75 of all page views of a release from one kind of device, whichever way they came.
fn field_p75(release: &str, flow: &str, metric: &str, on: &str) -> f64 {
    p75(observations(release, flow, metric)
        .into_iter()
        .filter(|(_, o)| device(o) == on)
        .flat_map(|(_, o)| values(o))
        .collect())
}

fn values(observation: &Observation) -> Vec<f64> {
    match &observation.payload {
        Payload::Samples(samples) => samples.values.clone(),
        _ => panic!("{} has no samples", observation.flow),
    }
}

/// The P75 of each run of a release.
fn run_p75s(release: &str, flow: &str, metric: &str) -> Vec<f64> {
    observations(release, flow, metric)
        .into_iter()
        .map(|(_, o)| match &o.payload {
            Payload::Buckets(Buckets::Hdr { histogram, .. }) => histogram.quantile(0.75).unwrap(),
            _ => p75(values(o)),
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn lab_change(flow: &str, metric: &str, from: &str, to: &str) -> f64 {
    median(run_p75s(to, flow, metric)) / median(run_p75s(from, flow, metric)) - 1.0
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

#[test]
fn what_happens_in_the_laboratory_does_not_depend_on_the_clock() {
    let later = reports(SEED, NOW_US + 17 * DAY_US + 5 * HOUR_US);
    let lab = |all: &[Report]| -> Vec<Vec<Observation>> {
        let of_runs = all.iter().filter(|r| r.context.run.is_some());
        of_runs.map(|r| r.observations.clone()).collect()
    };
    assert!(lab(&later) == lab(&REPORTS));
}

#[test]
fn the_checkout_got_a_step_with_v2_7_and_lost_it_with_v2_12() {
    let at = |release| field_p75(release, "/checkout", "lcp", "mobile");
    let up = at("v2.7") / at("v2.6") - 1.0;
    let down = at("v2.12") / at("v2.11") - 1.0;
    assert!((0.06..0.11).contains(&up), "{up}");
    assert!((-0.15..-0.11).contains(&down), "{down}");
    assert!(at("v2.7") > 2_500.0, "over the budget, {}", at("v2.7"));
}

#[test]
fn the_checkout_bleeds_on_phones_over_sixteen_releases_and_not_on_desktops() {
    let mobile = |release: &str| field_p75(release, "/checkout", "lcp", "mobile");
    let total = mobile("v2.35") / mobile("v2.22") - 1.0;
    assert!((0.06..0.11).contains(&total), "{total}");
    assert!(mobile("v2.35") < 2_500.0, "still within the budget");
    for release in 23..=35 {
        let (before, after) = (format!("v2.{}", release - 1), format!("v2.{release}"));
        let step = mobile(&after) / mobile(&before) - 1.0;
        assert!(step < 0.04, "{after}: {step}");
    }
    let desktop = |release| field_p75(release, "/checkout", "lcp", "desktop");
    let change = desktop("v2.35") / desktop("v2.22") - 1.0;
    assert!(change.abs() < 0.045, "{change}");
}

#[test]
fn the_product_page_bled_until_v2_9_stopped_it() {
    let at = |release| field_p75(release, "/product/:id", "lcp", "mobile");
    let bled = at("v2.8") / at("v2.0") - 1.0;
    let stopped = at("v2.9") / at("v2.8") - 1.0;
    assert!(bled > 0.03, "{bled}");
    assert!(stopped < -0.04, "{stopped}");
}

#[test]
fn the_search_is_silent_for_nine_days_while_others_arrive() {
    let last = |flow: &str| {
        let with = REPORTS
            .iter()
            .filter(|r| r.observations.iter().any(|o| o.flow == flow));
        NOW_US - with.map(|r| r.context.time_us.unwrap()).max().unwrap()
    };
    assert!((9 * DAY_US..10 * DAY_US).contains(&last("/search")));
    assert!(last("/checkout") < HOUR_US);
    assert!(last("/product/:id") < HOUR_US);
}

#[test]
fn the_login_got_faster_with_v2_35_and_has_no_run_of_v2_37() {
    let change = lab_change("POST /login", "latency", "v2.34", "v2.35");
    assert!((-0.20..-0.16).contains(&change), "{change}");
    assert!(run_p75s("v2.37", "POST /login", "latency").is_empty());
    assert_eq!(run_p75s("v2.36", "POST /login", "latency").len(), 8);
    assert_eq!(run_p75s("v2.38", "POST /login", "latency").len(), 8);
}

#[test]
fn v2_36_is_provably_no_slower_and_v2_38_provably_is() {
    let gated = [
        ("POST /login", "latency", "v2.35"),
        ("POST /order", "latency", "v2.22"),
        ("parse_import/large", "wall_time", "v2.22"),
    ];
    for (flow, metric, reference) in gated {
        let change = lab_change(flow, metric, reference, "v2.36");
        assert!(change.abs() < 0.01, "{flow}: {change}");
    }
    let slower = lab_change("parse_import/large", "wall_time", "v2.37", "v2.38");
    assert!((0.04..0.052).contains(&slower), "{slower}");
}

#[test]
fn runs_of_one_release_differ_by_about_one_per_cent() {
    for (flow, metric) in [
        ("POST /login", "latency"),
        ("parse_import/large", "wall_time"),
    ] {
        let spreads = (20..35).map(|release| {
            let runs = run_p75s(&format!("v2.{release}"), flow, metric);
            let mean = runs.iter().sum::<f64>() / runs.len() as f64;
            let square = runs.iter().map(|v| (v / mean - 1.0).powi(2)).sum::<f64>();
            (square / (runs.len() - 1) as f64).sqrt()
        });
        let spread = median(spreads.collect());
        assert!((0.004..0.012).contains(&spread), "{flow}: {spread}");
    }
}

#[test]
fn one_wild_run_and_one_wild_day_leave_the_others_alone() {
    let runs = run_p75s("v2.14", "POST /order", "latency");
    let usual = median(runs.clone());
    assert_eq!(runs.iter().filter(|run| **run > usual * 1.3).count(), 1);

    let day_p75 = |days_ago: i64| {
        let day = NOW_US.div_euclid(DAY_US) - days_ago;
        let of_day = REPORTS
            .iter()
            .filter(|r| r.context.time_us.unwrap().div_euclid(DAY_US) == day);
        let product = of_day
            .flat_map(|r| &r.observations)
            .filter(|o| o.flow == "/product/:id");
        p75(product
            .filter(|o| device(o) == "mobile")
            .flat_map(values)
            .collect())
    };
    let around = day_p75(story::WILD_DAY + 1).max(day_p75(story::WILD_DAY - 1));
    assert!(day_p75(story::WILD_DAY) > around * 1.06);
}

#[test]
fn a_new_machine_moves_the_whole_laboratory_and_says_so() {
    let cpus = |release: &str| -> BTreeSet<String> {
        let lab = REPORTS.iter().filter(|r| r.context.testbed.is_some());
        lab.filter(|r| r.context.release.as_deref() == Some(release))
            .map(|r| r.context.fingerprint.cpu.clone().unwrap())
            .collect()
    };
    assert_ne!(cpus("v2.16"), cpus("v2.17"));
    assert_eq!(cpus("v2.17"), cpus("v2.38"));
    for (flow, metric) in [
        ("POST /login", "latency"),
        ("POST /order", "latency"),
        ("parse_import/large", "wall_time"),
        ("price/format", "wall_time"),
    ] {
        let change = lab_change(flow, metric, "v2.16", "v2.17");
        assert!((-0.09..-0.05).contains(&change), "{flow}: {change}");
    }
}

#[test]
fn a_bigger_cart_is_another_workload() {
    let workload = |release| {
        let (report, _) = observations(release, "checkout/total", "wall_time")[0];
        report.context.workload.clone()
    };
    assert_ne!(workload("v2.24"), workload("v2.25"));
    assert!(lab_change("checkout/total", "wall_time", "v2.24", "v2.25") > 0.2);
}

#[test]
fn the_refund_has_too_few_requests_for_a_p75() {
    let requests: u64 = ["v2.36", "v2.38"]
        .iter()
        .flat_map(|release| observations(release, "POST /refund", "latency"))
        .map(|(_, o)| match &o.payload {
            Payload::Buckets(Buckets::Hdr { histogram, .. }) => histogram.count(),
            _ => 0,
        })
        .sum();
    assert_eq!(requests, 10);
}

#[test]
fn traffic_has_a_week() {
    let mut by_weekday = [0_usize; 7];
    for report in REPORTS
        .iter()
        .filter(|r| r.context.source == Some(Source::Rum))
    {
        let day = report.context.time_us.unwrap().div_euclid(DAY_US);
        by_weekday[(day + 4).rem_euclid(7) as usize] += size(report).0;
    }
    assert!(
        by_weekday[0] < by_weekday[2] * 9 / 10,
        "Sunday {by_weekday:?} Tuesday"
    );
}
