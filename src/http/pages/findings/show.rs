//! Fills the list of findings.

use axum::extract::Query;
use serde::Deserialize;

use crate::http::error::Result;
use crate::http::pages::evidence::{kind, line, owner};
use crate::http::pages::flow::Tab;
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::wording::names::source_word;
use crate::http::wording::state::Kind;
use crate::standing::quarter_start;
use crate::store::{Finding, FindingState};

use super::{FindingsPage, Watch};

/// Findings on one page.
const SHOWN: usize = 50;
/// False alarms that a project may have in a quarter before the settings are to blame.
const ALLOWED: u64 = 2;

/// What is asked for.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct Asked {
    tab: String,
    kind: String,
    owner: String,
    source: String,
    from: usize,
}

/// The tabs, in order.
const TABS: [&str; 4] = ["open", "acknowledged", "snoozed", "closed"];

/// The list of findings.
pub async fn show(Query(asked): Query<Asked>, visit: Visit) -> Result<FindingsPage> {
    let tab = TABS
        .into_iter()
        .find(|tab| *tab == asked.tab)
        .unwrap_or(TABS[0]);
    let chosen: Vec<&Finding> = visit
        .findings
        .iter()
        .filter(|finding| tab_of(finding) == tab && fits(&visit, finding, &asked))
        .collect();
    let shown: Vec<_> = chosen
        .iter()
        .skip(asked.from)
        .take(SHOWN)
        .map(|finding| line(&visit, finding))
        .collect();
    let more = asked.from + SHOWN < chosen.len();
    let quarter_us = quarter_start(visit.now_us);
    let false_alarms = visit
        .findings
        .iter()
        .filter(|finding| {
            finding.state == FindingState::FalseAlarm
                && finding.closed_us.is_some_and(|at_us| at_us >= quarter_us)
        })
        .count() as u64;
    Ok(FindingsPage {
        tabs: TABS
            .into_iter()
            .map(|name| {
                let count = visit.findings.iter().filter(|f| tab_of(f) == name).count();
                Tab {
                    path: address(&visit, name, &Asked::default()),
                    name: format!("{} {count}", capital(name)),
                    is_current: name == tab,
                }
            })
            .collect(),
        filters: filters(&visit, tab, &asked),
        findings: shown,
        next: more.then(|| {
            let next = Asked {
                from: asked.from + SHOWN,
                ..asked.clone()
            };
            address(&visit, tab, &next)
        }),
        watch: Watch {
            series: visit.record.series.len() as u64,
            steps: None,
        },
        false_alarms: (false_alarms, ALLOWED),
        shell: visit.shell(Section::Findings).await?,
    })
}

fn tab_of(finding: &Finding) -> &'static str {
    match finding.state {
        FindingState::Open => TABS[0],
        FindingState::Acknowledged | FindingState::Assigned => TABS[1],
        FindingState::Snoozed => TABS[2],
        FindingState::Resolved | FindingState::FalseAlarm => TABS[3],
    }
}

fn source_of(visit: &Visit, finding: &Finding) -> &'static str {
    finding
        .series
        .and_then(|series| visit.record.series.get(&series))
        .map_or("", |tracked| source_word(tracked.series.source))
}

fn fits(visit: &Visit, finding: &Finding, asked: &Asked) -> bool {
    let same = |asked: &str, own: &str| asked.is_empty() || asked == own;
    same(&asked.kind, kind(finding).stored())
        && same(&asked.owner, &owner(finding))
        && same(&asked.source, source_of(visit, finding))
}

/// A filter's name, its values with their words, and where the chosen value stands.
type Group = (
    &'static str,
    Vec<(String, String)>,
    fn(&mut Asked) -> &mut String,
);

/// Filters that would tell findings of this tab apart, each with a link that takes it back.
fn filters(visit: &Visit, tab: &str, asked: &Asked) -> Vec<(&'static str, Vec<Tab>)> {
    let own: Vec<&Finding> = visit.findings.iter().filter(|f| tab_of(f) == tab).collect();
    let kinds = Kind::ALL
        .into_iter()
        .filter(|wanted| own.iter().any(|finding| kind(finding) == *wanted))
        .map(|kind| (kind.stored().to_owned(), kind.word().to_owned()))
        .collect();
    let distinct = |of: &dyn Fn(&Finding) -> String| {
        let mut found: Vec<String> = own.iter().map(|finding| of(finding)).collect();
        found.sort();
        found.dedup();
        found.retain(|name| !name.is_empty());
        found
            .into_iter()
            .map(|name| (name.clone(), name))
            .collect::<Vec<_>>()
    };
    let owners = distinct(&|finding| owner(finding));
    let sources = distinct(&|finding| source_of(visit, finding).to_owned());
    let groups: [Group; 3] = [
        ("Kind", kinds, |asked| &mut asked.kind),
        ("Owner", owners, |asked| &mut asked.owner),
        ("Source", sources, |asked| &mut asked.source),
    ];
    groups
        .into_iter()
        .filter(|(_, options, _)| options.len() > 1)
        .map(|(name, options, pick)| {
            let chosen = pick(&mut asked.clone()).clone();
            let link = |value: &str, name: &str| {
                let mut next = asked.clone();
                next.from = 0;
                value.clone_into(pick(&mut next));
                Tab {
                    path: address(visit, tab, &next),
                    name: name.to_owned(),
                    is_current: value == chosen,
                }
            };
            let all = std::iter::once(link("", "all"));
            let links = options.iter().map(|(value, name)| link(value, name));
            (name, all.chain(links).collect())
        })
        .collect()
}

fn address(visit: &Visit, tab: &str, asked: &Asked) -> String {
    let mut address = format!("{}?tab={tab}", paths::page(visit.slug(), "findings"));
    for (name, value) in [
        ("kind", &asked.kind),
        ("owner", &asked.owner),
        ("source", &asked.source),
    ] {
        if !value.is_empty() {
            address.push_str(&format!("&{name}={}", paths::segment(value)));
        }
    }
    if asked.from > 0 {
        address.push_str(&format!("&from={}", asked.from));
    }
    address
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::capital;

    #[test]
    fn a_tab_begins_with_a_capital() {
        assert_eq!(capital("open"), "Open");
        assert_eq!(capital(""), "");
    }
}
