//! The same pages before there is anything to show.

use longwatch::http::pages::budgets::BudgetsPage;
use longwatch::http::pages::compare::ComparePage;
use longwatch::http::pages::findings::{FindingsPage, Watch};
use longwatch::http::pages::flow::{FlowPage, calm_headline};
use longwatch::http::pages::gates::GatesPage;
use longwatch::http::pages::layout::Section;
use longwatch::http::pages::months::MonthsPage;
use longwatch::http::pages::overview::OverviewPage;
use longwatch::http::pages::projects::ProjectsPage;
use longwatch::http::pages::release::ReleasePage;
use longwatch::http::pages::settings::SettingsPage;
use longwatch::http::prose::Prose;
use longwatch::wording::finding::Manner;
use longwatch::wording::state::{Answer, State};

use crate::shop::shell;
use crate::watched;

pub(crate) fn calm_overview() -> OverviewPage {
    let mut page = watched::overview();
    page.cards.clear();
    page.good = None;
    page.flows.retain(|row| row.state == State::Within);
    page.newest_verdict = page
        .newest_verdict
        .map(|(path, release, _)| (path, release, Answer::Pass));
    page
}

pub(crate) fn overview() -> OverviewPage {
    let mut shell = shell(Section::Overview);
    shell.data_to = None;
    OverviewPage {
        shell,
        cards: vec![],
        more_findings: 0,
        good: None,
        flows: vec![],
        percentile: "P75".into(),
        other_flows: 0,
        releases: vec![],
        newest_verdict: None,
    }
}

pub(crate) fn flow() -> FlowPage {
    FlowPage {
        shell: shell(Section::Overview),
        title: "Refund".into(),
        headline: calm_headline("Refund", State::NotEnough),
        state: State::NotEnough,
        lead: Prose::of("First results are in; a range needs 4 more runs."),
        facts: vec![],
        actions: None,
        tabs: vec![],
        ranges: vec![],
        trend: None,
        legend: String::new(),
        refused: "P99 needs 1,400 more samples (has 40)".into(),
        points: vec![],
        percentiles: ("P75".into(), String::new()),
        csv: String::new(),
        ledger: None,
        headroom: None,
        mix: None,
        blind_spot: None,
        findings: vec![],
        budgets: vec![],
        epochs: vec![],
    }
}

pub(crate) fn findings() -> FindingsPage {
    let mut page = watched::findings();
    page.findings.clear();
    page.watch = Watch {
        series: 42,
        ..page.watch
    };
    page
}

pub(crate) fn gates() -> GatesPage {
    GatesPage {
        shell: shell(Section::Gates),
        gates: vec![],
    }
}

pub(crate) fn budgets() -> BudgetsPage {
    BudgetsPage {
        shell: shell(Section::Budgets),
        budgets: vec![],
    }
}

pub(crate) fn months() -> MonthsPage {
    MonthsPage {
        shell: shell(Section::Months),
        stretch: "November 2026".into(),
        ranges: vec![],
        headline: "Too early for months".into(),
        lead: Prose::default(),
        figures: vec![],
        months: vec![],
        rows: vec![],
        calendar: None,
        bleeds: vec![],
        levels: vec![],
        too_little: "Three weeks of data so far.".into(),
    }
}

pub(crate) fn compare() -> ComparePage {
    ComparePage {
        shell: shell(Section::Compare),
        subject: String::new(),
        manner: Manner::Speed,
        pickers: vec![],
        comparison: None,
        not_comparable: String::new(),
        missing: String::new(),
    }
}

pub(crate) fn release() -> ReleasePage {
    ReleasePage {
        shell: shell(Section::Overview),
        release: "v2.38".into(),
        facts: vec![],
        verdicts: vec![],
        changes: vec![],
        runs: vec![],
        epochs: vec![],
        compare: String::new(),
    }
}

pub(crate) fn settings() -> SettingsPage {
    SettingsPage {
        shell: shell(Section::Settings),
        configuration: String::new(),
        applied: None,
        routes: vec![],
        tokens: Some(vec![]),
        limits: vec![],
        other_flows: vec![],
        dropped: vec![],
        audit: Some(vec![]),
    }
}

pub(crate) fn projects() -> ProjectsPage {
    ProjectsPage {
        shell: longwatch::http::pages::layout::Shell::bare(
            longwatch::http::pages::layout::Account::Guest,
            crate::shop::NOW,
        ),
        projects: vec![],
    }
}
