//! The pages of somebody who answers for it: months, budgets, projects, settings, and the way in.

use longwatch::chart::calendar::{Calendar, Day, Month};
use longwatch::http::pages::budgets::{BudgetRow, BudgetsPage};
use longwatch::http::pages::error::ErrorPage;
use longwatch::http::pages::facts::RunsOut;
use longwatch::http::pages::flow::Tab;
use longwatch::http::pages::layout::{Account, Section, Shell};
use longwatch::http::pages::login::LoginPage;
use longwatch::http::pages::months::{BleedLine, Figure, LevelRow, MonthRow, MonthsPage};
use longwatch::http::pages::projects::{ProjectRow, ProjectsPage};
use longwatch::http::pages::settings::{AuditRow, LimitRow, RouteRow, SettingsPage, TokenRow};
use longwatch::http::paths;
use longwatch::http::prose::Prose;
use longwatch::wording::quantity::Quantity;
use longwatch::wording::state::{Answer, State};
use longwatch::wording::unit::Unit;

use crate::shop::{NOW, between, days_ago, december, headroom, ms, shell};

const MONTHS: [(&str, usize); 9] = [
    ("Mar", 31),
    ("Apr", 30),
    ("May", 31),
    ("Jun", 30),
    ("Jul", 31),
    ("Aug", 31),
    ("Sep", 30),
    ("Oct", 31),
    ("Nov", 30),
];

fn calendar() -> Calendar {
    let day = |month: usize, day: usize| match (month, day) {
        (0, 23..) | (1, ..5) => Day::Missing,
        (1, 23..) | (2, ..24) => Day::Breached,
        (1, 20..) | (2, 24..26) | (7, 14..17 | 19..=22 | 24..) | (8, ..21) => Day::AtRisk,
        (0, 7) | (4, 5) | (6, 14) | (7, 10) => Day::NotEnough,
        (8, 21..) => Day::Future,
        _ => Day::Within,
    };
    let months = MONTHS.iter().enumerate();
    let months = months.map(|(k, (name, days))| Month {
        name: (*name).into(),
        days: (1..=*days).map(|d| day(k, d)).collect(),
    });
    Calendar {
        id: "days".into(),
        title: "Checkout day by day".into(),
        months: months.collect(),
    }
}

pub(crate) fn months() -> MonthsPage {
    use State::{AtRisk, Breached, NotEnough, Stale, Within};
    let row =
        |title: &str, states: [State; 9], left: Option<Quantity>, spent: Option<f64>| MonthRow {
            path: paths::flow("shop", title),
            title: title.into(),
            states: states.into(),
            left,
            no_left: if states[0] == NotEnough {
                "no budget yet".into()
            } else {
                "cannot say".into()
            },
            spent: spent.map(|spent| ms(spent, spent.abs() * 0.2)),
        };
    let figure = |label: &str, value: &str, range: &str, note: &str| Figure {
        label: label.into(),
        value: value.into(),
        range: range.into(),
        note: note.into(),
    };
    let bleed = |when: &str, what: &str, who: &str, is_stopped| BleedLine {
        path: "/shop/findings/1".into(),
        when: when.into(),
        what: what.into(),
        who: who.into(),
        is_stopped,
    };
    let level = |title: &str, level, evidence: &str, next: &str| LevelRow {
        path: paths::flow("shop", title),
        title: title.into(),
        level,
        evidence: evidence.into(),
        next_step: next.into(),
    };
    let range = |name: &str, is_current| Tab {
        path: paths::page("shop", "months"),
        name: name.into(),
        is_current,
    };
    MonthsPage {
        shell: shell(Section::Months),
        stretch: "March – November 2026".into(),
        ranges: vec![
            range("quarter", false),
            range("nine months", true),
            range("year", false),
        ],
        headline: "Nine months: two flows got faster, one is bleeding".into(),
        lead: Prose::of("Key flows were inside their budgets on ")
            .bold("97\u{a0}% of days")
            .plain(". One slow bleed is running in Checkout and ends its budget ")
            .bold("between 12 Dec and 30 Jan")
            .plain("; two were stopped."),
        figures: vec![
            figure(
                "Inside budget in November",
                "5 of 7 flows",
                "",
                "1 of them at risk, 2 without data",
            ),
            figure(
                "Headroom spent this quarter",
                "139 ms",
                "[104, 175]",
                "all of it in Checkout",
            ),
            figure(
                "Slow bleeds",
                "1 running, 2 stopped",
                "",
                "the running one found on 2 Oct",
            ),
            figure(
                "Gate answers",
                "31 of 39 decided",
                "",
                "26 pass, 5 fail, 8 inconclusive",
            ),
        ],
        months: MONTHS.map(|(name, _)| name.to_owned()).into(),
        rows: vec![
            row(
                "Checkout",
                [
                    Within, Breached, Breached, Within, Within, Within, Within, AtRisk, AtRisk,
                ],
                Some(between(90.0, 55.0, 125.0)),
                Some(139.0),
            ),
            row(
                "Search",
                [
                    Within, Within, Within, Within, AtRisk, AtRisk, Within, Within, Stale,
                ],
                None,
                None,
            ),
            row(
                "Product page",
                [
                    Within, AtRisk, Within, Within, Within, Within, Within, Within, Within,
                ],
                Some(ms(380.0, 20.0)),
                Some(-4.0),
            ),
            row(
                "Login",
                [Within; 9],
                Some(between(112.0, 103.0, 121.0)),
                Some(-74.0),
            ),
            row("Place order", [Within; 9], Some(ms(29.0, 4.0)), Some(1.0)),
            row("Refund", [NotEnough; 9], None, None),
        ],
        calendar: Some(calendar()),
        bleeds: vec![
            bleed(
                "Running since 7 Aug",
                "Checkout, +230 ms [195, 267]",
                "owner payments · found 2 Oct, acknowledged after 1 day",
                false,
            ),
            bleed(
                "Stopped 8 May by v2.9",
                "Product page, +64 ms, then −82 ms",
                "credit: catalogue, “inline the critical styles”",
                true,
            ),
            bleed(
                "Stopped 12 Sep by v2.27",
                "Search, +18 ms, then −21 ms",
                "credit: discovery, “one query per keystroke”",
                true,
            ),
        ],
        levels: vec![
            level(
                "Checkout",
                3,
                "budget since Mar, alerts acknowledged in 1 day (median of 5)",
                "gates from 1 Feb 2027",
            ),
            level(
                "Login",
                4,
                "gate asked on 37 of 39 releases; a 1.9 % step would be seen",
                "none",
            ),
            level(
                "Search",
                1,
                "was tracked until 11 Nov; no fresh data",
                "bring field data back",
            ),
            level(
                "Refund",
                1,
                "14 of the 18 runs that a P75 range needs",
                "4 more runs, then a budget",
            ),
        ],
        too_little: String::new(),
    }
}

pub(crate) fn budgets() -> BudgetsPage {
    let row = |id: &str,
               flow: &str,
               limit: f64,
               value: Quantity,
               reference: f64,
               state,
               runs_out: RunsOut,
               waiver: &str| BudgetRow {
        path: paths::flow("shop", flow),
        id: id.into(),
        flow: flow.into(),
        series: "field · LCP mobile P75".into(),
        limit: Quantity::exact(limit * 1e6, Unit::Nanoseconds),
        window: "28 days".into(),
        value: Some(value),
        state,
        headroom: headroom(reference, limit, value, state, runs_out),
        enforcement: "tracks now, gates from 1 Feb 2027".into(),
        waiver: waiver.into(),
    };
    let mut budgets = vec![
        row(
            "login-latency",
            "Login",
            450.0,
            ms(338.0, 9.0),
            412.0,
            State::Within,
            RunsOut::NotInSight,
            "",
        ),
        row(
            "checkout-lcp",
            "Checkout",
            2500.0,
            ms(2410.0, 30.0),
            2180.0,
            State::AtRisk,
            december(),
            "",
        ),
        row(
            "cart-lcp",
            "Cart",
            1800.0,
            ms(1910.0, 30.0),
            1600.0,
            State::Breached,
            RunsOut::Over,
            "until 31 Jan (payments)",
        ),
    ];
    BudgetsPage::sort(&mut budgets);
    BudgetsPage {
        shell: shell(Section::Budgets),
        budgets,
    }
}

pub(crate) fn projects() -> ProjectsPage {
    let mut shell = Shell::bare(Account::SignedIn("Ines".into()), NOW);
    shell.address = "https://longwatch.example/".into();
    let row = |name: &str, states: Vec<(State, u64)>, answer| ProjectRow {
        path: paths::project(name),
        name: name.into(),
        states,
        last_release: Some(("v2.38".into(), Some(answer))),
        data_to: Some(shell.moment(NOW)),
    };
    let mut projects = vec![
        row("billing", vec![(State::Within, 5)], Answer::Pass),
        row(
            "shop",
            vec![
                (State::AtRisk, 1),
                (State::Stale, 1),
                (State::Within, 4),
                (State::NotEnough, 1),
            ],
            Answer::Fail,
        ),
    ];
    ProjectsPage::sort(&mut projects);
    ProjectsPage { shell, projects }
}

pub(crate) fn settings() -> SettingsPage {
    let shell = shell(Section::Settings);
    SettingsPage {
        configuration: "[project]\nname = \"shop\"\nmain_branch = \"main\"\n\n[[flow]]\nname = \"checkout\"\nkey = true\nowner = \"payments\"\n".into(),
        applied: Some((shell.moment(days_ago(12)), "…x7Qa".into())),
        routes: vec![
            RouteRow { name: "payments-slack".into(), kind: "slack".into(), last: Some(shell.moment(days_ago(2))), dead: vec![] },
            RouteRow { name: "payments-pager".into(), kind: "pagerduty".into(), last: None, dead: vec![("/shop/deliveries/1/again".into(), "Checkout got 11 % slower".into())] },
        ],
        tokens: Some(vec![TokenRow { scope: "ci".into(), last_four: "x7Qa".into(), expires: None, used: Some(shell.moment(NOW - 600_000_000)) }]),
        limits: vec![
            LimitRow { name: "Series".into(), used: 1_204, allowed: 20_000 },
            LimitRow { name: "Undeclared field flows".into(), used: 196, allowed: 200 },
        ],
        other_flows: vec!["/landing/:campaign".into()],
        dropped: vec![("prerender".into(), 412)],
        audit: Some(vec![AuditRow { at: shell.moment(days_ago(12)), actor: "…x7Qa".into(), action: "config.apply".into(), subject: "0192f3a0".into() }]),
        shell,
    }
}

pub(crate) fn login() -> LoginPage {
    LoginPage {
        shell: Shell::bare(Account::Nobody, NOW),
        name: "ines".into(),
        is_wrong: true,
        next: "/shop".into(),
    }
}

pub(crate) fn error() -> ErrorPage {
    ErrorPage::not_found(Shell::bare(Account::Guest, NOW), "0192f3a0-77aa".into())
}
