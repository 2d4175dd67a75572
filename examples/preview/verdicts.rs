//! The pages of somebody who ships: gates, a release, a comparison.

use longwatch::chart::compare::{Comparison, Rung};
use longwatch::chart::margin::MarginAxis;
use longwatch::http::pages::compare::{ComparePage, Picker};
use longwatch::http::pages::facts::{Change, Fact};
use longwatch::http::pages::flow::Tab;
use longwatch::http::pages::gate::{CheckRow, GatePage};
use longwatch::http::pages::gates::{GateRow, GatesPage, VerdictLine};
use longwatch::http::pages::layout::Section;
use longwatch::http::pages::release::{ChangeRow, GateAnswer, ReleasePage, RunRow};
use longwatch::http::paths;
use longwatch::http::prose::Prose;
use longwatch::wording;
use longwatch::wording::finding::Manner;
use longwatch::wording::quantity::Quantity;
use longwatch::wording::state::Answer;
use longwatch::wording::unit::Unit;

use crate::shop::{NOW, days_ago, ms, shell};

fn change(value: f64, lower: f64, upper: f64) -> Change {
    Change {
        percent: Quantity::percent(value, lower, upper),
        manner: Manner::Speed,
    }
}

pub(crate) fn gate() -> GatePage {
    let shell = shell(Section::Gates);
    let axis = Some(MarginAxis {
        margin: 2.0,
        is_mirrored: false,
    });
    let check = |answer,
                 title: &str,
                 series: &str,
                 rule: &str,
                 from: Quantity,
                 to: Quantity,
                 change: Change,
                 reason: &str| CheckRow {
        answer,
        path: paths::flow("shop", title),
        title: title.into(),
        series: series.into(),
        rule: rule.into(),
        reference: Some(from),
        candidate: Some(to),
        change: Some(change),
        axis,
        reason: reason.into(),
    };
    let mut checks = vec![
        check(
            Answer::Pass,
            "Checkout",
            "load · latency P75",
            "no slower than v2.22",
            ms(286.0, 3.0),
            ms(283.0, 3.0),
            change(-1.0, -2.8, 0.8),
            "within margin",
        ),
        check(
            Answer::Pass,
            "Login",
            "load · latency P75",
            "no slower than v2.35",
            ms(338.0, 3.0),
            ms(336.0, 3.0),
            change(-0.6, -2.2, 1.0),
            "within margin",
        ),
        check(
            Answer::Pass,
            "Place order",
            "load · latency P75",
            "no slower than v2.22",
            ms(118.0, 1.0),
            ms(119.0, 1.0),
            change(0.7, -0.4, 1.8),
            "within margin",
        ),
        check(
            Answer::Pass,
            "Product page",
            "field · LCP P75",
            "budget 2.00 s",
            Quantity::exact(2000e6, Unit::Nanoseconds),
            ms(1620.0, 20.0),
            change(-19.0, -20.0, -18.0),
            "380 ms inside the budget",
        ),
        check(
            Answer::TrackedOnly,
            "Checkout",
            "field · LCP mobile P75",
            "no slower than v2.22",
            ms(2180.0, 20.0),
            ms(2410.0, 30.0),
            change(10.6, 8.9, 12.3),
            "does not count before 1 Feb 2027; bleed open",
        ),
        check(
            Answer::Fail,
            "Parse import",
            "bench · wall time P75",
            "no slower than v2.37",
            ms(46.8, 0.6),
            ms(49.0, 0.7),
            change(4.6, 3.1, 6.2),
            "proven slower",
        ),
    ];
    checks.push(CheckRow {
        answer: Answer::Inconclusive,
        candidate: None,
        change: None,
        axis: None,
        reason: "no data for 9 days; allowed is 24 hours; more runs do not help".into(),
        ..check(
            Answer::Pass,
            "Search",
            "field · INP P75",
            "fresh within 24\u{a0}h",
            ms(184.0, 3.0),
            ms(184.0, 3.0),
            change(0.0, 0.0, 0.0),
            "",
        )
    });
    GatePage::sort_checks(&mut checks);
    let because = Some("Parse import is proven slower");
    GatePage {
        gate: "release".into(),
        release: "v2.38".into(),
        answer: Answer::Fail,
        headline: wording::verdict::headline("v2.38", "release", Answer::Fail, because),
        lead: Prose::of("Bench wall time, P75: 46.8 → ")
            .bold("49.0 ms, +4.6\u{a0}%")
            .plain(" [3.1, 6.2]. Even the lowest likely value is beyond the allowed 2\u{a0}%."),
        confidence: 0.95,
        evidence: "18 runs, 3 days of field data".into(),
        asked: shell.moment(NOW - 240_000_000),
        steps: vec![
            Prose::of("Look at ")
                .link("/shop/compare", "Parse import between v2.37 and v2.38")
                .plain(": 3 commits touch it."),
            Prose::of("Intended? Add a waiver with a ceiling, an owner and an end date to ")
                .code("longwatch.toml")
                .plain("."),
            Prose::of(
                "Search stays undecided until its field data are back; more runs do not help.",
            ),
        ],
        checks,
        margin: 2.0,
        waivers: vec![],
        ended_waiver: "One ended on 31 Oct: checkout-lcp up to 2.90 s, owner payments.".into(),
        command: "longwatch gate release --release v2.38 --wait 10m".into(),
        shell,
    }
}

pub(crate) fn gates() -> GatesPage {
    let shell = shell(Section::Gates);
    let line = |release: &str, answer, days| VerdictLine {
        path: paths::verdict("shop", "release", release),
        release: release.into(),
        answer,
        asked: shell.moment(days_ago(days)),
    };
    let verdicts = vec![
        line("v2.38", Answer::Fail, 0),
        line("v2.37", Answer::Inconclusive, 7),
        line("v2.36", Answer::Pass, 14),
    ];
    let next_waiver = Some((
        "checkout-lcp".to_owned(),
        shell.moment(days_ago(-72)),
        "payments".to_owned(),
    ));
    let release = GateRow {
        name: "release".into(),
        flows: "checkout, login, search and 4 more".into(),
        verdicts,
        decided: (31, 39),
        next_waiver,
    };
    let canary = GateRow {
        name: "canary".into(),
        flows: "checkout".into(),
        verdicts: vec![],
        decided: (0, 0),
        next_waiver: None,
    };
    GatesPage {
        shell,
        gates: vec![release, canary],
    }
}

pub(crate) fn release() -> ReleasePage {
    let shell = shell(Section::Overview);
    let row = |title: &str, walk: &str, change: Change, is_proven| ChangeRow {
        path: paths::flow("shop", title),
        title: title.into(),
        series: "bench · wall time P75".into(),
        walk: walk.into(),
        change,
        is_proven,
        share: is_proven.then(|| ms(2.2, 0.7)),
    };
    let run = |name: &str, excluded: &str| RunRow {
        run: name.into(),
        testbed: "ci-x64".into(),
        source: "bench".into(),
        at: shell.moment(NOW - 3_600_000_000),
        excluded: excluded.into(),
    };
    ReleasePage {
        release: "v2.38".into(),
        facts: vec![
            Fact::new("Commit", "9f3c1d2", "main"),
            Fact::new("Parent", "v2.37", "77ab01c"),
            Fact::new("Deployed", shell.moment(NOW - 7_200_000_000).full(), ""),
        ],
        verdicts: vec![GateAnswer {
            path: paths::gate("shop", "release"),
            gate: "release".into(),
            answer: Answer::Fail,
            reason: gate().checks[0].reason.clone(),
        }],
        changes: vec![
            row(
                "Parse import",
                "46.8 → 49.0 ms",
                change(4.6, 3.1, 6.2),
                true,
            ),
            row("Login", "338 → 336 ms", change(-0.6, -2.2, 1.0), false),
        ],
        runs: vec![run("812", ""), run("811", "the runner was swapping")],
        epochs: vec![],
        compare: paths::compare("shop", "5f0c", "v2.37", "v2.38"),
        shell,
    }
}

pub(crate) fn compare() -> ComparePage {
    let rung = |quantile, base: (f64, f64), head: (f64, f64), change: (f64, f64, f64)| Rung {
        quantile,
        base: ms(base.0, base.1),
        head: ms(head.0, head.1),
        change: Some(Quantity::percent(change.0, change.1, change.2)),
        is_worse: (change.1 > 2.0).then_some(true),
    };
    let rungs = vec![
        rung(0.25, (1360.0, 8.0), (1411.0, 8.0), (3.8, 2.9, 4.7)),
        rung(0.5, (1680.0, 10.0), (1790.0, 10.0), (6.5, 5.4, 7.6)),
        rung(0.75, (2180.0, 20.0), (2410.0, 30.0), (10.6, 8.9, 12.3)),
        rung(0.9, (2720.0, 30.0), (3080.0, 35.0), (13.2, 11.5, 15.0)),
        rung(0.95, (3200.0, 60.0), (3620.0, 70.0), (13.1, 10.4, 16.0)),
        rung(0.99, (4400.0, 200.0), (4800.0, 200.0), (10.0, 4.4, 15.6)),
        rung(0.999, (6600.0, 700.0), (6900.0, 700.0), (4.5, -11.0, 20.0)),
    ];
    let picker = |label, chosen: &str, names: [&str; 3]| Picker {
        label,
        chosen: chosen.into(),
        options: names
            .map(|name| Tab {
                path: paths::page("shop", "compare"),
                name: name.into(),
                is_current: name == chosen,
            })
            .into(),
    };
    ComparePage {
        shell: shell(Section::Compare),
        subject: "Checkout LCP on mobile".into(),
        manner: Manner::Speed,
        pickers: vec![
            picker("Flow", "Checkout", ["Checkout", "Login", "Search"]),
            picker(
                "Series",
                "Field LCP, mobile",
                ["Field LCP, mobile", "Field LCP, desktop", "Load latency"],
            ),
            picker("Base", "v2.22", ["v2.22", "v2.23", "v2.24"]),
            picker("Head", "v2.38", ["v2.38", "v2.37", "v2.36"]),
        ],
        comparison: Some(Comparison {
            id: "spectrum".into(),
            title: "Checkout LCP by percentile, seconds".into(),
            unit: Unit::Nanoseconds,
            base: ("v2.22".into(), "388 k page views".into()),
            head: ("v2.38".into(), "412 k page views".into()),
            rungs,
            margin: 2.0,
        }),
        not_comparable: String::new(),
        missing: String::new(),
    }
}
