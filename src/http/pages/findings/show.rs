//! Fills the list of findings.

use std::collections::BTreeSet;

use axum::extract::{Query, State};
use collectors::report::Source;
use serde::Deserialize;

use crate::detector::evidence::Evidence;
use crate::http::error::Result;
use crate::http::pages::evidence::{kind, line, owner};
use crate::http::pages::facts::FindingLine;
use crate::http::pages::flow::Tab;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::{App, paths};
use crate::standing::quarter_start;
use crate::store::{Finding, FindingState};
use crate::wording::names::source_word;
use crate::wording::state::{Kind, Life};

use super::{FindingsPage, Watch};

/// Rows on a page.
const ROWS: usize = 50;
/// False alarms that a project may have in a quarter before its rules are too loud: the budget that detection is
/// held to.
const ALLOWED_FALSE_ALARMS: u64 = 4;
/// Series whose findings began within this stretch with the same kind are one row.
const TOGETHER_US: i64 = 43_200_000_000;

/// What a reader may choose.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Choice {
    tab: Option<String>,
    kind: Option<String>,
    owner: Option<String>,
    source: Option<String>,
    after: Option<usize>,
}

impl Choice {
    /// The address of this choice with one value changed; nothing for its default.
    fn path(&self, slug: &str, changed: &str, value: Option<&str>) -> String {
        let own = [
            ("tab", &self.tab),
            ("kind", &self.kind),
            ("owner", &self.owner),
            ("source", &self.source),
        ];
        let mut query: Vec<String> = own
            .into_iter()
            .filter(|(name, _)| *name != changed)
            .filter_map(|(name, value)| {
                Some(format!("{name}={}", paths::segment(value.as_deref()?)))
            })
            .collect();
        query.extend(value.map(|value| format!("{changed}={}", paths::segment(value))));
        let path = paths::page(slug, "findings");
        if query.is_empty() {
            path
        } else {
            format!("{path}?{}", query.join("&"))
        }
    }
}

const TABS: [(&str, &str); 4] = [
    ("open", "Open"),
    ("acknowledged", "Acknowledged"),
    ("snoozed", "Snoozed"),
    ("closed", "Closed"),
];

fn tab_of(finding: &Finding) -> &'static str {
    match Life::from(finding.state) {
        Life::Open => "open",
        Life::Acknowledged | Life::Assigned => "acknowledged",
        Life::Snoozed => "snoozed",
        Life::Resolved | Life::FalseAlarm => "closed",
    }
}

/// The list of findings.
pub async fn show(
    State(_app): State<App>,
    visit: Visit,
    Query(choice): Query<Choice>,
) -> Result<FindingsPage> {
    let tab = choice.tab.clone().unwrap_or_else(|| "open".to_owned());
    let chosen: Vec<&Finding> = visit
        .findings
        .iter()
        .filter(|finding| tab_of(finding) == tab)
        .filter(|finding| {
            choice
                .kind
                .as_ref()
                .is_none_or(|wanted| finding.kind == *wanted)
        })
        .filter(|finding| {
            choice
                .owner
                .as_ref()
                .is_none_or(|wanted| owner(finding) == *wanted)
        })
        .filter(|finding| {
            choice
                .source
                .as_ref()
                .is_none_or(|wanted| source(finding).as_ref() == Some(wanted))
        })
        .collect();
    let grouped = grouped(&visit, chosen);
    let start = choice.after.unwrap_or(0);
    let has_more = grouped.len() > start.saturating_add(ROWS);
    let next =
        has_more.then(|| choice.path(visit.slug(), "after", Some(&(start + ROWS).to_string())));
    Ok(FindingsPage {
        tabs: tabs(&visit, &choice, &tab),
        filters: filters(&visit, &choice),
        findings: grouped.into_iter().skip(start).take(ROWS).collect(),
        next,
        watch: Watch {
            series: watched(&visit),
            steps: None,
        },
        false_alarms: (false_alarms(&visit), ALLOWED_FALSE_ALARMS),
        shell: visit.shell(Section::Findings).await?,
    })
}

fn source(finding: &Finding) -> Option<String> {
    Evidence::read(&finding.evidence).map(|evidence| source_word(evidence.source).to_owned())
}

/// What moved together is one row: the same flow and kind at the same time.
fn grouped(visit: &Visit, findings: Vec<&Finding>) -> Vec<FindingLine> {
    let mut rows: Vec<(&Finding, FindingLine)> = Vec::new();
    for finding in findings {
        let same = rows.iter_mut().find(|(first, _)| {
            first.flow == finding.flow
                && first.kind == finding.kind
                && (first.onset_us - finding.onset_us).abs() < TOGETHER_US
        });
        match same {
            Some((_, row)) => row.moved_with += 1,
            None => rows.push((finding, line(visit, finding))),
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn tabs(visit: &Visit, choice: &Choice, current: &str) -> Vec<Tab> {
    let count = |tab: &str| {
        visit
            .findings
            .iter()
            .filter(|finding| tab_of(finding) == tab)
            .count()
    };
    let tab = |(name, word): (&str, &str)| Tab {
        path: choice.path(visit.slug(), "tab", (name != "open").then_some(name)),
        name: format!("{word} {}", count(name)),
        is_current: name == current,
    };
    TABS.into_iter().map(tab).collect()
}

fn filters(visit: &Visit, choice: &Choice) -> Vec<(&'static str, Vec<Tab>)> {
    let kinds = Kind::ALL.iter().map(|kind| kind.stored().to_owned());
    let kinds = kinds.filter(|wanted| visit.findings.iter().any(|finding| finding.kind == *wanted));
    let owners: BTreeSet<String> = visit
        .findings
        .iter()
        .map(owner)
        .filter(|owner| !owner.is_empty())
        .collect();
    let all = [
        Source::Bench,
        Source::Load,
        Source::Lab,
        Source::Rum,
        Source::Telemetry,
    ];
    let sources = all.iter().filter(|source| {
        visit
            .record
            .series
            .values()
            .any(|tracked| tracked.series.source == **source)
    });
    let sources = sources.map(|source| source_word(*source).to_owned());
    let link = |name: &'static str, chosen: &Option<String>, values: Vec<String>| -> Vec<Tab> {
        let all = Tab {
            path: choice.path(visit.slug(), name, None),
            name: "all".into(),
            is_current: chosen.is_none(),
        };
        let one = |value: String| Tab {
            path: choice.path(visit.slug(), name, Some(&value)),
            is_current: chosen.as_ref() == Some(&value),
            name: value,
        };
        std::iter::once(all)
            .chain(values.into_iter().map(one))
            .collect()
    };
    let filters = [
        ("Kind", link("kind", &choice.kind, kinds.collect())),
        (
            "Owner",
            link("owner", &choice.owner, owners.into_iter().collect()),
        ),
        ("Source", link("source", &choice.source, sources.collect())),
    ];
    // A filter with one value is no choice.
    filters
        .into_iter()
        .filter(|(_, links)| links.len() > 2)
        .collect()
}

fn watched(visit: &Visit) -> u64 {
    visit.record.series.len() as u64
}

fn false_alarms(visit: &Visit) -> u64 {
    let since = quarter_start(visit.now_us);
    let called = visit
        .findings
        .iter()
        .filter(|finding| finding.state == FindingState::FalseAlarm);
    called
        .filter(|finding| {
            finding.closed_us.is_some_and(|at_us| at_us >= since) && kind(finding) != Kind::Epoch
        })
        .count() as u64
}
