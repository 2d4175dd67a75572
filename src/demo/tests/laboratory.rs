//! The story of the laboratory.

use std::collections::BTreeSet;

use super::*;
use crate::stats::gate::{Rule, Verdict, check_confidence, regression};
use crate::stats::runs::pooled_noise;
use crate::stats::wording::Scale;

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
fn the_login_got_faster_with_v2_35_and_has_no_run_of_v2_37() {
    let change = lab_change("POST /login", "latency", "v2.34", "v2.35");
    assert!((-0.20..-0.16).contains(&change), "{change}");
    assert!(run_p75s("v2.37", "POST /login", "latency").is_empty());
    assert_eq!(run_p75s("v2.36", "POST /login", "latency").len(), 8);
    assert_eq!(run_p75s("v2.38", "POST /login", "latency").len(), 8);
}

const GATED: [(&str, &str); 3] = [
    ("POST /login", "latency"),
    ("POST /order", "latency"),
    ("parse_import/large", "wall_time"),
];

/// What the gate's statistics say of a release against another, with the noise that its history lends.
fn verdict(flow: &str, metric: &str, reference: &str, release: &str) -> Verdict {
    let history: Vec<Vec<f64>> = (20..=35)
        .map(|number| run_p75s(&format!("v2.{number}"), flow, metric))
        .collect();
    let history: Vec<&[f64]> = history.iter().map(Vec::as_slice).collect();
    let rule = Rule {
        direction: Direction::Lower,
        margin_pct: 2.0,
        minimum: 0.0,
        // Per flow: its budget, the pinned reference, the release before.
        confidence: check_confidence(0.95, 3 * GATED.len(), 1),
    };
    let scale = Scale {
        factor: 1.0,
        symbol: "",
    };
    regression(
        &run_p75s(release, flow, metric),
        &run_p75s(reference, flow, metric),
        pooled_noise(&history).as_ref(),
        &rule,
        scale,
    )
    .verdict
}

#[test]
fn v2_36_is_provably_no_slower_and_v2_38_provably_is() {
    for (flow, metric) in GATED {
        for reference in ["v2.22", "v2.35"] {
            let verdict = verdict(flow, metric, reference, "v2.36");
            assert_eq!(verdict, Verdict::Pass, "{flow} against {reference}");
        }
    }
    let (import, metric) = GATED[2];
    for reference in ["v2.22", "v2.37"] {
        assert_eq!(verdict(import, metric, reference, "v2.38"), Verdict::Fail);
    }
    let slower = lab_change(import, metric, "v2.37", "v2.38");
    assert!((0.04..0.052).contains(&slower), "{slower}");
}

#[test]
fn runs_of_one_release_differ_by_a_little_under_one_per_cent() {
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
        assert!((0.003..0.010).contains(&spread), "{flow}: {spread}");
    }
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
fn one_wild_run_leaves_the_others_alone() {
    let runs = run_p75s("v2.14", "POST /order", "latency");
    let usual = median(runs.clone());
    assert_eq!(runs.iter().filter(|run| **run > usual * 1.3).count(), 1);
}
