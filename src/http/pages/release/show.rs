//! Fills a release's page.

use std::collections::BTreeMap;

use axum::extract::Path;

use crate::http::error::{Error, Result};
use crate::http::pages::facts::{Change, Fact};
use crate::http::pages::layout::Section;
use crate::http::pages::visit::Visit;
use crate::http::paths;
use crate::http::wording::names::flow_title;
use crate::http::wording::quantity::Quantity;
use crate::http::wording::state::Answer;
use crate::record::By;
use crate::stats::difference::change_pct;
use crate::store::{Id, Span};
use crate::{standing, verdict};

use super::{ChangeRow, GateAnswer, ReleasePage, RunRow};

/// Digits of a commit that people read.
const COMMIT_SHOWN: usize = 12;
/// The margin where no gate says one, per cent.
const MARGIN_PCT: f64 = 2.0;

/// A release's page.
pub async fn show(
    Path((_project, name)): Path<(String, String)>,
    visit: Visit,
) -> Result<ReleasePage> {
    let rank = visit.record.rank(&name).ok_or_else(Error::not_found)?;
    let release = &visit.record.releases[rank];
    let short = |commit: &str| commit.chars().take(COMMIT_SHOWN).collect::<String>();
    let mut facts = vec![Fact::new(
        "Deployed",
        visit.moment(release.time_us).full(),
        "",
    )];
    if let Some(commit) = &release.commit {
        facts.push(Fact::new("Commit", short(commit), ""));
    }
    if let Some(parent) = &release.parent {
        facts.push(Fact::new("Parent", short(parent), ""));
    }
    if let Some(note) = &release.note {
        facts.push(Fact::new("About", note.clone(), ""));
    }
    let mut changes = changes(&visit, rank).await?;
    ReleasePage::sort_changes(&mut changes);
    let compare = rank
        .checked_sub(1)
        .zip(changes.first())
        .and_then(|(before, _)| {
            let tracked = visit
                .record
                .config
                .flows
                .iter()
                .find_map(|flow| visit.main_series(&flow.name))?;
            Some(paths::compare(
                visit.slug(),
                &tracked.id.to_string(),
                &visit.record.releases[before].name,
                &name,
            ))
        })
        .unwrap_or_default();
    Ok(ReleasePage {
        facts,
        verdicts: verdicts(&visit, &name).await?,
        changes,
        runs: runs(&visit, &name).await?,
        epochs: epochs(&visit, &name).await?,
        compare,
        release: name,
        shell: visit.shell(Section::Overview).await?,
    })
}

async fn verdicts(visit: &Visit, release: &str) -> Result<Vec<GateAnswer>> {
    let stored = visit.store.verdicts(&visit.caller.project, 1_000).await?;
    let mut newest: BTreeMap<&str, GateAnswer> = BTreeMap::new();
    for verdict in stored.iter().filter(|verdict| verdict.release == release) {
        if newest.contains_key(verdict.gate.as_str()) {
            continue;
        }
        let answer = verdict::decode(verdict)?;
        let reason = answer
            .checks
            .iter()
            .find(|check| check.counts && check.verdict == answer.verdict)
            .map(|check| format!("{}: {}", flow_title(&check.flow), check.reason));
        newest.insert(
            &verdict.gate,
            GateAnswer {
                path: paths::verdict(visit.slug(), &verdict.gate, &verdict.id.to_string()),
                gate: verdict.gate.clone(),
                answer: Answer::from_stored(&verdict.verdict).unwrap_or(Answer::Inconclusive),
                reason: reason.unwrap_or_default(),
            },
        );
    }
    Ok(newest.into_values().collect())
}

/// What every series with a budget did against the release before it that was measured the same way.
async fn changes(visit: &Visit, rank: usize) -> Result<Vec<ChangeRow>> {
    let record = &visit.record;
    let margin = record
        .config
        .gates
        .first()
        .map_or(MARGIN_PCT, |gate| 100.0 * gate.margin.fraction());
    let mut rows = Vec::new();
    for tracked in record.series.values() {
        if record.budgets(tracked).is_empty() {
            continue;
        }
        let q = record.watched(tracked);
        let points = record
            .points(
                &visit.store,
                tracked,
                By::Release,
                i64::MIN,
                i64::MAX,
                &standing::qs(q),
            )
            .await?;
        let Some(at) = points
            .iter()
            .position(|point| record.rank(&point.release) == Some(rank))
        else {
            continue;
        };
        let before = points[..at]
            .iter()
            .rev()
            .find(|point| point.interval.is_some() && point.epoch == points[at].epoch);
        let (Some(before), Some(after)) =
            (before.and_then(|point| point.interval), points[at].interval)
        else {
            continue;
        };
        let Some(percent) = change_pct(&before, &after) else {
            continue;
        };
        let account =
            standing::account(&visit.store, record, tracked, q, None, &visit.findings).await?;
        let name = &record.releases[rank].name;
        let share = account
            .iter()
            .flat_map(|account| &account.shares)
            .find(|share| share.first == *name && share.last == *name)
            .map(|share| tracked.quantity(&share.change));
        rows.push(ChangeRow {
            path: paths::series(visit.slug(), &tracked.flow, &tracked.id.to_string()),
            title: flow_title(&tracked.flow),
            series: tracked.line_with(q),
            walk: Quantity::from_to(&tracked.quantity(&before), &tracked.quantity(&after)),
            change: Change {
                percent: Quantity::percent(percent.value, percent.lower, percent.upper),
                manner: tracked.manner(),
            },
            is_proven: percent.lower > margin || percent.upper < -margin,
            share,
        });
    }
    Ok(rows)
}

async fn runs(visit: &Visit, release: &str) -> Result<Vec<RunRow>> {
    let mut samples: BTreeMap<Id, u64> = BTreeMap::new();
    for tracked in visit
        .record
        .series
        .values()
        .filter(|tracked| !tracked.series.is_field())
    {
        let windows = visit
            .store
            .windows(
                &visit.caller.project,
                tracked.id,
                Span::Run(Id::NIL),
                0,
                1,
                false,
            )
            .await?;
        for window in windows {
            if let Span::Run(run) = window.key.span {
                *samples.entry(run).or_default() += window.count;
            }
        }
    }
    let mut runs: Vec<_> = visit
        .record
        .runs
        .iter()
        .filter(|(_, run)| run.release == release)
        .collect();
    runs.sort_by_key(|(_, run)| std::cmp::Reverse(run.started_us));
    Ok(runs
        .into_iter()
        .map(|(id, run)| RunRow {
            run: run.name.clone(),
            testbed: run.testbed.clone(),
            samples: samples.get(id).copied().unwrap_or(0),
            at: visit.moment(run.started_us),
            excluded: run.excluded.clone().unwrap_or_default(),
        })
        .collect())
}

async fn epochs(visit: &Visit, release: &str) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for tracked in visit.record.series.values() {
        for start in visit.record.epoch_starts(&visit.store, tracked).await? {
            if start.release == release {
                found.push((tracked.subject(), start.reason));
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}
