//! Values that the pages share: a small shop in November.

use std::collections::BTreeMap;

use longwatch::chart::headroom::HeadroomBar;
use longwatch::chart::sparkline::Sparkline;
use longwatch::chart::trend::{
    BleedMark, EpochMark, Forecast, LimitFrom, StepMark, Trend, TrendPanel, TrendPoint,
};
use longwatch::http::pages::facts::{Headroom, RunsOut};
use longwatch::http::pages::layout::{Account, Section, Shell};
use longwatch::wording::moment::DAY_US;
use longwatch::wording::quantity::Quantity;
use longwatch::wording::state::State;
use longwatch::wording::unit::Unit;

/// 20 November 2026, 14:10 UTC.
pub(crate) const NOW: i64 = 1_795_183_800_000_000;

pub(crate) fn shell(section: Section) -> Shell {
    let mut shell = Shell::bare(Account::SignedIn("Ines".into()), NOW);
    shell.project = Some("shop".into());
    shell.section = section;
    shell.data_to = Some(shell.moment(NOW));
    shell.address = "https://longwatch.example/shop".into();
    shell
}

pub(crate) fn days_ago(days: i64) -> i64 {
    NOW - days * DAY_US
}

pub(crate) fn ms(value: f64, h: f64) -> Quantity {
    Quantity::new(
        value * 1e6,
        (value - h) * 1e6,
        (value + h) * 1e6,
        Unit::Nanoseconds,
    )
}

pub(crate) fn between(value: f64, lower: f64, upper: f64) -> Quantity {
    Quantity::new(value * 1e6, lower * 1e6, upper * 1e6, Unit::Nanoseconds)
}

pub(crate) fn mobile() -> BTreeMap<String, String> {
    BTreeMap::from([("device".to_owned(), "mobile".to_owned())])
}

/// A wobble between -1 and 1 that is the same on every run.
pub(crate) fn wobble(k: usize) -> f64 {
    ((k * 7919 + 104_729) % 1000) as f64 / 500.0 - 1.0
}

/// Checkout's P75 in ms, a release a week from v2.0 to v2.38: slow until v2.12, an epoch, then a bleed.
const CHECKOUT: [f64; 39] = [
    2330.0, 2322.0, 2340.0, 2330.0, 2320.0, 2312.0, 2312.0, 2534.0, 2533.0, 2536.0, 2528.0, 2526.0,
    2192.0, 2200.0, 2198.0, 2186.0, 2218.0, 2178.0, 2160.0, 2155.0, 2150.0, 2160.0, 2172.0, 2176.0,
    2194.0, 2210.0, 2203.0, 2235.0, 2240.0, 2252.0, 2263.0, 2310.0, 2302.0, 2328.0, 2336.0, 2364.0,
    2366.0, 2382.0, 2410.0,
];

pub(crate) fn release_us(index: usize) -> i64 {
    days_ago(((38 - index) as i64 * 686) / 100)
}

pub(crate) fn checkout_points() -> Vec<TrendPoint> {
    let point = |(k, value): (usize, &f64)| TrendPoint {
        at_us: release_us(k),
        value: Some(ms(*value, 22.0 + 8.0 * wobble(k).abs())),
        is_provisional: k == 38,
    };
    CHECKOUT
        .iter()
        .enumerate()
        .filter(|(k, _)| !(3..5).contains(k))
        .map(point)
        .collect()
}

fn checkout_high() -> Vec<TrendPoint> {
    let point = |(k, value): (usize, &f64)| TrendPoint {
        at_us: release_us(k),
        value: Some(ms(value * 2.1 + 120.0 * wobble(k), 150.0)),
        is_provisional: k == 38,
    };
    CHECKOUT
        .iter()
        .enumerate()
        .filter(|(k, _)| !(3..5).contains(k))
        .map(point)
        .collect()
}

pub(crate) fn bleed() -> BleedMark {
    let name = |k: usize| (release_us(k), format!("v2.{k}"));
    BleedMark {
        onset_us: release_us(23),
        onset_release: "v2.23".into(),
        one_of: Some((name(21), name(25))),
        base: 2170e6,
        end_us: NOW,
        end: 2400e6,
        total: between(230.0, 195.0, 267.0),
    }
}

pub(crate) fn trend() -> Trend {
    let step = |k: usize, change: f64| StepMark {
        at_us: release_us(k),
        release: format!("v2.{k}"),
        change: Quantity::percent(change, change - 0.6, change + 0.6),
        is_worse: Some(change > 0.0),
    };
    Trend {
        id: "trend".into(),
        title: "P75 rose from 2.18 to 2.41\u{a0}s since v2.22 while every release passed".into(),
        unit: Unit::Nanoseconds,
        from_us: release_us(0),
        until_us: NOW,
        main: TrendPanel {
            name: "P75".into(),
            points: checkout_points(),
            limits: vec![LimitFrom {
                from_us: release_us(0),
                limit: 2500e6,
            }],
            ceiling: None,
            now: None,
        },
        high: Some(TrendPanel {
            name: "P99".into(),
            points: checkout_high(),
            limits: vec![],
            ceiling: None,
            now: None,
        }),
        releases: (0..39)
            .map(|k| (release_us(k), format!("v2.{k}")))
            .collect(),
        epochs: vec![EpochMark {
            at_us: release_us(16) + 4 * DAY_US,
            reason: "browser 149 to 152".into(),
        }],
        gaps: vec![(release_us(2) + DAY_US, release_us(5) - DAY_US)],
        bleed: Some(bleed()),
        forecast: Some(Forecast {
            at_us: NOW + 63 * DAY_US,
            value: between(2535.0, 2480.0, 2595.0),
        }),
        steps: vec![step(7, 8.6), step(12, -13.0)],
    }
}

/// A sparkline of 39 releases around a value, with a shape on top.
pub(crate) fn sparkline(
    middle: f64,
    limit: Option<f64>,
    shape: impl Fn(usize) -> f64,
) -> Sparkline {
    let points = (0..39)
        .map(|k| {
            (
                release_us(k),
                middle * 1e6 * (1.0 + 0.012 * wobble(k) + shape(k)),
            )
        })
        .collect();
    Sparkline {
        from_us: release_us(0),
        until_us: NOW,
        points,
        limit: limit.map(|limit| limit * 1e6),
        ..Sparkline::default()
    }
}

pub(crate) fn headroom(
    reference: f64,
    limit: f64,
    value: Quantity,
    state: State,
    runs_out: RunsOut,
) -> Headroom {
    let limit_ns = limit * 1e6;
    let left = Quantity::new(
        limit_ns - value.value,
        limit_ns - value.upper,
        limit_ns - value.lower,
        value.unit,
    );
    Headroom {
        bar: Some(HeadroomBar {
            reference: reference * 1e6,
            limit: limit * 1e6,
            value,
            state,
        }),
        left: Some(left),
        spent_this_quarter: Some(between(139.0, 104.0, 175.0)),
        runs_out,
    }
}

pub(crate) fn december() -> RunsOut {
    let releases = Some(("v2.41".to_owned(), "v2.48".to_owned()));
    RunsOut::Between {
        from_us: NOW + 22 * DAY_US,
        until_us: NOW + 71 * DAY_US,
        releases,
    }
}
