//! The pages of somebody who watches: overview, flow, findings.

use collectors::report::Source;
use longwatch::chart::glimpse::Glimpse;
use longwatch::chart::mix::{MixBar, MixStrip};
use longwatch::chart::trend::Trend;
use longwatch::chart::waterfall::{Share, Waterfall};
use longwatch::http::pages::actions::Actions;
use longwatch::http::pages::facts::{Change, Fact, FindingLine, RunsOut};
use longwatch::http::pages::finding::{DeliveryRow, FindingPage, RuledOut, TrailEntry};
use longwatch::http::pages::findings::{FindingsPage, Watch};
use longwatch::http::pages::flow::{
    BlindSpotCard, BudgetLine, FlowPage, HeadroomCard, LedgerCard, MixCard, PointRow, Tab,
};
use longwatch::http::pages::layout::Section;
use longwatch::http::pages::overview::{FindingCard, FlowRow, GoodNews, OverviewPage, ReleaseRow};
use longwatch::http::paths;
use longwatch::http::prose::Prose;
use longwatch::stats::blind_spot::BlindSpot;
use longwatch::wording;
use longwatch::wording::finding::{Manner, Onset};
use longwatch::wording::moment::DAY_US;
use longwatch::wording::names::{series_line, series_tab, subject};
use longwatch::wording::quantity::Quantity;
use longwatch::wording::state::{Answer, Kind, Life, State};
use longwatch::wording::unit::Unit;

use crate::shop::{
    NOW, between, bleed, checkout_points, days_ago, december, headroom, mobile, ms, release_us,
    shell, sparkline, trend,
};

const FINDING: &str = "/shop/findings/0192f3a0";

fn percent(value: f64, lower: f64, upper: f64) -> Change {
    Change {
        percent: Quantity::percent(value, lower, upper),
        manner: Manner::Speed,
    }
}

fn checkout_sentence() -> String {
    let name = subject("checkout", "lcp", &mobile());
    wording::finding::bleed(
        &name,
        Manner::Speed,
        &Quantity::percent(10.6, 8.9, 12.3),
        16,
        "v2.23",
    )
}

fn checkout_facts() -> Vec<Fact> {
    let onset = Onset {
        release: "v2.23".into(),
        one_of: Some(("v2.21".into(), "v2.25".into())),
    };
    vec![
        Fact::since(&onset, shell(Section::Overview).moment(release_us(23))),
        Fact::by_how_much(&between(230.0, 195.0, 267.0)),
        Fact::how_sure(0.993, "412 k page views"),
        december().fact(NOW),
    ]
}

pub(crate) fn overview() -> OverviewPage {
    let shell = shell(Section::Overview);
    let glimpse = Glimpse {
        id: "card".into(),
        title: checkout_sentence(),
        from_us: release_us(17),
        until_us: NOW,
        points: checkout_points()
            .into_iter()
            .filter(|point| point.at_us >= release_us(17))
            .collect(),
        limit: Some(Quantity::exact(2500e6, Unit::Nanoseconds)),
        bleed: Some(bleed()),
        breaks: vec![],
    };
    let card = |kind, flow: &str, sentence: String, found: i64, owner: &str, notes: Vec<Prose>| {
        FindingCard {
            path: FINDING.into(),
            kind,
            life: Life::Open,
            flow: flow.into(),
            manner: Manner::Speed,
            sentence,
            found: shell.moment(found),
            owner: owner.into(),
            glimpse: None,
            facts: vec![],
            notes,
        }
    };
    let step = wording::finding::step(
        "Parse import wall time",
        Manner::Speed,
        &Quantity::percent(4.6, 3.1, 6.2),
        &Onset::certain("v2.38"),
    );
    let gate = paths::gate("shop", "release");
    let notes = vec![
        Prose::of("46.8 → 49.0 ms [48.3, 49.7], 18 runs. Allowed: 2 %."),
        Prose::of("The gate ")
            .link(&gate, "release")
            .plain(" fails. 3 commits touch it."),
    ];
    let silent =
        wording::finding::missing("Search", "field", shell.moment(days_ago(9)), Some("v2.36"));
    let cards = vec![
        FindingCard {
            life: Life::Acknowledged,
            glimpse: Some(glimpse),
            facts: checkout_facts(),
            ..card(
                Kind::Bleed,
                "Checkout",
                checkout_sentence(),
                days_ago(49),
                "payments",
                vec![],
            )
        },
        card(
            Kind::Step,
            "Parse import",
            step,
            NOW - 3_600_000_000,
            "imports",
            notes,
        ),
        card(
            Kind::Missing,
            "Search",
            silent,
            days_ago(9),
            "",
            vec![Prose::of(
                "Other flows still arrive, so look at the beacon on that page first.",
            )],
        ),
    ];
    let releases = [
        (
            "v2.38",
            Answer::Fail,
            "Parse import +4.6 % [3.1, 6.2] slower",
            0,
        ),
        (
            "v2.37",
            Answer::Inconclusive,
            "nothing proven; Search has no fresh data",
            7,
        ),
        ("v2.36", Answer::Pass, "nothing beyond the margins", 14),
        (
            "v2.35",
            Answer::Pass,
            "Login −18 % faster; Checkout +31 ms [9, 53] within its margin",
            21,
        ),
    ]
    .map(|(release, answer, moved, days)| ReleaseRow {
        path: paths::release("shop", release),
        release: release.into(),
        answer: Some(answer),
        moved: moved.into(),
        at: shell.moment(days_ago(days)),
    });
    let mut flows = flows();
    OverviewPage::sort_flows(&mut flows);
    OverviewPage {
        cards,
        more_findings: 0,
        good: Some(GoodNews {
            path: FINDING.into(),
            sentence: "Login got 18\u{a0}% faster with v2.35".into(),
            walk: "412 → 338 ms [329, 347]".into(),
        }),
        flows,
        percentile: "P75".into(),
        other_flows: 35,
        releases: releases.into(),
        newest_verdict: Some((gate, "v2.38".into(), Answer::Fail)),
        shell,
    }
}

fn flows() -> Vec<FlowRow> {
    let now = shell(Section::Overview);
    let none = std::collections::BTreeMap::new();
    let row =
        |flow: &str, series: String, state, value: Quantity, change: Change, reference: &str| {
            FlowRow {
                path: paths::flow("shop", flow),
                title: wording::names::flow_title(flow),
                series,
                state,
                value: Some(value),
                measured: None,
                needs: String::new(),
                change: Some(change),
                reference: reference.into(),
                sparkline: sparkline(value.value / 1e6, Some(value.value / 1e6 * 1.2), |_| 0.0),
                headroom: None,
            }
        };
    let load = || series_line(Source::Load, "latency", &none);
    let calm = RunsOut::NotInSight;
    let mut search = row(
        "search",
        series_line(Source::Rum, "inp", &none),
        State::Stale,
        ms(184.0, 3.0),
        percent(1.0, -1.0, 3.0),
        "v2.19",
    );
    search.measured = Some(now.moment(days_ago(9)));
    search.headroom = Some(headroom(
        170.0,
        200.0,
        ms(184.0, 3.0),
        State::Stale,
        RunsOut::CannotSay,
    ));
    search.sparkline.gaps = vec![(days_ago(9), NOW)];
    search
        .sparkline
        .points
        .retain(|(at_us, _)| *at_us < days_ago(9));
    let checkout_value = ms(2410.0, 30.0);
    vec![
        FlowRow {
            headroom: Some(headroom(
                2180.0,
                2500.0,
                checkout_value,
                State::AtRisk,
                december(),
            )),
            sparkline: longwatch::chart::sparkline::Sparkline {
                from_us: release_us(0),
                until_us: NOW,
                points: checkout_points()
                    .iter()
                    .filter_map(|p| Some((p.at_us, p.value?.value)))
                    .collect(),
                limit: Some(2500e6),
                is_provisional: true,
                ..Default::default()
            },
            ..row(
                "checkout",
                series_line(Source::Rum, "lcp", &mobile()),
                State::AtRisk,
                checkout_value,
                percent(10.6, 8.9, 12.3),
                "v2.22",
            )
        },
        search,
        FlowRow {
            headroom: Some(headroom(
                1670.0,
                2000.0,
                ms(1620.0, 20.0),
                State::Within,
                calm.clone(),
            )),
            ..row(
                "product page",
                series_line(Source::Rum, "lcp", &none),
                State::Within,
                ms(1620.0, 20.0),
                percent(-3.0, -4.4, -1.6),
                "v2.22",
            )
        },
        FlowRow {
            headroom: Some(headroom(
                412.0,
                450.0,
                ms(338.0, 9.0),
                State::Within,
                calm.clone(),
            )),
            sparkline: sparkline(390.0, Some(450.0), |k| if k > 34 { -0.13 } else { 0.06 }),
            ..row(
                "login",
                load(),
                State::Within,
                ms(338.0, 9.0),
                percent(-18.0, -20.0, -16.0),
                "v2.22",
            )
        },
        FlowRow {
            headroom: Some(headroom(
                118.0,
                150.0,
                ms(121.0, 4.0),
                State::Within,
                calm.clone(),
            )),
            ..row(
                "place order",
                load(),
                State::Within,
                ms(121.0, 4.0),
                percent(2.0, -1.0, 5.0),
                "v2.22",
            )
        },
        FlowRow {
            headroom: Some(headroom(46.8, 55.0, ms(49.0, 0.7), State::Within, calm)),
            ..row(
                "parse import",
                series_line(Source::Bench, "wall_time", &none),
                State::Within,
                ms(49.0, 0.7),
                percent(4.6, 3.1, 6.2),
                "v2.37",
            )
        },
        FlowRow {
            value: None,
            change: None,
            needs: "needs 4 more runs".into(),
            sparkline: longwatch::chart::sparkline::Sparkline {
                from_us: release_us(0),
                until_us: NOW,
                points: (30..36)
                    .map(|k| (release_us(k), 80.0 + 5.0 * crate::shop::wobble(k)))
                    .collect(),
                is_provisional: true,
                ..Default::default()
            },
            ..row(
                "refund",
                load(),
                State::NotEnough,
                ms(1.0, 0.1),
                percent(0.0, 0.0, 0.0),
                "",
            )
        },
    ]
}

fn waterfall() -> Waterfall {
    let share = |release: &str, value: f64, h: f64, note: &str| Share {
        release: release.into(),
        note: note.into(),
        change: ms(value, h),
    };
    Waterfall {
        id: "ledger".into(),
        title: "Which releases spent it".into(),
        shares: vec![
            share("v2.27", 38.0, 22.0, "tax rules"),
            share("v2.31", 36.0, 21.0, "image loader"),
            share("v2.24", 33.0, 22.0, "payment sheet"),
            share("v2.35", 31.0, 22.0, "consent banner"),
            share("v2.33", 27.0, 22.0, "second font"),
            share("v2.29", -24.0, 21.0, "smaller bundle"),
        ],
        others: Some((10, ms(89.0, 37.0))),
        total: between(230.0, 195.0, 267.0),
        higher_is_better: Some(false),
    }
}

fn mix() -> MixCard {
    let bar = |name: &str, shares: [f64; 4]| MixBar {
        name: name.into(),
        segments: ["phone, fast", "phone, slow", "tablet", "other"]
            .iter()
            .map(|s| (*s).to_owned())
            .zip(shares)
            .collect(),
    };
    MixCard {
        strip: MixStrip {
            id: "mix".into(),
            title: "Who came then and who comes now".into(),
            reference: bar("v2.22", [0.46, 0.34, 0.08, 0.12]),
            now: bar("now", [0.54, 0.27, 0.08, 0.11]),
        },
        observed: percent(10.6, 8.9, 12.3),
        reweighted: percent(11.8, 10.0, 13.6),
        reference: "v2.22".into(),
    }
}

pub(crate) fn flow() -> FlowPage {
    let shell = shell(Section::Overview);
    let tab = |name: &str, is_current| Tab {
        path: paths::series("shop", "checkout", name),
        name: name.into(),
        is_current,
    };
    let none = std::collections::BTreeMap::new();
    let trend = trend();
    let points = trend
        .main
        .points
        .iter()
        .zip(&trend.high.as_ref().unwrap_or(&trend.main).points)
        .zip(&trend.releases);
    let points = points.rev().map(|((main, high), (_, name))| PointRow {
        name: name.clone(),
        at: shell.moment(main.at_us),
        main: main.value,
        high: high.value,
        count: 10_400,
        runs: None,
        needs: String::new(),
        is_provisional: main.is_provisional,
    });
    let value = ms(2410.0, 30.0);
    FlowPage {
        title: "Checkout".into(),
        headline: "Checkout got 11\u{a0}% slower over 16 releases".into(),
        state: State::AtRisk,
        lead: Prose::of("LCP on mobile, P75: ")
            .bold("2.18 s → 2.41 s")
            .plain(" since v2.22. No single release went beyond its 2\u{a0}% margin; together they spent ")
            .bold("72\u{a0}% of the headroom")
            .plain("."),
        facts: checkout_facts(),
        actions: Some(actions(&shell)),
        tabs: vec![
            tab(&series_tab(Source::Rum, "lcp", &mobile()), true),
            tab("Field LCP, desktop", false),
            tab(&series_tab(Source::Rum, "inp", &none), false),
            tab("Load latency", false),
            tab("Bench checkout/total", false),
        ],
        ranges: ["4 weeks", "quarter", "9 months", "all"].map(|name| tab(name, name == "9 months")).into(),
        points: points.collect(),
        trend: Some(trend),
        legend: "points are releases, bands hold 95 % · hollow: window still open".into(),
        refused: String::new(),
        percentiles: ("P75".into(), "P99".into()),
        csv: "/api/v1/projects/shop/series/5f0c/points.csv?by=release".into(),
        ledger: Some(LedgerCard { waterfall: waterfall(), together: Vec::new(), since: "v2.22".into(), credit: String::new() }),
        headroom: Some(HeadroomCard {
            headroom: headroom(2180.0, 2500.0, value, State::AtRisk, december()),
            budget: "checkout-lcp".into(),
            limit: Quantity::exact(2500e6, Unit::Nanoseconds),
            reference: Some(("v2.22".into(), ms(2180.0, 20.0), Quantity::exact(320e6, Unit::Nanoseconds))),
            enforcement: wording::state::enforcement("track", Some(("verify", "1 Feb 2027".into()))),
            waiver: String::new(),
        }),
        mix: Some(mix()),
        blind_spot: Some(BlindSpotCard {
            spot: BlindSpot { step_pct: Some(1.4), bleed_pct: Some(2.2), bleed_pct_per_release: Some(0.17), power: 0.8, rows: 91, releases: 13, noise_pct: 1.1, tried: 118 },
            by_day: true,
        }),
        findings: lines(),
        budgets: vec![BudgetLine {
            id: "checkout-lcp".into(),
            series: "field · LCP mobile P75".into(),
            limit: Quantity::exact(2500e6, Unit::Nanoseconds),
            state: Some(State::AtRisk),
            enforcement: "tracks now, gates from 1 Feb 2027".into(),
            path: paths::flow("shop", "checkout"),
        }],
        epochs: vec![(shell.moment(release_us(16)), "browser 149 to 152".into())],
        shell,
    }
}

fn actions(shell: &longwatch::http::pages::layout::Shell) -> Actions {
    Actions {
        path: FINDING.into(),
        life: Life::Acknowledged,
        since: Some(shell.moment(days_ago(48))),
        owner: "payments".into(),
        may_act: true,
    }
}

fn lines() -> Vec<FindingLine> {
    let shell = shell(Section::Findings);
    let line =
        |kind, sentence: &str, since: &str, change, confidence, owner: &str, days| FindingLine {
            path: FINDING.into(),
            kind,
            life: Life::Open,
            sentence: sentence.into(),
            since: since.into(),
            change,
            confidence,
            owner: owner.into(),
            found: shell.moment(days_ago(days)),
            moved_with: u64::from(kind == Kind::Bleed) * 3,
        };
    vec![
        line(
            Kind::Step,
            "Parse import wall time got 4.6 % slower with v2.38",
            "v2.38",
            Some(percent(4.6, 3.1, 6.2)),
            Some(0.99),
            "imports",
            0,
        ),
        line(
            Kind::Missing,
            "Search sends no field data since 11 Nov; last seen with v2.36",
            "11 Nov",
            None,
            None,
            "",
            9,
        ),
        line(
            Kind::Bleed,
            &checkout_sentence(),
            "v2.23",
            Some(percent(10.6, 8.9, 12.3)),
            Some(0.993),
            "payments",
            49,
        ),
        line(
            Kind::Epoch,
            "Checkout is measured anew since 14 Jun: browser 149 to 152",
            "14 Jun",
            None,
            None,
            "payments",
            150,
        ),
    ]
}

pub(crate) fn finding() -> FindingPage {
    let shell = shell(Section::Findings);
    let trail = |days, who: &str, what: &str| TrailEntry {
        at: shell.moment(days_ago(days)),
        who: who.into(),
        what: what.into(),
    };
    let ruled = |what: &str, seen: &str| RuledOut {
        what: what.into(),
        seen: seen.into(),
        is_ruled_out: true,
    };
    let trend = Trend {
        from_us: release_us(23) - 42 * DAY_US,
        ..trend()
    };
    FindingPage {
        kind: Kind::Bleed,
        life: Life::Acknowledged,
        headline: checkout_sentence(),
        lead: Prose::of("P75: ")
            .bold("2.18 s → 2.41 s")
            .plain(" since v2.22; together they spent ")
            .bold("72\u{a0}% of the headroom")
            .plain("."),
        facts: checkout_facts(),
        actions: actions(&shell),
        flow: (paths::flow("shop", "checkout"), "Checkout".into()),
        correction: "Re-dated on 14 Oct: it began with v2.23, not with v2.26.".into(),
        trend: Some(trend),
        legend: "points are releases, bands hold 95 %".into(),
        ruled_out: vec![
            ruled(
                "The mix of visitors",
                "re-weighted to the mix of v2.22 it is +12 % [10.0, 13.6], nearly the same",
            ),
            ruled("A new way of measuring", "no epoch since 14 Jun"),
            ruled(
                "The whole machine",
                "8 other series of the testbed did not move",
            ),
            ruled(
                "The weekday",
                "the effect is the same from Monday to Sunday",
            ),
        ],
        moved_with: lines().into_iter().take(1).collect(),
        trail: vec![
            trail(37, "Longwatch", "re-dated the onset to v2.23"),
            trail(48, "Ines", "acknowledged it"),
            trail(49, "Longwatch", "found it"),
        ],
        deliveries: vec![
            DeliveryRow {
                route: "payments-slack".into(),
                at: shell.moment(days_ago(49)),
                outcome: "delivered".into(),
                is_dead: false,
            },
            DeliveryRow {
                route: "payments-pager".into(),
                at: shell.moment(days_ago(49)),
                outcome: "given up after 8 attempts".into(),
                is_dead: true,
            },
        ],
        shell,
    }
}

pub(crate) fn findings() -> FindingsPage {
    let tab = |name: &str, is_current| Tab {
        path: paths::page("shop", "findings"),
        name: name.into(),
        is_current,
    };
    let exact = |value| Quantity::exact(value, Unit::Percent);
    FindingsPage {
        shell: shell(Section::Findings),
        tabs: vec![
            tab("Open 4", true),
            tab("Acknowledged 1", false),
            tab("Snoozed 0", false),
            tab("Closed 17", false),
        ],
        filters: vec![
            (
                "Kind",
                vec![
                    tab("all", true),
                    tab("bleed", false),
                    tab("step", false),
                    tab("missing", false),
                ],
            ),
            (
                "Owner",
                vec![
                    tab("all", true),
                    tab("imports", false),
                    tab("payments", false),
                ],
            ),
            (
                "Source",
                vec![
                    tab("all", true),
                    tab("bench", false),
                    tab("load", false),
                    tab("field", false),
                ],
            ),
        ],
        findings: lines(),
        next: None,
        watch: Watch {
            series: 42,
            steps: Some((exact(1.4), exact(6.0))),
        },
        false_alarms: (1, 4),
    }
}
