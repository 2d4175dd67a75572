//! Fills the overview from the project's record.

use axum::extract::State;

use crate::chart::glimpse::Glimpse;
use crate::detector::evidence::Evidence;
use crate::http::App;
use crate::http::error::Result;
use crate::http::pages::evidence::{bleed_mark, change, facts, kind, line, manner, owner};
use crate::http::pages::facts::Change;
use crate::http::pages::history::{Stretch, history, sparkline};
use crate::http::pages::layout::Section;
use crate::http::pages::tracked::{headroom, needs_words, statistic_word};
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::prose::Prose;
use crate::record::{By, Tracked};
use crate::standing;
use crate::stats::difference::change_pct;
use crate::store::{Finding, StoredVerdict};
use crate::wording::moment::DAY_US;
use crate::wording::names::flow_title;
use crate::wording::quantity::Quantity;
use crate::wording::state::{Answer, Kind, Life, State as Standing};

use super::{CARDS, FindingCard, FlowRow, GoodNews, OverviewPage, ReleaseRow};

/// What a row's small chart shows.
const NINE_MONTHS_US: i64 = 274 * DAY_US;
/// Good news is told for so long.
const NEWS_US: i64 = 45 * DAY_US;
/// Releases in the table.
const RELEASES: usize = 4;
/// Verdicts read for the table: a handful of gates asked a few times for each of its releases.
const VERDICTS: i64 = 200;
/// A card's chart begins so long before the onset.
const BEFORE_ONSET_US: i64 = 42 * DAY_US;

/// The overview.
pub async fn show(State(_app): State<App>, visit: Visit) -> Result<OverviewPage> {
    let verdicts = visit
        .store
        .verdicts(&visit.caller.project, VERDICTS)
        .await?;
    let open: Vec<&Finding> = urgent(&visit);
    let mut cards = Vec::new();
    for finding in open.iter().take(CARDS) {
        cards.extend(card(&visit, finding, cards.is_empty()).await?);
    }
    let mut flows = Vec::new();
    for flow in visit.record.flows() {
        if visit.record.config.is_key(&flow) {
            flows.push(row(&visit, &flow).await?);
        }
    }
    OverviewPage::sort_flows(&mut flows);
    let other_flows = visit.record.flows().len() - flows.len();
    Ok(OverviewPage {
        more_findings: open.len().saturating_sub(CARDS) as u64,
        cards,
        good: good_news(&visit),
        flows,
        percentile: percentile_of_all(&visit),
        other_flows: other_flows as u64,
        releases: releases(&visit, &verdicts),
        newest_verdict: newest(&visit, &verdicts),
        shell: visit.shell(Section::Overview).await?,
    })
}

/// Open findings that ask for something, worst first; of one flow only the worst.
fn urgent(visit: &Visit) -> Vec<&Finding> {
    let mut open: Vec<&Finding> = visit
        .findings
        .iter()
        .filter(|finding| {
            finding.state.is_open() && !matches!(Life::from(finding.state), Life::Snoozed)
        })
        .filter(|finding| {
            matches!(
                kind(finding),
                Kind::Breach | Kind::Bleed | Kind::Step | Kind::Missing
            )
        })
        .collect();
    let size = |finding: &Finding| {
        let effect = Evidence::read(&finding.evidence).and_then(|evidence| evidence.effect_pct);
        effect.map_or(0.0, |effect| effect.value.abs())
    };
    open.sort_by(|a, b| {
        let is_key = |finding: &Finding| visit.record.config.is_key(&finding.flow);
        is_key(b)
            .cmp(&is_key(a))
            .then(kind(a).cmp(&kind(b)))
            .then(size(b).total_cmp(&size(a)))
    });
    let mut seen = std::collections::HashSet::new();
    open.retain(|finding| seen.insert(finding.flow.as_str()));
    open
}

async fn card(visit: &Visit, finding: &Finding, is_first: bool) -> Result<Option<FindingCard>> {
    let Some(evidence) = Evidence::read(&finding.evidence) else {
        return Ok(None);
    };
    let glimpse = if is_first {
        glimpse(visit, finding, &evidence).await?
    } else {
        None
    };
    let walk = evidence.from.zip(evidence.to).map(|(from, to)| {
        let walk = Quantity::from_to(
            &Quantity::exact(from, evidence.unit()),
            &evidence.quantity(&to),
        );
        Prose::of(&format!("{walk} {}", evidence.quantity(&to).range()))
    });
    let reason = (!evidence.reason.is_empty()).then(|| Prose::of(&evidence.reason));
    Ok(Some(FindingCard {
        path: paths::finding(visit.slug(), &finding.id.to_string()),
        kind: kind(finding),
        life: finding.state.into(),
        flow: flow_title(&finding.flow),
        manner: manner(&evidence),
        sentence: evidence.sentence.clone(),
        found: visit.moment(if kind(finding) == Kind::Missing {
            finding.onset_us
        } else {
            finding.detected_us
        }),
        owner: owner(finding),
        glimpse,
        facts: if is_first {
            facts(visit, finding, &evidence)
        } else {
            Vec::new()
        },
        notes: walk.into_iter().chain(reason).collect(),
    }))
}

async fn glimpse(visit: &Visit, finding: &Finding, evidence: &Evidence) -> Result<Option<Glimpse>> {
    let tracked = finding
        .series
        .and_then(|series| visit.record.series.get(&series));
    let Some(tracked) = tracked else {
        return Ok(None);
    };
    let stretch = Stretch {
        from_us: finding.onset_us - BEFORE_ONSET_US,
        by: By::Release,
        now: None,
    };
    let history = history(visit, tracked, evidence.percentile, stretch).await?;
    Ok(history.trend.map(|trend| Glimpse {
        id: "card".into(),
        title: evidence.sentence.clone(),
        from_us: trend.from_us,
        until_us: visit.now_us,
        points: trend.main.points,
        limit: trend
            .main
            .limits
            .first()
            .map(|step| tracked.exact(step.limit)),
        bleed: bleed_mark(visit, finding, evidence).filter(|_| kind(finding) == Kind::Bleed),
        breaks: trend.epochs.iter().map(|epoch| epoch.at_us).collect(),
    }))
}

/// The largest improvement of late that is not a mere return.
fn good_news(visit: &Visit) -> Option<GoodNews> {
    let lately = visit.findings.iter().filter(|finding| {
        kind(finding) == Kind::Improvement
            && finding.onset_us > visit.now_us - NEWS_US
            && Life::from(finding.state) != Life::FalseAlarm
    });
    let best = lately
        .filter_map(|finding| Some((finding, Evidence::read(&finding.evidence)?)))
        .max_by(|a, b| {
            let size = |evidence: &Evidence| {
                change(evidence).map_or(0.0, |change| change.percent.value.abs())
            };
            size(&a.1).total_cmp(&size(&b.1))
        });
    best.map(|(finding, evidence)| {
        let to = evidence.to.map(|to| evidence.quantity(&to));
        let walk = evidence.from.zip(to).map(|(from, to)| {
            format!(
                "{} {}",
                Quantity::from_to(&Quantity::exact(from, evidence.unit()), &to),
                to.range()
            )
        });
        let line = line(visit, finding);
        GoodNews {
            path: line.path,
            sentence: line.sentence,
            walk: walk.unwrap_or_default(),
        }
    })
}

async fn row(visit: &Visit, flow: &str) -> Result<FlowRow> {
    let mut row = FlowRow {
        path: paths::flow(visit.slug(), flow),
        title: flow_title(flow),
        series: String::new(),
        state: Standing::NotEnough,
        value: None,
        measured: None,
        needs: "no data yet".into(),
        change: None,
        reference: String::new(),
        sparkline: Default::default(),
        headroom: None,
    };
    let Some(tracked) = visit.main_series(flow) else {
        return Ok(row);
    };
    row.path = paths::series(visit.slug(), flow, &tracked.id.to_string());
    let q = visit.record.watched(tracked);
    row.sparkline = sparkline(visit, tracked, q, visit.now_us - NINE_MONTHS_US).await?;
    row.series = if q == Some(crate::record::WATCHED) {
        tracked.line()
    } else {
        tracked.line_with(q)
    };
    match visit.record.budgets(tracked).first() {
        Some(budget) => {
            let (store, record) = (&visit.store, &visit.record);
            let found = standing::standing(
                store,
                record,
                tracked,
                budget,
                &visit.findings,
                visit.now_us,
            )
            .await?;
            fill(visit, &mut row, tracked, &found);
        }
        None => unbudgeted(visit, &mut row, tracked, q).await?,
    }
    Ok(row)
}

fn fill(visit: &Visit, row: &mut FlowRow, tracked: &Tracked, found: &standing::Standing<'_>) {
    row.state = found.state.into();
    row.value = found.value.map(|value| tracked.quantity(&value));
    row.needs = found.needs.as_ref().map(needs_words).unwrap_or_default();
    if row.state == Standing::Stale {
        row.measured = found.newest_us.map(|at_us| visit.moment(at_us));
    }
    if let Some((release, reference)) = &found.reference {
        row.reference.clone_from(release);
        let percent = found.value.and_then(|value| change_pct(reference, &value));
        row.change = percent.map(|percent| Change {
            percent: Quantity::percent(percent.value, percent.lower, percent.upper),
            manner: tracked.manner(),
        });
    }
    row.headroom = Some(headroom(found, visit.now_us));
}

/// A key flow without a budget: its newest value and what it needs.
async fn unbudgeted(
    visit: &Visit,
    row: &mut FlowRow,
    tracked: &Tracked,
    q: Option<f64>,
) -> Result<()> {
    let qs: Vec<f64> = q.into_iter().collect();
    let points = visit
        .record
        .points(&visit.store, tracked, By::Release, i64::MIN, i64::MAX, &qs)
        .await?;
    if let Some(point) = points.last() {
        row.value = point.interval.map(|interval| tracked.quantity(&interval));
        row.needs = point.needs.as_ref().map(needs_words).unwrap_or_default();
        row.state = if point.interval.is_some() {
            Standing::Within
        } else {
            Standing::NotEnough
        };
    }
    Ok(())
}

fn percentile_of_all(visit: &Visit) -> String {
    let watched = visit
        .record
        .flows()
        .into_iter()
        .filter(|flow| visit.record.config.is_key(flow));
    let mut names: Vec<String> = watched
        .filter_map(|flow| visit.main_series(&flow))
        .filter_map(|tracked| visit.record.watched(tracked))
        .map(|q| statistic_word(Some(q)))
        .collect();
    names.sort();
    names.dedup();
    match names.as_slice() {
        [only] => only.clone(),
        _ => "P75".to_owned(),
    }
}

fn releases(visit: &Visit, verdicts: &[StoredVerdict]) -> Vec<ReleaseRow> {
    let newest = visit.record.releases.iter().rev().take(RELEASES);
    newest
        .map(|release| ReleaseRow {
            path: paths::release(visit.slug(), &release.name),
            release: release.name.clone(),
            answer: worst(verdicts, &release.name),
            moved: moved(visit, &release.name),
            at: visit.moment(release.time_us),
        })
        .collect()
}

/// The worst of the newest answers that each gate gave about a release.
pub fn worst(verdicts: &[StoredVerdict], release: &str) -> Option<Answer> {
    let mut asked: Vec<&StoredVerdict> = verdicts
        .iter()
        .filter(|verdict| verdict.release == release)
        .collect();
    asked.sort_by_key(|verdict| std::cmp::Reverse(verdict.created_us));
    let mut gates = std::collections::HashSet::new();
    asked.retain(|verdict| gates.insert(verdict.gate.as_str()));
    asked
        .iter()
        .filter_map(|verdict| Answer::from_stored(&verdict.verdict))
        .min()
}

/// What moved with a release, in words.
fn moved(visit: &Visit, release: &str) -> String {
    let moved: Vec<String> = visit
        .findings
        .iter()
        .filter(|finding| matches!(kind(finding), Kind::Step | Kind::Improvement))
        .filter_map(|finding| Some((finding, Evidence::read(&finding.evidence)?)))
        .filter(|(_, evidence)| evidence.onset_release.as_deref() == Some(release))
        .filter_map(|(finding, evidence)| {
            let change = change(&evidence)?;
            let word = change
                .manner
                .comparative(change.percent.value)
                .unwrap_or("changed");
            Some(format!(
                "{} {} {word}",
                flow_title(&finding.flow),
                change.percent.change()
            ))
        })
        .collect();
    if moved.is_empty() {
        "nothing proven".to_owned()
    } else {
        moved.join("; ")
    }
}

fn newest(visit: &Visit, verdicts: &[StoredVerdict]) -> Option<(String, String, Answer)> {
    let newest = verdicts.iter().max_by_key(|verdict| verdict.created_us)?;
    let path = paths::verdict(visit.slug(), &newest.gate, &newest.id.to_string());
    Some((
        path,
        newest.release.clone(),
        Answer::from_stored(&newest.verdict)?,
    ))
}
